from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import pytest

from amicleaner.actions import DELETE, QUARANTINE, RELEASE, Action
from amicleaner.config import Config
from amicleaner.decisions import Decision
from amicleaner.models import (
    AmiResult,
    BlockSnapshot,
    Failure,
    Outcome,
    Reason,
    RestoreResult,
    Snapshot,
    SnapshotResult,
    Target,
)
from amicleaner.plan import Plan
from amicleaner.recycle_bin import BinRules, RetentionRule
from amicleaner.report import result_sentences, sentences
from amicleaner.report.sentences import monthly_cost, monthly_usd
from amicleaner.result import Orphan, Result

from .accounts import HERE, NOW, REFUSED, THERE, ami, article, instance, plan_of, written

RULE = RetentionRule(14, available=True)
UNTIL = NOW + timedelta(days=14)
FAILED: tuple[Outcome, ...] = ("failed",) * 7


def changing(**counts: int) -> Plan:
    """A plan with so many AMIs for each action."""
    actions: dict[str, Action] = {"delete": DELETE, "quarantine": QUARANTINE, "release": RELEASE}
    decisions: list[Decision] = []
    for name, count in counts.items():
        for _ in range(count):
            image = ami(len(decisions) + 1, f"x-{len(decisions)}", "2017-06-15T00:00:00.000Z")
            decisions.append(Decision(HERE, image, actions[name], "old", ""))
    snapshots = {(HERE, d.ami.snapshots[0].id): d.ami.snapshots[0] for d in decisions if d.action is DELETE}
    return Plan(Config(quarantine=14), NOW, {HERE: len(decisions)}, tuple(decisions), snapshots)


def done(plan: Plan, *outcomes: Outcome) -> dict[tuple[Target, str], AmiResult]:
    """Results of the first AMIs that the plan changes; the snapshots of deleted ones are deleted."""
    results = {}
    for decision, outcome in zip(plan.changes, outcomes, strict=False):
        gone = [SnapshotResult(HERE, block.id, "removed") for block in decision.ami.snapshots if outcome == "removed"]
        error = REFUSED if outcome == "failed" else None
        results[HERE, decision.ami.id] = AmiResult(HERE, decision.ami.id, outcome, error, tuple(gone))
    return results


FREEING = "freeing up to 32 GiB (up to $1.60/month)"


@pytest.mark.parametrize(
    "plan, said",
    [
        (plan_of(()), "Nothing to delete."),
        (plan_of(article()[:2]), "Nothing to delete. Keep 2: 2 newest in group."),
        (plan_of(article()), f"Plan: delete 4 AMIs and 4 snapshots, {FREEING}. Keep 17: 16 newest in group, 1 untagged."),
        (changing(delete=1), "Plan: delete 1 AMI and 1 snapshot, freeing up to 8 GiB (up to $0.40/month)."),
        (changing(release=2), "Plan: release 2 AMIs."),
        (
            changing(delete=4, quarantine=2, release=1),
            f"Plan: release 1 AMI, quarantine 2 AMIs for 14 days, and delete 4 AMIs and 4 snapshots, {FREEING}.",
        ),
    ],
)
def test_plan_sentence_counts_every_action_and_reason(plan: Plan, said: str) -> None:
    assert sentences.plan_sentence(plan) == said


@pytest.mark.parametrize("price, size, said", [(0, 8, ", freeing up to 8 GiB."), (0.05, 0, " and 1 snapshot.")])
def test_nothing_is_said_of_zero(price: float, size: int, said: str) -> None:
    plan = plan_of(
        [ami(1, "x", "2017-06-15T09:55:42.000Z", {"role": "x"}, size)], Config(keep_previous=0, price_per_gib=price)
    )
    assert sentences.plan_sentence(plan).endswith(said)


def test_sizes_are_measured_and_archived_snapshots_are_cheaper() -> None:
    small = plan_of(article(), snapshots=written(article(), 3))
    assert "freeing up to 12 GiB (up to $0.60/month)" in sentences.plan_sentence(small)
    archived = [replace(snapshot, archived=True) for snapshot in written(article(), 3)]
    assert "freeing up to 12 GiB (up to $0.15/month)" in sentences.plan_sentence(plan_of(article(), snapshots=archived))


