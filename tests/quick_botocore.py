"""botocore without what no test looks at and what takes half of a call or of a client: signatures, names of the system in
each request, the endpoint of each call anew, an SSL context for each client.  The fake AWS knows a caller by the access
key.  Each model is read once, rather than once per session and client."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore import compat, hooks, httpsession
from botocore.auth import SigV4Auth
from botocore.client import ClientCreator
from botocore.exceptions import NoCredentialsError
from botocore.loaders import JSONFileLoader
from botocore.model import ServiceModel
from botocore.regions import EndpointRulesetResolver
from botocore.useragent import UserAgentString

_construct_endpoint: Any = EndpointRulesetResolver.construct_endpoint
_accepts_kwargs = cache(compat.accepts_kwargs)


def install() -> None:
    SigV4Auth.add_auth = _name_caller  # type: ignore[assignment,method-assign]
    UserAgentString.to_string = lambda self: "Botocore"  # type: ignore[method-assign]
    UserAgentString.rebuild_and_replace_user_agent_handler = lambda self, operation_name, request, **_: None  # type: ignore[method-assign]
    EndpointRulesetResolver.construct_endpoint = _endpoint  # type: ignore[assignment,method-assign]
    httpsession.create_urllib3_context = cache(httpsession.create_urllib3_context)
    hooks.accepts_kwargs = lambda func: _accepts_kwargs(getattr(func, "__func__", func))
    JSONFileLoader.load_file = staticmethod(cache(JSONFileLoader().load_file))  # type: ignore[method-assign]
    ClientCreator._load_service_model = _model  # type: ignore[attr-defined]


def _name_caller(auth: Any, request: Any) -> None:
    if auth.credentials is None:
        raise NoCredentialsError
    scope = f"{auth.credentials.access_key}/20260301/{auth._region_name}/{auth._service_name}/aws4_request"
    request.headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}"


def _endpoint(resolver: Any, operation_model: Any, call_args: Any, request_context: Any) -> Any:
    """None of the services that are called has another endpoint for other parameters."""
    known = resolver._instance_cache
    if operation_model.name not in known:
        known[operation_model.name] = _construct_endpoint(resolver, operation_model, call_args, request_context)
    return known[operation_model.name]


def _model(creator: Any, name: str, version: str | None = None) -> ServiceModel:
    known = creator._loader.__dict__.setdefault("models", {})
    if (name, version) not in known:
        model = creator._loader.load_service_model(name, "service-2", api_version=version)
        known[name, version] = ServiceModel(model, service_name=name)
    found: ServiceModel = known[name, version]
    return found
