"""AWS's answers, changed on the wire: below botocore's parsers, so that what they make of nonsense is tried along.

A `Change` names the member and what becomes of it by numbers, which shrink well; `Hostile` is a fake AWS that makes changes,
and that tells which it made.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import strategies as st

from tests.fake_aws import ApiError, Call, FakeAws, World
from tests.fake_aws.wire import Response, failure
from tests.fake_aws.world import AccessKey

CALLS = (
    "DescribeImages", "DescribeInstances", "DescribeLaunchConfigurations", "DescribeLaunchTemplateVersions",
    "DescribeAutoScalingGroups", "DescribeSpotFleetRequests", "DescribeSpotInstanceRequests", "DescribeFleets",
    "GetParameters", "DescribeInstanceRefreshes", "DescribeImageReferences", "DescribeImageAttribute",
    "DescribeSnapshots", "ListImagesInRecycleBin", "ListRules", "DescribeComputeEnvironments", "ListImageRecipes",
    "ListContainerRecipes", "ListImagePipelines", "ListImagePipelineImages", "GetImage", "DescribeFastLaunchImages",
    "DescribeRegions", "ListAccounts", "GetCallerIdentity", "AssumeRole", "DeregisterImage", "DeleteSnapshot",
)  # fmt: skip

WORDS = ("brand-new", "None", "null", "?", "\u202eevil\u200b", "x" * 5000, "\t\n", "ünï", "true", "arn:aws:", "resolve:ssm:")
"""No state, no id, no date, no name of anything."""
NUMBERS = ("-1", "0", "2147483648", "-" + "9" * 30, "9" * 400, "1" * 4300, "9" * 5000, "1e400", "nan", "0x10", "1.5", "²")
DATES = (
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z",
    "2026-02-30T00:00:00.000Z", "2026-02-28", "lately", "1e300", "-62135596801", "253402300800", "24:00",
)  # fmt: skip
ODD: tuple[Any, ...] = (None, True, 5, -1.5, 1e300, [], {}, [None], {"a": None}, "text", "\x1b[2J", "\ud800")
"""What JSON can put in the place of anything."""
CODES = (
    "BrandNew", "", "UnauthorizedOperation", "RequestLimitExceeded", "InternalError", "Throttling", "500", "\u202e",
    "x" * 3000, "ValidationError", "IncorrectState", "InvalidSnapshot.InUse", "ExpiredToken", "DryRunOperation",
)  # fmt: skip
STATUSES = (301, 400, 401, 403, 404, 409, 412, 418, 429, 500, 501, 502, 503, 504, 505, 599)

KINDS = ("drop", "empty", "text", "number", "date", "twice", "other", "wrap", "odd", "tags", "foreign", "error")


@dataclass(frozen=True)
class Change:
    """The answer of `call` is changed, the `nth` time that it comes (0: each time): of the names of members the `name`-th
    (or that name), of the members of that name the `place`-th, both counted round; `value` chooses in the same way."""

    call: str
    kind: str
    nth: int
    name: int | str
    place: int
    value: int


CHANGE = st.builds(
    Change,
    st.sampled_from(CALLS),
    st.sampled_from(KINDS),
    st.sampled_from((0, 0, 1, 2, 3)),
    st.integers(0, 60),
    st.integers(0, 12),
    st.integers(0, 40),
)


def at(values: Sequence[Any], number: int) -> Any:
    return values[number % len(values)]


def named(names: Sequence[str], change: Change) -> str:
    return change.name if isinstance(change.name, str) else str(at(names, change.name))


class Hostile(FakeAws):
    """A fake AWS whose answers are changed.  `ids` are what is put in the place of an id; `foreign` is an AMI of somebody
    else and its owner.  `made` is what was really changed: the call, the kind, and the member's name."""

    def __init__(self) -> None:
        super().__init__()
        self.begin(World())

    def begin(
        self,
        world: World,
        changes: Sequence[Change] = (),
        ids: Sequence[str] = (),
        foreign: tuple[str, str] = ("", ""),
    ) -> None:
        self.reset(world)
        self.changes = tuple(changes)
        self.ids = tuple(ids)
        self.foreign = foreign
        self.made: set[tuple[str, str, str]] = set()

    def _answer(self, call: Call, key: AccessKey | None, request_id: str) -> Response:
        number = next(number for number, made in enumerate(self.calls.of(call.action), 1) if made is call)
        due = [change for change in self.changes if change.call == call.action and change.nth in (0, number)]
        refusal = next((change for change in due if change.kind == "error"), None)
        if refusal and refusal.place % 2:  # before AWS acts, or else after it did
            return self._refuse(call, refusal, request_id)
        answer = super()._answer(call, key, request_id)
        if refusal:
            if answer.status == 200:
                self.made.add((call.action, "acted", call.action))
            return self._refuse(call, refusal, request_id)
        taken: set[str] = set()  # a second change of a member could make of the first what AWS itself might answer
        for change in due if answer.status == 200 else ():
            answer = self._changed(call, change, answer, taken)
        return answer

    def _refuse(self, call: Call, change: Change, request_id: str) -> Response:
        code, status = at(CODES, change.value), at(STATUSES, change.place // 2)
        self.made.add((call.action, "error", code))
        return failure(call.service, ApiError(code, at(WORDS, change.place), status), request_id)

    def _changed(self, call: Call, change: Change, answer: Response, taken: set[str]) -> Response:
        if answer.body.startswith(b"<"):
            root = ET.fromstring(answer.body)
            done = _change_xml(root, change, self, taken)
            body = ET.tostring(root)
        else:
            root = json.loads(answer.body)
            done = change_json(root, change, self.ids, taken)
            body = json.dumps(root).encode()
        if done is None:
            return answer
        self.made.add((call.action, *done))
        taken.add(done[1])
        return answer._replace(body=body)


# XML

Node = tuple[ET.Element, ET.Element]
"""A parent and one of its children."""

Done = tuple[str, str]
"""What a change amounts to (its kind, or a simpler one) and the name of the member; None: there was nothing to change."""


def tag(node: ET.Element) -> str:
    return node.tag.rpartition("}")[2]


def _nodes(parent: ET.Element) -> Iterator[Node]:
    for child in parent:
        if tag(child) not in ("requestId", "ResponseMetadata"):
            yield parent, child
            yield from _nodes(child)


def _change_xml(root: ET.Element, change: Change, hostile: Hostile, taken: Set[str]) -> Done | None:
    nodes = list(_nodes(root))
    if change.kind == "foreign":
        return _foreign(nodes, hostile)
    if change.kind == "tags":
        return _many_tags(nodes, change)
    names = sorted({tag(node) for _, node in nodes} - taken)
    if not names:
        return None
    name = named(names, change)
    if name not in names:
        return None
    parent, node = at([entry for entry in nodes if tag(entry[1]) == name], change.place)
    inner = list(node)
    match change.kind:
        case "drop":
            parent.remove(node)
        case "twice":
            parent.insert(list(parent).index(node), copy.deepcopy(node))
        case "wrap":
            # To a parser that knows what it looks for, a member one level too deep is none.
            wrapped = copy.deepcopy(node)
            node.clear()
            node.append(wrapped)
            return "empty", tag(node)
        case "empty" | "text" | "number" | "date" | "other":
            values = {"empty": ("",), "text": WORDS, "number": NUMBERS, "date": DATES, "other": hostile.ids}
            node.clear()
            node.text = at(values[change.kind], change.value)
            return "empty" if inner else change.kind, tag(node)
        case _:
            return None
    return change.kind, tag(node)


def _foreign(nodes: list[Node], hostile: Hostile) -> Done | None:
    """A further AMI in the listing, which somebody else owns."""
    for parent, node in nodes:
        if tag(parent) == "imagesSet":
            other = copy.deepcopy(node)
            for child in other:
                if tag(child) in ("imageId", "imageOwnerId"):
                    child.text = hostile.foreign[tag(child) == "imageOwnerId"]
            parent.append(other)
            return "foreign", "item"
    return None


def _many_tags(nodes: list[Node], change: Change) -> Done | None:
    """A resource with as many tags as AWS allows, each as long as it allows, beside its own."""
    sets = [node for _, node in nodes if tag(node) == "tagSet"]
    if not sets:
        return None
    chosen = at(sets, change.place)
    space = chosen.tag.rpartition("}")[0]
    space = f"{space}}}" if space else ""
    for number in range(50 - len(chosen)):
        item = ET.SubElement(chosen, f"{space}item")
        letter = at(("x", "ü", "\u202e", "😀", "|", "=", " "), change.value)
        ET.SubElement(item, f"{space}key").text = f"{number:03}{letter * 125}"
        ET.SubElement(item, f"{space}value").text = letter * 256
    return "tags", "tagSet"


# JSON


def change_json(root: Any, change: Change, ids: Sequence[str], taken: Set[str] = frozenset()) -> Done | None:
    """Changes what was read from JSON, in its place, but none of the members `taken`."""
    places = list(_places(root))
    names = sorted({name for _, _, name in places} - taken)
    if not names:
        return None
    chosen = [entry for entry in places if entry[2] == named(names, change) and entry[2] not in taken]
    if not chosen:
        return None
    holder, key, name = at(chosen, change.place)
    old = holder[key]
    values = {"empty": ("",), "text": WORDS, "number": NUMBERS, "date": DATES, "other": ids, "odd": ODD}
    match change.kind:
        case "drop":
            del holder[key]
            return "drop", name
        case "twice" if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(old))
            return "twice", name
        case "wrap":
            holder[key] = at(([old], {"a": old}), change.value)
            return "odd", name
        case "empty" if isinstance(old, list | dict):
            holder[key] = type(old)()
            return "empty", name
        case "odd" | "empty" | "text" | "number" | "date" | "other":
            new = holder[key] = at(values[change.kind], change.value)
            if new is None and isinstance(holder, dict):
                return "drop", name
            if new in ("", [], {}):
                return "empty" if type(new) is type(old) else "odd", name
            return "text" if isinstance(new, str) and isinstance(old, str) else "odd", name
    return None


def _places(value: Any) -> Iterator[tuple[Any, Any, str]]:
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    for key, inner in entries:
        yield value, key, "item" if isinstance(value, list) else str(key)
        yield from _places(inner)
