"""An account simulated in memory by moto (the extra `demo`): for `--demo`, for trying things out, for tests.

No AWS account is needed and none can be reached: within `demo_session` every request of every boto3 session in this process
is either answered by the simulation or refused.
"""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from ..clock import Clock
from ..errors import AmicleanerError, UsageError
from . import article, tour
from .account import ACCOUNT, DemoAccount, add_image, add_orphan, made_id
from .missing_calls import MissingCalls

if TYPE_CHECKING:
    import boto3
    from moto.ec2.models import EC2Backend

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
    with ExitStack() as stack:
        stack.enter_context(_environment())
        # What moto and botocore load, megabytes of JSON, stays to the end of the process: looking through it for garbage,
        # now, later and when Python ends, takes as long as the loading.
        enabled = gc.isenabled()
        gc.disable()
        try:
            session = _start(stack, {"article": article, "tour": tour}[kind].account(clock.now()), clock)
        finally:
            if enabled:
                gc.enable()
        gc.freeze()
        stack.callback(gc.freeze)
        yield session


def _start(stack: ExitStack, account: DemoAccount, clock: Clock) -> "boto3.Session":
    import boto3

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
    stack.enter_context(_only_answered(botocore_stubber, calls))
    session = boto3.Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name=account.regions[0])
    _fill(session, account, backends, calls, clock)
    return session


def _fill(
    session: "boto3.Session",
    account: DemoAccount,
    backends: "Mapping[str, EC2Backend]",
    calls: MissingCalls,
    clock: Clock,
) -> None:
    for region, images in account.images.items():
        for image in images:
            add_image(backends[region], image)
            if image.recycled:
                calls.recycle(region, image)
            for use in image.uses:
                _use(session.client("ec2", region_name=region), image.ami_id, use)
    home = account.regions[0]
    for name, gib, days in account.orphans:
        add_orphan(backends[home], name, gib, (clock.now() - timedelta(days=days)).replace(tzinfo=None))
    for name in account.dangling:
        _use(session.client("ec2", region_name=home), made_id("ami", name), f"launch-template:{name}")


def _use(ec2: Any, ami: str, use: str) -> None:
    kind, _, name = use.partition(":")
    if kind == "instance":
        ec2.run_instances(ImageId=ami, MinCount=int(name), MaxCount=int(name))
    elif kind == "launch-template":
        ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={"ImageId": ami})


@contextmanager
def _environment() -> Iterator[None]:
    """Hides every variable that could break the simulation or lead out of it, and puts each back at the end."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(HIDDEN)]:
            del os.environ[name]
        os.environ.update(ENVIRONMENT)
        yield


@contextmanager
def _only_answered(simulation: Callable[..., Any], calls: MissingCalls) -> Iterator[None]:
    """Puts in the place of moto's handler, which lets out what it does not know, one that refuses it.

    botocore gives its built-in handlers to each session that is made.  A session keeps them, so that one which outlives the
    demo is refused everything rather than let out with whatever credentials it finds.
    """
    from botocore.handlers import BUILTIN_HANDLERS

    def answer(request: Any, **context: Any) -> Any:
        response = simulation(request=request, **context)
        if response is None:
            raise AmicleanerError(f"The demo reaches no network, and nothing simulates {request.method} {request.url}.")
        return response

    before = list(BUILTIN_HANDLERS)
    BUILTIN_HANDLERS[:] = [handler for handler in before if handler[1] is not simulation]
    BUILTIN_HANDLERS.append(("before-send", answer))
    BUILTIN_HANDLERS.extend(calls.handlers())
    try:
        yield
    finally:
        BUILTIN_HANDLERS[:] = before
