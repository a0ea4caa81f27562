"""In which states a resource protects its AMI, and what the label of the reference says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.aws.usage.account import Account
from tests.catalogue import add_emr, batch, configs, mixed
from tests.fake_aws import RegionState


class Stateful(NamedTuple):
    """`add` adds a resource that names an AMI, in a state; `label` has its state, and its id."""

    add: Callable[[RegionState, str, str], Any]
    id: str
    label: str
    protects: str
    over: str


def add_refresh(region: RegionState, image: str, state: str) -> None:
    region.add_group("front")
    region.add_refresh("front", {"MixedInstancesPolicy": mixed({"ImageId": image})}, state, refresh_id="r-1")


def add_environment(region: RegionState, image: str, state: str) -> None:
    region.add_entry(
        "compute-environment", batch(image, imageId=image) | {"computeEnvironmentName": "jobs", "status": state}
    )


def add_cluster(region: RegionState, image: str, state: str) -> None:
    add_emr(region, cluster=image)
    region.entries["emr-cluster"][0].shape["Status"]["State"] = state


def group_instance(image: str, state: str) -> dict[str, str]:
    return {"InstanceId": "i-1", "ImageId": image, "LifecycleState": state}


KINDS = {
    "instance": Stateful(
        lambda r, i, state: r.add_instance(i, state, instance_id="i-1", omit=set() if state else {"State"}),
        "i-1", "instance i-1 ({})",
        "pending running shutting-down stopping stopped hibernated unknown", "terminated",
    ),
    "instance of a group": Stateful(
        lambda r, i, state: r.add_group("front", instances=[group_instance(i, state)]),
        "front", 'Auto Scaling group "front", instance i-1', "Pending InService Standby Terminating unknown", "Terminated",
    ),
    "Spot Fleet": Stateful(
        lambda r, i, state: r.add_spot_fleet(state, fleet_id="sfr-1", launch_specifications=[{"ImageId": i}]),
        "sfr-1", "Spot Fleet sfr-1 ({})", "submitted active modifying new unknown",
        "cancelled cancelled_running cancelled_terminating failed",
    ),
    "Spot request": Stateful(
        lambda r, i, state: r.add_spot_request(i, state, request_id="sir-1"), "sir-1", "Spot request sir-1 ({})",
        "open active disabled new unknown", "cancelled closed failed",
    ),
    "EC2 Fleet": Stateful(
        lambda r, i, state: r.add_fleet(state, fleet_id="fleet-1", launch_template_configs=configs({"ImageId": i})),
        "fleet-1", "EC2 Fleet fleet-1 ({}), override", "submitted active modifying new unknown",
        "deleted deleted_running deleted_terminating failed",
    ),
    "instance refresh": Stateful(
        add_refresh, "r-1", 'instance refresh r-1 of Auto Scaling group "front" ({}), override',
        "Pending InProgress Cancelling RollbackInProgress Baking New unknown",
        "Successful Failed Cancelled RollbackFailed RollbackSuccessful",
    ),
    "compute environment": Stateful(
        add_environment, "jobs", 'Batch compute environment "jobs"', "VALID INVALID unknown", "DELETING DELETED",
    ),
    "fast launch": Stateful(
        lambda r, i, state: r.add_entry("fast-launch", {"ImageId": i, "State": state}), "ami-1",
        "Windows fast launch of ami-1 ({})", "enabling enabled disabling enabled-failed unknown", "",
    ),
    "EMR cluster": Stateful(
        add_cluster, "j-0", 'EMR cluster j-0 "etl"', "STARTING BOOTSTRAPPING RUNNING WAITING",
        "TERMINATING TERMINATED TERMINATED_WITH_ERRORS",
    ),
}  # fmt: skip
STATES = [
    (kind, state) for kind, stateful in KINDS.items() for state in (*stateful.protects.split(), *stateful.over.split())
]


@pytest.mark.parametrize(("kind", "state"), STATES)
def test_a_resource_protects_unless_its_state_is_over(account: Account, kind: str, state: str) -> None:
    """A state that AWS does not tell is unknown, and protects."""
    stateful = KINDS[kind]
    stateful.add(account.region, "ami-1", "" if state == "unknown" else state)
    late = kind in ("compute environment", "fast launch", "EMR cluster")
    uses = (account.on_demand(also_check=("emr",)) if late else account.read()).uses.get("ami-1", ())
    protects = state in stateful.protects.split()
    assert [(use.id, use.label) for use in uses] == ([(stateful.id, stateful.label.format(state))] if protects else [])


@pytest.mark.parametrize("state", ["terminated", ""])
def test_an_instance_need_not_name_its_image_once_it_is_terminated(account: Account, state: str) -> None:
    """An empty image is the odd shape of a very old instance."""
    account.region.add_instance("", state, omit={"ImageId"} if state else set())
    assert account.read().uses == {}
