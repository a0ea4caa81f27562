"""Another client empties AWS's buckets while the tool works."""

from __future__ import annotations

from amicleaner.aws.operations import OPERATIONS
from tests.flows.flow import HOME, OWN, Flow, removed

STORM = 60.0
"""Seconds of simulated time: over all reads of the plan, and again over the deletion (those that read again beside it sleep
too, and simulated time is the sum)."""

THROTTLED = ("RequestLimitExceeded", "Throttling")


def test_a_storm_of_throttles_is_ridden_out_from_the_first_read_to_the_last_snapshot(flow: Flow) -> None:
    ids = flow.several(6)
    flow.standin.rates.enabled = True
    until, actions = [STORM], [*OPERATIONS]

    def take_everything(seconds: float) -> None:
        if flow.time.seconds < until[0]:
            for action in actions:
                flow.standin.rates.drain(action, OWN, HOME)

    def again() -> None:
        until[0] = flow.time.seconds + STORM
        actions[:] = ["DeregisterImage", "DeleteSnapshot"]
        take_everything(0)

    flow.time.waiting = take_everything
    take_everything(0)
    result = flow.asks(again, keep_previous=2)
    throttled = {call.action for call in flow.standin.calls.records if call.outcome in THROTTLED}
    assert {"DescribeImages", "DescribeInstances", "DescribeAutoScalingGroups", "DeregisterImage"} <= throttled
    assert result.exit_status == 0
    assert len(removed(result)) == len(ids) - 2
    assert flow.view.of("problem") == []
