"""Several accounts and Regions in one run: which take part, what protects across them, and that order does not matter."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.credentials import DeferredRefreshableCredentials

from amicleaner import planning
from amicleaner.aws import scan
from amicleaner.aws.api import Api
from amicleaner.aws.changes import CALLS_AT_ONCE
from amicleaner.aws.session import Clients
from amicleaner.config import Config
from amicleaner.errors import AmicleanerError, AwsError, UsageError
from amicleaner.models import Target
from amicleaner.report.console import Console
from amicleaner.report.document import document, to_json
from amicleaner.result import Result
from amicleaner.run import clean
from tests.fake_aws import identity, serve
from tests.fake_aws.wire import query
from tests.flows.flow import FAR, HOME, OTHER, OWN, THIRD, Flow, decisions, kept, planned, reasons, removed
from tests.virtual_time import NOW

CHANGES = {"DeregisterImage", "DeleteSnapshot"}


def targets_of(result: Result) -> list[tuple[str, str]]:
    assert result.plan is not None
    return [(target.account, target.region) for target in result.plan.targets]


def regions(result: Result) -> list[str]:
    return [region for _, region in targets_of(result)]


def accounts(result: Result) -> list[str]:
    return sorted({account for account, _ in targets_of(result)})


class TestRegions:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            (
                {"region": ("eu-west-*", "us-east-1"), "exclude_region": ("eu-west-2",)},
                ["eu-west-1", "eu-west-3", "us-east-1"],
            ),
            ({"exclude_region": ("us-*",)}, ["eu-west-1"]),
        ],
    )
    def test_patterns_match_enabled_regions(self, flow: Flow, options: Any, expected: list[str]) -> None:
        free = {name: flow.add(region=flow.region(name=name)).image_id for name in (*expected, "ca-central-1")}
        result = flow.clean(**options)
        assert regions(result) == expected
        assert removed(result) == {free[name] for name in expected}

    def test_a_pattern_leaves_out_regions_that_are_not_enabled(self, flow: Flow) -> None:
        """Of the account's Regions af-south-1 is not."""
        assert regions(flow.clean(region=("*-south-1",))) == ["ap-south-1", "eu-south-1"]

    @pytest.mark.parametrize("region", [{}, {"RegionName": ""}])
    def test_an_answer_with_a_nameless_region_stops_the_run(self, flow: Flow, region: dict[str, str]) -> None:
        flow.add()
        self.regions(flow, {"RegionName": HOME}, region)
        error = flow.fails(region=("eu-west-*",))
        assert (error.action, error.code) == ("ec2:DescribeRegions", "MalformedResponse")

    def test_a_region_that_is_listed_twice_counts_once_and_one_that_is_not_enabled_not_at_all(self, flow: Flow) -> None:
        free = flow.add().image_id
        refused = {"RegionName": "eu-west-9", "OptInStatus": "not-opted-in"}  # moto lists those too
        self.regions(flow, {"RegionName": HOME}, refused, {"RegionName": HOME})
        result = flow.clean(region=("eu-west-*",))
        assert [id for (_, id) in result.amis] == flow.changes() == [free]
        assert len(flow.calls("DescribeImages")) == 1

    @staticmethod
    def regions(flow: Flow, *answered: dict[str, str]) -> None:
        """What AWS says of the enabled Regions."""
        pages = Api.pages
        answer = lambda api, action, **more: answered if action == "DescribeRegions" else pages(api, action, **more)  # noqa: E731
        flow.patch.setattr(Api, "pages", answer)

    def test_invalid_credentials_may_mean_that_the_region_is_not_enabled(self, flow: Flow) -> None:
        assert "a Region that is not enabled for the account" in flow.fails(region=("af-south-1",)).hint

    @pytest.mark.parametrize(
        "options, calls",
        [
            ({"exclude_region": ("eu-west-1",)}, 0),
            ({"region": ("eu-west-1", "eu-west-2"), "exclude_region": ("eu-*",)}, 0),
            ({"region": ("eu-*",), "exclude_region": ("eu-*",)}, 1),
        ],
    )
    def test_excluding_every_region_is_an_error(self, flow: Flow, options: dict[str, Any], calls: int) -> None:
        with pytest.raises(UsageError, match="excludes every Region"):
            flow.clean(**options)
        assert len(flow.fake_aws.calls.records) == calls

    def test_each_account_has_the_regions_that_are_enabled_in_it(self, flow: Flow) -> None:
        flow.world.account(OTHER).opt_in["eu-west-2"] = "not-opted-in"
        roles = (flow.role(OWN), flow.role(OTHER))
        assert targets_of(flow.clean(role_arn=roles, region=("eu-west-*",))) == [
            (OWN, "eu-west-1"),
            (OWN, "eu-west-2"),
            (OWN, "eu-west-3"),
            (OTHER, "eu-west-1"),
            (OTHER, "eu-west-3"),
        ]


