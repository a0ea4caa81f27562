"""Launch templates default, latest, on request every version."""

from __future__ import annotations

import pytest

from amicleaner.errors import AwsError
from tests.aws.usage.account import Account

ALL = {"all_launch_template_versions": True}


def test_the_default_and_the_latest_version_protect(account: Account) -> None:
    old, default, stale, latest = (account.image() for _ in range(4))
    template = account.region.add_launch_template(
        "web", versions=[{"ImageId": image} for image in (old, default, stale, latest)], default=2
    )
    uses = account.read().uses
    assert uses.keys() == {default, latest}
    assert [uses[image][0].label for image in (default, latest)] == [
        f'launch template {template.template_id} "web" version 2 (default)',
        f'launch template {template.template_id} "web" version 4 (latest)',
    ]


def test_calls_do_not_grow_with_the_number_of_templates(account: Account) -> None:
    for _ in range(99):
        account.region.add_launch_template(versions=[{"ImageId": account.image()}, {"ImageId": account.image()}])
    assert len(account.read().uses) == 198
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 1


def test_block_devices_keep_their_snapshots(account: Account) -> None:
    devices = [[{"Ebs": {"SnapshotId": f"snap-{number}"}}, {"VirtualName": "ephemeral0"}] for number in (1, 2, 3)]
    account.region.add_launch_template(versions=[{"BlockDeviceMappings": entry} for entry in devices])
    assert account.read().snapshots.keys() == {"snap-1", "snap-3"}
    assert account.read(**ALL).snapshots.keys() == {"snap-1", "snap-2", "snap-3"}


def test_every_version_protects_on_request(account: Account) -> None:
    images = [account.image() for _ in range(4)]
    template = account.region.add_launch_template("web", versions=[{"ImageId": image} for image in images])
    account.fake_aws.pager.cap = 1
    uses = account.read(**ALL).uses
    assert uses.keys() == set(images)
    assert [[use.label for use in uses[image]] for image in images] == [
        [f'launch template {template.template_id} "web" version {word}'] for word in ("1 (default)", "2", "3", "4 (latest)")
    ]


def test_every_version_of_a_hidden_managed_template_protects_on_request(account: Account) -> None:
    images = [account.image() for _ in range(3)]
    account.region.add_launch_template(versions=[{"ImageId": image} for image in images], managed=True)
    assert account.read(**ALL).uses.keys() == set(images)
    assert account.warnings == ()


def test_a_template_that_vanishes_meanwhile_is_a_warning(account: Account) -> None:
    image = account.image()
    template = account.region.add_launch_template(versions=[{"ImageId": image}])
    other = account.region.add_launch_template(versions=[{}, {"ImageId": account.image()}, {}])
    account.fault(
        "DescribeLaunchTemplateVersions",
        code="InvalidLaunchTemplateId.NotFound",
        status=400,
        when=lambda call: call.params.get("LaunchTemplateId") == other.template_id,
    )
    assert len(account.users(image, **ALL)) == 1
    assert account.warnings == (f"Launch template {other.template_id} was deleted during the scan; it protects no AMI.",)
    assert template.template_id != other.template_id


def test_all_versions_denied_stops_the_run(account: Account) -> None:
    account.region.add_launch_template(versions=[{"ImageId": account.image()}])
    account.fault("DescribeLaunchTemplateVersions", when=lambda call: "LaunchTemplateId" in call.params)
    with pytest.raises(AwsError) as caught:
        account.read(**ALL)
    assert "--skip-check launch-templates" in caught.value.hint


def test_all_versions_of_nothing_where_templates_are_skipped(account: Account) -> None:
    account.region.add_launch_template(versions=[{"ImageId": account.image()}])
    account.read(**ALL, skip_check=("launch-templates",))
    assert account.fake_aws.calls.count("DescribeLaunchTemplateVersions") == 0
