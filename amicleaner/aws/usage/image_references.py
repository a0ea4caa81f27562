"""What AWS itself reports as references to an AMI: DescribeImageReferences, in the caller's own account and Region.

Unless narrowed its response counts terminated instances and stale template versions (EC2 guide, "Identify your resources
referencing specified AMIs"), so the types and states are named, and templates are read by the tool itself.  The states of
instances are a list here, for the call has no way to leave one out; one that AWS adds later shows in DescribeInstances.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from ...actions import AMI_GONE
from ...errors import AwsError
from ..api import Api
from .common import member
from .usage_report import ImageReference, Referrer, UsageReport

CALL = "DescribeImageReferences"
LIVE = ("pending", "running", "shutting-down", "stopping", "stopped")
TYPES: list[dict[str, Any]] = [
    {
        "ResourceType": "ec2:Instance",
        "ResourceTypeOptions": [{"OptionName": "state-name", "OptionValues": list(LIVE)}],
    },
    {"ResourceType": "ssm:Parameter"},
    {"ResourceType": "imagebuilder:ImageRecipe"},
    {"ResourceType": "imagebuilder:ContainerRecipe"},
]


def parameter_name(path: str) -> str:
    """`parameter/golden/web` is the parameter `/golden/web`: an ARN does not double the slash of a hierarchical name."""
    name = path.removeprefix("parameter/")
    return f"/{name}" if "/" in name else name


def after_slash(path: str) -> str:
    """`image-recipe/web/1.0.0` is the recipe `web/1.0.0`, `instance/i-…` the instance `i-…`."""
    return path.partition("/")[2]


AT_ONCE = 10
"""AMIs that the call takes."""

KINDS: dict[str, tuple[str, str, Callable[[str], str]]] = {
    "ec2:Instance": ("instance", "instance", after_slash),
    "ssm:Parameter": ("ssm-parameter", "SSM parameter", parameter_name),
    "imagebuilder:ImageRecipe": ("image-recipe", "Image Builder image recipe", after_slash),
    "imagebuilder:ContainerRecipe": ("container-recipe", "Image Builder container recipe", after_slash),
}
"""Resource type: its kind, its name for people, and the form of its id in the last part of its ARN."""


def read(api: Api, ami_ids: Iterable[str]) -> UsageReport:
    """What refers to these AMIs, 10 a call.  The first call is made alone: where it is denied or does not exist, hundreds
    more would only find out the same."""
    ids = sorted(set(ami_ids))
    batches = [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
    if not batches:
        return UsageReport()
    report = _read_batch(api, batches[0])
    report.next_reads = [partial(_read_batch, api, batch) for batch in batches[1:]]
    return report


def _read_batch(api: Api, ami_ids: Sequence[str]) -> UsageReport:
    """An AMI that vanished has no references and gives a warning."""
    try:
        references = list(api.pages(CALL, ImageIds=list(ami_ids), ResourceTypes=TYPES))
    except AwsError as error:
        if error.code not in AMI_GONE:
            raise
        if len(ami_ids) == 1:
            return UsageReport(warnings=[f"{ami_ids[0]} was deleted during the scan."])
        report = UsageReport()
        for id in ami_ids:
            report.add(_read_batch(api, [id]))
        return report
    return UsageReport(references=[_reference(api, reference, ami_ids) for reference in references])


def _reference(api: Api, reference: dict[str, Any], ami_ids: Sequence[str]) -> ImageReference:
    image = str(member(api, CALL, reference, "ImageId", "a reference"))
    arn = str(member(api, CALL, reference, "Arn", f"a reference to {image}"))
    type = str(member(api, CALL, reference, "ResourceType", f"the reference {arn}"))
    path = arn.split(":", 5)[-1]
    if type not in KINDS or image not in ami_ids or "/" not in path:
        raise api.error(CALL, "MalformedResponse", f"the reference {arn} of the type {type} is about another AMI")
    kind, word, id_of = KINDS[type]
    return ImageReference(image, Referrer(kind, id_of(path), f"{word} {id_of(path)}"))
