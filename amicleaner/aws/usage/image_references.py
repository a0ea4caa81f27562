"""What AWS itself reports of who names an AMI: DescribeImageReferences, in the caller's own account and Region.

Unless narrowed its answer counts terminated instances and stale template versions (EC2 guide, "Identify your resources
referencing specified AMIs"), so the types and states are named, and templates are read by the tool itself.  The states of
instances are a list here, for the call has no way to leave one out; one that AWS adds later shows in DescribeInstances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...actions import AMI_GONE
from ...errors import AwsError
from ...models import UseKind
from ..api import Api
from .source import OnDemandSource, member
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


KINDS: dict[str, tuple[UseKind, str, Callable[[str], str]]] = {
    "ec2:Instance": ("instance", "instance", after_slash),
    "ssm:Parameter": ("ssm-parameter", "SSM parameter", parameter_name),
    "imagebuilder:ImageRecipe": ("image-recipe", "Image Builder image recipe", after_slash),
    "imagebuilder:ContainerRecipe": ("container-recipe", "Image Builder container recipe", after_slash),
}
"""Resource type: its kind, its word for people, and how its id stands in the last part of its ARN."""


def ask(api: Api, images: Sequence[str]) -> UsageReport:
    """Who names `images`, of which AWS takes 1 to 10.  One that vanished protects nothing and gives a warning."""
    try:
        references = list(api.pages(CALL, ImageIds=list(images), ResourceTypes=TYPES))
    except AwsError as error:
        if error.code not in AMI_GONE:
            raise
        if len(images) == 1:
            return UsageReport(warnings=[f"{images[0]} vanished while what refers to it was read"])
        found = UsageReport()
        for image in images:
            found.add(ask(api, [image]))
        return found
    return UsageReport(references=[_mention(api, reference, images) for reference in references])


def _mention(api: Api, reference: dict[str, Any], images: Sequence[str]) -> ImageReference:
    image = str(member(api, CALL, reference, "ImageId", "a reference"))
    arn = str(member(api, CALL, reference, "Arn", f"a reference to {image}"))
    type = str(member(api, CALL, reference, "ResourceType", f"the reference {arn}"))
    path = arn.split(":", 5)[-1]
    if type not in KINDS or image not in images or "/" not in path:
        raise api.error(CALL, "MalformedResponse", f"the reference {arn} of the type {type} was not asked for")
    kind, word, id_of = KINDS[type]
    return ImageReference(image, Referrer(kind, id_of(path), f"{word} {id_of(path)}"))


SOURCE = OnDemandSource(
    name="image-references",
    check="image-references",
    actions=("ec2:DescribeImageReferences",),
    via=(
        "ec2:DescribeInstances",
        "imagebuilder:GetContainerRecipe",
        "imagebuilder:ListContainerRecipes",
        "imagebuilder:ListImageRecipes",
        "ssm:DescribeParameters",
        "ssm:GetParameters",
    ),
    things="SSM parameters and Image Builder recipes",
    words="SSM parameters and Image Builder recipes that name the AMI (AWS's own DescribeImageReferences)",
    of="images",
    at_once=10,
    ask=ask,
)
