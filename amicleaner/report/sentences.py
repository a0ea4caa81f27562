"""Every sentence about a plan and about its end.  Pure: a plan or a result in, plain English out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from ..actions import DELETE, DELETE_SNAPSHOT, DEREGISTER, DISABLE, ENABLE, ORDER, QUARANTINE, RELEASE
from ..models import AmiResult, BlockSnapshot, Failure, Reason, RestoreResult, SnapshotResult, Target, Use
from ..plan import Plan
from ..result import Orphan, Result
from ..text import uncapitalized
from .sizes import orphan_block, upper_bound

REASON_WORDS: Mapping[Reason, str] = {
    "in-use": "in use",
    "state": "not available",
    "quarantined": "in quarantine",
    "released": "enabled during quarantine",
    "protected": "deregistration-protected",
    "managed": "managed by AWS",
    "public": "public",
    "shared": "shared",
    "keep-tag": "with a keep tag",
    "keep-until": "with a keep-until date",
    "excluded": "excluded",
    "recently-launched": "recently launched",
    "not-selected": "not selected",
    "no-rule": "without a rule",
    "no-tags": "untagged",
    "no-match": "in no group",
    "too-young": "too young",
    "kept-previous": "newest in group",
    "kept-daily": "newest of a day",
    "kept-weekly": "newest of a week",
    "kept-monthly": "newest of a month",
    "kept-yearly": "newest of a year",
    "no-recycle-bin": "not covered by the Recycle Bin",
    "over-limit": "over the limit",
    "old": "old",
    "named": "listed by id",
}
"""A reason in the plan's sentence, after a number."""

_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")
_CALLS = {DELETE.name: DEREGISTER, QUARANTINE.name: DISABLE, RELEASE.name: ENABLE}


