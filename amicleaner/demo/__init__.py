"""An account simulated in memory by moto (the extra `demo`): for `--demo`, for trying things out, for tests.

No AWS account is needed and none can be reached: within `demo_session` every request of every boto3 session in this process
is either answered by the simulation or refused.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from ..clock import Clock
from ..errors import AmicleanerError, UsageError
from . import article, tour
from .account import ACCOUNT, DemoAccount, add_image, add_orphan, made_id
from .missing_calls import MissingCalls

if TYPE_CHECKING:
    import boto3

ENVIRONMENT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}
"""What a session that is made within the demo finds in place of the person's own settings; moto adds credentials."""

HIDDEN = ("AWS_", "MOTO_", "TEST_SERVER_MODE", "TEST_PROXY_MODE", "INITIAL_NO_AUTH_ACTION_COUNT")
"""Variables that start like this would change what boto3 or moto do.  (A proxy's would not: no request gets that far.)"""

REGIONS = {"article": (article.REGION,), "tour": (tour.HOME, tour.AWAY)}
"""The Regions that a demo covers unless the options say otherwise."""


@contextmanager
def demo_session(kind: str, clock: Clock) -> "Iterator[boto3.Session]":
    """A session of a simulated account (`article` or `tour`).  The account, and all that was changed in it, is gone
    afterwards.

    It holds for the whole process, so that sessions which the run makes itself (for roles) are simulated as well.  Raises
    UsageError where moto is not installed.
    """
    from botocore.loaders import JSONFileLoader

    with ExitStack() as stack:
        shown = {name: value for name, value in os.environ.items() if not name.startswith(HIDDEN)}
        stack.enter_context(patch.dict(os.environ, shown | ENVIRONMENT, clear=True))
        # moto makes many sessions to look into botocore's models: each model is read once, rather than by each of them.
        stack.enter_context(patch.object(JSONFileLoader, "load_file", staticmethod(cache(JSONFileLoader().load_file))))
        session = _start(stack, {"article": article, "tour": tour}[kind].account(clock.now()), clock)
        # What moto loads stays to the end of the process, where looking through it for garbage takes a while.
        gc.freeze()
        yield session


def _start(stack: ExitStack, account: DemoAccount, clock: Clock) -> "boto3.Session":
    import boto3
    from botocore.handlers import BUILTIN_HANDLERS

    try:
        from moto import mock_aws
        from moto.core.models import botocore_stubber
        from moto.ec2.models import ec2_backends
    except ImportError as error:
        raise UsageError(
            f"--demo requires the extra `demo`, which is not installed ({error}).",
            hint="Run  pip install '.[demo]'  in a clone of the repository.",
        ) from error
    stack.enter_context(mock_aws())
    backends = {region: ec2_backends[ACCOUNT][region] for region in account.regions}
    calls = MissingCalls(account, backends, clock)

    def answer(request: Any, **context: Any) -> Any:
        """As moto's handler, which lets out what it does not know: this one refuses that."""
        response = botocore_stubber(request=request, **context)
        if response is None:
            raise AmicleanerError(f"The demo reaches no network, and nothing simulates {request.method} {request.url}.")
        return response

    # botocore gives its built-in handlers to each session that is made.  A session keeps them, so that one which outlives
    # the demo is refused everything rather than let out with whatever credentials it finds.
    stack.callback(BUILTIN_HANDLERS.__setitem__, slice(None), list(BUILTIN_HANDLERS))
    BUILTIN_HANDLERS[:] = [handler for handler in BUILTIN_HANDLERS if handler[1] is not botocore_stubber]
    BUILTIN_HANDLERS.extend([("before-send", answer), *calls.handlers()])
    session = boto3.Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name=account.regions[0])
    _fill(session, account, calls)
    return session


def _fill(session: "boto3.Session", account: DemoAccount, calls: MissingCalls) -> None:
    for region, images in account.images.items():
        ec2 = session.client("ec2", region_name=region)
        for image in images:
            add_image(calls.backends[region], image)
            if image.recycled:
                calls.recycle(region, image)
            if image.instances:
                ec2.run_instances(ImageId=image.ami_id, MinCount=image.instances, MaxCount=image.instances)
            if image.template:
                ec2.create_launch_template(LaunchTemplateName=image.template, LaunchTemplateData={"ImageId": image.ami_id})
    home = account.regions[0]
    for name, gib, days in account.orphans:
        created = (calls.clock.now() - timedelta(days=days)).replace(tzinfo=None)
        add_orphan(calls.backends[home], name, gib, created)
    for name in account.dangling:
        data = {"ImageId": made_id("ami", name)}
        session.client("ec2", region_name=home).create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
