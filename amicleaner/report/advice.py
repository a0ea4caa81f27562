"""Warnings where a choice looks like a mistake, and what to try where nothing can be deleted.  Pure."""

import re
import shlex
from collections import Counter, defaultdict

from ..config import Config
from ..models import Target
from ..plan import Plan
from .sentences import listing, number, where

_TAGS_SHOWN = 8


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
    in_use: dict[Target, int] = defaultdict(int)
    for decision in plan.decisions:
        in_use[decision.target] += len(decision.used_by)
    targets = sorted({decision.target for decision in plan.candidates if not in_use[decision.target]})
    if not targets or plan.config.from_ids:
        return []
    named = "; ".join(where(target) for target in targets[:3])
    more = f" and {len(targets) - 3} more" if len(targets) > 3 else ""
    return [
        f"No AMI is in use in {named}{more}. If another account uses them, pass --used-by-profile or --used-by-role-arn."
    ]


def tag_hints(plan: Plan) -> list[str]:
    """Where nothing can be deleted because most AMIs are untagged: the tags that they have, and what to try."""
    untagged = [decision for decision in plan.decisions if decision.reason == "no-tags"]
    if plan.candidates or plan.config.rules or len(untagged) * 2 <= len(plan.decisions):
        return []
    counts: Counter[str] = Counter()
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for decision in untagged:
        for key, value in decision.ami.tags:
            counts[key] += 1
            values[key][value] += 1
    keys = ", ".join(plan.config.mapping_values)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    have = "has" if len(plan.decisions) == 1 else "have"
    said = [f"{len(untagged)} of {number(len(plan.decisions), 'AMI')} {have} none of the grouping tags ({keys})."]
    if counts:
        shown = ", ".join(f"{key} ({count})" for key, count in ordered[:_TAGS_SHOWN])
        more = f", {len(ordered) - _TAGS_SHOWN} more" if len(ordered) > _TAGS_SHOWN else ""
        said.append(f"Tags that these AMIs have: {shown}{more}.")
    else:
        said.append("These AMIs have no tags.")
    # A key whose values repeat makes groups; one that is different on each AMI, such as Name, does not.
    useful = [key for key, count in ordered if len(values[key]) * 2 <= count and not key.startswith(("-", "aws:"))]
    useful.sort(key=lambda key: (-counts[key], -len(values[key])))
    said.append("To group them differently, try:")
    said += [f"  amicleaner --dry-run --mapping-key tags --mapping-values {shlex.quote(key)}" for key in useful[:1]]
    return [*said, "  amicleaner --dry-run --mapping-key family"]