class TestAccounts:
    def test_two_profiles_of_one_account_make_both_their_regions_targets(self, flow: Flow) -> None:
        flow.patch.delenv("AWS_DEFAULT_REGION")
        flow.profile("one", OWN)
        flow.profile("two", OWN, region=FAR)
        far = flow.region(name=FAR)
        free, *others = flow.add().image_id, *flow.several(2, region=far)
        far.add_instance(others[0])
        result = flow.clean(profile=("one", "two"))
        assert targets_of(result) == [(OWN, HOME), (OWN, FAR)]
        assert removed(result) == {free, others[1]}
        assert len(flow.calls("DescribeImages")) == 2

    def test_what_a_profile_uses_in_the_region_of_another_protects_there(self, flow: Flow) -> None:
        flow.patch.delenv("AWS_DEFAULT_REGION")
        flow.profile("build", OWN)
        flow.profile("production", OTHER, region=FAR)
        golden = flow.add(shared_with=(OTHER,)).image_id
        flow.region(OTHER).add_instance(golden)
        theirs = flow.add(region=flow.region(OTHER)).image_id
        free = {flow.add().image_id, flow.add(region=flow.region(OTHER, FAR)).image_id}
        result = flow.clean(profile=("build", "production"))
        assert [use.account for use in decisions(result)[golden].used_by] == [OTHER]
        assert targets_of(result) == [(OWN, HOME), (OTHER, FAR)]
        assert removed(result) == free
        assert theirs in flow.region(OTHER).images

    @pytest.mark.parametrize("option", ["profile", "used_by_profile"])
    def test_an_unknown_profile_is_named_with_those_that_exist(self, flow: Flow, option: str) -> None:
        flow.profile("one", OWN)
        options: dict[str, Any] = {option: ("one", "tow")}
        with pytest.raises(UsageError, match="tow") as caught:
            flow.clean(**options)
        assert caught.value.hint == "Existing profiles: one."
        assert flow.fake_aws.calls.records == []

    def test_the_account_that_assumes_roles_is_no_target(self, flow: Flow) -> None:
        own = flow.add().image_id
        free = {flow.add(region=flow.region(account)).image_id for account in (OTHER, THIRD)}
        result = flow.clean(role_arn=(flow.role(OTHER), flow.role(THIRD)))
        assert accounts(result) == [OTHER, THIRD]
        assert removed(result) == free
        assert own in flow.home.images
        assert {call.action for call in flow.fake_aws.calls.records if call.account == OWN} == {"AssumeRole"}

    def test_several_profiles_with_roles_are_an_error(self, flow: Flow) -> None:
        with pytest.raises(UsageError, match="--profile"):
            flow.clean(profile=("one", "two"), role_arn=(flow.role(OTHER),))

    @pytest.mark.parametrize("given", ["a secret", "another"])
    def test_the_external_id_goes_along(self, flow: Flow, given: str) -> None:
        free = flow.add(region=flow.region(OTHER)).image_id
        options: dict[str, Any] = {"role_arn": (flow.role(OTHER, external_id="a secret"),), "external_id": given}
        if given == "a secret":
            assert removed(flow.clean(**options)) == {free}
        else:
            assert str(flow.fails(**options)).startswith(
                f"sts:AssumeRole failed in account {OTHER} Region {HOME}: AccessDenied"
            )

    @pytest.mark.parametrize("way", ["profiles", "roles", "profile and reader"])
    def test_the_same_account_twice_counts_once(self, flow: Flow, way: str) -> None:
        flow.profile("one", OTHER)
        flow.profile("two", OTHER)
        first, second = flow.role(OTHER), flow.role(OTHER, "second")
        free = flow.add(region=flow.region(OTHER)).image_id
        ways: dict[str, dict[str, Any]] = {
            "profiles": {"profile": ("one", "two")},
            "roles": {"role_arn": (first, second)},
            "profile and reader": {"profile": ("one",), "used_by_role_arn": (first,)},
        }
        result = flow.clean(**ways[way])
        assert targets_of(result) == [(OTHER, HOME)]
        assert removed(result) == {free}
        assert flow.changes() == [free]
        assert len(flow.calls("DescribeImages")) == 1


