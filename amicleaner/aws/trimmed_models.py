"""Service models cut down to what this tool asks and reads.

EC2's model describes hundreds of calls, and an image or an instance by dozens of members.  botocore builds a method for each
of the former for every client, and reads each of the latter out of every answer.  With the rest left out, thousands of AMIs
are read in a fraction of the processor time and memory, and a client for a further Region costs next to nothing.
"""

from threading import Lock
from typing import Any

from botocore.loaders import Loader

from .operations import OPERATIONS

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

SLIM = frozenset({operation.service for operation in OPERATIONS.values()} - {"organizations", "ssm", "sts"})
"""The services whose models are cut down: those of which only this tool makes clients.  boto3's own credential providers
use `sts` and others."""


class TrimmedLoader(Loader):
    """botocore's loader, with the cut models; each is loaded once for all sessions that share the loader."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._slim: dict[str, dict[str, Any]] = {}
        self._loading = Lock()

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """As in botocore.  The whole model is not kept."""
        if service_name not in SLIM or type_name != "service-2":
            return super().load_service_model(service_name, type_name, api_version)
        with self._loading:
            if service_name not in self._slim:
                whole = Loader(self.search_paths, include_default_search_paths=False).load_service_model(
                    service_name, type_name, api_version
                )
                self._slim[service_name] = slim(service_name, whole)
            return self._slim[service_name]


def slim(service: str, model: dict[str, Any]) -> dict[str, Any]:
    """A service model with only the calls of `operations.py`, and only the members of their responses that `READ` names."""
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
