"""Filter: why an AMI must stay for itself, before its group is counted.  Pure.

Each rule answers with one sentence for people, or None.  The order of `RULES` is the order of the reasons: the first that
holds is the one that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from .actions import QUARANTINE_TAG
from .config import Config
from .mapper import UNTAGGED, Group
from .models import FAILED_STATES, UNREADABLE, Ami, Reason, Snapshot, Use
from .quarantine import DISABLED, quarantine_of


@dataclass(frozen=True, slots=True)
class RuleContext:
    """All that the rules may look at: one AMI, what uses it, its groups, and whom it is shared with as far as was asked."""

    ami: Ami
    config: Config
    now: datetime
    uses: Sequence[Use] = ()
    groups: Sequence[Group] = ()
    shared_with: Sequence[str] = ()
    snapshots: Sequence[Snapshot] = ()

    @property
    def all_tags(self) -> Sequence[tuple[str, str]]:
        """Its tags, and those of its snapshots as far as they were looked up."""
        return (*self.ami.tags, *(tag for snapshot in self.snapshots for tag in snapshot.tags))


def in_use(ctx: RuleContext) -> str | None:
    """Something names ctx."""
    if not ctx.uses:
        return None
    more = f" and {len(ctx.uses) - 1} more" if len(ctx.uses) > 1 else ""
    return f"It is used by {ctx.uses[0].label}{more}."


def state(ctx: RuleContext) -> str | None:
    """Neither available nor failed: pending, disabled, or a state that this tool does not know."""
    if ctx.ami.state == DISABLED and quarantine_of(ctx.ami, 0, ctx.now).stage != "none":
        return None
    if ctx.ami.state in FAILED_STATES and ctx.config.quarantine is not None:
        return f"Its creation failed (state {ctx.ami.state}), so it cannot be quarantined."
    if ctx.ami.state != "available" and ctx.ami.state not in FAILED_STATES:
        return f"Its state is {ctx.ami.state or 'unknown'}."
    return None


def quarantined(ctx: RuleContext) -> str | None:
    """In quarantine, and this run has no --quarantine, so it leaves it alone."""
    found = quarantine_of(ctx.ami, 0, ctx.now)
    if ctx.config.quarantine is not None or found.stage in ("none", "enabled"):
        return None
    since = f" since {found.since:%Y-%m-%d}" if found.since else ""
    return f"In quarantine{since}; a run with --quarantine releases or deletes it."


def released(ctx: RuleContext) -> str | None:
    """It has the tag of a quarantine and is not disabled: a person enabled it, and that counts until the tag is removed."""
    if quarantine_of(ctx.ami, 0, ctx.now).stage != "enabled":
        return None
    return f"It was enabled during its quarantine; remove the tag {QUARANTINE_TAG} to let it be deleted."


def undated(ctx: RuleContext) -> str | None:
    """Without a creation date nobody can say what is old."""
    return "Its creation date is missing or unreadable, so its age is unknown." if ctx.ami.created is None else None


def protected(ctx: RuleContext) -> str | None:
    """`DeregistrationProtection` is a free text (EC2's `Image`): absent or `disabled` means none, all else protects."""
    if ctx.ami.protection in ("", "disabled"):
        return None
    return f"It has deregistration protection ({ctx.ami.protection})."


def managed(ctx: RuleContext) -> str | None:
    """AWS Backup and Data Lifecycle Manager remove their AMIs themselves; their tags say so."""
    for key, _ in ctx.ami.tags:
        if key.startswith("aws:backup:"):
            return "AWS Backup manages ctx."
        if key.startswith("aws:dlm:") or key == "dlm:managed":
            return "Data Lifecycle Manager manages ctx."
    return "AWS Backup manages ctx." if ctx.ami.name.startswith("AwsBackup_") else None


def public(ctx: RuleContext) -> str | None:
    """Everybody may launch ctx."""
    return "It is public." if ctx.ami.public and not ctx.config.include_shared else None


def shared(ctx: RuleContext) -> str | None:
    """Somebody outside the run may launch ctx."""
    if not ctx.shared_with or ctx.config.include_shared:
        return None
    return f"It is shared with {', '.join(ctx.shared_with)}."


def keep_tag(ctx: RuleContext) -> str | None:
    """`KEY` or `KEY=VALUE`: a key may hold a `=` of its own, so both readings count."""
    for key, value in ctx.ami.tags:
        for wanted in ctx.config.keep_tag:
            if wanted in (key, f"{key}={value}"):
                return f"It has the tag {wanted} of --keep-tag."
    return None


def excluded(ctx: RuleContext) -> str | None:
    """One of the excluded values is part of a grouped tag's value, or by name of the name."""
    if ctx.config.mapping_key == "name":
        texts = [ctx.ami.name]
    else:
        values = sorted(value for group in ctx.groups for _, value in group)
        texts = [*values, ".".join(values)]
    for wanted in ctx.config.excluded_mapping_values:
        if any(wanted in text for text in texts):
            return f"--excluded-mapping-values excludes {wanted}."
    return None


def recently_launched(ctx: RuleContext) -> str | None:
    """`LastLaunchedTime` may be a day late (EC2's guide on AMIs), never early."""
    days, launched = ctx.config.unused_days, ctx.ami.last_launched
    if days is None or launched is None or _days(ctx.now, launched) > days:
        return None
    if launched == UNREADABLE:
        return "It was launched, and AWS's date of that is unreadable."
    return f"It was launched on {launched:%Y-%m-%d}, within {days} days."


def is_selected(ami: Ami, config: Config) -> bool:
    """Whether an AMI has all the tags of `only_tag`, and one of the names of `only_name`."""
    pairs = {f"{key}={value}" for key, value in ami.tags}
    if not pairs.issuperset(config.only_tag):
        return False
    return not config.only_name or any(fnmatchcase(ami.name, glob) for glob in config.only_name)


def not_selected(ctx: RuleContext) -> str | None:
    """Outside `--only-tag` or `--only-name`."""
    return None if is_selected(ctx.ami, ctx.config) else "It does not match --only-tag or --only-name."


def no_tags(ctx: RuleContext) -> str | None:
    """By tags, without a value for any of the keys."""
    if ctx.config.mapping_key == "tags" and UNTAGGED in ctx.groups and not ctx.config.include_untagged:
        return f"It has none of the tags {', '.join(ctx.config.mapping_values)}."
    return None


def no_match(ctx: RuleContext) -> str | None:
    """By name, in no group."""
    if ctx.groups:
        return None
    return f"Its name contains none of {', '.join(ctx.config.mapping_values)}."


def too_young(ctx: RuleContext) -> str | None:
    """Younger than `--ami-min-days` whole days."""
    days, created = ctx.config.ami_min_days, ctx.ami.created
    if days < 0 or created is None or (ctx.now - created).days >= days:
        return None
    return f"It was created on {created:%Y-%m-%d}, less than {days} whole days ago."


def _days(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 86_400


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
)
"""What protects also an AMI that a person names by its id."""

RULES: tuple[tuple[Reason, Rule], ...] = (
    *NAMED_RULES[:2],
    ("state", undated),
    *NAMED_RULES[2:],
    ("excluded", excluded),
    ("recently-launched", recently_launched),
    ("not-selected", not_selected),
    ("no-tags", no_tags),
    ("no-match", no_match),
    ("too-young", too_young),
)
"""What protects an AMI when groups are cleaned, in the order of the reasons."""


def keep_reason(ctx: RuleContext, rules: Sequence[tuple[Reason, Rule]] = RULES) -> tuple[Reason, str] | None:
    """The first reason that holds with its sentence, or None where the AMI may go."""
    for reason, rule in rules:
        sentence = rule(ctx)
        if sentence is not None:
            return reason, sentence
    return None
