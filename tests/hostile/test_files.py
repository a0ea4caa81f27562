"""Whatever is in a configuration file or a plan: a message, or a run that does what the file says and no more."""

from __future__ import annotations

import copy
import io
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from amicleaner.config import BY_NAME, OPTIONS
from amicleaner.report.document import digest
from amicleaner.settings import FILE_KEYS
from tests.report.accounts import hostile

from .test_answers import Case, Runs
from .test_words import check_message, end_of, without_warnings
from .wire import Change, change_json

pytestmark = pytest.mark.timeout(7200)

# Configuration files

KEYS = st.sampled_from([*sorted(FILE_KEYS)] * 3 + [option.name for option in OPTIONS] + ["a", "keep-previous", '""', "a.b"])
VALUES = (
    "0", "1", "-1", "2", "0.05", "true", "false", "inf", "-inf", "nan", "1e400", "-0.0", "0x10", "9" * 400, "9" * 5000, "",
    "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "{}", "[]", "[[]]", "[" * 3000, '["a", ""]', '["a", 1]', '["role"]',
    '["k=v"]', '"json"', '"table"', '"name"', '"tags"', '"environment"', '"\\ud800"', "'''", f'"{"x" * 9999}"',
)  # fmt: skip
SCALARS = st.sampled_from(VALUES) | hostile.map(lambda text: json.dumps(text.encode("utf-8", "replace").decode()))
LINES = st.one_of(
    st.builds("{} = {}".format, KEYS, SCALARS),
    st.builds("{} = {}".format, KEYS, SCALARS),
    st.builds("{} = [{}]".format, KEYS, st.lists(SCALARS, max_size=3).map(", ".join)),
    st.sampled_from(("[table]", "[[a]]", "[[rule]]", "[[rule]]\nname = 'a'", "# no more", "", "\x00", "\ufeff", "\r")),
)
FILES = st.lists(LINES, max_size=3).map("\n".join).map(lambda text: text.encode("utf-8", "surrogatepass"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "file"


def test_whatever_the_configuration_file(path: Path) -> None:
    @given(FILES | st.binary(max_size=40))
    @example(b"keep_previous = " + b"9" * 5000)
    @example(b"price_per_gib = nan")
    @example(b"price_per_gib = " + b"9" * 400)
    def check(data: bytes) -> None:
        path.write_bytes(data)
        ended = end_of(["--config", str(path)])
        if ended.status == 2:
            check_message(ended)
            return
        assert (ended.status, without_warnings(ended.err)) == (0, "")
        [config] = ended.configs
        # The run has what any other reader of TOML finds there, every option by its own name, and defaults for the rest.
        document = tomllib.loads(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig").read())  # with any kind of line's end
        rules = document.pop("rule", [])
        assert [rule.name for rule in config.rules] == [rule["name"] for rule in rules]
        for rule, table in zip(config.rules, rules, strict=True):
            assert dict(rule.options).keys() == table.keys() - {"name"}
        for option in OPTIONS:
            value = getattr(config, option.name)
            if option.name == "config":
                continue
            if option.name in document:
                assert not option.command_line_only
                wanted = document[option.name]
                if option.bare is not None and isinstance(wanted, bool):
                    wanted = option.bare if wanted else option.default
                assert value == (tuple(dict.fromkeys(wanted)) if isinstance(wanted, list) else wanted)
                assert not isinstance(value, float) or math.isfinite(value)
            else:
                assert value == option.default
        assert document.keys() <= BY_NAME.keys()

    check()


# Plans

CHANGES = st.lists(
    st.builds(
        Change,
        st.just("plan"),
        st.sampled_from(("drop", "empty", "text", "number", "date", "twice", "other", "wrap", "odd")),
        st.just(0),
        st.integers(0, 60),
        st.integers(0, 60),
        st.integers(0, 40),
    ),
    max_size=3,
)


def test_whatever_the_plan(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A plan that was changed is refused.  One that somebody changed and sealed anew removes nothing that the account itself
    does not allow, and nothing that the plan does not name; what its options say is that person's word, as on the command
    line."""
    runs = Runs(monkeypatch)
    plain = Case("plain", "json", False, True, None, ())
    runs(plain, save_plan=str(path))
    whole = json.loads(path.read_text())
    assert sum(ami["decision"] == "remove" for ami in whole["amis"]) > 3

    @settings(max_examples=max(1, settings().max_examples // 3), suppress_health_check=[HealthCheck.too_slow])
    @given(CHANGES, st.sets(st.integers(0, len(whole["amis"]) - 1), max_size=4), st.booleans(), st.booleans())
    @example([], {0, 1, 2, 3}, True, False)
    @example([Change("plan", "drop", 0, "account", 3, 0)], set(), True, False)
    def check(changes: list[Change], turned: set[int], sealed: bool, asks: bool) -> None:
        plan = copy.deepcopy(whole)
        for number in turned:
            ami = plan["amis"][number]
            ami["decision"] = "keep" if ami["decision"] == "remove" else "remove"
        # Mostly of the AMIs: there is what would be done.
        for change in changes:
            change_json(plan["amis"] if change.place % 3 and plan.get("amis") else plan, change, runs.ids)
        same = plan == whole and json.dumps(plan) == json.dumps(whole)
        if sealed:
            plan["sha256"] = digest(plan)
        path.write_text(json.dumps(plan))
        options: dict[str, Any] = {"keep_previous": None, "keep_tag": None, "force_delete": not asks}
        exact = plan.get("options") == whole["options"]
        result = runs(plain, exact=exact, apply_plan=str(path), **options)
        if result is None:
            assert not same
            return
        assert sealed or same
        named = {ami["id"] for ami in plan["amis"] if ami["decision"] == "remove"}
        assert {str(call.params["ImageId"]) for call in runs.aws.calls.of("DeregisterImage")} <= named

    check()