class TestOrganization:
    @pytest.mark.parametrize("state", ["CLOSED", "PENDING_CLOSURE"])
    def test_the_own_account_needs_no_role_and_only_active_accounts_take_part(self, flow: Flow, state: str) -> None:
        flow.fake_aws.pager.cap = 1
        flow.organization()
        assert flow.world.organization
        flow.world.organization.accounts[THIRD].state = state
        flow.role(OWN)
        flow.role(THIRD)
        free = {flow.add(region=flow.region(account)).image_id for account in (OWN, OTHER)}
        closed = flow.add(region=flow.region(THIRD)).image_id
        result = flow.clean(organization_role="cleaner")
        assert accounts(result) == [OWN, OTHER]
        assert removed(result) == free
        assert closed in flow.region(THIRD).images
        assert {call.params["RoleArn"] for call in flow.calls("AssumeRole")} == {f"arn:aws:iam::{OTHER}:role/cleaner"}

    @pytest.mark.parametrize(
        "extra",
        [{"Id": "5"}, {"Id": None}, {"Id": f"{OTHER}\n"}, {"State": None, "Status": ""}, {"Id": OWN, "State": "CLOSED"}],
    )
    def test_a_malformed_account_stops_the_run(self, flow: Flow, extra: dict[str, Any]) -> None:
        """One that is left out protects nothing."""
        flow.organization()
        flow.add()
        assert flow.world.organization
        flow.world.organization.accounts[OTHER].extra = extra
        error = flow.fails(organization_role="cleaner")
        assert (error.action, error.code) == ("organizations:ListAccounts", "MalformedResponse")

    @pytest.mark.parametrize(("excluded", "left"), [(OTHER, [OWN]), (OWN, [OTHER])])
    def test_excluded_accounts_are_left_out(self, flow: Flow, excluded: str, left: list[str]) -> None:
        flow.organization()
        image = flow.add(region=flow.region(excluded)).image_id
        result = flow.clean(organization_role="cleaner", exclude_account=(excluded, THIRD))
        assert accounts(result) == left
        assert image in flow.region(excluded).images
        assert {call.account for call in flow.calls("DescribeInstances")} == set(left)

    def test_an_excluded_account_that_is_unknown_is_an_error(self, flow: Flow) -> None:
        flow.organization()
        with pytest.raises(AmicleanerError, match="444444444444 is not in this organization"):
            flow.clean(organization_role="cleaner", exclude_account=("444444444444",))

    def test_excluding_every_account_is_an_error(self, flow: Flow) -> None:
        flow.organization()
        with pytest.raises(UsageError, match="excludes every account"):
            flow.clean(organization_role="cleaner", exclude_account=(OWN, OTHER))


