"""Filter: why an AMI is kept regardless of its group.  Pure.

Each rule returns one sentence for people, or None.  The order of `RULES` is the order of the reasons: the first that applies
is shown.  More references, snapshot tags or options to keep AMIs never delete more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase

from .actions import KEEP_UNTIL_TAG, QUARANTINE_TAG
from .config import Config
from .mapper import UNTAGGED, Group
from .models import FAILED_STATES, UNREADABLE, Ami, KeepReason, Reason, Snapshot, Use, number
from .orphans import manager_of
from .quarantine import quarantine_of
from .uses import condensed


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Everything that a rule may look at: one AMI, its references, its groups, the accounts that it is shared with, and its
    snapshots, as far as they are known."""

    ami: Ami
    config: Config
    now: datetime
    uses: Sequence[Use] = ()
    groups: Sequence[Group] = ()
    shared_with: Sequence[str] = ()
    snapshots: Sequence[Snapshot] = ()


def in_use(ctx: RuleContext) -> str | None:
    """Something refers to the AMI."""
    return f"In use by {condensed(ctx.uses)}." if ctx.uses else None


def state(ctx: RuleContext) -> str | None:
    """Not available, failed or in quarantine: it is pending, disabled by somebody else, or in an unknown state.  Without
    a creation date it may be the newest, which does not matter where a person listed it."""
    current = ctx.ami.state
    if current in FAILED_STATES:
        if ctx.config.quarantine is not None:
            return f"Creation failed (state {current}), so it cannot be quarantined."
    elif current != "available" and not quarantine_of(ctx.ami, 0, ctx.now).lasts:
        return f"In state {current}." if current else "In an unknown state."
    if ctx.ami.created is None and not ctx.config.from_ids:
        return "Creation date missing or unreadable, so its age is unknown."
    return None


def quarantined(ctx: RuleContext) -> str | None:
    """In quarantine, and this run has no --quarantine, so it leaves it alone."""
    found = quarantine_of(ctx.ami, 0, ctx.now)
    if ctx.config.quarantine is not None or not found.lasts:
        return None
    since = f" since {found.since:%Y-%m-%d}" if found.since else ""
    return f"In quarantine{since}; only a run with --quarantine deletes or releases it."


def released(ctx: RuleContext) -> str | None:
    """It has the tag of a quarantine and is not disabled: a person enabled it, and that counts until the tag is removed."""
    if quarantine_of(ctx.ami, 0, ctx.now).stage != "enabled":
        return None
    return f"Enabled during its quarantine. Remove the tag {QUARANTINE_TAG} to let it be deleted."


def protected(ctx: RuleContext) -> str | None:
    """`DeregistrationProtection` is a free string (EC2's `Image`): absent or `disabled` means none, other values protect."""
    if ctx.ami.protection in ("", "disabled"):
        return None
    return f"Protected against deregistration ({ctx.ami.protection})."


def managed(ctx: RuleContext) -> str | None:
    """AWS Backup and Data Lifecycle Manager delete their AMIs and snapshots themselves.  One in a vault of AWS Backup has an
    alias for its owner (EC2's `Image`)."""
    for snapshot, tags in _tagged(ctx):
        manager = manager_of(tags)
        if manager is not None:
            return f"Its snapshot {snapshot} is managed by {manager}." if snapshot else f"Managed by {manager}."
    if ctx.ami.name.startswith("AwsBackup_") or ctx.ami.owner_alias == "aws-backup-vault":
        return "Managed by AWS Backup."
    return None


def public(ctx: RuleContext) -> str | None:
    """Every AWS account may launch it."""
    return "Public: every AWS account can launch it." if ctx.ami.public and not ctx.config.include_shared else None


def shared(ctx: RuleContext) -> str | None:
    """An account outside the run may launch it."""
    return f"Shared with {', '.join(ctx.shared_with)}." if ctx.shared_with and not ctx.config.include_shared else None


def keep_tag(ctx: RuleContext) -> str | None:
    """`KEY` or `KEY=VALUE`: a key may hold a `=` of its own, so both readings count."""
    for snapshot, tags in _tagged(ctx):
        for key, value in tags:
            for wanted in ctx.config.keep_tag:
                if wanted in (key, f"{key}={value}"):
                    subject = f"Its snapshot {snapshot} is tagged" if snapshot else "Tagged"
                    return f"{subject} {wanted} (--keep-tag)."
    return None


