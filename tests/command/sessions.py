"""The sessions that the article shows, as it shows them, and what in them may differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ARTICLE = {
    "": """
Default values : ==>
mapping_key : tags
mapping_values : ['environment', 'role']
keep_previous : 4
Retrieving AMIs to clean ...
AMIs to be removed:
+--------------------+------------+
| Group name | candidates |
+--------------------+------------+
| back.dev | 1 |
| back.prod | 1 |
| dev.front | 1 |
| front.prod | 1 |
| no-tags (excluded) | 1 |
+--------------------+------------+
Do you want to continue and remove 4 AMIs [y/N] ? :
""",
    "--keep-previous 2": """
Default values : ==>
mapping_key : tags
mapping_values : ['environment', 'role']
keep_previous : 2
Retrieving AMIs to clean ...
AMIs to be removed:
+--------------------+------------+
| Group name | candidates |
+--------------------+------------+
| back.dev | 3 |
| back.prod | 3 |
| dev.front | 3 |
| front.prod | 3 |
| no-tags (excluded) | 1 |
+--------------------+------------+
Do you want to continue and remove 12 AMIs [y/N] ? :
""",
    "--mapping-key name --mapping-values front --full-report --keep-previous 8": """
Default values : ==>
mapping_key : name
mapping_values : ['front']
keep_previous : 8
Retrieving AMIs to clean ...
front
+--------------+---------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+---------------+--------------------------+
| ami-50504e36 | front-a3c56c4 | 2017-06-15T09:55:42.000Z |
| ami-52504e34 | front-ff5eac7 | 2017-06-15T09:56:43.000Z |
+--------------+---------------+--------------------------+
AMIs to be removed:
+------------+------------+
| Group name | candidates |
+------------+------------+
| front | 2 |
+------------+------------+
Do you want to continue and remove 2 AMIs [y/N] ? :
""",
    "--mapping-key tags --mapping-values environment role --full-report --keep-previous 3": """
Default values : ==>
mapping_key : tags
mapping_values : ['environment', 'role']
keep_previous : 3
Retrieving AMIs to clean ...
back.dev
+--------------+--------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+--------------+--------------------------+
| ami-a74856c1 | back-285244c | 2017-06-15T11:47:57.000Z |
| ami-954658f3 | back-d358afc | 2017-06-15T11:46:56.000Z |
+--------------+--------------+--------------------------+
back.prod
+--------------+--------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+--------------+--------------------------+
| ami-55495733 | back-579c0f6 | 2017-06-15T11:53:07.000Z |
| ami-9d4759fb | back-c58de50 | 2017-06-15T11:52:05.000Z |
+--------------+--------------+--------------------------+
front.prod
+--------------+---------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+---------------+--------------------------+
| ami-fd4c529b | front-31d05d8 | 2017-06-15T10:05:39.000Z |
| ami-50514f36 | front-a4b33c9 | 2017-06-15T10:06:42.000Z |
+--------------+---------------+--------------------------+
dev.front
+--------------+---------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+---------------+--------------------------+
| ami-50504e36 | front-a3c56c4 | 2017-06-15T09:55:42.000Z |
| ami-52504e34 | front-ff5eac7 | 2017-06-15T09:56:43.000Z |
+--------------+---------------+--------------------------+
no-tags (excluded)
+--------------+-------------+--------------------------+
| AMI ID | AMI Name | Creation Date |
+--------------+-------------+--------------------------+
| ami-2bf48158 | test-delete | 2016-08-16T17:40:15.000Z |
+--------------+-------------+--------------------------+
AMIs to be removed:
+--------------------+------------+
| Group name | candidates |
+--------------------+------------+
| back.dev | 2 |
| back.prod | 2 |
| dev.front | 2 |
| front.prod | 2 |
| no-tags (excluded) | 1 |
+--------------------+------------+
Do you want to continue and remove 8 AMIs [y/N] ? :
""",
}
"""Arguments, and what the article prints below them."""


def lines_of(text: str) -> list[str]:
    """The lines of a session without what is free: blank lines and the padding of tables."""
    return [_unpadded(line) for line in text.splitlines() if line.strip()]


def contains(shown: str, arguments: str) -> bool:
    """Whether a session shows what the article shows, in the order that is promised.  Lines may be added, and columns on the
    right of the article's."""
    lines = iter(lines_of(shown))
    return all(
        any(line == wanted or line.startswith(f"{wanted} | ") for line in lines) for wanted in in_order(ARTICLE[arguments])
    )


def _unpadded(line: str) -> str:
    if line.startswith("|"):
        return " | ".join(cell.strip() for cell in line.strip("| ").split("|"))
    return "+" if line.startswith("+-") else line.rstrip()


def in_order(text: str) -> list[str]:
    """The article's lines in the order that is promised: groups by label, `no-tags` last."""
    lines = lines_of(text)
    first = lines.index("Retrieving AMIs to clean ...") + 1
    last = lines.index("AMIs to be removed:")
    return [*lines[:first], *_sorted_groups(lines[first:last]), *lines[last:]]


def _sorted_groups(lines: Sequence[str]) -> Iterable[str]:
    """Groups are a label and its table, which has three borders."""
    groups: list[list[str]] = []
    borders = 3
    for line in lines:
        if borders == 3:
            groups.append([])
            borders = 0
        groups[-1].append(line)
        borders += line == "+"
    groups.sort(key=lambda group: (group[0].startswith("no-tags"), group[0]))
    return [line for group in groups for line in group]