def test_groups_and_the_newest_count_in_each_target_alone(flow: Flow) -> None:
    everywhere = [flow.region(account, name) for account in (OWN, OTHER) for name in (HOME, FAR)]
    images = [flow.several(3, region=region) for region in everywhere]
    result = flow.clean(role_arn=(flow.role(OWN), flow.role(OTHER)), region=(HOME, FAR), keep_previous=2)
    assert removed(result) == {ids[2] for ids in images}
    assert result.plan is not None
    assert [(row.target, row.label, len(row.decisions)) for row in result.plan.groups] == [
        (target, "prod.web", 1) for target in sorted(Target(a, r) for a in (OWN, OTHER) for r in (HOME, FAR))
    ]


class TestProtection:
    """What any account of the run uses protects the AMIs of all of them in that Region."""

    def roles(self, flow: Flow) -> dict[str, Any]:
        return {"role_arn": (flow.role(OWN), flow.role(OTHER))}

    @pytest.mark.parametrize(("owner", "user"), [(OWN, OTHER), (OTHER, OWN)])
    def test_an_instance_of_one_account_keeps_the_ami_of_the_other(self, flow: Flow, owner: str, user: str) -> None:
        held, free = flow.several(2, region=flow.region(owner))
        instance = flow.region(user).add_instance(held)
        result = flow.clean(**self.roles(flow))
        assert removed(result) == {free}
        [use] = decisions(result)[held].used_by
        assert (use.id, use.account, use.region) == (instance.instance_id, user, HOME)

    def asked_about(self, flow: Flow, account: str) -> set[str]:
        """The AMIs of which one account was asked what refers to them."""
        calls = flow.calls("DescribeImageReferences", account=account)
        return {image for call in calls for image in call.params["ImageId"]}

    def test_many_accounts_are_asked_about_the_amis_of_others_after_the_prompt(self, flow: Flow) -> None:
        flow.patch.setattr(planning, "ASK_ACCOUNTS_FIRST", 0)
        held, free = flow.several(2)
        theirs = flow.add(region=flow.region(OTHER)).image_id
        flow.region(OTHER).add_parameter("/golden", held)
        before: list[set[str]] = []

        def note() -> None:
            before.extend(self.asked_about(flow, account) for account in (OWN, OTHER))
            flow.fake_aws.calls.clear()

        result = flow.asks(note, **self.roles(flow))
        assert before == [{held, free}, {theirs}]
        assert result.plan is not None
        assert result.plan.accounts_unasked
        assert (planned(result), removed(result), kept(result)) == ({held, free, theirs}, {free, theirs}, {held})
        assert self.asked_about(flow, OWN) == self.asked_about(flow, OTHER) == {held, free, theirs}

    @pytest.mark.parametrize(
        ("first", "options", "unasked"),
        [
            (0, {}, True),
            (1, {}, False),
            (0, {"limit": 2}, False),
            (0, {"dry_run": True}, False),
            (0, {"force_delete": True}, False),
        ],
    )
    def test_the_plan_says_whether_all_were_asked_about_the_amis_of_others(
        self, flow: Flow, first: int, options: dict[str, Any], unasked: bool
    ) -> None:
        """All are asked before the prompt if it takes few calls or there is a limit, and where no prompt follows."""
        flow.patch.setattr(planning, "ASK_ACCOUNTS_FIRST", first)
        held, free = flow.several(2)
        flow.region(OTHER).add_parameter("/golden", held)
        result = flow.clean(**{"force_delete": False, **self.roles(flow), **options})
        assert result.plan is not None
        assert result.plan.accounts_unasked is unasked
        assert planned(result) == ({held, free} if unasked else {free})

    def test_a_plan_without_this_check_asks_nobody_and_does_not_say_so(self, flow: Flow) -> None:
        flow.patch.setattr(planning, "ASK_ACCOUNTS_FIRST", 0)
        flow.several(2)
        result = flow.asks(lambda: None, skip_check=("image-references",), **self.roles(flow))
        assert result.plan is not None
        assert not result.plan.accounts_unasked

    def test_not_in_another_region(self, flow: Flow) -> None:
        image = flow.add().image_id
        flow.region(OTHER, FAR).add_instance(image)
        assert removed(flow.clean(**self.roles(flow), region=(HOME, FAR))) == {image}

    def test_sharing_with_an_account_of_the_run_keeps_nothing_but_use_does(self, flow: Flow) -> None:
        shared, used = flow.several(2, shared_with=(OTHER,))
        outside = flow.add(shared_with=(OTHER, THIRD)).image_id
        flow.region(OTHER).add_instance(used)
        result = flow.clean(**self.roles(flow))
        assert reasons(result) == {shared: "old", used: "in-use", outside: "shared"}
        assert THIRD in decisions(result)[outside].explanation
        assert OTHER not in decisions(result)[outside].explanation
        assert removed(result) == {shared}

    def test_sharing_with_a_read_only_account_of_the_run_keeps_nothing_either(self, flow: Flow) -> None:
        image = flow.add(shared_with=(OTHER,)).image_id
        assert reasons(flow.clean(used_by_role_arn=(flow.role(OTHER),))) == {image: "old"}


