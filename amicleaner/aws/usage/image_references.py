"""What AWS itself reports as references to an AMI: DescribeImageReferences, in the caller's own account and Region.

Unless narrowed its response counts terminated instances and stale template versions (EC2 guide, "Identify your resources
referencing specified AMIs"), so the types and states are named, and templates are read by the tool itself.  The states of
instances are a list here, for the call has no way to leave one out; one that AWS adds later shows in DescribeInstances.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ...actions import AMI_GONE
from ...errors import AwsError
from ...models import Use
from .usage_report import UsageReport

CALL = "DescribeImageReferences"
LIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]

AT_ONCE = 10
"""AMIs that the call takes."""

KINDS = {
    "ec2:Instance": ("instance", "instance"),
    "ssm:Parameter": ("ssm-parameter", "SSM parameter"),
    "imagebuilder:ImageRecipe": ("image-recipe", "Image Builder image recipe"),
    "imagebuilder:ContainerRecipe": ("container-recipe", "Image Builder container recipe"),
}
"""Resource type: its kind, and its name for people."""

TYPES: list[dict[str, Any]] = [{"ResourceType": name} for name in KINDS]
TYPES[0]["ResourceTypeOptions"] = [{"OptionName": "state-name", "OptionValues": LIVE}]


def read(ami_ids: Iterable[str], report: UsageReport) -> None:
    """What refers to these AMIs, 10 a call."""
    ids = sorted(set(ami_ids))
    batches = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
    report.first_then_others([partial(_read_batch, batch) for batch in batches])


def _read_batch(ami_ids: Sequence[str], report: UsageReport) -> None:
    """An AMI that vanished has no references and gives a warning."""
    try:
        references = list(report.api.pages(CALL, ImageIds=list(ami_ids), ResourceTypes=TYPES))
        report.images += [_named(report, reference, ami_ids) for reference in references]
    except AwsError as error:
        if error.code not in AMI_GONE:
            raise
        if len(ami_ids) == 1:
            report.warnings.append(f"{ami_ids[0]} was deleted during the scan.")
            return
        for id in ami_ids:
            _read_batch([id], report)


def _named(report: UsageReport, reference: dict[str, Any], ami_ids: Sequence[str]) -> tuple[str, Use]:
    """The AMI, and the resource that names it: `image-recipe/web/1.0.0`, the end of its ARN, is the recipe `web/1.0.0`."""
    api = report.api
    image = str(api.member(CALL, reference, "ImageId", "a reference"))
    arn = str(api.member(CALL, reference, "Arn", f"a reference to {image}"))
    type = str(api.member(CALL, reference, "ResourceType", f"the reference {arn}"))
    _, slash, id = arn.split(":", 5)[-1].partition("/")
    if type not in KINDS or image not in ami_ids or not slash:
        raise api.malformed(CALL, f"the reference {arn} of the type {type} is about another AMI")
    if type == "ssm:Parameter" and "/" in id:
        id = f"/{id}"  # an ARN does not double the slash of a hierarchical name: `parameter/golden/web` is `/golden/web`
    kind, word = KINDS[type]
    return image, report.use(kind, id, f"{word} {id}")