def number(count: int, noun: str) -> str:
    """`1 AMI`, `4 AMIs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listing(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c`, or the first two and how many more."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, {len(names) - most + 1} more"


def where(target: Target) -> str:
    """`account 123456789012, Region eu-west-1`."""
    return f"account {target.account}, Region {target.region}" if target.account else f"Region {target.region}"


def day(time: datetime) -> str:
    """The UTC day of a time in UTC."""
    return f"{time:%Y-%m-%d}"


def account_line(plan: Plan) -> str:
    """`Account 123456789012, Region eu-west-1: 37 AMIs, 14 in use.`; one line of totals for several targets."""
    accounts = sorted({target.account for target in plan.targets if target.account})
    regions = sorted({target.region for target in plan.targets})
    account = f"Account {accounts[0]}" if len(accounts) == 1 else number(len(accounts), "account") if accounts else ""
    region = f"Region {regions[0]}" if len(regions) == 1 else number(len(regions), "Region")
    amis = sum(plan.own_amis.values())
    # By id only the listed AMIs have a decision.
    in_use = "" if plan.config.from_ids else f", {sum(bool(d.used_by) for d in plan.decisions)} in use"
    return f"{', '.join(filter(None, (account, region)))}: {number(amis, 'AMI')}{in_use}."


def plan_sentence(plan: Plan) -> str:
    """`Plan: delete 4 AMIs and 4 snapshots, freeing up to 32 GiB (up to $1.60/month). Keep 17: 16 newest in group, 1
    untagged.`"""
    parts = []
    for action in ORDER:
        count = len(plan.of(action))
        if count:
            parts.append(f"{action.verb} {number(count, 'AMI')}")
            if action is QUARANTINE:
                parts[-1] += f" for {number(plan.config.quarantine or 0, 'day')}"
            if action is DELETE and plan.snapshots:
                parts[-1] += f" and {number(len(plan.snapshots), 'snapshot')}"
    size, cost = upper_bound((snapshot for _, snapshot in plan.snapshots), plan.config.price_per_gib)
    freeing = f", freeing {size}{f' ({cost})' if cost else ''}" if size else ""
    kept = ", ".join(f"{count} {REASON_WORDS[reason]}" for reason, count in plan.kept_by_reason)
    said = f"Plan: {_series(parts)}{freeing}." if parts else "Nothing to delete."
    return f"{said} Keep {len(plan.kept)}: {kept}." if kept else said


def plan_notes(plan: Plan) -> list[str]:
    """What else somebody should know before confirming: whether it can be undone, and what is not obvious."""
    notes = [recycle_bin_sentence(plan)] if plan.removals else []
    if plan.of(QUARANTINE):
        notes.append("Quarantined AMIs can't be launched; --restore enables them again.")
    if plan.registered:
        one = plan.registered == 1
        said = (
            "was not created with its AMI, which was registered from it"
            if one
            else ("were not created with their AMIs, which were registered from them")
        )
        notes.append(f"{plan.registered} of the snapshots {said}.")
    if plan.shared_unasked:
        notes.append("Shared AMIs will be kept: launch permissions are checked during the deletion.")
    return [note for note in notes if note]


def recycle_bin_sentence(plan: Plan) -> str:
    """Whether the deletion can be undone; nothing where that is not known."""
    until = [decision.restorable_until for decision in plan.removals if decision.restorable_until]
    if until:
        return _restorable(len(until), len(plan.removals), min(until), plan.bins_read)
    if not plan.bins_read:
        return ""
    these = "this AMI" if len(plan.removals) == 1 else "these AMIs"
    return f"No Recycle Bin rule covers {these}: deletion cannot be undone."


def _restorable(count: int, total: int, until: datetime, known: bool) -> str:
    least = "" if known or count == total else "at least "
    others = f"; the other {total - count} cannot be restored" if known and count < total else ""
    return f"Recycle Bin: {least}{count} of {number(total, 'AMI')} can be restored until {day(until)}{others}."


def unknown_ids(plan: Plan) -> list[str]:
    """A sentence for each id of `--explain` that none of the targets has: each makes the exit status 1."""
    known = {decision.ami.id for decision in plan.decisions}
    place = where(plan.targets[0]) if len(plan.targets) == 1 else f"any of the {number(len(plan.targets), 'target')}"
    return [f"--explain: {id} was not found in {place}." for id in plan.config.explain or () if id not in known]


def idle_groups(plan: Plan) -> str:
    """How many groups have no row in the summary; nothing where all have one."""
    groups = {(d.target, d.rule, label) for d in plan.decisions for label in d.groups}
    count = len(groups - {(group.target, group.rule, group.label) for group in plan.groups})
    return f"{number(count, 'more group')} with nothing to delete." if count else ""


def prompt(plan: Plan) -> str:
    """The prompt.  Its simplest form is 0.2.2's, always in the plural."""
    deleted, quarantined, released = (len(plan.of(action)) for action in (DELETE, QUARANTINE, RELEASE))
    if not (quarantined or released):
        return f"Do you want to continue and remove {deleted} AMIs [y/N] ? : "
    counts = ((DELETE, deleted), (QUARANTINE, quarantined), (RELEASE, released))
    parts = [f"{action.prompt_verb} {number(count, 'AMI')}" for action, count in counts if count]
    before = ", ".join(parts[:-1])
    return f"Do you want to continue{f', {before}' if before else ''} and {parts[-1]} [y/N] ? : "


def ami_line(result: AmiResult) -> str:
    """What became of one AMI; nothing where it failed, which is told at the end."""
    if result.outcome == "removed":
        # Where somebody else was faster the explanation says so.
        return result.explanation or f"{result.id} deregistered"
    if result.outcome == "quarantined":
        return f"{result.id} quarantined{f' until {day(result.until)}' if result.until else ''}"
    if result.outcome == "kept":
        why = kept_because(result)
        return f"{result.id} kept{f': {why}' if why else ''}"
    return f"{result.id} released" if result.outcome == "released" else ""


def kept_because(result: AmiResult) -> str:
    """Why an AMI of the plan was kept after all; nothing where that is not known."""
    if result.used_by:
        return f"in use by {condensed(result.used_by)}."
    return uncapitalized(result.explanation)


