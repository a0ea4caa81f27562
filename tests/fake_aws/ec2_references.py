"""EC2: DescribeImageReferences, which looks at the caller's own resources in the Region.

From the EC2 guide ("Identify your resources referencing specified AMIs"): 1 to 10 AMIs of any owner; instances in all states
and 10 versions of a template unless told otherwise; the caller needs permissions for the services behind it, which AWS calls
on the caller's behalf (`aws:CalledVia`). Whether older versions of a parameter count is undocumented; here they do not.
"""

from __future__ import annotations

from collections.abc import Iterator

from .action import Actions, Context
from .ec2_images import AMI_ID, check_form, listing
from .errors import ApiError, invalid_value
from .resources import INSTANCE_STATES, Shape
from .wire import ec2

ACTIONS = Actions()

NEEDED = {
    "ec2:Instance": ["ec2:DescribeInstances"],
    "ec2:LaunchTemplate": ["ec2:DescribeLaunchTemplates", "ec2:DescribeLaunchTemplateVersions"],
    "ssm:Parameter": ["ssm:DescribeParameters", "ssm:GetParameters"],
    "imagebuilder:ImageRecipe": ["imagebuilder:ListImageRecipes"],
    "imagebuilder:ContainerRecipe": ["imagebuilder:ListContainerRecipes", "imagebuilder:GetContainerRecipe"],
}
OPTION = {"ec2:Instance": "state-name", "ec2:LaunchTemplate": "version-depth"}


def wanted_types(ctx: Context) -> dict[str, list[str] | None]:
    """The requested resource types, with the values of their options."""
    types: dict[str, list[str] | None] = dict.fromkeys(NEEDED) if ctx.flag("IncludeAllResourceTypes") else {}
    for entry in ctx.structures("ResourceType"):
        name = entry.get("ResourceType", "")
        if name not in NEEDED:
            raise invalid_value(name, "resourceType", "Unknown resource type.")
        types[name] = None
        for option in entry.get("ResourceTypeOption") or []:
            if option.get("OptionName") != OPTION.get(name):
                raise invalid_value(option.get("OptionName"), "optionName", f"Not an option of {name}.")
            types[name] = option.get("OptionValue") or None
            check_option(name, types[name] or [])
    if not types:
        raise ApiError("MissingParameter", "Either IncludeAllResourceTypes or ResourceTypes must be specified")
    return types


def check_option(name: str, values: list[str]) -> None:
    for value in values:
        good = value in INSTANCE_STATES if name == "ec2:Instance" else value.isdigit() and 1 <= int(value) <= 10000
        if not good:
            raise invalid_value(value, "optionValue", f"Not a value of {OPTION[name]}.")


def references(ctx: Context, ids: list[str], types: dict[str, list[str] | None]) -> Iterator[Shape]:
    region = ctx.region
    if "ec2:Instance" in types:
        states = types["ec2:Instance"] or INSTANCE_STATES
        for instance in region.instances.values():
            if instance.image_id in ids and instance.state in states:
                yield reference(instance.image_id, "ec2:Instance", region.arn("ec2", f"instance/{instance.instance_id}"))
    if "ec2:LaunchTemplate" in types:
        depth = int((types["ec2:LaunchTemplate"] or ["10"])[0])
        for template in region.launch_templates.values():
            newest = sorted(template.versions, reverse=True)[:depth]
            images = {template.versions[number].data.get("ImageId") for number in newest}
            for image_id in ids:
                if image_id in images:
                    arn = region.arn("ec2", f"launch-template/{template.template_id}")
                    yield reference(image_id, "ec2:LaunchTemplate", arn)
    if "ssm:Parameter" in types:
        for parameter in region.parameters.values():
            value = parameter.versions[parameter.latest].value
            if value in ids:
                yield reference(value, "ssm:Parameter", parameter.arn)
    for recipe in region.recipes:
        if recipe.resource_type in types and recipe.image_id in ids:
            yield reference(recipe.image_id, recipe.resource_type, recipe.arn)


def reference(image_id: str, resource_type: str, arn: str) -> Shape:
    return {"ImageId": image_id, "ResourceType": resource_type, "Arn": arn}


@ACTIONS("ImageId", "IncludeAllResourceTypes", "ResourceType")
def describe_image_references(ctx: Context) -> str:
    ids = ctx.strings("ImageId")
    if not 1 <= len(ids) <= 10:
        raise invalid_value(len(ids), "imageIds", "Between 1 and 10 image ids must be given.")
    check_form(ids, AMI_ID, "InvalidAMIID.Malformed", "ami-...")
    types = wanted_types(ctx)
    for name in types:
        for needed in NEEDED[name]:
            if not ctx.may(needed, True):
                message = f"You are not authorized to perform this operation. Missing: {needed}"
                raise ApiError("UnauthorizedOperation", message, 403)
    found = enumerate(references(ctx, ids, types))
    page, token = ctx.page_by(found, ctx.size(5, 1000), lambda entry: entry[0])
    return listing("imageReferenceSet", [f"<item>{ec2(shape)}</item>" for _, shape in page], token)
