"""What single services need: what counts, what is gone, and what is no reference.

That each kind is found, on the last page and through a launch template version, is tested in test_registry.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.aws.usage.listings import CUSTOM_ENGINES
from amicleaner.errors import AwsError
from amicleaner.sources import SOURCES
from tests.aws.usage.account import Account, labels
from tests.catalogue import add_pcs_group, add_pipeline, built_image, engine_version


def found(account: Account, *also: str) -> dict[str, list[str]]:
    return {image: labels(uses) for image, uses in account.on_demand(also_check=also).uses.items()}


def test_all_instances_of_a_reservation_count(account: Account) -> None:
    images = [account.image(), account.image()]
    for image in images:
        account.region.add_instance(image, reservation_id="r-1")
    assert account.read().uses.keys() == set(images)


def test_a_compute_environment_without_resources_protects_nothing(account: Account) -> None:
    account.region.add_entry("compute-environment", {"computeEnvironmentName": "unmanaged", "type": "UNMANAGED"})
    assert found(account) == {}


def test_only_the_latest_image_of_a_pipeline_protects(account: Account) -> None:
    image = account.image()
    add_pipeline(account.region, image)
    assert found(account) == {image: ["latest image of Image Builder pipeline p0"]}


def test_a_build_that_is_not_available_is_no_latest_image(account: Account) -> None:
    image, failed = account.image(), account.image()
    add_pipeline(account.region, image)
    arn = account.region.entries["pipeline"][0].shape["arn"]
    built_image(account.region, failed, sourcePipelineArn=arn, state={"status": "FAILED"})
    assert found(account).keys() == {image}


def test_an_output_without_a_region_may_be_in_this_one(account: Account) -> None:
    images = [account.image(), account.image()]
    outputs = [{"region": "", "image": images[0]}, {"image": images[1]}]
    account.region.add_recipe(built_image(account.region, "", outputResources={"amis": outputs}))
    assert found(account).keys() == set(images)


def test_the_latest_version_that_a_recipe_matches_protects(account: Account) -> None:
    images = {version: account.image() for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0")}
    for version, image in images.items():
        arn = account.region.arn("imagebuilder", f"image/base/{version}/1")
        built_image(account.region, image, arn=arn)
    account.region.add_recipe(account.region.arn("imagebuilder", "image/base/1.x.x"), "web")
    assert found(account) == {images["1.10.0"]: ["Image Builder image recipe web/1.0.0, image base/1.x.x"]}


def test_one_call_for_an_image_that_several_recipes_build_on(account: Account) -> None:
    arn = built_image(account.region, account.image())
    for name in ("web", "db", "job"):
        account.region.add_recipe(arn, name)
    assert [len(uses) for uses in found(account).values()] == [3]
    assert account.fake_aws.calls.count("GetImage") == 1


def test_an_image_that_does_not_exist_is_a_warning(account: Account) -> None:
    account.region.add_recipe(account.region.arn("imagebuilder", "image/lost/x.x.x"), "web")
    assert found(account) == {}
    assert account.warnings == (
        (
            "Image Builder image lost/x.x.x does not exist (named by Image Builder image recipe web/1.0.0); "
            "it protects no AMI."
        ),
    )


@pytest.mark.parametrize(
    "parent",
    ["arn:aws:imagebuilder:eu-west-1:aws:image/amazon-linux-2023/x.x.x", "prod-abcdefghijklm", "amazonlinux:latest"],
)
def test_a_parent_that_is_no_image_of_an_account_costs_no_call(account: Account, parent: str) -> None:
    account.region.add_recipe(parent)
    account.region.add_recipe(parent, container=True)
    assert found(account) == {}
    assert account.fake_aws.calls.count("GetImage") == 0


def test_a_deleted_pipeline_protects_nothing(account: Account) -> None:
    add_pipeline(account.region, account.image())
    account.fault("ListImagePipelineImages", code="ResourceNotFoundException", status=404)
    assert found(account) == {}
    assert account.warnings == ()


@pytest.mark.parametrize("call", ["ListComputeNodeGroups", "GetComputeNodeGroup"])
def test_a_node_group_deleted_during_the_scan_protects_nothing(account: Account, call: str) -> None:
    image = account.image()
    for kept in (account.image(), image):
        add_pcs_group(account.region, {"amiId": kept})
    account.fault(
        call, code="ResourceNotFoundException", status=404, when=lambda call: call.params["clusterIdentifier"] == "pcs_0"
    )
    assert found(account, "pcs").keys() == {image}


@pytest.mark.parametrize("call", ["ListComputeNodeGroups", "GetComputeNodeGroup"])
def test_a_node_group_that_cannot_be_read_stops_the_run(account: Account, call: str) -> None:
    add_pcs_group(account.region, {"amiId": account.image()})
    account.fault(call, "deny", times=None)
    with pytest.raises(AwsError, match=f"pcs:{call}"):
        found(account, "pcs")


def test_the_cost_of_rds_custom_is_one_call_per_engine() -> None:
    (source,) = (source for source in SOURCES if source.check == "rds-custom")
    assert source.cost == f"{len(CUSTOM_ENGINES)} calls"


@pytest.mark.parametrize(
    "engine", ["custom-oracle-ee", "custom-oracle-se2-cdb", "custom-sqlserver-web", "custom-sqlserver-dev"]
)
def test_the_versions_of_every_custom_engine_protect(account: Account, engine: str) -> None:
    image = account.image()
    account.region.add_entry("engine-version", engine_version(image, engine))
    assert found(account, "rds-custom") == {image: [f"RDS Custom engine version {engine} 19.{image}"]}


def test_values_that_hold_no_ami_id_are_none(account: Account) -> None:
    parameters: list[dict[str, Any]] = [
        {"ParameterKey": "Name", "ParameterValue": "not-an-ami-id"},
        {"ParameterKey": "Secret", "ParameterValue": "****"},
        {"ParameterKey": "Empty"},
    ]
    account.region.add_entry("stack", {"StackName": "web", "Parameters": parameters})
    account.region.add_entry("stack", {"StackName": "plain"})
    assert found(account, "cloudformation") == {}
