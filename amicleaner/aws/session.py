"""The one module that makes boto3 sessions and clients, from service models that are cut down to what this tool asks and
reads."""

import os
from copy import copy
from dataclasses import KW_ONLY, dataclass, field
from functools import cache, lru_cache
from threading import RLock, Thread
from typing import Any

import boto3
from botocore.config import Config as BotoConfig
from botocore.credentials import Credentials
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import Loader, instance_cache
from botocore.session import Session as BotocoreSession
from botocore.utils import EVENT_ALIASES

from ..errors import CredentialsError
from ..models import Target
from ..sources import OPERATIONS
from .error_mapping import CREDENTIALS_HINT, map_credentials_error
from .response_parser import parse_list, validate_response

CONNECTIONS = 16
"""Open connections to one service in one Region of one account, at most."""

# EC2's model describes hundreds of calls, and an image or an instance by dozens of members.  botocore builds a method for
# each of the former for every client, and reads each of the latter out of every answer.  With the rest left out, thousands
# of AMIs are read in a fraction of the processor time and memory, and a client for a further Region costs next to nothing.
READ: dict[str, frozenset[str]] = {
    shape: frozenset(members.split())
    for shape, members in {
        "Image": "BlockDeviceMappings CreationDate DeregistrationProtection ImageId ImageOwnerAlias LastLaunchedTime Name "
        "OwnerId Public SourceImageId SourceImageRegion State Tags",
        "BlockDeviceMapping": "Ebs",
        "EbsBlockDevice": "SnapshotId VolumeSize",
        "Snapshot": "Description FullSnapshotSizeInBytes SnapshotId StartTime State StorageTier Tags VolumeId VolumeSize",
        "Reservation": "Instances",
        "Instance": "ImageId InstanceId State",
        "LaunchTemplateVersion": "DefaultVersion LaunchTemplateData LaunchTemplateId LaunchTemplateName VersionNumber",
        "ResponseLaunchTemplateData": "BlockDeviceMappings ImageId",
        "LaunchTemplateBlockDeviceMapping": "Ebs",
        "LaunchTemplateEbsBlockDevice": "SnapshotId",
    }.items()
}
"""Shapes of EC2's responses and the members that are read; a shape that is not here is read whole."""

SERVICES = frozenset(operation.service for operation in OPERATIONS.values())

TRIMMED = SERVICES - {"organizations", "ssm", "sts"}
"""The services whose models are cut down: those of which only this tool makes clients.  boto3's own credential providers
use `sts` and others."""


class TrimmedLoader(Loader):
    """botocore's loader, with the cut models; each is loaded once for all sessions that share the loader."""

    @instance_cache
    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """As in botocore.  The whole model is not kept."""
        if service_name not in TRIMMED or type_name != "service-2":
            return super().load_service_model(service_name, type_name, api_version)
        whole = Loader(self.search_paths, include_default_search_paths=False)
        return trim_model(service_name, whole.load_service_model(service_name, type_name, api_version))


def trim_model(service: str, model: dict[str, Any]) -> dict[str, Any]:
    """A service model with only the calls of `OPERATIONS`, and only the members of their responses that `READ` names."""
    wanted = {operation.name for operation in OPERATIONS.values() if operation.service == service}
    operations = {action: operation for action, operation in model["operations"].items() if action in wanted}
    shapes: dict[str, Any] = {}
    for operation in operations.values():
        for part in (operation.get("input"), operation.get("output"), *operation.get("errors", ())):
            if part:
                _reach(part["shape"], model["shapes"], shapes, READ if service == "ec2" else {})
    return {**model, "operations": operations, "shapes": shapes}


def _reach(name: str, whole: dict[str, Any], reached: dict[str, Any], read: dict[str, frozenset[str]]) -> None:
    if name in reached:
        return
    shape = dict(whole[name])
    reached[name] = shape
    if name in read:
        shape["members"] = {member: part for member, part in shape["members"].items() if member in read[name]}
    for part in (*shape.get("members", {}).values(), *(shape[end] for end in ("member", "key", "value") if end in shape)):
        _reach(part["shape"], whole, reached, read)


# Making a client from a session is not safe in threads (boto3's guide on sessions), and the Regions of an account share
# one; using a client is.
_making = RLock()


_loader = TrimmedLoader()
"""One for all sessions: a service model is loaded once, however many accounts take part."""


_aliases = {name: alias for name, alias in EVENT_ALIASES.items() if name in SERVICES}
"""Other names of the services that are called.  botocore holds each event of each client against those of all services."""