def test_cost_is_decimal_and_fits_into_json() -> None:
    assert monthly_cost([BlockSnapshot("s", 3)], 0.1) == Decimal("0.3")
    assert monthly_cost([BlockSnapshot("s", 32)], -0.0) == 0
    assert monthly_usd([BlockSnapshot("s", 3)], 0.1) == 0.3
    json.dumps(monthly_usd([BlockSnapshot("s", 10**6)], 1e308), allow_nan=False)


def test_every_reason_has_words() -> None:
    assert tuple(sentences.REASON_WORDS) == get_args(Reason)


@pytest.mark.parametrize(
    "bins, said",
    [
        (BinRules((RULE,), (RULE,)), "Recycle Bin: 4 of 4 AMIs can be restored until 2017-07-04."),
        (BinRules((RULE,), ()), "No Recycle Bin rule covers these AMIs: deletion cannot be undone."),
        (None, ""),
    ],
)
def test_the_plan_says_whether_it_can_be_undone(bins: BinRules | None, said: str) -> None:
    plan = plan_of(article(), bins=bins, snapshots=written(article()))
    assert sentences.recycle_bin_sentence(plan) == said
    assert sentences.plan_notes(plan) == ([said] if said else [])


def test_the_earliest_date_counts_and_unread_rules_are_not_denied() -> None:
    plan = plan_of(article(), bins=BinRules((RULE,), (RULE,)), snapshots=written(article()))
    first, second, *_ = plan.removals
    early = replace(first, restorable_until=NOW + timedelta(days=2))
    some = replace(plan, decisions=(early, second, *(replace(d, restorable_until=None) for d in plan.removals[2:])))
    assert sentences.recycle_bin_sentence(some) == (
        "Recycle Bin: 2 of 4 AMIs can be restored until 2017-06-22; the other 2 cannot be restored."
    )
    assert sentences.recycle_bin_sentence(replace(some, bins_read=False)).startswith("Recycle Bin: at least 2 of 4 AMIs")


def test_notes_on_snapshots_of_others_sharing_other_accounts_and_quarantine() -> None:
    assert sentences.plan_notes(replace(plan_of(article()), registered=1, shared_unasked=True, accounts_unasked=True)) == [
        "1 of the snapshots was not created with its AMI, which was registered from it.",
        "Launch permissions are checked during the deletion; AMIs that turn out to be shared will be kept.",
        "SSM parameters and recipes of other accounts are checked after the prompt; AMIs that they name will be kept.",
    ]
    assert sentences.plan_notes(changing(quarantine=1)) == [
        "Quarantined AMIs can't be launched; --restore enables them again."
    ]


@pytest.mark.parametrize(
    "plan, line",
    [
        (
            plan_of(article(), uses=[(article()[0].id, instance())]),
            "Account 123456789012, Region eu-west-1: 21 AMIs, 1 in use.",
        ),
        (plan_of(article(), targets=(HERE, THERE)), "Account 123456789012, 2 Regions: 42 AMIs, 0 in use."),
        (plan_of((), targets=(HERE, Target("9", HERE.region))), "2 accounts, Region eu-west-1: 0 AMIs, 0 in use."),
        (plan_of((), targets=(Target("", "eu-west-1"),)), "Region eu-west-1: 0 AMIs, 0 in use."),
        (plan_of(article(), Config(from_ids=(article()[0].id,))), "Account 123456789012, Region eu-west-1: 21 AMIs."),
    ],
)
def test_account_line(plan: Plan, line: str) -> None:
    assert sentences.account_line(plan) == line


def test_idle_groups() -> None:
    assert sentences.idle_groups(plan_of(article())) == ""
    assert sentences.idle_groups(plan_of(article()[:9])) == "1 more group with nothing to delete."
    limited = plan_of(article(), Config(limit=1))
    assert sentences.idle_groups(limited) == "3 more groups with nothing to delete in this run."


def test_an_unknown_id_is_a_problem() -> None:
    known, unknown = article()[0].id, "ami-0000000000000ffff"
    plan = plan_of(article(), Config(explain=(known, unknown)))
    assert sentences.unknown_ids(plan) == [f"--explain: {unknown} was not found in account 123456789012, Region eu-west-1."]
    several = plan_of(article(), Config(explain=(unknown,)), targets=(HERE, THERE))
    assert sentences.unknown_ids(several) == [f"--explain: {unknown} was not found in any of the 2 targets."]
    assert sentences.unknown_ids(plan_of(article(), Config(explain=()))) == []


