"""Names and tags of any letters, as many and as long as AWS allows: what is deleted is as documented, told as it is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

from amicleaner import run
from amicleaner.config import Config
from amicleaner.report.console import Console
from amicleaner.report.sanitize import escape_control
from amicleaner.sources import CHECKS
from tests.fake_aws import World
from tests.hostile import moves_no_cursor
from tests.oracle.oracle import expect
from tests.report.accounts import choose_hostile
from tests.strategies import Choices, chosen

from .account import HOME, NOW, OWN
from .test_answers import Runs

pytestmark = pytest.mark.timeout(7200)

DAY = timedelta(days=1)

# What XML can't hold, or would change: EC2 answers in XML, so that no name or tag has it.
UNSENT = re.compile("[\x00-\x08\x0b\x0c\r\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# Of a key with a `=` in it `--keep-tag` has two readings, and obeys both: test_filters.py has those.
KEYS = ("environment", "role", "keep", "Environment", "role ")
TEXTS = ("", "web", "dev", "no-tags", "web.dev")


@dataclass(frozen=True)
class Case:
    """The name and the tags of each AMI, oldest first, and options made of pieces of them."""

    amis: list[tuple[str, dict[str, str]]]
    config: Config


def choose_case(choices: Choices) -> Case:
    def text(plain: Sequence[str] = TEXTS) -> str:
        return choices.one(plain) if choices.byte() % 2 else UNSENT.sub("", choose_hostile(choices))

    def some(values: Iterable[str], *, least: int = 0, often: bool = True) -> tuple[str, ...]:
        return choices.some(sorted(values), least=least, most=2) if often or choices.one((False, False, True)) else ()

    def tags() -> dict[str, str]:
        return {text(KEYS).replace("=", "") or "x": text() for _ in range(choices.one(range(5)))}

    amis = [(text(), tags()) for _ in range(choices.one(range(1, 8)))]
    keys = {"environment", *(key for _, own in amis for key in own)}
    texts = {"web", *(value for name, own in amis for value in (name, *own.values()) if value)}
    pairs = {"role=web", *(f"{key}={value}" for _, own in amis for key, value in own.items())}
    by_name = choices.one((False, True))
    config = Config(
        mapping_key="name" if by_name else "tags",
        mapping_values=some(texts if by_name else keys, least=1),
        excluded_mapping_values=some(texts, often=False),
        keep_tag=some(choices.one((keys, pairs)), often=False),
        only_tag=some(pairs, often=False),
        only_name=some(texts, often=False),
        keep_previous=choices.one((0, 0, 1, 2)),
        include_untagged=choices.one((True, True, False)),
        output=choices.one(("table", "json", "csv", "markdown")),
        full_report=choices.one((False, True)),
        explain=choices.one((None, ())),
        force_delete=True,
        skip_check=CHECKS,  # nothing here is in use: each reading would be empty
    )
    letter = choices.one((None, None, "x", "ü", "\u202e", "😀", "|", "=", " "))
    if letter:  # 50 tags of 128 and 256 letters, AWS's limits
        amis[0][1].update({f"{number:03}{letter * 125}": letter * 256 for number in range(50 - len(amis[0][1]))})
    return Case(amis, config)


def test_whatever_the_names_and_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch)

    @settings(max_examples=max(1, settings().max_examples // 2), suppress_health_check=[HealthCheck.too_slow])
    @given(chosen(choose_case, 1200))
    def check(case: Case) -> None:
        config = case.config
        runs.time.seconds = 0.0
        world = World(runs.time.clock.now)
        for days, (name, tags) in enumerate(reversed(case.amis), 1):
            world.region(HOME).add_image(name, created=NOW - days * DAY, tags=tags)
        images = dict(world.region(HOME).images)
        expected = expect(world, config, NOW, {(OWN, HOME)}, ()).removed
        runs.aws.begin(world)
        out, err = io.StringIO(), io.StringIO()
        view = Console(config, stdout=out, stderr=err, stdin=None, environ={}, clock=runs.time.clock)
        result = run.clean(config, view=view, sessions=lambda profile: runs.session, clock=runs.time.clock)
        assert result.exit_status == 0
        assert images.keys() - world.region(HOME).images.keys() == expected
        for text in (out.getvalue(), err.getvalue()):
            assert moves_no_cursor(text)
        if config.output == "json":
            told = {ami["id"]: (ami["name"], ami["tags"]) for ami in json.loads(out.getvalue())["amis"]}
            assert told == {id: (image.name, image.tags) for id, image in images.items()}
        if config.output == "csv":
            rows = {
                row["id"]: row["name"].removeprefix("'") for row in csv.DictReader(io.StringIO(out.getvalue(), newline=""))
            }
            assert rows == {id: escape_control(image.name or "").removeprefix("'") for id, image in images.items()}

    check()
