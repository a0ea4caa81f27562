"""Map: which AMI belongs to which groups.  Pure: values in, values out."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from .config import Config
from .family import family_of
from .models import Ami

Group = tuple[tuple[str, str], ...]
"""A group's key.  By tags the (tag key, value) pairs that its AMIs share, sorted; otherwise ("", part of the name), once
for each capturing group of a pattern."""

UNTAGGED: Group = ()
"""The group of the AMIs that have none of the tag keys."""

UNTAGGED_LABEL = "no-tags"


def groups_of(ami: Ami, config: Config) -> tuple[Group, ...]:
    """The groups of one AMI, by the configuration's mapping key.

    By tags exactly one (`UNTAGGED` without a value for any of the keys: an empty value counts as none, and keys are
    compared whole).  By name one for each of the values that the name contains, by pattern one for each different match, by
    family one; maybe none.
    """
    if config.mapping_key == "tags":
        return (tuple(sorted((key, value) for key, value in ami.tags if key in config.mapping_values and value)),)
    if config.mapping_key == "family":
        return ((("", family_of(ami.name)),),) if ami.name else ()
    if config.mapping_key == "pattern":
        matches = (_match(pattern, ami.name) for pattern in config.mapping_values)
        return tuple(dict.fromkeys(match for match in matches if match is not None))
    return tuple((("", value),) for value in config.mapping_values if value in ami.name)


def _match(pattern: str, name: str) -> Group | None:
    """The group of a name by one regular expression; None if it matches nothing or only empty strings.

    Patterns come from the user's own configuration: one that backtracks without end hangs the run, as in any program.
    """
    match = re.search(pattern, name)
    if match is None:
        return None
    strings = match.groups("") or (match[0],)
    return tuple(("", string) for string in strings) if any(strings) else None


def labels_of(groups: Iterable[Group]) -> Mapping[Group, str]:
    """What people read for each group: the values joined with `.`, those of tags sorted; where two groups would read the
    same, the keys are named (`environment=web.role=db`), because they are different groups.  No two labels are the same."""
    form = dict.fromkeys(groups, 0)
    while True:
        labels = {group: _FORMS[number](group) if group else UNTAGGED_LABEL for group, number in form.items()}
        count = Counter(labels.values())
        alike = [group for group in form if count[labels[group]] > 1 and form[group] < len(_FORMS) - 1]
        if not alike:
            return labels
        for group in alike:
            form[group] += 1


def _values(group: Group) -> str:
    values = [value for _, value in group]
    return ".".join(sorted(values) if group[0][0] else filter(None, values))


def _pairs(group: Group) -> str:
    return ".".join(f"{key}={value}" if key else value for key, value in group)


def _quoted(group: Group) -> str:
    """For values that contain a `.` or a `=`: quoted, no two groups are alike."""
    return ".".join(f"{json.dumps(key)}={json.dumps(value)}" if key else json.dumps(value) for key, value in group)


_FORMS: tuple[Callable[[Group], str], ...] = (_values, _pairs, _quoted)
"""The ways to write a label, the next one where another does not tell groups apart."""