@pytest.mark.parametrize(
    "counts, said",
    [
        ({"delete": 1}, "Do you want to continue and remove 1 AMIs [y/N] ? : "),
        ({"quarantine": 4}, "Do you want to continue and quarantine 4 AMIs [y/N] ? : "),
        ({"release": 1}, "Do you want to continue and release 1 AMI [y/N] ? : "),
        ({"quarantine": 1, "release": 2}, "Do you want to continue, quarantine 1 AMI and release 2 AMIs [y/N] ? : "),
        (
            {"delete": 2, "quarantine": 4, "release": 1},
            "Do you want to continue, remove 2 AMIs, quarantine 4 AMIs and release 1 AMI [y/N] ? : ",
        ),
    ],
)
def test_prompt_names_every_action(counts: dict[str, int], said: str) -> None:
    assert sentences.prompt(changing(**counts)) == said


@pytest.mark.parametrize(
    "result, line",
    [
        (AmiResult(HERE, "ami-1", "removed"), "ami-1 deregistered"),
        (AmiResult(HERE, "ami-1", "quarantined", until=UNTIL), "ami-1 quarantined until 2017-07-04"),
        (AmiResult(HERE, "ami-1", "released"), "ami-1 released"),
        (AmiResult(HERE, "ami-1", "failed", REFUSED), ""),
        (AmiResult(HERE, "ami-1", "kept"), "ami-1 kept"),
        (AmiResult(HERE, "ami-1", "kept", used_by=(instance("i-1"),)), "ami-1 kept: in use by instance i-1 (running)."),
        (
            AmiResult(HERE, "ami-1", "kept", used_by=tuple(instance(f"i-{n}") for n in range(14))),
            "ami-1 kept: in use by instance i-0 (running) and 13 others.",
        ),
        (AmiResult(HERE, "ami-1", "kept", explanation="Public."), "ami-1 kept: public."),
        (
            AmiResult(HERE, "ami-1", "removed", explanation="ami-1 was deregistered by somebody else."),
            "ami-1 was deregistered by somebody else.",
        ),
        (AmiResult(HERE, "ami-1", "kept", explanation="AWS Backup manages it."), "ami-1 kept: AWS Backup manages it."),
    ],
)
def test_line_of_an_ami(result: AmiResult, line: str) -> None:
    assert result_sentences.ami_line(result) == line


@pytest.mark.parametrize(
    "result, line",
    [
        (SnapshotResult(HERE, "snap-1", "removed"), "snap-1 deleted"),
        (SnapshotResult(HERE, "snap-1", "failed", REFUSED), ""),
        (SnapshotResult(HERE, "snap-1", "kept", used_by=("ami-7", "ami-8")), "snap-1 kept: also used by ami-7, ami-8"),
        (SnapshotResult(HERE, "snap-1", "kept", explanation="In use by lt-1."), "snap-1 kept: in use by lt-1."),
        (SnapshotResult(HERE, "snap-1", "kept"), "snap-1 kept: also used by another AMI"),
    ],
)
def test_line_of_a_snapshot(result: SnapshotResult, line: str) -> None:
    assert result_sentences.snapshot_line(result) == line


def test_final_sentence_counts_what_was_not_done() -> None:
    plan = plan_of(article(), Config(keep_previous=3))
    results = done(plan, "removed", "failed", "failed", "kept", "removed")
    id = plan.removals[4].ami.id
    lost = (SnapshotResult(HERE, "snap-x", "failed", REFUSED),)
    results[HERE, id] = replace(results[HERE, id], snapshots=lost)
    assert result_sentences.final_sentence(Result(plan, results, seconds=125)) == (
        "Deleted 2 AMIs and 1 snapshot (up to 8 GiB, up to $0.40/month) in 2 min 5 s. "
        "Failed: 2 AMIs and 1 snapshot. Kept meanwhile: 1 AMI. Not tried: 3 AMIs."
    )