def condensed(uses: Sequence[Use]) -> str:
    """`instance i-… (running) and 13 others`."""
    if len(uses) < 2:
        return "".join(use.label for use in uses)
    return f"{uses[0].label} and {number(len(uses) - 1, 'other')}"


def snapshot_line(result: SnapshotResult) -> str:
    """What became of one snapshot; nothing where it failed."""
    if result.outcome == "removed":
        return f"{result.id} deleted"
    if result.outcome != "kept":
        return ""
    if result.explanation:
        return f"{result.id} kept: {uncapitalized(result.explanation)}"
    return f"{result.id} kept: also used by {', '.join(result.used_by) or 'another AMI'}"


def final_sentence(result: Result) -> str:
    """`Deleted 4 AMIs and 4 snapshots (up to 32 GiB, up to $1.60/month) in 4.1 s.` and what was not done."""
    plan = result.plan
    if plan is None:
        return ""
    counts = Counter(ami.outcome for ami in result.amis.values())
    deleted = _deleted_snapshots(result)
    parts = []
    for action in ORDER:
        count = counts[action.outcome]
        if count:
            parts.append(f"{action.past} {number(count, 'AMI')}")
            if action is DELETE and deleted:
                bounds = ", ".join(filter(None, upper_bound(deleted, plan.config.price_per_gib)))
                parts[-1] += f" and {number(len(deleted), 'snapshot')}{f' ({bounds})' if bounds else ''}"
    done = _series(parts)
    said = [f"{done[0].upper()}{done[1:]} in {duration(result.seconds)}." if done else "Nothing was deleted."]
    failed = [number(counts["failed"], "AMI")] if counts["failed"] else []
    snapshots = sum(snapshot.outcome == "failed" for ami in result.amis.values() for snapshot in ami.snapshots)
    failed += [number(snapshots, "snapshot")] if snapshots else []
    said += [f"Failed: {' and '.join(failed)}."] if failed else []
    said += [f"Kept meanwhile: {number(counts['kept'], 'AMI')}."] if counts["kept"] else []
    untried = len(plan.changes) - len(result.amis)
    said += [f"Not tried: {number(untried, 'AMI')}."] if untried > 0 else []
    return " ".join(said)


def undo_notes(result: Result) -> list[str]:
    """How what was done can be undone, or that it can't be."""
    plan, notes = result.plan, []
    if plan is None:
        return []
    deleted, restorable = (
        sorted(key for key, ami in result.amis.items() if ami.outcome == action.outcome) for action in (DELETE, QUARANTINE)
    )
    if deleted and result.in_bin is None:
        if plan.bins_read and not any(decision.restorable_until for decision in plan.removals):
            notes.append("No Recycle Bin rule covered this deletion: it cannot be undone.")
        else:
            notes.append("The Recycle Bin was not read, so it is not known whether the deletion can be undone.")
    elif deleted and result.in_bin is not None:
        found = [key for key in deleted if key in result.in_bin]
        restorable += found
        if found:
            until = min(result.in_bin[key] for key in found)
            notes.append(_restorable(len(found), len(deleted), until, True))
        else:
            notes.append("The Recycle Bin has none of the deleted AMIs: the deletion cannot be undone.")
    if restorable:
        log = plan.config.audit_log
        ids = [id for _, id in restorable]
        what = shlex.quote(log) if log and log != "-" else " ".join(ids) if len(ids) <= 3 else f"{ids[0]} ..."
        notes.append(f"To undo: amicleaner --restore {what}")
    return notes


def interrupted_sentence(result: Result) -> str:
    """How far an interrupted run got: `Interrupted. Deleted 0 of 11 AMIs; nothing is in progress.`"""
    counts = Counter(ami.outcome for ami in result.amis.values())
    planned = [(action, len(result.plan.of(action))) for action in ORDER] if result.plan else []
    parts = [f"{action.past} {counts[action.outcome]} of {number(total, 'AMI')}" for action, total in planned if total]
    said = _series(parts) or "nothing was deleted"
    rest = f"{counts['failed']} failed or had no answer" if counts["failed"] else "nothing is in progress"
    return f"{said[0].upper()}{said[1:]}; {rest}."