class TestReadOnlyAccounts:
    @pytest.mark.parametrize("way", ["used_by_role_arn", "used_by_profile"])
    def test_their_references_protect_and_nothing_of_theirs_is_changed(self, flow: Flow, way: str) -> None:
        held, free = flow.several(2)
        theirs = flow.region(OTHER)
        flow.add(region=theirs)
        flow.orphan("ami-12345678", region=theirs)
        theirs.add_instance(held)
        given = flow.role(OTHER) if way == "used_by_role_arn" else flow.profile("other", OTHER)
        options: dict[str, Any] = {way: (given,)}
        result = flow.clean(**options, check_orphans=True)
        assert removed(result) == {free}
        assert targets_of(result) == [(OWN, HOME)]
        assert (len(theirs.images), len(theirs.snapshots)) == (1, 2)
        called = {call.action for call in flow.fake_aws.calls.records if call.account == OTHER}
        assert called.isdisjoint(CHANGES | {"DescribeSnapshots", "DescribeImageAttribute"})
        assert "DescribeInstances" in called

    def test_their_warnings_are_told(self, flow: Flow) -> None:
        flow.add()
        flow.region(OTHER).add_launch_template(versions=[{"ImageId": "resolve:ssm:/lost"}])
        [warning] = flow.clean(used_by_role_arn=(flow.role(OTHER),)).warnings
        assert warning.endswith(f"(account {OTHER}, Region {HOME})")

    def test_they_are_read_in_the_regions_of_the_targets_that_are_enabled_there(self, flow: Flow) -> None:
        flow.world.account(OTHER).opt_in["eu-west-2"] = "not-opted-in"
        flow.clean(region=("eu-west-1", "eu-west-2"), used_by_role_arn=(flow.role(OTHER),))
        assert {call.region for call in flow.calls("DescribeInstances", account=OTHER)} == {"eu-west-1"}

    def test_one_that_cannot_be_read_stops_the_run(self, flow: Flow) -> None:
        flow.add()
        flow.fault("DescribeFleets", when=lambda call: call.account == OTHER)
        assert f"account {OTHER}" in str(flow.fails(used_by_role_arn=(flow.role(OTHER),)))


THREE = [f"{number:012}" for number in range(100, 103)]


@pytest.mark.parametrize(
    "action", ["DescribeImages", "DescribeInstances", "DescribeImageReferences", "DescribeImageAttribute"]
)
def test_one_unreadable_target_among_several_stops_the_run(flow: Flow, action: str) -> None:
    for account in THREE:
        flow.add(region=flow.region(account))
    flow.fault(action, when=lambda call: call.account == THREE[1])
    error = flow.fails(role_arn=tuple(flow.role(account) for account in THREE))
    assert str(error).startswith(f"ec2:{action} failed in account {THREE[1]} Region {HOME}: UnauthorizedOperation")
    assert all(len(flow.region(account).images) == 1 for account in THREE)


