"""The article's account, simulated in memory by moto (the extra `demo`): for `--demo`, for trying things out, for tests.

No AWS account is needed and none can be reached: within `demo_session` every request of every boto3 session in this process
is either answered by the simulation or refused.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .errors import AmicleanerError, UsageError

if TYPE_CHECKING:
    import boto3
    from moto.ec2.models import EC2Backend

ACCOUNT = "123456789012"
REGION = "eu-west-1"
VOLUME_GIB = 8


@dataclass(frozen=True, slots=True)
class DemoImage:
    """One AMI of the simulated account; `created` is the time of day, UTC, on `day`."""

    id: str
    name: str
    created: str
    environment: str = ""
    role: str = ""
    day: str = "2017-06-15"

    @property
    def tags(self) -> dict[str, str]:
        pairs = {"environment": self.environment, "role": self.role}
        return {key: value for key, value in pairs.items() if value}

    def made(self, prefix: str) -> str:
        """The id of something that was made with this AMI (`snap-…`): the same in every run."""
        return f"{prefix}-0{sha256(f'{prefix} {self.id}'.encode()).hexdigest()[:16]}"


IMAGES = (
    DemoImage("ami-50504e36", "front-a3c56c4", "09:55:42", "dev", "front"),
    DemoImage("ami-52504e34", "front-ff5eac7", "09:56:43", "dev", "front"),
    DemoImage("ami-3e514f58", "front-0b9d2e6", "09:57:44", "dev", "front"),
    DemoImage("ami-c8534dae", "front-7c41fa8", "09:58:45", "dev", "front"),
    DemoImage("ami-11534d77", "front-e26b953", "09:59:47", "dev", "front"),
    DemoImage("ami-fd4c529b", "front-31d05d8", "10:05:39", "prod", "front"),
    DemoImage("ami-50514f36", "front-a4b33c9", "10:06:42", "prod", "front"),
    DemoImage("ami-7e4c5218", "front-5d8ea07", "10:07:43", "prod", "front"),
    DemoImage("ami-d3524cb5", "front-c90137b", "10:08:45", "prod", "front"),
    DemoImage("ami-8a4f51ec", "front-26fd4b1", "10:09:46", "prod", "front"),
    DemoImage("ami-954658f3", "back-d358afc", "11:46:56", "dev", "back"),
    DemoImage("ami-a74856c1", "back-285244c", "11:47:57", "dev", "back"),
    DemoImage("ami-1b47597d", "back-f07c6d2", "11:48:58", "dev", "back"),
    DemoImage("ami-6c49570a", "back-49ae813", "11:49:59", "dev", "back"),
    DemoImage("ami-e2465884", "back-b61d95e", "11:51:01", "dev", "back"),
    DemoImage("ami-9d4759fb", "back-c58de50", "11:52:05", "prod", "back"),
    DemoImage("ami-55495733", "back-579c0f6", "11:53:07", "prod", "back"),
    DemoImage("ami-0f465869", "back-8e2b7a4", "11:54:08", "prod", "back"),
    DemoImage("ami-b44856d2", "back-13f9c6d", "11:55:10", "prod", "back"),
    DemoImage("ami-27475941", "back-da7045b", "11:56:11", "prod", "back"),
    DemoImage("ami-2bf48158", "test-delete", "17:40:15", day="2016-08-16"),
)

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}
"""What a session that is made within the demo finds in place of the person's own settings; moto adds credentials."""

HIDDEN = ("AWS_", "MOTO_", "TEST_SERVER_MODE", "TEST_PROXY_MODE", "INITIAL_NO_AUTH_ACTION_COUNT")
"""Variables that start like this would change what boto3 or moto do.  (A proxy's would not: no request gets that far.)"""

NOTHING_TO_TELL = {"DescribeImageReferences": "ImageReferences", "ListImagesInRecycleBin": "Images"}
"""EC2 calls that moto does not have, and the list that is empty in this account."""


@contextmanager
def demo_session(kind: str = "article") -> Iterator[boto3.Session]:
    """A session of the simulated account.  The account, and all that was changed for it, is gone afterwards.

    It holds for the whole process, so that sessions which the run makes itself (for roles) are simulated as well.  Raises
    UsageError where moto is not installed.
    """
    with ExitStack() as stack:
        stack.enter_context(_environment())
        with _no_garbage_collection():
            session = _start(stack)
        # What moto and botocore loaded stays to the end of the process: looking through it for garbage, later and when
        # Python ends, takes as long as the loading.
        gc.freeze()
        stack.callback(gc.freeze)
        yield session