def failure_errors(result: Result, debug: bool = False) -> list[str]:
    """Equal failures in one sentence: `6 AMIs: UnauthorizedOperation (ec2:DeregisterImage): ami-…, ami-…, 4 more.`, and a
    hint on a line of its own."""
    found: dict[tuple[str, str, str], list[tuple[str, Failure]]] = {}
    actions = {(d.target, d.ami.id): _CALLS[d.action.name].name for d in (result.plan.changes if result.plan else ())}
    results: list[AmiResult | SnapshotResult] = [*result.failed_amis, *result.failed_snapshots]
    # Results are in the order in which AWS answered.
    for failed in sorted(results, key=lambda failed: (failed.target, failed.id)):
        error = failed.error or Failure("Unknown", "")
        noun, call = "AMI", actions.get((failed.target, failed.id), DEREGISTER.name)
        if isinstance(failed, SnapshotResult):
            noun, call = "snapshot", DELETE_SNAPSHOT.name
        found.setdefault((noun, error.code, error.action or call), []).append((failed.id, error))
    said = []
    for (noun, code, call), cases in sorted(found.items()):
        text = f"{number(len(cases), noun)}: {code} ({call}): {listing([id for id, _ in cases])}."
        if debug:
            text += "".join(f"\n{id}: {error.message}" for id, error in cases)
        if code in _DENIED and not any(call in problem for problem in result.problems):
            text += f"\nHint: Allow {call}; --iam-policy prints the policy that these options need."
        said.append(text)
    return said


def orphans_sentence(orphans: Sequence[Orphan], price_per_gib: float) -> str:
    """Their total, or `No orphaned snapshots.`"""
    if not orphans:
        return "No orphaned snapshots."
    bounds = [bound for bound in upper_bound(map(orphan_block, orphans), price_per_gib) if bound]
    return f"{', '.join([number(len(orphans), 'orphaned snapshot'), *bounds])}."


def saved_sentence(path: str) -> str:
    """Where the plan is, and how to apply it."""
    return f"Plan saved to {path}. To apply it: amicleaner --apply-plan {shlex.quote(path)}"


def restore_line(restored: RestoreResult) -> str:
    """What became of one AMI or snapshot that was to be brought back."""
    reason = f": {restored.reason}" if restored.reason else ""
    return {
        "restored": f"{restored.id} restored",
        "already": f"{restored.id} is available already{reason}",
        "planned": f"{restored.id} would be restored",
        "failed": f"{restored.id} cannot be restored{reason}",
    }[restored.outcome]


def restore_sentence(result: Result) -> str:
    """`Restored 2 AMIs and 3 snapshots.`"""
    verb = "Would restore" if any(restored.outcome == "planned" for restored in result.restored) else "Restored"
    done = [restored.id for restored in result.restored if restored.outcome in ("restored", "planned")]
    amis = sum(id.startswith("ami-") for id in done)
    counts = [number(count, noun) for count, noun in ((amis, "AMI"), (len(done) - amis, "snapshot")) if count]
    return f"{verb} {' and '.join(counts)}." if counts else "Nothing was restored."


def duration(seconds: float) -> str:
    """`4.1 s`, `12 min 5 s`."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _deleted_snapshots(result: Result) -> list[BlockSnapshot]:
    """The snapshots that were deleted with their AMIs, each once, measured as far as known."""
    if result.plan is None:
        return []
    known = {(d.target, snapshot.id): snapshot for d in result.plan.decisions for snapshot in d.ami.snapshots}
    known |= {(target, snapshot.id): snapshot for target, snapshot in result.plan.snapshots}
    keys = {(s.target, s.id) for ami in result.amis.values() for s in ami.snapshots if s.outcome == "removed"}
    return [known.get(key, BlockSnapshot(key[1], 0)) for key in sorted(keys)]


def _series(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; a comma before the last one that has an `and` of its own."""
    if len(parts) < 2:
        return "".join(parts)
    comma = "," if " and " in parts[-1] else ""
    return f"{', '.join(parts[:-1])}{comma} and {parts[-1]}"
