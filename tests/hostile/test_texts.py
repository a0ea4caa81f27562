"""Names and tags of any letters, as many and as long as AWS allows: what is deleted is as documented, told as it is."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amicleaner import run
from amicleaner.config import Config
from amicleaner.report.console import Console
from amicleaner.report.sanitize import escape_control
from tests.fake_aws import World
from tests.hostile import moves_no_cursor
from tests.oracle.oracle import expect
from tests.report.accounts import hostile

from .gallery import HOME, NOW, OWN
from .test_answers import Runs

pytestmark = pytest.mark.timeout(7200)

DAY = timedelta(days=1)

# What XML can't hold, or would change: EC2 answers in XML, so that no name or tag has it.
UNSENT = re.compile("[\x00-\x08\x0b\x0c\r\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
SENT = hostile.map(lambda text: UNSENT.sub("", text))
# Of a key with a `=` in it `--keep-tag` has two readings, and obeys both: test_filters.py has those.
KEYS = st.sampled_from(("environment", "role", "keep", "Environment", "role ")) | SENT.map(
    lambda text: text.replace("=", "")
).filter(bool)
TEXTS = st.sampled_from(("", "web", "dev", "no-tags", "web.dev")) | SENT
AMI: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "tags": st.dictionaries(KEYS, TEXTS, max_size=4),
        "days": st.integers(1, 9),
        "full": st.sampled_from((None, None, "x", "ü", "\u202e", "😀", "|", "=", " ")),
    }
)


def some(values: list[str], least: int = 0) -> st.SearchStrategy[tuple[str, ...]]:
    """At most two of them."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=2).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], Config]:
    """AMIs, and options made of pieces of their names and tags."""
    amis = draw(st.lists(AMI, min_size=1, max_size=7))
    keys = sorted({key for ami in amis for key in ami["tags"]} | {"environment"})
    texts = sorted({text for ami in amis for text in (ami["name"], *ami["tags"].values()) if text} | {"web"})
    pairs = sorted({f"{key}={value}" for ami in amis for key, value in ami["tags"].items()} | {"role=web"})
    by_name = draw(st.booleans())
    config = Config(
        mapping_key="name" if by_name else "tags",
        mapping_values=draw(some(texts if by_name else keys, 1)),
        excluded_mapping_values=draw(st.just(()) | st.just(()) | some(texts)),
        keep_tag=draw(st.just(()) | some(keys) | some(pairs, 1)),
        only_tag=draw(st.just(()) | st.just(()) | some(pairs)),
        only_name=draw(st.just(()) | st.just(()) | some(texts)),
        keep_previous=draw(st.sampled_from((0, 0, 1, 2))),
        include_untagged=draw(st.sampled_from((True, True, False))),
        output=draw(st.sampled_from(("table", "json", "csv", "markdown"))),
        full_report=draw(st.booleans()),
        explain=draw(st.sampled_from((None, ()))),
        force_delete=True,
    )
    return amis, config


def test_whatever_the_names_and_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(monkeypatch)

    @settings(max_examples=max(1, settings().max_examples // 2), suppress_health_check=[HealthCheck.too_slow])
    @given(cases())
    def check(case: tuple[list[dict[str, Any]], Config]) -> None:
        amis, config = case
        runs.time.seconds = 0.0
        world = World(runs.time.clock.now)
        for ami in amis:
            tags = dict(ami["tags"])
            if ami["full"]:  # 50 tags of 128 and 256 letters, AWS's limits
                for number in range(50 - len(tags)):
                    tags[f"{number:03}{ami['full'] * 125}"] = ami["full"] * 256
            world.region(HOME).add_image(ami["name"], created=NOW - ami["days"] * DAY, tags=tags)
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