def test_final_sentence_names_every_action() -> None:
    plan = changing(delete=1, quarantine=2, release=1)
    results = done(plan, "removed", "quarantined", "quarantined", "released")
    assert result_sentences.final_sentence(Result(plan, results, seconds=4.12)) == (
        "Released 1 AMI, quarantined 2 AMIs, and deleted 1 AMI and 1 snapshot (up to 8 GiB, up to $0.40/month) in 4.1 s."
    )
    assert result_sentences.final_sentence(Result(plan, done(plan, "failed"))) == (
        "Nothing was deleted. Failed: 1 AMI. Not tried: 3 AMIs."
    )
    assert result_sentences.final_sentence(Result()) == ""


def test_the_end_says_how_to_undo_it() -> None:
    plan = plan_of(article())
    results = done(plan, "removed", "removed")
    first, second = results
    found = Result(plan, results, in_bin={first: UNTIL, second: UNTIL - timedelta(days=1)})
    assert result_sentences.undo_notes(found) == [
        "Recycle Bin: 2 of 2 AMIs can be restored until 2017-07-03.",
        f"To undo: amicleaner --restore {first[1]} {second[1]}",
    ]
    logged = replace(found, plan=replace(plan, config=Config(audit_log="my log.jsonl")))
    assert result_sentences.undo_notes(logged)[-1] == "To undo: amicleaner --restore 'my log.jsonl'"
    simulated = replace(found, plan=replace(plan, config=Config(demo="tour")))
    assert not any(note.startswith("To undo") for note in result_sentences.undo_notes(simulated))


def test_the_end_says_what_is_not_known_about_undoing() -> None:
    plan = replace(plan_of(article()), bins_read=False)
    results = done(plan, "removed", "removed")
    first, _ = results
    unknown = "The Recycle Bin was not read, so it is not known whether the deletion can be undone."
    assert result_sentences.undo_notes(Result(plan, results)) == [unknown]
    assert result_sentences.undo_notes(Result(plan, results, in_bin={})) == [unknown]
    assert result_sentences.undo_notes(Result(plan, results, in_bin={first: UNTIL}))[0] == (
        "Recycle Bin: at least 1 of 2 AMIs can be restored until 2017-07-04."
    )


def test_the_end_says_that_it_cannot_be_undone() -> None:
    plan = plan_of(article(), bins=BinRules(), snapshots=written(article()))
    results = done(plan, "removed")
    assert result_sentences.undo_notes(Result(plan, results)) == [
        "No Recycle Bin rule covered this deletion: it cannot be undone."
    ]
    assert result_sentences.undo_notes(Result(plan, results, in_bin={})) == [
        "None of the deleted AMIs are in the Recycle Bin: the deletion cannot be undone."
    ]
    assert result_sentences.undo_notes(Result(plan, done(plan, "failed"))) == []
    assert result_sentences.undo_notes(Result()) == []


def test_a_quarantine_is_undone_by_restore() -> None:
    plan = changing(quarantine=1)
    assert result_sentences.undo_notes(Result(plan, done(plan, "quarantined"))) == [
        f"To undo: amicleaner --restore {plan.changes[0].ami.id}"
    ]


def test_interruption() -> None:
    plan = changing(delete=11)
    assert result_sentences.interrupted_sentence(Result(plan)) == "Deleted 0 of 11 AMIs; nothing is in progress."
    assert result_sentences.interrupted_sentence(Result(plan, done(plan, "removed", "failed"))) == (
        "Deleted 1 of 11 AMIs; 1 failed or got no response."
    )
    found = Snapshot("s", "", NOW, "completed", 1)
    tried = tuple(Orphan(HERE, found, result=SnapshotResult(HERE, "s", outcome)) for outcome in ("removed", "failed"))
    assert result_sentences.interrupted_sentence(Result(orphans=(*tried, Orphan(HERE, found)))) == (
        "Deleted 1 of 3 orphaned snapshots; 1 failed or got no response."
    )
    assert result_sentences.interrupted_sentence(Result()) == "Nothing was deleted; nothing is in progress."
    both = changing(release=1, quarantine=2)
    assert result_sentences.interrupted_sentence(Result(both)) == (
        "Released 0 of 1 AMI and quarantined 0 of 2 AMIs; nothing is in progress."
    )