@lru_cache(1)
def _registered(handlers: tuple[Any, ...]) -> HierarchicalEmitter:
    """botocore's built-in event handlers, to which libraries like moto add their own.  Each session gets a copy: registering
    them takes most of the time that a session takes.  Each client has a copy too, so the half of them that is for S3 and for
    botocore's documentation is left out."""
    events = HierarchicalEmitter()
    named = EventAliaser(events)
    register = {(): named.register, (REGISTER_FIRST,): named.register_first, (REGISTER_LAST,): named.register_last}
    for name, handler, *place in handlers:
        if not name.startswith("docs.") and ".s3." not in f"{name}.":
            register[tuple(place)](name, handler)
    return events


def new_session(*, profile: str | None = None) -> boto3.Session:
    """A session of a profile (None: the environment's).  Raises botocore's errors for a profile that does not exist and for
    a broken configuration."""
    events = copy(_registered(tuple(BUILTIN_HANDLERS)))
    session = BotocoreSession(profile=profile, event_hooks=events, include_builtin_handlers=False)
    session.register_component("event_emitter", EventAliaser(events, _aliases))
    if region := os.environ.get("AWS_REGION"):
        # As in the AWS CLI and the other SDKs; botocore knows only AWS_DEFAULT_REGION.
        session.set_config_variable("region", region)
    session.get_scoped_config()  # botocore looks for a profile, and into the files, only once something of them is needed
    session.register_component("data_loader", _loader)
    events.register("before-parse.ec2", parse_list)
    events.register("after-call", validate_response)
    made = boto3.Session(botocore_session=session)
    # boto3 adds its own folder of models to the loader, for each session anew.
    _loader.search_paths[:] = dict.fromkeys(_loader.search_paths)
    return made


def known_regions() -> list[str]:
    """The Regions that this version of botocore knows, the isolated partitions' aside: for the shell's completion."""
    session = BotocoreSession()
    partitions = [name for name in session.get_available_partitions() if "iso" not in name]
    return sorted(region for name in partitions for region in session.get_available_regions("ec2", name))


def known_profiles() -> list[str]:
    """The profiles in the AWS configuration files, sorted."""
    return sorted(BotocoreSession().available_profiles)


def resolve_credentials(session: boto3.Session, target: Target, timeout: float) -> None:
    """Finds the session's credentials once, before calls in many threads ask for them: botocore's providers may run a
    process or ask for an MFA code each time that they are asked.  What hangs is abandoned after `timeout` seconds, unless a
    person may be typing a code.  Raises CredentialsError; no credentials at all are the first call's error."""
    failed: list[Exception] = []

    def resolve() -> None:
        try:
            credentials = session.get_credentials()
            if credentials is not None:
                credentials.get_frozen_credentials()
        except Exception as error:
            failed.append(error)

    thread = Thread(target=resolve, name="credentials", daemon=True)
    thread.start()
    profiles = session._session.full_config.get("profiles", {}).values()
    thread.join(None if any("mfa_serial" in profile for profile in profiles) else timeout)
    if thread.is_alive():
        message = f"they could not be resolved within {timeout:g} seconds"
        raise CredentialsError("credentials", "Timeout", message, target, hint=CREDENTIALS_HINT)
    if failed:
        raise map_credentials_error(failed[0], target) from failed[0]


def with_credentials(session: boto3.Session, credentials: Credentials) -> boto3.Session:
    """The same session, with its endpoints and certificates, as somebody else.  All else is shared: an organization has
    hundreds of accounts, and a session of its own takes some hundred KiB."""
    made, inner = copy(session), copy(session._session)
    # boto3 has no public way to hand a session credentials that renew; these are the members that it sets itself.
    inner._credentials = credentials  # type: ignore[attr-defined]
    made._session = inner
    return made


@cache
def _config(connect_timeout: float, read_timeout: float) -> BotoConfig:
    """One for all clients of a run."""
    # botocore's own retries are off: they sleep by themselves, and hide the throttles that must slow us down.
    return BotoConfig(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra="amicleaner",
    )


@dataclass(eq=False)
class Clients:
    """The clients of one account and Region, made when they are first needed.  Time limits are in seconds."""

    session: boto3.Session
    region: str
    _: KW_ONLY
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    _clients: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:
        """The client of a service (`ec2`)."""
        with _making:
            if service not in self._clients:
                self._clients[service] = self.make(service)
            return self._clients[service]

    def make(self, service: str, **credentials: Any) -> Any:
        """A client for its caller alone, on request with other credentials (by the names that boto3 has for them)."""
        with _making:
            config = _config(self.connect_timeout, self.read_timeout)
            return self.session.client(service, region_name=self.region, config=config, **credentials)

    def disconnect(self) -> None:
        """Closes all connections; they are opened again when they are needed again."""
        with _making:
            for client in self._clients.values():
                client.close()

    def drop(self) -> None:
        """Closes all connections and forgets the clients; they are made again when they are needed again."""
        with _making:
            self.disconnect()
            self._clients.clear()
