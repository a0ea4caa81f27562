"""Elastic Beanstalk: saved configurations and custom platforms.  Environments run through templates and groups of the
account, which are read anyway.

These calls leave out, without an error, what the caller may not see (API references), so the permissions must cover all
applications and platforms.
"""

from functools import partial

from ..api import Api
from .common import filled, member, read_each, used_by
from .usage_report import UsageReport

OWN_PLATFORMS = [{"Type": "PlatformOwner", "Operator": "=", "Values": ["self"]}]


def read(api: Api) -> UsageReport:
    """The image of each saved configuration, and those of each platform version of this account."""
    call = "elasticbeanstalk:DescribeApplications"
    report = UsageReport(next_reads=[partial(_platforms, api)])
    for application in api.pages(call):
        name = str(filled(api, call, application, "ApplicationName", "an application"))
        for template in application.get("ConfigurationTemplates") or ():
            report.next_reads.append(partial(_configuration, api, name, template))
    return report


def _configuration(api: Api, application: str, template: str) -> UsageReport:
    call = "elasticbeanstalk:DescribeConfigurationSettings"
    report = UsageReport()
    use = used_by(
        api,
        "beanstalk-configuration",
        f"{application}/{template}",
        f'Elastic Beanstalk saved configuration "{template}" of application "{application}"',
    )
    for settings in api.pages(call, ApplicationName=application, TemplateName=template):
        for option in member(api, call, settings, "OptionSettings", f"saved configuration {template}"):
            if option.get("OptionName") == "ImageId":
                report.add_image(option.get("Value"), use)
    return report


def _platforms(api: Api) -> UsageReport:
    call = "elasticbeanstalk:ListPlatformVersions"
    return read_each(api, call, "PlatformArn", "a platform version", partial(_platform, api), Filters=OWN_PLATFORMS)


def _platform(api: Api, arn: str) -> UsageReport:
    call = "elasticbeanstalk:DescribePlatformVersion"
    report = UsageReport()
    platform = filled(api, call, api.call(call, PlatformArn=arn), "PlatformDescription", arn)
    name = f"{platform.get('PlatformName')} {platform.get('PlatformVersion')}"
    for ami in platform.get("CustomAmiList") or ():
        report.add_image(ami.get("ImageId"), used_by(api, "beanstalk-platform", arn, f"Elastic Beanstalk platform {name}"))
    return report