def test_what_is_read_late_refuses_what_was_requested() -> None:
    plan = changing(delete=3)
    reasons: list[Reason | None] = ["shared", "in-use", "too-young"]
    kept = {
        (HERE, decision.ami.id): AmiResult(HERE, decision.ami.id, "kept", reason=reason, explanation=f"{reason}.")
        for decision, reason in zip(plan.changes, reasons, strict=True)
    }
    first, second, _ = (decision.ami.id for decision in plan.changes)
    assert result_sentences.late_refusals(Result(plan, kept), plan) == []
    shared, accounts = replace(plan, shared_unasked=True), replace(plan, accounts_unasked=True)
    assert result_sentences.late_refusals(Result(plan, kept), shared) == [f"{first} kept: shared."]
    assert result_sentences.late_refusals(Result(plan, kept), accounts) == [f"{second} kept: in-use."]


def test_equal_failures_are_one_sentence_with_one_hint() -> None:
    plan = changing(delete=6, quarantine=1)
    results = done(plan, *FAILED)
    ids = [decision.ami.id for decision in plan.changes]
    hint = "\nHint: Allow {}; --iam-policy prints the policy that these options need."
    assert result_sentences.failure_errors(Result(plan, results)) == [
        f"6 AMIs: UnauthorizedOperation (ec2:DeregisterImage): {ids[0]}, {ids[1]}, 4 more."
        + hint.format("ec2:DeregisterImage"),
        f"1 AMI: UnauthorizedOperation (ec2:DisableImage): {ids[6]}." + hint.format("ec2:DisableImage"),
    ]


def test_failures_name_the_call_that_failed_and_repeat_no_hint() -> None:
    plan = changing(quarantine=1)
    id = plan.changes[0].ami.id
    denied = Failure("UnauthorizedOperation", "no", "ec2:CreateTags")
    result = Result(plan, {(HERE, id): AmiResult(HERE, id, "failed", denied)}, problems=("Allow ec2:CreateTags.",))
    assert result_sentences.failure_errors(result) == [f"1 AMI: UnauthorizedOperation (ec2:CreateTags): {id}."]
    assert result_sentences.failure_errors(result, debug=True) == [
        f"1 AMI: UnauthorizedOperation (ec2:CreateTags): {id}.\n{id}: no"
    ]


def test_failed_snapshots_and_orphans_are_failures() -> None:
    gone = SnapshotResult(HERE, "snap-1", "failed", Failure("InvalidSnapshot.InUse", "in use"))
    orphan = Orphan(HERE, Snapshot("snap-2", "", NOW, "completed", 1), result=replace(gone, id="snap-2"))
    result = Result(orphans=(orphan,), amis={(HERE, "ami-1"): AmiResult(HERE, "ami-1", "removed", snapshots=(gone,))})
    assert result_sentences.failure_errors(result) == [
        "2 snapshots: InvalidSnapshot.InUse (ec2:DeleteSnapshot): snap-1, snap-2."
    ]


def test_orphans() -> None:
    orphan = Orphan(HERE, Snapshot("snap-1", "", NOW, "completed", 8, full_bytes=3 << 30))
    assert sentences.orphans_sentence([], 0.05) == "No orphaned snapshots."
    assert sentences.orphans_sentence([orphan], 0.05) == "1 orphaned snapshot, up to 3 GiB, up to $0.15/month."


def test_restore() -> None:
    restored = (
        RestoreResult(HERE, "ami-1", "restored"),
        RestoreResult(HERE, "snap-1", "restored"),
        RestoreResult(HERE, "snap-2", "restored"),
        RestoreResult(HERE, "ami-2", "already"),
        RestoreResult(HERE, "ami-3", "failed", "It is not in the Recycle Bin."),
    )
    assert [result_sentences.restore_line(result) for result in restored] == [
        "ami-1 restored",
        "snap-1 restored",
        "snap-2 restored",
        "ami-2 is already available",
        "ami-3 cannot be restored: It is not in the Recycle Bin.",
    ]
    assert result_sentences.restore_sentence(Result(restored=restored)) == "Restored 1 AMI and 2 snapshots."
    assert result_sentences.restore_sentence(Result(restored=restored[3:])) == "Nothing was restored."
    planned = (RestoreResult(HERE, "ami-1", "planned"),)
    assert result_sentences.restore_line(planned[0]) == "ami-1 would be restored"
    assert result_sentences.restore_sentence(Result(restored=planned)) == "Would restore 1 AMI."
