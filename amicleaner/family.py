"""The family of an AMI: its name without trailing dates, times, versions, build numbers and hashes.  Pure.

A name alone decides about its family, never the other names of the account.  In doubt a part belongs to the name: more
families keep more AMIs.  `tests/test_family.py` has a table of naming schemes.
"""

import re
from functools import lru_cache

_SEPARATOR = re.compile(r"(?:[-_ /@:+]|(?<![0-9])\.)+")
"""The characters between two parts.  A dot after a digit is inside a number: `ubuntu22.04`."""

_YEAR, _MONTH, _DAY = "(?:19|20)[0-9]{2}", "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
_HOUR, _MINUTE = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
_COMPACT_DATE = _YEAR + _MONTH + _DAY
_DATE = rf"(?:{_YEAR}([-._]){_MONTH}\1{_DAY}|{_DAY}([-._]){_MONTH}\2{_YEAR})"
_TIME = rf"{_HOUR}[-:._]?{_MINUTE}(?:[-:._]?{_MINUTE}(?:\.[0-9]{{1,9}})?)?(?:Z|UTC|[-+]{_HOUR}:?{_MINUTE})?"
_PRE_RELEASE = r"(?:[-.+~](?:alpha|beta|dev|pre|rc|snapshot|SNAPSHOT)[-.]?[0-9]*)?"

_PART = re.compile(
    "|".join(
        [
            rf"v?(?:{_DATE}(?:[T_ -]{_TIME})?|{_COMPACT_DATE}(?:[T_ -]?{_TIME})?)(?:\.[0-9]{{1,4}})?",
            rf"v?[0-9]+(?:\.[0-9]+){{2,}}{_PRE_RELEASE}(?:[-+_][0-9]{{1,6}})?",
            r"(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{7,40}",
            r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
            r"(?![0-9]{12}$)[0-9]{5,}",
        ]
    )
)
"""What never belongs to a name: a date with or without a time, a version of three or more numbers, a hash, a UUID, a long
number (but not one of twelve digits, which may be an account)."""

_LAST_PART = re.compile(rf"v?[0-9]+\.[0-9]+{_PRE_RELEASE}|[0-9]+")
"""What does not belong to a name at its very end.  Before another part it may be the version of an operating system or of
Kubernetes, and belongs to it: `ubuntu-22.04-20260914`, `rhel-9-20260914`, `eks-1.29-v20260914`."""

_IDENTIFIER = re.compile(r"(?:.*[^0-9A-Za-z])?(?:ami|eni|i|lt|sg|snap|subnet|vol|vpc)-", re.DOTALL)
"""What comes before the hexadecimal digits of an AWS resource's id: `backup-i-0123456789abcdef0` names an instance."""

_HEXADECIMAL = re.compile("[0-9a-f]{8,17}")


@lru_cache(maxsize=1 << 16)
def family_of(name: str) -> str:
    """The family of a name: a beginning of it, without the separators at its end.  A name that is nothing but dates, numbers
    and the like is its own family."""
    if _is_nothing_but_parts(name):
        return name
    family, last = name, True
    while (end := _end_of_rest(family, last)) is not None:
        family, last = family[:end], False
    return family


def _is_nothing_but_parts(name: str) -> bool:
    while not _is_part(name, True):
        end = _end_of_rest(name, True)
        if end is None:
            return False
        name = name[:end]
    return True


def _end_of_rest(name: str, last: bool) -> int | None:
    """Where a name ends without its last part, the longest that there is; None where the last part belongs to the name."""
    for separator in _SEPARATOR.finditer(name):
        start, end = separator.span()
        if start and _is_part(name[end:], last) and not _is_joined(name[:end], name[end:]):
            return start
    return None


def _is_part(text: str, last: bool) -> bool:
    return bool(_PART.fullmatch(text) or (last and _LAST_PART.fullmatch(text)))


def _is_joined(before: str, part: str) -> bool:
    """Whether a part is one word with what comes before it: an architecture, or the id of a resource."""
    if part == "64":
        return before.endswith(("x86_", "x86-"))
    return bool(_HEXADECIMAL.fullmatch(part) and _IDENTIFIER.fullmatch(before))
