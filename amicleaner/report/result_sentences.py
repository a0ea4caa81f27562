"""Every sentence about what became of a plan.  Pure: a result in, plain English out."""

import shlex
from collections import Counter

from ..actions import DELETE, DELETE_SNAPSHOT, DEREGISTER, ORDER, QUARANTINE
from ..models import AmiResult, BlockSnapshot, Failure, RestoreResult, SnapshotResult, number
from ..plan import Plan
from ..result import Result
from ..uses import condensed
from .sentences import listing, restorable, series, uncapitalized, upper_bound

_DENIED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")


def ami_line(result: AmiResult) -> str:
    """The result of one AMI; nothing if it failed, which is reported at the end."""
    if result.outcome == "removed":
        # Where somebody else was faster the explanation says so.
        return result.explanation or f"{result.id} deregistered"
    if result.outcome == "quarantined":
        return f"{result.id} quarantined{f' until {result.until:%Y-%m-%d}' if result.until else ''}"
    if result.outcome == "kept":
        why = kept_because(result)
        return f"{result.id} kept{f': {why}' if why else ''}"
    return f"{result.id} released" if result.outcome == "released" else ""


def kept_because(result: AmiResult) -> str:
    """Why an AMI of the plan was kept after all; nothing where that is not known."""
    if result.used_by:
        return f"in use by {condensed(result.used_by)}."
    return uncapitalized(result.explanation)


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
    done = series(parts)
    said = [f"{done[0].upper()}{done[1:]} in {duration(result.seconds)}." if done else nothing_deleted(result)]
    failed = [number(counts["failed"], "AMI")] if counts["failed"] else []
    snapshots = sum(snapshot.outcome == "failed" for ami in result.amis.values() for snapshot in ami.snapshots)
    failed += [number(snapshots, "snapshot")] if snapshots else []
    said += [f"Failed: {' and '.join(failed)}."] if failed else []
    said += [f"Kept meanwhile: {number(counts['kept'], 'AMI')}."] if counts["kept"] else []
    untried = len(plan.changes) - len(result.amis)
    said += [f"Not tried: {number(untried, 'AMI')}."] if untried > 0 else []
    return " ".join(said)


def nothing_deleted(result: Result) -> str:
    """Where no AMI was changed; orphaned snapshots may have been deleted before."""
    return "No AMI was deleted." if result.orphans_deleted else "Nothing was deleted."


def undo_notes(result: Result) -> list[str]:
    """How what was done can be undone, or that it can't be."""
    plan, notes = result.plan, []
    if plan is None:
        return []
    deleted, undoable = (
        sorted(key for key, ami in result.amis.items() if ami.outcome == action.outcome) for action in (DELETE, QUARANTINE)
    )
    in_bin = result.in_bin or {}
    found = [key for key in deleted if key in in_bin]
    undoable += found
    if found:
        until = min(in_bin[key] for key in found)
        notes.append(restorable(len(found), len(deleted), until, plan.bins_read))
    elif deleted and plan.bins_read and result.in_bin is not None:
        notes.append("None of the deleted AMIs are in the Recycle Bin: the deletion cannot be undone.")
    elif deleted and plan.bins_read and not any(decision.restorable_until for decision in plan.removals):
        notes.append("No Recycle Bin rule covered this deletion: it cannot be undone.")
    elif deleted:
        notes.append("The Recycle Bin was not read, so it is not known whether the deletion can be undone.")
    if undoable and not plan.config.demo:  # a demo's account ends with the run
        log = plan.config.audit_log
        ids = [id for _, id in undoable]
        what = shlex.quote(log) if log and log != "-" else " ".join(ids) if len(ids) <= 10 else f"{ids[0]} ..."
        notes.append(f"To undo: amicleaner --restore {what}")
    return notes


def interrupted_sentence(result: Result) -> str:
    """How far an interrupted run got: `Interrupted. Deleted 0 of 11 AMIs; nothing is in progress.`"""
    counts = Counter(ami.outcome for ami in result.amis.values())
    parts = []
    if any(orphan.result for orphan in result.orphans):
        parts.append(f"deleted {result.orphans_deleted} of {number(len(result.orphans), 'orphaned snapshot')}")
    planned = [(action, len(result.plan.of(action))) for action in ORDER] if result.plan else []
    parts += [f"{action.past} {counts[action.outcome]} of {number(total, 'AMI')}" for action, total in planned if total]
    said = series(parts) or "nothing was deleted"
    failed = counts["failed"] + sum(bool(o.result and o.result.outcome == "failed") for o in result.orphans)
    rest = f"{failed} failed or got no response" if failed else "nothing is in progress"
    return f"{said[0].upper()}{said[1:]}; {rest}."


def late_refusals(result: Result, plan: Plan) -> list[str]:
    """A sentence for each AMI that was requested, by id or by a saved plan, and turned out to be shared or in use by what is
    read only after the prompt if there is much of it.  As in `refusals`, each makes the exit status 1."""
    late = {"shared"} if plan.shared_unasked else set()
    late |= {"in-use"} if plan.accounts_unasked else set()
    found = sorted(result.amis.values(), key=lambda ami: (ami.target, ami.id))
    return [ami_line(ami) for ami in found if ami.outcome == "kept" and ami.reason in late]


def failure_errors(result: Result, debug: bool = False) -> list[str]:
    """Equal failures in one sentence: `6 AMIs: UnauthorizedOperation (ec2:DeregisterImage): ami-…, ami-…, 4 more.`, and a
    hint on a line of its own."""
    found: dict[tuple[str, str, str], list[tuple[str, Failure]]] = {}
    actions = {d.key: d.action.calls[0].name for d in (result.plan.changes if result.plan else ())}
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


def saved_sentence(path: str, demo: str | None = None) -> str:
    """Where the plan is, and how to apply it: in the demo whose plan it is, if any."""
    where = f"--demo {demo} " if demo else ""
    return f"Plan saved to {path}. To apply it: amicleaner {where}--apply-plan {shlex.quote(path)}"


def restore_line(restored: RestoreResult) -> str:
    """What became of one AMI or snapshot that was to be brought back."""
    reason = f": {restored.reason}" if restored.reason else ""
    return {
        "restored": f"{restored.id} restored",
        "already": f"{restored.id} is already available{reason}",
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
    known |= result.plan.snapshots
    keys = {(s.target, s.id) for ami in result.amis.values() for s in ami.snapshots if s.outcome == "removed"}
    return [known.get(key, BlockSnapshot(key[1], 0)) for key in sorted(keys)]