def _start(stack: ExitStack) -> boto3.Session:
    import boto3

    try:
        from moto import mock_aws
        from moto.core.models import botocore_stubber
        from moto.ec2.models import ec2_backends
    except ImportError as error:
        raise UsageError(
            f"--demo needs the extra `demo`, which is not installed ({error}): run  pip install '.[demo]'  in the clone."
        ) from error
    stack.enter_context(mock_aws())
    stack.enter_context(_only_answered(botocore_stubber))
    _fill(ec2_backends[ACCOUNT][REGION])
    return boto3.Session(aws_access_key_id="demo", aws_secret_access_key="demo", region_name=REGION)


@contextmanager
def _environment() -> Iterator[None]:
    """Hides every variable that could break the simulation or lead out of it, and puts each back at the end."""
    hidden = [name for name in os.environ if name.startswith(HIDDEN)]
    before = {name: os.environ.get(name) for name in [*hidden, *ENVIRONMENT]}
    try:
        for name in hidden:
            del os.environ[name]
        os.environ.update(ENVIRONMENT)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """moto and botocore load megabytes of JSON, which stay: looking for garbage meanwhile takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _only_answered(simulation: Callable[..., Any]) -> Iterator[None]:
    """Puts in the place of moto's handler, which lets out what it does not know, one that refuses it.

    botocore gives its built-in handlers to each session that is made.  A session keeps them, so that one which outlives the
    demo is refused everything rather than let out with whatever credentials it finds.
    """
    from botocore.handlers import BUILTIN_HANDLERS

    def answer(request: Any, **context: Any) -> Any:
        response = simulation(request=request, **context)
        if response is None:
            raise AmicleanerError(f"The demo reaches no network, and nothing simulates {request.method} {request.url}")
        return response

    before = list(BUILTIN_HANDLERS)
    BUILTIN_HANDLERS[:] = [handler for handler in before if handler[1] is not simulation]
    BUILTIN_HANDLERS.append(("before-send", answer))
    BUILTIN_HANDLERS.extend((f"before-call.ec2.{action}", _empty(items)) for action, items in NOTHING_TO_TELL.items())
    try:
        yield
    finally:
        BUILTIN_HANDLERS[:] = before


def _empty(items: str) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """A handler that answers a call with an empty list."""

    def answer(**_: object) -> tuple[Any, dict[str, Any]]:
        from botocore.awsrequest import AWSResponse

        metadata = {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
        return AWSResponse("memory:", 200, {}, None), {items: [], "ResponseMetadata": metadata}  # type: ignore[arg-type]

    return answer


def _fill(backend: EC2Backend) -> None:
    from moto.ec2.models.amis import Ami

    class SmallAmi(Ami):
        """moto's AMIs are of 15 GiB, whatever their snapshot is."""

        @property
        def block_device_mappings(self) -> list[dict[str, Any]]:
            mappings: list[dict[str, Any]] = super().block_device_mappings
            return [{**mapping, "Ebs": {**mapping["Ebs"], "VolumeSize": VOLUME_GIB}} for mapping in mappings]

    for image in IMAGES:
        backend.amis[image.id] = ami = SmallAmi(
            backend,
            image.id,
            name=image.name,
            tags=image.tags,
            creation_date=datetime.fromisoformat(f"{image.day}T{image.created}"),
            architecture="x86_64",
            virtualization_type="hvm",
            root_device_type="ebs",
            snapshot_description=(f"Created by CreateImage({image.made('i')}) for {image.id} from {image.made('vol')}"),
        )
        snapshot = ami.ebs_snapshot
        _rename(backend.snapshots, snapshot, image.made("snap"))
        snapshot.start_time = ami.creation_date
        snapshot.volume.id = image.made("vol")
        snapshot.volume.size = VOLUME_GIB


def _rename(of: dict[str, Any], thing: Any, id: str) -> None:
    """Gives a thing, which moto made with a random id, one that is the same in every run."""
    del of[thing.id]
    thing.id = id
    of[id] = thing
