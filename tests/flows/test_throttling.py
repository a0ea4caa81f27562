"""Another client empties AWS's buckets while the tool works."""

from __future__ import annotations

from tests.flows.flow import Flow, removed

STORM = 12.0
"""Seconds of simulated time for each call: more than the longest pauses of `--max-attempts` tries.  Pauses of several
threads add up by the one clock, so it is also little enough for all calls to take less than the time in which something must
be confirmed."""

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
