"""Another client empties AWS's buckets while the tool works."""

from __future__ import annotations

from tests.flows.flow import Flow, removed

STORM = 25.0
"""Seconds of simulated time for each call: less than the shortest pauses of 32 tries add up to."""

THROTTLED = ("RequestLimitExceeded", "Throttling")


def test_a_storm_of_throttles_is_ridden_out_from_the_first_read_to_the_last_snapshot(flow: Flow) -> None:
    ids = flow.several(6)
    flow.fake_aws.rates.enabled = True
    flow.fake_aws.rates.storm(STORM)
    result = flow.asks(lambda: flow.fake_aws.rates.storm(STORM), keep_previous=2)
    throttled = {call.action for call in flow.fake_aws.calls.records if call.outcome in THROTTLED}
    assert {"DescribeImages", "DescribeInstances", "DescribeAutoScalingGroups", "DeregisterImage"} <= throttled
    assert result.exit_status == 0
    assert len(removed(result)) == len(ids) - 2
    assert flow.view.of("problem") == []