def everything(flow: Flow) -> dict[str, Any]:
    """Two accounts and two Regions that are in use all over the place."""
    for account in (OWN, OTHER):
        held = flow.fill(account)
        far = flow.region(account, FAR)
        flow.several(3, region=far)
        flow.region(OTHER, FAR).add_instance(held)
    flow.fake_aws.missing_actions |= {"DescribeSpotInstanceRequests", "DescribeFleets"}
    flow.home.add_group(launch_template={"LaunchTemplateId": "lt-00000000000000000", "Version": "1"})
    return {
        "role_arn": (flow.role(OTHER), flow.role(OWN)),
        "region": (FAR, HOME),
        "check_orphans": True,
        "keep_previous": 1,
        "force_delete": True,
        "explain": (),
    }


def output(flow: Flow, options: dict[str, Any]) -> tuple[str, str, str]:
    """What the command prints, and its JSON."""
    config = Config(**options)
    out, err = io.StringIO(), io.StringIO()
    environ: Mapping[str, str] = {"COLUMNS": "160"}
    console = Console(config, stdout=out, stderr=err, stdin=io.StringIO(), environ=environ, clock=flow.time.clock)
    result = clean(config, view=console, clock=flow.time.clock)
    return out.getvalue(), err.getvalue(), to_json(document(result, config, NOW))


def shuffle(numbers: random.Random, seconds: float) -> None:
    """Lets an answer wait for some milliseconds."""
    threading.Event().wait(numbers.random() * 0.02)


