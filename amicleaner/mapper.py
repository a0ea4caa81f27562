"""Map: which AMI belongs to which groups.  Pure: values in, values out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from .config import Config
from .models import Ami

Group = tuple[tuple[str, str], ...]
"""A group's key: the (tag key, value) pairs that its AMIs share, sorted; by name the one pair ("", part of the name)."""

UNTAGGED: Group = ()
"""The group of the AMIs that have none of the tag keys."""

UNTAGGED_LABEL = "no-tags"


def groups_of(ami: Ami, config: Config) -> tuple[Group, ...]:
    """The groups of one AMI.  By tags exactly one (`UNTAGGED` without a value for any of the keys: an empty value counts
    as none, and keys are compared whole); by name one for each of the values that the name contains, or none."""
    if config.mapping_key == "name":
        return tuple((("", value),) for value in config.mapping_values if value in ami.name)
    return (tuple(sorted((key, value) for key, value in ami.tags if key in config.mapping_values and value)),)


def labels_of(groups: Iterable[Group]) -> Mapping[Group, str]:
    """What people read for each group: the sorted values joined with `.`; where two groups would read the same, the keys
    are named (`environment=web.role=db`), for they are different groups.  No two labels are the same."""
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
    return ".".join(sorted(value for _, value in group))


def _pairs(group: Group) -> str:
    return ".".join(f"{key}={value}" for key, value in group)


def _quoted(group: Group) -> str:
    """For values that hold a `.` or a `=` of their own: quoted, no two groups are alike."""
    return ".".join(f"{json.dumps(key)}={json.dumps(value)}" for key, value in group)


_FORMS: tuple[Callable[[Group], str], ...] = (_values, _pairs, _quoted)
"""The ways to write a label, the next one where another does not tell groups apart."""
