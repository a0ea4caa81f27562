"""EC2: launch template versions.

From the model of botocore 1.44: without a template, `Versions` takes `$Latest` and `$Default` for all templates and no
numbers; an alias (`resolve:ssm:…`) is shown unresolved. Pages have 200 versions by default. Public code handles these codes
(Karpenter, Ansible, eksctl's issues).
"""

from __future__ import annotations

from .action import Actions, Context
from .ec2_compute import OPERATOR
from .ec2_images import listing
from .errors import ApiError, invalid_value
from .resources import LaunchTemplate, Resource, TemplateVersion
from .wire import ec2

ACTIONS = Actions()

DATA_NAMES = {
    "BlockDeviceMappings": "blockDeviceMappingSet",
    "NetworkInterfaces": "networkInterfaceSet",
    "SecurityGroupIds": "securityGroupIdSet",
    "TagSpecifications": "tagSpecificationSet",
    "Tags": "tagSet",
}


class Version(Resource):
    """A version together with its template."""

    def __init__(self, template: LaunchTemplate, version: TemplateVersion) -> None:
        super().__init__()
        self.template = template
        self.version = version

    @property
    def is_default(self) -> bool:
        return self.version.number == self.template.default


def shown_templates(ctx: Context) -> list[LaunchTemplate]:
    """Launch templates that the call shows: managed ones are hidden, even where they are named."""
    managed = ctx.flag("IncludeManagedResources")
    return [template for template in ctx.region.launch_templates.values() if managed or not template.managed]


def named_template(ctx: Context) -> LaunchTemplate | None:
    template_id, name = ctx.text("LaunchTemplateId"), ctx.text("LaunchTemplateName")
    if template_id is None and name is None:
        return None
    for template in shown_templates(ctx):
        if template.template_id == template_id or template.name == name:
            return template
    if template_id:
        message = f"The specified launch template, with template ID {template_id}, does not exist."
        raise ApiError("InvalidLaunchTemplateId.NotFound", message)
    message = f"The specified launch template, with template name {name}, does not exist."
    raise ApiError("InvalidLaunchTemplateName.NotFoundException", message)


def resolve(template: LaunchTemplate, version: str) -> int:
    if version == "$Latest":
        return template.latest
    if version == "$Default":
        return template.default
    if not version.isdigit():
        raise invalid_value(version, "launchTemplateVersion", "Expecting a number, $Latest or $Default.")
    if int(version) not in template.versions:
        message = f"Could not find the specified version {version} for the launch template with ID {template.template_id}."
        raise ApiError("InvalidLaunchTemplateId.VersionNotFound", message)
    return int(version)


def render_version(entry: Version) -> str:
    template, version = entry.template, entry.version
    shape = {
        "LaunchTemplateId": template.template_id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": version.created,
        "CreatedBy": "arn:aws:iam::123456789012:root",
        "DefaultVersion": entry.is_default,
        "LaunchTemplateData": version.data,
        "Operator": OPERATOR if template.managed else {"Managed": False},
    }
    return f"<item>{ec2(template.finish(shape), DATA_NAMES)}</item>"


@ACTIONS("LaunchTemplateId", "LaunchTemplateName", "LaunchTemplateVersion", "IncludeManagedResources")
def describe_launch_template_versions(ctx: Context) -> str:
    wanted, named = ctx.strings("LaunchTemplateVersion"), named_template(ctx)
    if named is None and not {"$Latest", "$Default"} >= set(wanted) > set():
        message = "Only $Latest and $Default can be given without a launch template"
        raise ApiError("InvalidParameterCombination", message)
    entries = []
    for template in [named] if named else shown_templates(ctx):
        numbers = {resolve(template, version) for version in wanted} if wanted else set(template.versions)
        entries += [Version(template, template.versions[number]) for number in sorted(numbers)]
    page, token = ctx.page_by(
        entries,
        ctx.size(1, 200, 200),
        lambda entry: (entry.template.seq, entry.version.number),
    )
    return listing("launchTemplateVersionSet", map(render_version, page), token)
