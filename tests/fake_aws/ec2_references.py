"""EC2: DescribeImageReferences, which looks at the caller's own resources in the Region.

From the EC2 guide ("Identify your resources referencing specified AMIs"): 1 to 10 AMIs of any owner; instances in all states
unless told otherwise; the caller needs permissions for the services behind it, which AWS calls on the caller's behalf
(`aws:CalledVia`). Whether older versions of a parameter count is undocumented; here they do not.
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
    "ssm:Parameter": ["ssm:DescribeParameters", "ssm:GetParameters"],
    "imagebuilder:ImageRecipe": ["imagebuilder:ListImageRecipes"],
    "imagebuilder:ContainerRecipe": ["imagebuilder:ListContainerRecipes", "imagebuilder:GetContainerRecipe"],
}


def wanted_types(ctx: Context) -> dict[str, list[str]]:
    """The requested resource types, with the states that are asked for: of instances."""
    types: dict[str, list[str]] = {}
    for entry in ctx.structures("ResourceType"):
        name = entry.get("ResourceType", "")
        if name not in NEEDED:
            raise invalid_value(name, "resourceType", "Unknown resource type.")
        types[name] = []
        for option in entry.get("ResourceTypeOption") or []:
            types[name] = option.get("OptionValue") or []
            if (name, option.get("OptionName")) != ("ec2:Instance", "state-name") or set(types[name]) - set(INSTANCE_STATES):
                raise invalid_value(option, "resourceTypeOption", f"Not an option of {name}.")
    return types


def references(ctx: Context, ids: list[str], types: dict[str, list[str]]) -> Iterator[Shape]:
    region = ctx.region
    if "ec2:Instance" in types:
        states = types["ec2:Instance"] or INSTANCE_STATES
        for instance in region.instances.values():
            if instance.image_id in ids and instance.state in states:
                yield reference(instance.image_id, "ec2:Instance", region.arn("ec2", f"instance/{instance.instance_id}"))
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


@ACTIONS("ImageId", "ResourceType")
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
