"""For each source of use: an account in which exactly that keeps an AMI, on the last page, and a free AMI beside it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from amicleaner.aws import usage
from amicleaner.aws.usage import ssm_parameters, template_versions
from amicleaner.aws.usage.usage_report import UsageReport
from tests.fake_aws import RegionState
from tests.flows.flow import FAR, HOME, OTHER, OWN, Flow, decisions, removed

Use = Callable[[RegionState, str], object]


@dataclass(frozen=True)
class Case:
    """A way in which an AMI is in use: the source that sees it, its last call, what is named as its user, and how it is
    made.  Made a few times before for AMIs that nobody owns, it stands on the last page."""

    name: str
    source: str
    call: str
    user: str
    use: Use
    pages: int = 3
    options: dict[str, Any] = field(default_factory=dict)
    through: str = ""
    """Besides its source it needs the numbers of templates (`pins`) or parameters (`aliases`)."""


def configs(override: dict[str, Any] | None = None, **specification: str) -> list[dict[str, Any]]:
    """A fleet's configuration: a launch template, an override."""
    return [{"LaunchTemplateSpecification": specification or None, "Overrides": [override] if override else None}]


def mixed(override: dict[str, Any] | None = None, **specification: str) -> dict[str, Any]:
    """A mixed instances policy."""
    return {"LaunchTemplate": configs(override, **specification)[0]}


def pinned(region: RegionState, image: str) -> dict[str, Any]:
    """Version 2 of a template of three, which is neither the default nor the latest one."""
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateId": template.template_id, "Version": "2"}


def by_name(region: RegionState, image: str) -> dict[str, Any]:
    template = region.add_launch_template(versions=[{}, {"ImageId": image}, {}])
    return {"LaunchTemplateName": template.name, "Version": "2"}


def template(region: RegionState, *images: str | None, **members: Any) -> None:
    region.add_launch_template(versions=[{"ImageId": image} if image else {} for image in images], **members)


def alias(region: RegionState, image: str, spelling: str, **members: Any) -> str:
    """A parameter that holds the AMI; `spelling` with its name or its ARN in source."""
    name = f"/golden/{len(region.parameters):03}"
    parameter = region.add_parameter(name, image, **members)
    plain = name.rpartition("/")[2]
    if "{plain}" in spelling:
        parameter = region.add_parameter(plain, image, **members)
    return "resolve:ssm:" + spelling.format(name=name, arn=parameter.arn, plain=plain)


def aliased(spelling: str, **members: Any) -> Use:
    return lambda region, image: template(region, alias(region, image, spelling, **members))


def refreshing(region: RegionState, configuration: dict[str, Any], status: str = "InProgress") -> None:
    """All refreshes are those of one group, so that its calls have pages."""
    if "group" not in region.groups:
        region.add_group("group")
    region.add_refresh("group", configuration, status)


ALONE: dict[str, Any] = {"options": {"skip_check": ("image-references",)}}
"""AWS's own references name instances and parameters too."""

LT = ("launch-templates", "DescribeLaunchTemplateVersions", "launch template lt-")
ASG = ("auto-scaling-groups", "DescribeAutoScalingGroups", "Auto Scaling group ")
IR = ("instance-refreshes", "DescribeInstanceRefreshes", "instance refresh ")
SF = ("spot-fleets", "DescribeSpotFleetRequests", "Spot Fleet sfr-")
FLEET = ("fleets", "DescribeFleets", "EC2 Fleet fleet-")
REF = ("image-references", "DescribeImageReferences")
PIN: dict[str, Any] = {"through": "pins"}
ALIAS: dict[str, Any] = {"through": "aliases", **ALONE}

