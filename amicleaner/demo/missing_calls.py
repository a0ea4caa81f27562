"""The calls that moto does not have, answered from its backends: disabling, the Recycle Bin, and what names an AMI."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..clock import Clock
from ..sources import SOURCES
from .account import ACCOUNT, DemoAccount, DemoImage

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

MOTO_LACKS = {"ec2:DescribeFastLaunchImages", "autoscaling:DescribeInstanceRefreshes"}
"""Listings of services that moto has."""

EMPTY = {
    f"{call.service}.{call.name}": call.items
    for source in SOURCES
    for call in source.calls
    if call.items and (call.service not in ("ec2", "autoscaling", "ssm") or call.action in MOTO_LACKS)
}
"""Calls about what the simulated accounts do not use, and the list that is empty."""


class Refused(Exception):
    """AWS's error response: code and message."""


@dataclass(slots=True)
class MissingCalls:
    """Answers for one simulated account.  `bin` holds what was deleted, by Region and id, with its time of leaving."""

    account: DemoAccount
    backends: "Mapping[str, EC2Backend]"
    clock: Clock
    bin: dict[tuple[str, str], tuple[Any, datetime]] = field(default_factory=dict)
    by_id: dict[str, DemoImage] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {image.ami_id: image for images in self.account.images.values() for image in images}

    def handlers(self) -> list[tuple[str, Callable[..., Any]]]:
        """botocore's events, each with what answers it."""
        answers: dict[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
            "ec2.DisableImage": lambda region, sent: self._set_state(region, sent, "disabled"),
            "ec2.EnableImage": lambda region, sent: self._set_state(region, sent, "available"),
            "ec2.DeregisterImage": self._deregister,
            "ec2.DeleteSnapshot": self._delete_snapshot,
            "ec2.ListImagesInRecycleBin": lambda region, sent: {"Images": self._in_bin(region, "ImageId", "ami-")},
            "ec2.ListSnapshotsInRecycleBin": lambda region, sent: {"Snapshots": self._in_bin(region, "SnapshotId", "snap-")},
            "ec2.RestoreImageFromRecycleBin": self._restore_image,
            "ec2.RestoreSnapshotFromRecycleBin": self._restore_snapshot,
            "ec2.DescribeImageReferences": self._references,
            "ec2.DescribeRegions": lambda region, sent: {
                "Regions": [{"RegionName": name, "OptInStatus": "opt-in-not-required"} for name in self.account.regions]
            },
            "rbin.ListRules": self._rules,
            "rbin.GetRule": self._rule,
        }
        answers |= {call: (lambda region, sent, items=items: {items: []}) for call, items in EMPTY.items()}  # type: ignore[misc]
        return [
            *((f"before-call.{call}", _answering(answer)) for call, answer in answers.items()),
            ("after-call.ec2.DescribeImages", self._complete_images),
            ("after-call.ec2.DescribeSnapshots", self._measure),
        ]

    def recycle(self, region: str, image: DemoImage) -> None:
        """Puts an AMI and its snapshot into the Recycle Bin, as if deleted yesterday."""
        until = self.clock.now() + timedelta(days=self.account.retained_days - 1)
        ami = self.backends[region].amis.pop(image.ami_id)
        snapshot = self.backends[region].snapshots.pop(ami.ebs_snapshot.id)
        self.bin |= {(region, ami.id): (ami, until), (region, snapshot.id): (snapshot, until)}

    def _set_state(self, region: str, sent: Mapping[str, Any], state: str) -> dict[str, Any]:
        ami = self._ami(region, sent)
        ami.state = state
        if state == "disabled":
            ami.launch_permissions.clear()
        return {"Return": True}

    def _deregister(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        ami = self._ami(region, sent)
        del self.backends[region].amis[ami.id]
        self._retain(region, ami)
        results = []
        if str(sent.get("DeleteAssociatedSnapshots")).lower() == "true":
            self._delete_snapshot(region, {"SnapshotId": ami.ebs_snapshot.id})
            results = [{"SnapshotId": ami.ebs_snapshot.id, "ReturnCode": "success"}]
        return {"Return": True, "DeleteSnapshotResults": results}

    def _delete_snapshot(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        id, backend = str(sent["SnapshotId"]), self.backends[region]
        if id not in backend.snapshots:
            raise Refused("InvalidSnapshot.NotFound", f"The snapshot '{id}' does not exist.")
        for ami in backend.amis.values():
            if ami.ebs_snapshot.id == id:
                raise Refused("InvalidSnapshot.InUse", f"The snapshot {id} is currently in use by {ami.id}")
        self._retain(region, backend.snapshots.pop(id))
        return {}

    def _retain(self, region: str, thing: Any) -> None:
        tags = {tag["key"]: tag["value"] for tag in thing.get_tags()}
        if self.account.retained_days and self.account.retained_tags.items() <= tags.items():
            until = self.clock.now() + timedelta(days=self.account.retained_days)
            self.bin[region, thing.id] = (thing, until)

    def _in_bin(self, region: str, member: str, prefix: str) -> list[dict[str, Any]]:
        return [
            {member: id, "RecycleBinExitTime": until.astimezone(UTC), "Description": getattr(thing, "description", "")}
            for (place, id), (thing, until) in self.bin.items()
            if place == region and id.startswith(prefix)
        ]

    def _restore_image(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        id = str(sent["ImageId"])
        self.backends[region].amis[id] = self._out_of_bin(region, id, "AMIID", "image id")
        return {"Return": True}

    def _restore_snapshot(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        id = str(sent["SnapshotId"])
        self.backends[region].snapshots[id] = self._out_of_bin(region, id, "Snapshot", "snapshot")
        return {"SnapshotId": id, "State": "completed"}

    def _out_of_bin(self, region: str, id: str, code: str, noun: str) -> Any:
        if (region, id) not in self.bin:
            raise Refused(f"Invalid{code}.NotFound", f"The {noun} '{id}' is not in the Recycle Bin.")
        return self.bin.pop((region, id))[0]

    def _references(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:ssm:{region}:{ACCOUNT}:parameter"
        asked = [self.by_id[value] for value in sent.values() if value in self.by_id]
        return {
            "ImageReferences": [
                {"ImageId": image.ami_id, "ResourceType": "ssm:Parameter", "Arn": f"{arn}{image.parameter}"}
                for image in asked
                if image.parameter
            ]
        }

    def _rules(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        kind = str(sent.get("ResourceType"))
        return {"Rules": [{"Identifier": kind}] if self.account.retained_days else []}

    def _rule(self, region: str, sent: Mapping[str, Any]) -> dict[str, Any]:
        tags = [{"ResourceTagKey": key, "ResourceTagValue": value} for key, value in self.account.retained_tags.items()]
        period = {"RetentionPeriodValue": self.account.retained_days, "RetentionPeriodUnit": "DAYS"}
        return {"Identifier": sent["Identifier"], "Status": "available", "RetentionPeriod": period, "ResourceTags": tags}

    def _ami(self, region: str, sent: Mapping[str, Any]) -> Any:
        ami = self.backends[region].amis.get(str(sent["ImageId"]))
        if ami is None:
            raise Refused("InvalidAMIID.NotFound", f"The image id '[{sent['ImageId']}]' does not exist")
        return ami

    def _complete_images(self, parsed: dict[str, Any], **_: object) -> None:
        """Adds the members that moto does not know, and the sizes: its AMIs are of 15 GiB, whatever their snapshot is."""
        for image in parsed.get("Images") or ():
            if made := self.by_id.get(image["ImageId"]):
                image.update(made.more)
                for mapping in image["BlockDeviceMappings"]:
                    mapping["Ebs"]["VolumeSize"] = made.gib

    def _measure(self, parsed: dict[str, Any], **_: object) -> None:
        full = {image.made("snap"): image.full_gib for image in self.by_id.values()}
        for snapshot in parsed.get("Snapshots") or ():
            snapshot["FullSnapshotSizeInBytes"] = int(full.get(snapshot["SnapshotId"], 0.0) * (1 << 30))


def _answering(answer: Callable[[str, Mapping[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """A handler of `before-call` that answers in place of the network."""

    def handler(params: Mapping[str, Any], **_: object) -> tuple[Any, dict[str, Any]]:
        from botocore.awsrequest import AWSResponse

        region = str(params["context"]["client_region"])
        body = params["body"]
        sent = dict(body) if isinstance(body, dict) else json.loads(body or b"{}")
        sent.setdefault("Identifier", params["url_path"].rpartition("/")[2])  # GetRule sends it in the path
        status, error = 200, {}
        try:
            parsed = answer(region, sent)
        except Refused as refused:
            code, message = refused.args
            status, parsed, error = 400, {}, {"Error": {"Code": code, "Message": message}}
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": {}, "RequestId": "demo", "RetryAttempts": 0}
        response = AWSResponse("memory:", status, {}, None)  # type: ignore[arg-type]
        return response, {**parsed, **error, "ResponseMetadata": metadata}

    return handler
