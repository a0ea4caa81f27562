"""EC2: AMIs and their launch permissions.

From the model of botocore 1.44: a disabled AMI is hidden unless asked for; a deregistered AMI is left out of the response
while an instance of it exists, and not found afterwards. From the guide: other calls find it `Unavailable`. From the Ruby
SDK: ids and MaxResults cannot be combined.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .action import Actions, Context
from .errors import ApiError
from .filters import Getter
from .resources import BlockDevice, Image, Shape
from .wire import ec2

ACTIONS = Actions()

IMAGE_NAMES = {
    "State": "imageState",
    "OwnerId": "imageOwnerId",
    "Public": "isPublic",
    "BlockDeviceMappings": "blockDeviceMapping",
    "Tags": "tagSet",
}
AMI_ID = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")

IMAGE_FILTERS: dict[str, Getter[Image]] = {
    "image-id": lambda image: image.image_id,
    "state": lambda image: image.state,
}


def tag_shapes(tags: dict[str, str]) -> list[Shape] | None:
    return [{"Key": key, "Value": value} for key, value in tags.items()] or None


def device_shape(device: BlockDevice) -> Shape:
    ebs = {
        "SnapshotId": device.snapshot_id,
        "VolumeSize": device.size,
        "DeleteOnTermination": True,
        "VolumeType": "gp3",
        "Encrypted": False,
    }
    return {"DeviceName": device.device, "Ebs": ebs}


def render_image(image: Image) -> str:
    shape = {
        "ImageId": image.image_id,
        "ImageLocation": f"{image.owner_id}/{image.name}",
        "State": image.state,
        "OwnerId": image.owner_id,
        "CreationDate": image.created,
        "Public": image.public,
        "Architecture": "x86_64",
        "ImageType": "machine",
        "Name": image.name,
        "Description": image.description,
        "RootDeviceType": "ebs",
        "RootDeviceName": image.block_devices[0].device if image.block_devices else None,
        "BlockDeviceMappings": [device_shape(device) for device in image.block_devices],
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "PlatformDetails": "Linux/UNIX",
        "EnaSupport": True,
        "Tags": tag_shapes(image.tags),
        "DeregistrationProtection": image.deregistration_protection,
        "LastLaunchedTime": image.last_launched,
        "ImageOwnerAlias": image.owner_alias,
        "SourceImageId": image.source_image and image.source_image[0],
        "SourceImageRegion": image.source_image and image.source_image[1],
        "DeprecationTime": image.deprecated,
    }
    return f"<item>{ec2(image.finish(shape), IMAGE_NAMES)}</item>"


def listing(name: str, items: Iterable[str], token: str | None = None) -> str:
    return f"<{name}>{''.join(items)}</{name}>{ec2({'NextToken': token})}"


def quoted(ids: list[str]) -> str:
    return f"'[{', '.join(ids)}]' do{'' if len(ids) > 1 else 'es'} not exist"


def check_form(ids: Iterable[str], form: re.Pattern[str], code: str, example: str) -> None:
    for entry in ids:
        if not form.fullmatch(entry):
            raise ApiError(code, f'Invalid id: "{entry}" (expecting "{example}")')


def visible_images(ctx: Context) -> Iterable[Image]:
    """The AMIs in this Region that the caller may see: its own, shared and public ones."""
    owners = {ctx.account.account_id if owner == "self" else owner for owner in ctx.strings("Owner")}
    for account in ctx.world.accounts.values():
        region = account.regions.get(ctx.region.name)
        for image in list(region.images.values()) if region else ():
            if owners and image.owner_id not in owners:
                continue
            own = image.owner_id == ctx.account.account_id
            if not (own or image.public or ctx.account.account_id in image.shared_with):
                continue
            if not own and hidden_as_deprecated(ctx, image):
                continue
            yield image


def hidden_as_deprecated(ctx: Context, image: Image) -> bool:
    """A deprecated AMI is always visible to its owner."""
    past = image.deprecated is not None and image.deprecated <= ctx.world.clock()
    return past and not ctx.flag("IncludeDeprecated")


@ACTIONS("Owner", "ImageId", "IncludeDeprecated", "IncludeDisabled", "Filter")
def describe_images(ctx: Context) -> str:
    ids, size = ctx.strings("ImageId"), ctx.size(5, 1000)
    check_form(ids, AMI_ID, "InvalidAMIID.Malformed", "ami-...")
    ctx.forbid_pages(ids, "imageIdsSet")
    chosen = list(visible_images(ctx))
    if ids:
        wanted, known = set(ids), {image.image_id for image in chosen}
        # A deregistered AMI is left out, without an error, while an instance of it exists.
        running = {i.image_id for i in ctx.region.instances.values() if i.state != "terminated"}
        gone = ctx.region.deregistered & running
        missing = [image_id for image_id in dict.fromkeys(ids) if image_id not in known | gone]
        if missing:
            word = "ids" if len(missing) > 1 else "id"
            raise ApiError("InvalidAMIID.NotFound", f"The image {word} {quoted(missing)}")
        chosen = [image for image in chosen if image.image_id in wanted]
    if not ctx.flag("IncludeDisabled"):
        chosen = [image for image in chosen if image.state != "disabled"]
    page, token = ctx.page(ctx.select(chosen, IMAGE_FILTERS), size)
    return listing("imagesSet", [image.rendered(render_image) for image in page], token)


def own_image(ctx: Context, image_id: str) -> Image:
    check_form([image_id], AMI_ID, "InvalidAMIID.Malformed", "ami-...")
    image = ctx.region.images.get(image_id)
    if image is None:
        if image_id in ctx.region.deregistered:
            raise ApiError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")
        raise ApiError("InvalidAMIID.NotFound", f"The image id {quoted([image_id])}")
    return image


@ACTIONS("ImageId", "Attribute")
def describe_image_attribute(ctx: Context) -> str:
    image = own_image(ctx, ctx.required("ImageId"))
    if ctx.required("Attribute") != "launchPermission":
        raise ApiError("UnsupportedByFakeAws", f"attribute {ctx.text('Attribute')}")
    permissions: list[Shape] = [{"Group": "all"}] if image.public else []
    permissions += [{"UserId": user} for user in image.shared_with]
    permissions += [{"OrganizationalUnitArn" if ":ou/" in arn else "OrganizationArn": arn} for arn in image.organizations]
    return ec2({"ImageId": image.image_id, "LaunchPermission": permissions})