CASES = [
    Case("instance", "instances", "DescribeInstances", "instance i-", lambda r, i: r.add_instance(i), **ALONE),
    Case(
        "stopped instance", "instances", "DescribeInstances", "instance i-", lambda r, i: r.add_instance(i, "stopped"),
        **ALONE,
    ),
    Case(
        "managed instance", "instances", "DescribeInstances", "instance i-", lambda r, i: r.add_instance(i, managed=True),
        **ALONE,
    ),
    Case(
        "launch configuration", "launch-configurations", "DescribeLaunchConfigurations", "launch configuration ",
        lambda r, i: r.add_launch_configuration(i),
    ),
    Case("default version", *LT, lambda r, i: template(r, i, None)),
    Case("latest version", *LT, lambda r, i: template(r, None, i)),
    Case("managed template", *LT, lambda r, i: template(r, i, managed=True)),
    Case(
        "every version", *LT, lambda r, i: template(r, None, i, None), options={"all_launch_template_versions": True}
    ),
    Case("group's template", *ASG, lambda r, i: r.add_group(launch_template=pinned(r, i)), **PIN),
    Case("group's template by name", *ASG, lambda r, i: r.add_group(launch_template=by_name(r, i)), **PIN),
    Case("mixed base", *ASG, lambda r, i: r.add_group(mixed_instances_policy=mixed(**pinned(r, i))), **PIN),
    Case(
        "mixed override's template", *ASG,
        lambda r, i: r.add_group(mixed_instances_policy=mixed({"LaunchTemplateSpecification": pinned(r, i)})), **PIN,
    ),
    Case("mixed override's image", *ASG, lambda r, i: r.add_group(mixed_instances_policy=mixed({"ImageId": i}))),
    Case(
        "another root volume", *ASG,
        lambda r, i: r.add_group(instances=[{"InstanceId": "i-1", "LifecycleState": "InService", "ImageId": i}]),
    ),
    Case("refresh's template", *IR, lambda r, i: refreshing(r, {"LaunchTemplate": pinned(r, i)}), **PIN),
    Case("refresh's mixed policy", *IR, lambda r, i: refreshing(r, {"MixedInstancesPolicy": mixed({"ImageId": i})})),
    Case(
        "refresh that is cancelling", *IR,
        lambda r, i: refreshing(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Cancelling"),
    ),
    Case("Spot Fleet's image", *SF, lambda r, i: r.add_spot_fleet(launch_specifications=[{"ImageId": i}])),
    Case(
        "Spot Fleet's template", *SF, lambda r, i: r.add_spot_fleet(launch_template_configs=configs(**pinned(r, i))), **PIN
    ),
    Case(
        "Spot request", "spot-requests", "DescribeSpotInstanceRequests", "Spot request sir-",
        lambda r, i: r.add_spot_request(i),
    ),
    Case("fleet's template", *FLEET, lambda r, i: r.add_fleet(launch_template_configs=configs(**pinned(r, i))), **PIN),
    Case("fleet's image", *FLEET, lambda r, i: r.add_fleet(launch_template_configs=configs({"ImageId": i}))),
    Case(
        "fleet's alias", *FLEET,
        lambda r, i: r.add_fleet(launch_template_configs=configs({"ImageId": alias(r, i, "{name}")})), **ALIAS,
    ),
    Case("alias", *LT, aliased("{name}"), **ALIAS),
    Case("alias without a slash", *LT, aliased("{plain}"), **ALIAS),
    Case("alias with a version", *LT, aliased("{name}:1"), **ALIAS),
    Case("alias with a label", *LT, aliased("{name}:stable", labels={"stable": 1}), **ALIAS),
    Case("alias by ARN", *LT, aliased("{arn}"), **ALIAS),
    Case("alias by ARN with a version", *LT, aliased("{arn}:1"), **ALIAS),
    Case("SSM parameter", *REF, "SSM parameter ", lambda r, i: r.add_parameter(f"/last/{i}", i), pages=1),
    Case("image recipe", *REF, "Image Builder image recipe ", lambda r, i: r.add_recipe(i), pages=1),
    Case("container recipe", *REF, "Image Builder container recipe ", lambda r, i: r.add_recipe(i, container=True), pages=1),
]  # fmt: skip
EACH = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@dataclass
class Scene:
    flow: Flow
    case: Case
    held: str
    free: set[str]

    def clean(self) -> set[str]:
        """What a run removes."""
        return removed(self.flow.clean(**self.case.options))


@pytest.fixture
def scene(flow: Flow, case: Case) -> Scene:
    """Free AMIs (as many as AWS's references take in one call, where those are looked at), and then the one that is held."""
    free = set(flow.several(11 if case.source == "image-references" else 2))
    flow.fake_aws.pager.cap = 1
    flow.fake_aws.pager.blank_pages = True
    for number in range(3):
        case.use(flow.home, f"ami-{number:08x}")
    held = flow.add().image_id
    case.use(flow.home, held)
    return Scene(flow, case, held, free)


@EACH
def test_exactly_this_keeps_it(scene: Scene, case: Case) -> None:
    result = scene.flow.clean(**case.options)
    assert removed(result) == scene.free
    assert scene.flow.home.images.keys() == {scene.held}
    kept = decisions(result)[scene.held]
    assert (kept.reason, kept.remove) == ("in-use", False)
    assert len(kept.used_by) == 1
    use = kept.used_by[0]
    assert use.label.startswith(case.user)
    assert (use.account, use.region) == (OWN, HOME)
    assert max(call.page for call in scene.flow.calls(case.call)) >= case.pages
    assert (result.exit_status, result.warnings) == (0, ())


@EACH
def test_without_its_place_in_the_registry_it_goes(scene: Scene, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [source.name for source in (*usage.SOURCES, *usage.ON_DEMAND)]
    assert case.source in known
    for part in ("SOURCES", "ON_DEMAND"):
        monkeypatch.setattr(usage, part, tuple(source for source in getattr(usage, part) if source.name != case.source))
    assert scene.clean() == {scene.held, *scene.free}


THROUGH = [case for case in CASES if case.through]


@pytest.mark.parametrize("case", THROUGH, ids=[case.name for case in THROUGH])
def test_without_what_leads_there_it_goes(scene: Scene, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        {"template_versions": template_versions, "ssm_parameters": ssm_parameters}[case.through],
        "resolve",
        lambda *arguments: UsageReport(),
    )
    assert scene.held in scene.clean()


def test_every_place_has_a_case() -> None:
    assert {case.source for case in CASES} == {source.name for source in (*usage.SOURCES, *usage.ON_DEMAND)}
    assert {source.name for source in usage.FOLLOWED} <= {case.through for case in CASES}


GONE = [
    ("terminated instance", lambda r, i: r.add_instance(i, "terminated")),
    ("template's version in between", lambda r, i: template(r, None, i, None)),
    ("refresh that is over", lambda r, i: refreshing(r, {"MixedInstancesPolicy": mixed({"ImageId": i})}, "Successful")),
    *(
        (f"Spot Fleet {state}", lambda r, i, state=state: r.add_spot_fleet(state, launch_specifications=[{"ImageId": i}]))
        for state in ("cancelled", "failed", "cancelled_running", "cancelled_terminating")
    ),
    *(
        (f"fleet {state}", lambda r, i, state=state: r.add_fleet(state, launch_template_configs=configs({"ImageId": i})))
        for state in ("deleted", "failed", "deleted_running", "deleted_terminating")
    ),
    *(
        (f"Spot request {state}", lambda r, i, state=state: r.add_spot_request(i, state))
        for state in ("cancelled", "failed", "closed")
    ),
]


@pytest.mark.parametrize("use", [use for _, use in GONE], ids=[name for name, _ in GONE])
def test_what_is_over_keeps_nothing(flow: Flow, use: Use) -> None:
    image = flow.add().image_id
    use(flow.home, image)
    assert removed(flow.clean()) == {image}


LOST = [
    (
        "pinned version",
        lambda r: r.add_group(
            launch_template={"LaunchTemplateId": r.add_launch_template("web").template_id, "Version": "7"}
        ),
        "version 7",
    ),
    (
        "template",
        lambda r: r.add_group(launch_template={"LaunchTemplateId": "lt-00000000000000000", "Version": "1"}),
        "lt-00000000000000000",
    ),
    ("parameter", lambda r: template(r, "resolve:ssm:/lost"), "/lost"),
    ("parameter's version", lambda r: template(r, alias(r, "ami-00000001", "{name}:9")), ":9"),
]


@pytest.mark.parametrize(("lose", "named"), [(lose, named) for _, lose, named in LOST], ids=[name for name, *_ in LOST])
def test_what_is_itself_gone_protects_nothing_and_is_a_warning(
    flow: Flow, lose: Callable[[RegionState], object], named: str
) -> None:
    image = flow.add().image_id
    lose(flow.home)
    result = flow.clean()
    assert removed(result) == {image}
    [warning] = result.warnings
    assert named in warning
    assert result.exit_status == 0


def test_an_ami_in_use_takes_no_place_among_the_kept_ones(flow: Flow) -> None:
    used, second, third = flow.several(3)
    flow.home.add_instance(used)
    result = flow.clean(keep_previous=1)
    assert removed(result) == {third}
    assert decisions(result)[second].reason == "kept-previous"


@pytest.mark.parametrize("where", [{"name": FAR}, {"account": OTHER}])
def test_another_region_or_another_account_that_is_no_part_of_the_run_does_not_count(
    flow: Flow, where: dict[str, str]
) -> None:
    image = flow.add().image_id
    flow.region(**where).add_instance(image)
    assert removed(flow.clean()) == {image}


def test_references_are_asked_of_the_kept_ones_of_a_group_too(flow: Flow) -> None:
    """The newest is in use, which only AWS's references tell: so the second one is the one that is kept."""
    newest, second, third = flow.several(3)
    flow.home.add_parameter("/golden", newest)
    result = flow.clean(keep_previous=1)
    assert removed(result) == {third}
    assert {id: decision.reason for id, decision in decisions(result).items()} == {
        newest: "in-use",
        second: "kept-previous",
        third: "old",
    }


def test_references_are_asked_ten_at_a_time_and_only_where_something_would_go(flow: Flow) -> None:
    flow.several(12)
    idle = flow.add(tags={"role": "idle"}).image_id
    flow.clean(keep_previous=2)
    asked = [call.params["ImageId"] for call in flow.calls("DescribeImageReferences")]
    assert all(len(ids) <= 10 for ids in asked)
    assert idle not in {id for ids in asked for id in ids}
    assert len({id for ids in asked for id in ids}) == 12


def test_refreshes_and_references_are_not_asked_where_nothing_would_go(flow: Flow) -> None:
    flow.add()
    flow.home.add_group("group")
    flow.clean(keep_previous=1)
    assert flow.calls("DescribeInstanceRefreshes") == flow.calls("DescribeImageReferences") == []


@pytest.mark.parametrize("case", [case for case in CASES if case.name in {
    "instance", "launch configuration", "default version", "group's template", "mixed override's image",
    "refresh's mixed policy", "Spot Fleet's image", "Spot request", "fleet's image", "alias", "image recipe",
}], ids=lambda case: case.name)  # fmt: skip
def test_a_check_that_is_skipped_keeps_nothing_and_calls_nothing(flow: Flow, case: Case) -> None:
    image = flow.add().image_id
    case.use(flow.home, image)
    source = next(source for source in (*usage.SOURCES, *usage.ON_DEMAND) if source.name == case.source)
    skip = {source.check, *case.options.get("skip_check", ())}
    assert removed(flow.clean(skip_check=tuple(skip))) == {image}
    assert flow.calls(case.call) == []