def keep_until(ctx: RuleContext) -> str | None:
    """An owner's date, which counts until its day (UTC) is over.  A value that is not a date always counts."""
    value = dict(ctx.ami.tags).get(KEEP_UNTIL_TAG)
    if value is None:
        return None
    until = _date(value)
    if until is None:
        return f"Tagged {KEEP_UNTIL_TAG}={value}, which is not a date (YYYY-MM-DD)."
    return f"Tagged {KEEP_UNTIL_TAG}={value}." if until >= ctx.now.astimezone(UTC).date() else None


def excluded(ctx: RuleContext) -> str | None:
    """One of the excluded values is part of a grouped value, or, where tags do not group, of the name."""
    if not ctx.config.excluded_mapping_values:
        return None
    values = [[value for _, value in group] for group in ctx.groups]
    strings = [string for group in values for string in (*group, ".".join(group), ".".join(sorted(group)))]
    if ctx.config.mapping_key != "tags":
        strings.append(ctx.ami.name)
    for wanted in ctx.config.excluded_mapping_values:
        if any(wanted in string for string in strings):
            return f"Excluded by --excluded-mapping-values {wanted}."
    return None


def recently_launched(ctx: RuleContext) -> str | None:
    """`LastLaunchedTime` may be a day late (EC2's guide on AMIs), never early."""
    days, launched = ctx.config.unused_days, ctx.ami.last_launched
    if days is None or launched is None or (ctx.now - launched).total_seconds() / 86_400 > days:
        return None
    if launched == UNREADABLE:
        return "Launched, but AWS's date of the last launch is unreadable."
    return f"Launched on {launched:%Y-%m-%d}, within the last {number(days, 'day')}."


def why_not_selected(ami: Ami, config: Config) -> str | None:
    """Why an AMI is not selected: it lacks one of the tags of `only_tag`, or its name matches none of `only_name`.  None if
    it is selected."""
    if config.only_tag and not {f"{key}={value}" for key, value in ami.tags}.issuperset(config.only_tag):
        return "Does not have the tags of --only-tag."
    if config.only_name and not any(fnmatchcase(ami.name, glob) for glob in config.only_name):
        return "Name does not match --only-name."
    return None


def no_tags(ctx: RuleContext) -> str | None:
    """By tags, without a value for any of the keys."""
    if ctx.config.mapping_key == "tags" and UNTAGGED in ctx.groups and not ctx.config.include_untagged:
        return f"Has none of the tags {', '.join(ctx.config.mapping_values)}."
    return None


def no_match(ctx: RuleContext) -> str | None:
    """By name, pattern or family, in no group."""
    if ctx.groups:
        return None
    if ctx.config.mapping_key == "family":
        return "Has no name."
    relation = "matches" if ctx.config.mapping_key == "pattern" else "contains"
    return f"Name {relation} none of {', '.join(ctx.config.mapping_values)}."


def too_young(ctx: RuleContext) -> str | None:
    """Younger than `--ami-min-days` whole days."""
    days, created = ctx.config.ami_min_days, ctx.ami.created
    if days < 0 or created is None or (ctx.now - created).days >= days:
        return None
    return f"Created on {created:%Y-%m-%d}, less than {number(days, 'day')} ago."


Rule = Callable[[RuleContext], str | None]

NAMED_RULES: tuple[tuple[Reason, Rule], ...] = (
    ("in-use", in_use),
    ("state", state),
    ("quarantined", quarantined),
    ("released", released),
    ("protected", protected),
    ("managed", managed),
    ("public", public),
    ("shared", shared),
    ("keep-tag", keep_tag),
    ("keep-until", keep_until),
)
"""Rules that also keep an AMI that a person listed by its id."""

OWN_RULES: tuple[tuple[Reason, Rule], ...] = (
    *NAMED_RULES,
    ("excluded", excluded),
    ("recently-launched", recently_launched),
)
"""Rules that apply even to an AMI that nothing selects: they give the reason that is shown."""

RULES: tuple[tuple[Reason, Rule], ...] = (
    *OWN_RULES,
    ("not-selected", lambda ctx: why_not_selected(ctx.ami, ctx.config)),
    ("no-tags", no_tags),
    ("no-match", no_match),
    ("too-young", too_young),
)
"""Rules that keep an AMI when groups are cleaned, in the order of the reasons."""


def keep_reason(ctx: RuleContext, rules: Sequence[tuple[Reason, Rule]]) -> KeepReason | None:
    """The first reason that applies, with its sentence; None if the AMI may be deleted."""
    for reason, rule in rules:
        sentence = rule(ctx)
        if sentence is not None:
            return reason, sentence
    return None


def _tagged(ctx: RuleContext) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """Its tags (with an empty id), then those of each snapshot that was looked up."""
    yield "", ctx.ami.tags
    for snapshot in ctx.snapshots:
        yield snapshot.id, snapshot.tags


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if str(found) == text else None  # fromisoformat reads more
