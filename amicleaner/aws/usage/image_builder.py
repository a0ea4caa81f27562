"""EC2 Image Builder: recipes that build on an AMI or on another image, and what pipelines built last.

The parent of a recipe is an AMI id, an SSM parameter (`ssm:…`), a product of the Marketplace, or the ARN of another image,
whose version may have `x` for the latest one (API references of CreateImageRecipe and GetImage).  DescribeImageReferences
reports AMI ids alone.
"""

import re
from functools import partial
from typing import Any

from ...errors import AwsError
from ...models import Use
from .ssm_parameters import PREFIX
from .usage_report import UsageReport, unless_gone

IMAGE_ARN = re.compile(r"arn:[^:]+:imagebuilder:[^:]+:[0-9]{12}:image/.+")
"""An image of an account; those that AWS offers (`…:aws:image/…`) come out as AMIs of AWS."""

PARAMETER = "ssm:"
BUILT = "AVAILABLE"


def read(report: UsageReport) -> None:
    """Recipes of both kinds, and pipelines."""
    images = ("imagebuilder:ListImageRecipes", "image recipe", ("parentImage",))
    containers = ("imagebuilder:ListContainerRecipes", "container recipe", ("parentImage", "instanceImage"))
    report.first_then_others([partial(_recipes, *images), partial(_recipes, *containers), _pipelines])


def _recipes(call: str, word: str, members: tuple[str, ...], report: UsageReport) -> None:
    images: dict[str, list[Use]] = {}
    for recipe in report.api.pages(call, owner="Self"):
        id = _name(report.api.filled(call, recipe, "arn", f"an {word}"))
        use = report.use(word.replace(" ", "-"), id, f"Image Builder {word} {id}")
        for name in members:
            parent = str(recipe.get(name) or "")
            if parent.startswith("ami-"):
                report.add_image(parent, use)
            elif parent.startswith(PARAMETER):
                report.add_image(PREFIX + parent.removeprefix(PARAMETER), use)
            elif IMAGE_ARN.fullmatch(parent):
                images.setdefault(parent, []).append(use)
    report.next_reads += [partial(_parent, arn, uses) for arn, uses in sorted(images.items())]


def _parent(arn: str, uses: list[Use], report: UsageReport) -> None:
    """The AMIs of the image that a recipe builds on: of the latest available one that its version matches."""
    call = "imagebuilder:GetImage"
    try:
        image = report.api.filled(call, report.api.call(call, imageBuildVersionArn=arn), "image", arn)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        first = min(use.label for use in uses)
        warning = f"Image Builder image {_name(arn)} does not exist (named by {first}); it protects no AMI."
        report.warnings.append(warning)
        return
    for use in uses:
        _add_output(report, image, use.through(f"image {_name(arn)}"))


def _pipelines(report: UsageReport) -> None:
    report.read_each("imagebuilder:ListImagePipelines", "arn", "a pipeline", _last_output)


@unless_gone
def _last_output(pipeline: str, report: UsageReport) -> None:
    """The AMIs of the newest image that a pipeline has built."""
    call = "imagebuilder:ListImagePipelineImages"
    images = report.api.pages(call, imagePipelineArn=pipeline)
    built = [image for image in images if (image.get("state") or {}).get("status") == BUILT]
    newest = max((str(report.api.filled(call, image, "dateCreated", "an image")) for image in built), default="")
    name = _name(pipeline)
    use = report.use("image-pipeline", name, f"latest image of Image Builder pipeline {name}")
    for image in built:
        if image["dateCreated"] == newest:
            _add_output(report, image, use)


def _add_output(report: UsageReport, image: dict[str, Any], use: Use) -> None:
    here = report.api.target.region
    for ami in (image.get("outputResources") or {}).get("amis") or ():
        if (ami.get("region") or here) == here:
            report.add_image(ami.get("image"), use)


def _name(arn: Any) -> str:
    """`arn:…:image-recipe/web/1.0.0` is `web/1.0.0`."""
    return str(arn).rpartition(":")[2].partition("/")[2]
