"""Accounts to report on: the article's, and ones with hostile names."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from amicleaner import __version__
from amicleaner.config import Config
from amicleaner.decisions import Facts
from amicleaner.models import Ami, Failure, Inventory, Snapshot, Target, Use
from amicleaner.plan import Plan, make_plan
from amicleaner.recycle_bin import BinRules
from amicleaner.report.console import Console
from tests.strategies import Choices, chosen
from tests.virtual_time import Time

NOW = datetime(2017, 6, 20, tzinfo=UTC)
HERE = Target("123456789012", "eu-west-1")
THERE = Target("123456789012", "us-east-1")
VERSION = __version__


def ami(number: int, name: str, created: str, tags: Mapping[str, str] | None = None, size: int = 8) -> Ami:
    """An AMI as AWS tells it, with one snapshot."""
    return Ami.from_aws(
        {
            "ImageId": f"ami-{number:017x}",
            "Name": name,
            "CreationDate": created,
            "State": "available",
            "Tags": [{"Key": key, "Value": value} for key, value in (tags or {}).items()],
            "BlockDeviceMappings": [{"Ebs": {"SnapshotId": f"snap-{number:017x}", "VolumeSize": size}}],
            "OwnerId": HERE.account,
        }
    )


def article() -> tuple[Ami, ...]:
    """The article's: five front and five back images in dev and in prod, newest first, and one without tags."""
    amis: list[Ami] = []
    for role in ("front", "back"):
        for environment in ("dev", "prod"):
            for age in range(5):
                created = f"2017-06-15T{11 - age:02}:{50 + age}:57.000Z"
                number = len(amis) + 1
                amis.append(ami(number, f"{role}-{number:07x}", created, {"environment": environment, "role": role}))
    return (*amis, ami(99, "test-delete", "2016-08-16T17:40:15.000Z"))


REFUSED = Failure("UnauthorizedOperation", "You are not authorized.")


def plan_of(
    amis: Iterable[Ami],
    config: Config | None = None,
    targets: Sequence[Target] = (HERE,),
    uses: Iterable[tuple[str, Use]] = (),
    bins: BinRules | None = None,
    snapshots: Iterable[Snapshot] = (),
) -> Plan:
    """The plan for the same AMIs in each target.  `bins` are the Recycle Bin's rules of each target; None: not read."""
    usage: dict[tuple[str, str], tuple[Use, ...]] = {}
    for id, use in uses:
        usage[use.region, id] = (*usage.get((use.region, id), ()), use)
    images = tuple(amis)
    inventories = [Inventory(target, images) for target in targets]
    known = {(target, snapshot.id): snapshot for target in targets for snapshot in snapshots}
    facts = Facts(usage, {}, known, dict.fromkeys(targets, bins) if bins is not None else {})
    return make_plan(inventories, facts, config or Config(), NOW)


def written(amis: Iterable[Ami], gib: int = 8) -> list[Snapshot]:
    """The AMIs' snapshots as they were looked up, created for them, with `gib` GiB written."""
    return [
        Snapshot(
            block.id,
            f"Created by CreateImage(i-06a469f2) for {image.id}",
            image.created,
            "completed",
            8,
            full_bytes=gib << 30,
            volume="vol-1",
        )
        for image in amis
        for block in image.snapshots
    ]


def instance(id: str = "i-0123456789abcdef0", target: Target = HERE) -> Use:
    """A reference to an AMI."""
    return Use("instance", id, target.account, target.region, f"instance {id} (running)")


class FakeTerminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Screen:
    """A console on streams in memory."""

    def __init__(self, config: Config | None = None, answers: str | bytes = "", **streams: Any) -> None:
        self.time = Time(NOW)
        self.out = streams.pop("out", None) or io.StringIO()
        self.err = streams.pop("err", None) or io.StringIO()
        stdin = io.TextIOWrapper(io.BytesIO(answers if isinstance(answers, bytes) else answers.encode()), encoding="utf-8")
        self.console = Console(
            config or Config(),
            stdout=self.out,
            stderr=self.err,
            stdin=streams.pop("stdin", stdin),
            environ=streams.pop("environ", {"TERM": "xterm"}),
            clock=self.time.clock,
        )

    @property
    def lines(self) -> list[str]:
        """The lines on standard output."""
        return str(self.out.getvalue()).splitlines()


NASTY = (
    "\n", "\r", "\t", "\x00", "\x07", "\x1b[2J", "\x1b]0;owned\x07", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029",
    "\u202e", "\u2066", "\u200f", "\u200b", "\u200d", "\u00ad", "\ufeff", "\ufe0f", "\u3164", "\U000e0041", "\ud800",
    "\udfff", "|", "\\", "`", "*", "_", "<b>", "&amp;", "[x](y)", "$", "~~", "=1+1", "+1", "-1", "@x", "＝1", ";", "; ", ",",
    '"', "'", "日本", "שלום", "é", "😀", "www.x.de", "http://x.de", "a@b.de", " ", "  ", "---", "#", "|---|",
)  # fmt: skip
"""What breaks tables, terminals, spreadsheets and Markdown."""


def joined(parts: Iterable[str]) -> str:
    """The parts in a row; two halves of a letter that meet are the letter, as in any text that was read from JSON."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def choose_hostile(choices: Choices) -> str:
    """A string of nasty parts and of any characters."""

    def part() -> str:
        if choices.byte() % 2:
            return choices.one(NASTY)
        # Of one, two and three bytes, so that there are enough of the common ones.
        codes = (choices.byte() << choices.one((0, 4, 8, 12)) | choices.byte() for _ in range(choices.one(range(9))))
        return "".join(chr(min(code, 0x10FFFF)) for code in codes)

    return joined(part() for _ in range(choices.one(range(1, 7))))


hostile = chosen(choose_hostile, 80)
"""Names and values."""


def as_option(text: str) -> str:
    """As the value of an option, which takes no half of a surrogate pair and is not empty."""
    return re.sub("[\ud800-\udfff]", "", text) or "x"


def choose_plan(choices: Choices) -> Plan:
    """The plan of an account in which everything that a person can name is hostile, in one or two Regions."""
    amis = []
    for number in range(1, choices.one(range(2, 8))):
        tags = {key: choose_hostile(choices) for key in choices.some(("environment", "role"), most=2)}
        tags |= {choose_hostile(choices) or "x": choose_hostile(choices) for _ in range(choices.one((0, 0, 1, 2)))}
        amis.append(ami(number, choose_hostile(choices), f"2017-06-{number:02}T00:00:00.000Z", tags))
    target = choices.one([(HERE,), (HERE, THERE)])
    used = [choices.one(amis) for _ in range(choices.one(range(3)))]
    text = choose_hostile(choices)
    uses = [(image.id, Use("fleet", f"fleet-{text}", "", HERE.region, f"fleet {text}")) for image in used]
    by_name = choices.one((False, True))
    values = tuple(as_option(choose_hostile(choices)) for _ in range(choices.one((1, 2))))
    config = Config(
        keep_previous=choices.one(range(3)),
        full_report=True,
        explain=(),
        mapping_key="name" if by_name else "tags",
        mapping_values=values if by_name else ("environment", "role"),
    )
    return plan_of(amis, config, target, uses)


def hostile_plans() -> st.SearchStrategy[Plan]:
    return chosen(choose_plan, 1000)
