"""botocore without what no test looks at and what takes a third of a call: signatures, and names of the system in each
request.  The fake AWS knows a caller by the access key.  Each model is read once, rather than once per session."""

from __future__ import annotations

from functools import cache

from botocore import compat, hooks
from botocore.auth import SigV4Auth
from botocore.loaders import JSONFileLoader
from botocore.useragent import UserAgentString


def install() -> None:
    SigV4Auth.canonical_request = lambda self, request: ""  # type: ignore[method-assign]
    SigV4Auth.signature = lambda self, string_to_sign, request: ""  # type: ignore[method-assign]
    UserAgentString.to_string = lambda self: "Botocore"  # type: ignore[method-assign]
    UserAgentString.rebuild_and_replace_user_agent_handler = lambda self, operation_name, request, **_: None  # type: ignore[method-assign]
    hooks.accepts_kwargs = cache(compat.accepts_kwargs)
    JSONFileLoader.load_file = staticmethod(cache(JSONFileLoader().load_file))  # type: ignore[method-assign]