def test_the_output_does_not_depend_on_the_order_of_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Lines about single AMIs are printed as they become true; all else is sorted."""
    found = set()
    for seed in range(3):
        flow = Flow(monkeypatch, tmp_path_factory.mktemp("flow"))
        options = everything(flow)
        flow.fake_aws.latency = 1.0 if seed else 0.0
        flow.fake_aws.sleep = partial(shuffle, random.Random(seed))
        out, err, json = output(flow, options)
        found.add((*sorted(out.splitlines()), err, json))
        assert out.count("deregistered") == 6
        assert "orphan snapshots successfully removed" in out
    assert len(found) == 1


class TestBounds:
    def waiting(self, flow: Flow) -> dict[str, Any]:
        """Six Regions whose answers take a little."""
        names = [name for name in flow.world.account().opt_in if flow.world.account().enabled(name)][:6]
        for name in names:
            flow.several(3, region=flow.region(name=name))
        flow.fake_aws.latency = 0.003
        return {"region": tuple(names)}

    def test_calls_at_once(self, flow: Flow) -> None:
        result = flow.clean(**self.waiting(flow))
        assert len(removed(result)) == 18
        assert 8 < flow.fake_aws.calls.peak_running <= scan.CALLS_AT_ONCE + CALLS_AT_ONCE

    def test_the_bound_is_what_bounds_them(self, flow: Flow) -> None:
        flow.patch.setattr(scan, "CALLS_AT_ONCE", 3)
        flow.clean(**self.waiting(flow), dry_run=True)
        assert flow.fake_aws.calls.peak_running <= 3 + 6  # a location looks for its Regions by itself

    @pytest.mark.parametrize("kept", [2, scan.CLIENTS_KEPT])
    def test_clients(self, flow: Flow, kept: int) -> None:
        """Where there are more places than may keep their clients, those that are done forget them."""
        flow.patch.setattr(scan, "CLIENTS_KEPT", kept)
        forgotten: list[Clients] = []
        flow.patch.setattr(Clients, "drop", lambda clients: forgotten.append(clients))
        flow.clean(**self.waiting(flow), dry_run=True)
        assert len({id(clients) for clients in forgotten}) == 1 + (6 if kept == 2 else 0)  # one asked for the Regions

    def test_connections(self, flow: Flow) -> None:
        """Where there are more places than are read at once, those that are done let go of their connections."""
        flow.patch.setattr(scan, "CALLS_AT_ONCE", 4)
        flow.patch.setattr(scan, "LOCATIONS_AT_ONCE", 2)
        with serve(flow.fake_aws) as served:
            flow.direct(served.url)
            flow.clean(**self.waiting(flow), dry_run=True)
        # Two places with at most four connections to each of EC2 and Auto Scaling, and one to ask for the Regions.
        assert 2 < flow.fake_aws.calls.peak_connections <= 2 * 2 * 4 + 1


def slow_amis(flow: Flow) -> list[str]:
    """Six AMIs, whose deletion takes two hours and a half."""
    shared = flow.home.add_snapshot("shared").snapshot_id
    flow.fake_aws.after("DeregisterImage", lambda world, call: flow.time.sleep(1500))
    return [flow.add(snapshots=[shared]).image_id for _ in range(6)]


def test_the_credentials_of_a_role_are_renewed_in_a_long_run(flow: Flow) -> None:
    """Six AMIs that share a snapshot go one after another; two hours pass, and credentials last for one."""
    ids = slow_amis(flow)
    result = flow.clean(role_arn=(flow.role(OWN),))
    assert (removed(result), result.exit_status) == (set(ids), 0)
    assert len(flow.calls("AssumeRole")) >= 3
    assert flow.time.seconds > 7200


def test_a_wrong_clock_is_reported_as_that(flow: Flow) -> None:
    """botocore takes credentials that were made just now for expired ones."""
    flow.add()
    role = flow.role(OWN)
    flow.patch.setattr(
        DeferredRefreshableCredentials.__init__, "__defaults__", (lambda: flow.time.now() + timedelta(hours=2),)
    )
    error = flow.fails(role_arn=(role,))
    assert "still expired" in error.message
    assert error.hint == "Renew your AWS credentials, or check this machine's clock."


def test_outside_aws_a_role_that_cannot_be_renewed_is_no_unsupported_call(flow: Flow) -> None:
    flow.outside_aws()
    flow.add()
    flow.patch.setattr(flow.view, "targets", lambda targets: flow.time.sleep(3500))
    role = flow.role(OWN)
    flow.fault("AssumeRole", code="InternalFailure", status=500, when=lambda call: flow.time.seconds > 3000)
    with pytest.raises(AwsError, match="sts:AssumeRole failed"):
        flow.clean(role_arn=(role,), max_attempts=2, include_shared=True)
    assert flow.changes() == []


@pytest.mark.parametrize("expiration", ["lately", "1e300", None])
def test_a_role_with_a_malformed_expiration_is_reported_as_that(flow: Flow, expiration: str | None) -> None:
    """It is no fault of the call that waits for the credentials."""
    flow.add()
    role = flow.role(OWN)

    def answer(shape: dict[str, Any]) -> str:
        return query({**shape, "Credentials": {**shape["Credentials"], "Expiration": expiration}})

    flow.patch.setattr(identity, "query", answer)
    error = flow.fails(role_arn=(role,))
    assert "the response of AssumeRole is malformed" in error.message


def test_no_changing_call_before_every_target_has_been_read(flow: Flow) -> None:
    for account in THREE[:2]:
        flow.add(region=flow.region(account))
        flow.orphan(region=flow.region(account))
    flow.clean(role_arn=tuple(flow.role(account) for account in THREE[:2]), check_orphans=True)
    actions = [call.action for call in flow.fake_aws.calls.records]
    first = min(actions.index(action) for action in CHANGES)
    assert {"DescribeImageReferences", "DescribeImageAttribute", "DescribeSnapshots"}.isdisjoint(actions[first:])
