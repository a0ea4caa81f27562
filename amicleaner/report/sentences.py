"""Every sentence about a plan, and the words that all sentences and tables share: whole days, upper bounds in GiB and USD.

Pure: a plan in, plain English out."""

import re
import shlex
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from ..actions import DELETE, ORDER, QUARANTINE
from ..config import Config
from ..decisions import Decision
from ..models import BlockSnapshot, Reason, number
from ..plan import Allowed, Plan
from ..result import Orphan

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


_TAGS_SHOWN = 8
"""Tags that a hint names, at most."""

ARCHIVED_PRICE = 0.0125
"""USD per GiB-month in the archive tier (EBS pricing)."""


def listing(names: Sequence[str]) -> str:
    """`a, b, c`, or the first two and how many more."""
    return ", ".join(names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"])


def age_days(created: datetime | None, now: datetime) -> int | None:
    """Whole days; None where the creation date is not known."""
    return None if created is None else max((now - created).days, 0)


def age(created: datetime | None, now: datetime) -> str:
    """`12 d`, or `?`."""
    days = age_days(created, now)
    return "?" if days is None else f"{days} d"


def gib(plan: Plan, *decisions: Decision) -> int:
    """GiB of all their snapshots, each counted once."""
    found = {
        (decision.target, snapshot.id): plan.size_of(decision.target, snapshot)
        for decision in decisions
        for snapshot in decision.ami.snapshots
    }
    return sum(found.values())


def monthly_cost(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> Decimal:
    """USD a month, an upper bound.  Decimal, so that 3 GiB at 0.1 are 0.3."""
    sums = {False: 0, True: 0}
    for snapshot in snapshots:
        sums[snapshot.archived] += snapshot.size_gib
    # The number as it was written: 0.05, not the nearest binary fraction; nor the -0.0 of floating point.
    return sums[False] * Decimal(repr(abs(price_per_gib))) + sums[True] * Decimal(str(ARCHIVED_PRICE))


def monthly_usd(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> float:
    """The same for JSON, in whole cents; JSON has no infinity."""
    return min(float(f"{monthly_cost(snapshots, price_per_gib):.2f}"), sys.float_info.max)


def upper_bound(snapshots: Iterable[BlockSnapshot], price_per_gib: float) -> tuple[str, str]:
    """`up to 32 GiB` and `up to $1.60/month`; each is empty where it would say 0."""
    snapshots = list(snapshots)
    size = sum(snapshot.size_gib for snapshot in snapshots)
    cost = f"{monthly_cost(snapshots, price_per_gib):.2f}"
    return f"up to {size} GiB" if size else "", f"up to ${cost}/month" if float(cost) else ""


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
    size, cost = upper_bound(plan.snapshots.values(), plan.config.price_per_gib)
    freeing = f", freeing {size}{f' ({cost})' if cost else ''}" if size else ""
    kept = ", ".join(f"{count} {REASON_WORDS[reason]}" for reason, count in plan.kept_by_reason)
    said = f"Plan: {series(parts)}{freeing}." if parts else "Nothing to delete."
    return f"{said} Keep {len(plan.kept)}: {kept}." if kept else said


def plan_notes(plan: Plan) -> list[str]:
    """What else somebody should know before confirming: whether it can be undone, and what is not obvious."""
    notes = [recycle_bin_sentence(plan)] if plan.removals else []
    if plan.of(QUARANTINE):
        notes.append("Quarantined AMIs can't be launched; --restore enables them again.")
    if plan.registered:
        said = "were not created with their AMIs, which were registered from them"
        if plan.registered == 1:
            said = "was not created with its AMI, which was registered from it"
        notes.append(f"{plan.registered} of the snapshots {said}.")
    if plan.shared_unasked:
        notes.append("Launch permissions are checked during the deletion; AMIs that turn out to be shared will be kept.")
    if plan.accounts_unasked:
        notes.append(
            "SSM parameters and recipes of other accounts are checked after the prompt; AMIs that they name will be kept."
        )
    return [note for note in notes if note]


def recycle_bin_sentence(plan: Plan) -> str:
    """Whether the deletion can be undone; nothing where that is not known."""
    until = [decision.restorable_until for decision in plan.removals if decision.restorable_until]
    if until:
        return restorable(len(until), len(plan.removals), min(until), plan.bins_read)
    if not plan.bins_read:
        return ""
    these = "this AMI" if len(plan.removals) == 1 else "these AMIs"
    return f"No Recycle Bin rule covers {these}: deletion cannot be undone."


def restorable(count: int, total: int, until: datetime, known: bool) -> str:
    """How many of the deleted AMIs can be restored; `known` says that the rest cannot."""
    least = "" if known or count == total else "at least "
    others = f"; the other {total - count} cannot be restored" if known and count < total else ""
    return f"Recycle Bin: {least}{count} of {number(total, 'AMI')} can be restored until {until:%Y-%m-%d}{others}."


def unknown_ids(plan: Plan) -> list[str]:
    """A sentence for each id of `--explain` that none of the targets has: each makes the exit status 1."""
    known = {decision.ami.id for decision in plan.decisions}
    place = plan.targets[0] if len(plan.targets) == 1 else f"any of the {number(len(plan.targets), 'target')}"
    return [f"--explain: {id} was not found in {place}." for id in plan.config.explain or () if id not in known]


def refusals(plan: Plan, allowed: Allowed | None) -> list[str]:
    """A sentence for each AMI that was requested, by id or by a saved plan, and is kept or does not exist: each makes the
    exit status 1."""
    if allowed is None:
        places = ", ".join(map(str, plan.targets))
        missing = [f"{id} does not exist in {places}." for id in plan.missing]
        refused = [decision for decision in plan.decisions if plan.config.from_ids and not decision.candidate]
    else:
        missing = []
        requested = [(decision, allowed.get(decision.key)) for decision in plan.decisions]
        refused = [decision for decision, name in requested if name not in (None, decision.action.name)]
    return missing + [f"{decision.ami.id} kept: {uncapitalized(decision.explanation)}" for decision in refused]


def uncapitalized(sentence: str) -> str:
    """A sentence as it follows a colon: `in use by …`.  A word all in capitals, or an option, stays as it is."""
    first = sentence.split(" ")[0]
    return sentence if len(first) > 1 and not first[1:].islower() else sentence[:1].lower() + sentence[1:]


def idle_groups(plan: Plan) -> str:
    """How many groups have no row in the summary; nothing where all have one."""
    groups = {(d.target, d.rule, label) for d in plan.decisions for label in d.groups}
    count = len(groups - {(group.target, group.rule, group.label) for group in plan.groups})
    now = " in this run" if any(decision.reason == "over-limit" for decision in plan.decisions) else ""
    return f"{number(count, 'more group')} with nothing to delete{now}." if count else ""


def prompt(plan: Plan) -> str:
    """The prompt.  Its simplest form is 0.2.2's, always in the plural."""
    if plan.changes == plan.removals:
        return f"Do you want to continue and remove {len(plan.removals)} AMIs [y/N] ? : "
    counts = [(action, len(plan.of(action))) for action in reversed(ORDER)]
    parts = [f"{action.name} {number(count, 'AMI')}" for action, count in counts if count]
    before = ", ".join(parts[:-1])
    return f"Do you want to continue{f', {before}' if before else ''} and {parts[-1]} [y/N] ? : "


def orphans_sentence(orphans: Sequence[Orphan], price_per_gib: float) -> str:
    """Their total, or `No orphaned snapshots.`"""
    if not orphans:
        return "No orphaned snapshots."
    bounds = [bound for bound in upper_bound((orphan.snapshot.block() for orphan in orphans), price_per_gib) if bound]
    return f"{', '.join([number(len(orphans), 'orphaned snapshot'), *bounds])}."


def series(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; a comma before the last one that has an `and` of its own."""
    if len(parts) < 2:
        return "".join(parts)
    comma = "," if " and " in parts[-1] else ""
    return f"{', '.join(parts[:-1])}{comma} and {parts[-1]}"


def cautions(plan: Plan) -> list[str]:
    """A warning for each choice that looks like a mistake.  There is none for a plan that deletes nothing."""
    if not plan.candidates:
        return []
    found = [*_inside_words(plan), *_unreferenced(plan)]
    keeps_nothing = (config.keep_previous == 0 and not any(config.periods.values()) for config in _configs(plan.config))
    if plan.config.force_delete and any(keeps_nothing):
        found.append("--keep-previous 0 with --force-delete: no unused AMI is kept in any group.")
    return found


def _configs(config: Config) -> list[Config]:
    if config.from_ids:
        return []
    return [config.for_rule(rule) for rule in config.rules] if config.rules else [config]


def _inside_words(plan: Plan) -> list[str]:
    """By name, `web` is also part of `cobweb`."""
    found = []
    names = sorted({decision.ami.name for decision in plan.candidates})
    values = [value for config in _configs(plan.config) if config.mapping_key == "name" for value in config.mapping_values]
    for value in dict.fromkeys(values):
        whole = re.compile(rf"(?<![^\W\d_]){re.escape(value)}(?![^\W\d_])")
        inside = [name for name in names if value in name and not whole.search(name)]
        if inside and value[:1].isalpha() and value[-1:].isalpha():
            found.append(f"--mapping-values {shlex.quote(value)} also matches inside words: {listing(inside)}.")
    return found


def _unreferenced(plan: Plan) -> list[str]:
    """A target out of which something would be deleted, and where nothing at all is in use."""
    in_use = {decision.target for decision in plan.decisions if decision.used_by}
    targets = sorted({decision.target for decision in plan.candidates} - in_use)
    if not targets or plan.config.from_ids:
        return []
    named = "; ".join(map(str, targets[:3]))
    more = f" and {len(targets) - 3} more" if len(targets) > 3 else ""
    return [
        f"No AMI is in use in {named}{more}. If other accounts use its AMIs, pass --used-by-profile or --used-by-role-arn."
    ]


def tag_hints(plan: Plan) -> list[str]:
    """Where nothing can be deleted because most AMIs are untagged: the tags that they have, and what to try."""
    untagged = [decision for decision in plan.decisions if decision.reason == "no-tags"]
    if plan.candidates or plan.config.rules or len(untagged) * 2 <= len(plan.decisions):
        return []
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for decision in untagged:
        for key, value in decision.ami.tags:
            values[key][value] += 1
    keys = ", ".join(plan.config.mapping_values)
    ordered = sorted(values, key=lambda key: (-values[key].total(), key))
    have = "has" if len(plan.decisions) == 1 else "have"
    said = [f"{len(untagged)} of {number(len(plan.decisions), 'AMI')} {have} none of the grouping tags ({keys})."]
    if ordered:
        shown = ", ".join(f"{key} ({values[key].total()})" for key in ordered[:_TAGS_SHOWN])
        more = f", {len(ordered) - _TAGS_SHOWN} more" if len(ordered) > _TAGS_SHOWN else ""
        said.append(f"Tags that these AMIs have: {shown}{more}.")
    else:
        said.append("These AMIs have no tags.")
    # A key whose values repeat makes groups; one that is different on each AMI, such as Name, does not.
    useful = [key for key in ordered if len(values[key]) * 2 <= values[key].total() and not key.startswith(("-", "aws:"))]
    useful.sort(key=lambda key: (-values[key].total(), -len(values[key])))
    said.append("To group them differently, try:")
    said += [f"  amicleaner --dry-run --mapping-key tags --mapping-values {shlex.quote(key)}" for key in useful[:1]]
    return [*said, "  amicleaner --dry-run --mapping-key family"]
