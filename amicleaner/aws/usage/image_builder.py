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
from ..api import Api
from .ssm_parameters import PREFIX
from .usage_report import UsageReport, first_then_others, read_each, unless_gone, use_of

IMAGE_ARN = re.compile(r"arn:[^:]+:imagebuilder:[^:]+:[0-9]{12}:image/.+")
"""An image of an account; those that AWS offers (`…:aws:image/…`) come out as AMIs of AWS."""

PARAMETER = "ssm:"
BUILT = "AVAILABLE"


def read(api: Api) -> UsageReport:
    """Recipes of both kinds, and pipelines."""
    images = ("imagebuilder:ListImageRecipes", "image recipe", "parentImage")
    containers = ("imagebuilder:ListContainerRecipes", "container recipe", "parentImage", "instanceImage")
    return first_then_others(
        [partial(_recipes, api, *images), partial(_recipes, api, *containers), partial(_pipelines, api)]
    )


def _recipes(api: Api, call: str, word: str, *members: str) -> UsageReport:
    report = UsageReport()
    images: dict[str, list[Use]] = {}
    for recipe in api.pages(call, owner="Self"):
        id = _name(api.filled(call, recipe, "arn", f"an {word}"))
        use = use_of(api, word.replace(" ", "-"), id, f"Image Builder {word} {id}")
        for name in members:
            parent = str(recipe.get(name) or "")
            if parent.startswith("ami-"):
                report.add_image(parent, use)
            elif parent.startswith(PARAMETER):
                report.add_image(PREFIX + parent.removeprefix(PARAMETER), use)
            elif IMAGE_ARN.fullmatch(parent):
                images.setdefault(parent, []).append(use)
    report.next_reads = [partial(_parent, api, arn, uses) for arn, uses in sorted(images.items())]
    return report


def _parent(api: Api, arn: str, uses: list[Use]) -> UsageReport:
    """The AMIs of the image that a recipe builds on: of the latest available one that its version matches."""
    call = "imagebuilder:GetImage"
    report = UsageReport()
    try:
        image = api.filled(call, api.call(call, imageBuildVersionArn=arn), "image", arn)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        first = min(use.label for use in uses)
        warning = f"Image Builder image {_name(arn)} does not exist (named by {first}); it protects no AMI."
        return UsageReport(warnings=[warning])
    for use in uses:
        _add_output(api, report, image, use.through(f"image {_name(arn)}"))
    return report


def _pipelines(api: Api) -> UsageReport:
    return read_each(api, "imagebuilder:ListImagePipelines", "arn", "a pipeline", partial(_last_output, api))


@unless_gone
def _last_output(api: Api, pipeline: str) -> UsageReport:
    """The AMIs of the newest image that a pipeline has built."""
    call = "imagebuilder:ListImagePipelineImages"
    report = UsageReport()
    images = api.pages(call, imagePipelineArn=pipeline)
    built = [image for image in images if (image.get("state") or {}).get("status") == BUILT]
    newest = max((str(api.filled(call, image, "dateCreated", "an image")) for image in built), default="")
    name = _name(pipeline)
    use = use_of(api, "image-pipeline", name, f"latest image of Image Builder pipeline {name}")
    for image in built:
        if image["dateCreated"] == newest:
            _add_output(api, report, image, use)
    return report


def _add_output(api: Api, report: UsageReport, image: dict[str, Any], use: Use) -> None:
    for ami in (image.get("outputResources") or {}).get("amis") or ():
        if ami.get("region") in (None, api.target.region):
            report.add_image(ami.get("image"), use)


def _name(arn: Any) -> str:
    """`arn:…:image-recipe/web/1.0.0` is `web/1.0.0`."""
    return str(arn).rpartition(":")[2].partition("/")[2]
