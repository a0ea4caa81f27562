from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner import __version__
from amicleaner.config import Config
from amicleaner.errors import UsageError
from amicleaner.models import Target
from amicleaner.plan import Plan
from amicleaner.report.document import digest, document
from amicleaner.report.formats import render
from amicleaner.report.plan_file import (
    check_writable,
    plan_options,
    plan_removals,
    plan_targets,
    read_plan,
    write_plan,
    write_text,
)
from amicleaner.report.reader import read_document
from amicleaner.result import Result

from .accounts import HERE, NOW, THERE, article, hostile_plans, plan_of

WHOLE = document(Result(plan_of(article())), Config(save_plan="x"), version=__version__, created=NOW)
TEXT = render(WHOLE, "json")


def sealed(**members: Any) -> str:
    """A plan with other members, whose sha256 says that all is well."""
    changed = {**WHOLE, **members}
    return json.dumps({**changed, "sha256": digest(changed)})


def refused(text: str) -> str:
    with pytest.raises(UsageError) as error:
        read_document(text, version=__version__)
    assert error.value.exit_status == 2
    assert len(str(error.value)) < 200
    return str(error.value)


@given(hostile_plans())
def test_a_plan_comes_back_as_it_was_saved(plan: Plan) -> None:
    whole = document(Result(plan), plan.config, version=__version__, created=NOW)
    read = read_document(render(whole, "json"), version=__version__)
    assert read == whole
    assert plan_removals(read) == {(decision.target, decision.ami.id) for decision in plan.removals}
    assert plan_targets(read) == plan.targets
    options = plan_options(read)
    assert all(getattr(plan.config, name) == value for name, value in options.items())


@given(st.data())
def test_a_plan_that_was_cut_is_refused(data: st.DataObject) -> None:
    refused(TEXT[: data.draw(st.integers(0, len(TEXT) - 2))])


@given(st.integers(0, len(TEXT) - 2), st.sampled_from('0aZ "{}[],:-.e\\é'))
def test_a_plan_with_another_letter_is_refused_or_says_the_same(position: int, letter: str) -> None:
    changed = TEXT[:position] + letter + TEXT[position + 1 :]
    with suppress(UsageError):
        assert read_document(changed, version=__version__) == WHOLE


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["amis"].pop(),
        lambda plan: plan["amis"][0].update(decision="remove"),
        lambda plan: plan["options"].update(keep_previous=0),
        lambda plan: plan["targets"][0].update(region="us-east-1"),
        lambda plan: plan.update(sha256="0" * 64),
        lambda plan: plan.update(sha256=None),
    ],
)
def test_a_plan_that_was_changed_is_refused(change: Callable[[Any], object]) -> None:
    plan = json.loads(TEXT)
    change(plan)
    assert "was changed or cut" in refused(json.dumps(plan))


def test_the_order_and_the_spaces_do_not_matter() -> None:
    assert read_document(json.dumps(dict(reversed(WHOLE.items())), indent=4), version=__version__) == WHOLE


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "not JSON"),
        ("account,region", "not JSON (line 1, column 1)"),
        ("[]", "not a plan of amicleaner"),
        ("null", "not a plan of amicleaner"),
        ('{"version": 1}', "not a plan of amicleaner"),
        ('{"version": 1, "version": 1}', "stands there twice"),
        ('{"version": NaN}', "NaN is no JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"version": ' + "1" * 5000 + "}", "not a plan"),
        (sealed(version=2), "of version 2, and this amicleaner reads version 1"),
        (sealed(version="1"), "of version '1'"),
        (sealed(version=True), "of version True"),
        (sealed(version={"x": "y" * 1000}), "of version {'x'"),
        (sealed(version=1.0), "version is not what a plan has there"),
        (sealed(amicleaner="9.9.9"), f"saved by amicleaner '9.9.9', and this is {__version__}"),
        (sealed(more=1), "the whole is not what a plan has there"),
        (sealed(dry_run=1), "dry_run is not"),
        (sealed(targets={}), "targets is not"),
        (sealed(targets=[{"account": 1, "region": "x"}]), "targets[0].account is not"),
        (sealed(amis=[{**WHOLE["amis"][0], "decision": "maybe"}]), "amis[0].decision is not"),
        (sealed(amis=[{**WHOLE["amis"][0], "tags": {"a": None}}]), "amis[0].tags.a is not"),
        (sealed(amis=[{**WHOLE["amis"][0], "error": {"code": "x"}}]), "amis[0].error is not"),
        (sealed(options={**WHOLE["options"], "keep_previous": True}), "options.keep_previous is not"),
        (sealed(options={**WHOLE["options"], "keep_previous": 4.0}), "options.keep_previous is not"),
        (sealed(options={**WHOLE["options"], "mapping_values": "role"}), "options.mapping_values is not"),
        (sealed(options={**WHOLE["options"], "force_delete": True}), "options is not"),
        (sealed(options={}), "options is not"),
    ],
)
def test_what_is_no_plan_is_refused_with_a_message_that_says_why(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_plan_is_a_file_of_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")
    path.chmod(0o644)
    check_writable(str(path))
    assert path.read_text() == "old"
    config = Config(keep_previous=3, save_plan=str(path))
    plan = plan_of(article(), config)
    write_plan(str(path), Result(plan), NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["plan.json"]
    read = read_plan(str(path))
    assert len(read.removals) == 8
    assert read.targets == (HERE,)
    assert read.options["keep_previous"] == 3
    assert json.loads(path.read_text())["dry_run"] is True


def test_a_mark_before_the_text_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("\ufeff" + TEXT, "utf-8")
    assert len(read_plan(str(path)).removals) == 4


@pytest.mark.parametrize("data", [b"\xff\xfe{\x00", b"\x80"])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"plan\.json is not a plan: it is not a text in UTF-8"):
        read_plan(str(path))


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read .*none\.json: No such file or directory"):
        read_plan(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="Is a directory"):
        read_plan(str(tmp_path))
    with pytest.raises(UsageError, match="can't read"):
        read_plan("a\0b")


def test_a_bad_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pl\x1ban.json"
    path.write_text("{")
    with pytest.raises(UsageError, match=r"^--apply-plan: .*pl\\x1ban\.json: it is not JSON"):
        read_plan(str(path))


def places(tmp_path: Path) -> dict[str, str]:
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "target.json")
    os.mkfifo(tmp_path / "pipe")
    return {
        "symbolic link": str(link),
        "No such file": str(tmp_path / "none" / "plan.json"),
        "not a file": str(tmp_path / "pipe"),
        "--dry-run --output json": os.devnull,
        "can't write": "a\0b",
        "folder's name": str(tmp_path / "none") + os.sep,
    }


@pytest.mark.parametrize(
    "message", ["symbolic link", "No such file", "not a file", "--dry-run --output json", "can't write", "folder's name"]
)
def test_where_no_plan_can_be_written_is_known_before_and_nothing_is_touched(tmp_path: Path, message: str) -> None:
    path = places(tmp_path)[message]
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UsageError, match=message):
        check_writable(path)
    with pytest.raises(UsageError, match=message):
        write_text(path, "x")
    assert sorted(os.listdir(tmp_path)) == before


def test_a_directory_in_the_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        check_writable(str(tmp_path))


def test_a_write_that_breaks_leaves_the_old_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"can't write .*No space left on device"):
        write_text(str(path), "new")
    assert os.listdir(tmp_path) == ["plan.json"]
    assert path.read_text() == "old"


def saved(tmp_path: Path, config: Config, targets: tuple[Target, ...] = (HERE,)) -> Any:
    path = tmp_path / "plan.json"
    write_plan(str(path), Result(plan_of(article(), config, targets)), NOW)
    return read_plan(str(path))


def test_a_plan_brings_its_own_options_and_the_command_line_the_rest(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(keep_previous=2, keep_tag=("keep",), max_deletions=5, price_per_gib=1, profile=("old",)))
    merged = plan.config(Config(apply_plan=plan.path, force_delete=True, profile=("new",)))
    assert merged == Config(
        keep_previous=2, keep_tag=("keep",), max_deletions=5, price_per_gib=1, profile=("new",), force_delete=True
    )
    assert plan.config(Config(apply_plan=plan.path, max_deletions=9)).max_deletions == 9


def test_a_plan_of_an_organization_can_be_applied_with_one_accounts_credentials(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(organization_role="reader", exclude_account=("999999999999",)))
    assert plan.config(Config(apply_plan=plan.path)).exclude_account == ()
    again = plan.config(Config(apply_plan=plan.path, organization_role="reader"))
    assert again.exclude_account == ("999999999999",)


def test_options_that_make_no_sense_together_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(sealed(options={**WHOLE["options"], "keep_previous": -5}))
    with pytest.raises(UsageError, match="options are not valid together: --keep-previous"):
        read_plan(str(path)).config(Config())


def test_the_plan_of_another_account_or_region_is_refused(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(), (HERE, THERE))
    plan.check_targets([HERE, THERE])
    plan.check_targets([HERE, THERE, Target("999999999999", "eu-west-1")])
    with pytest.raises(UsageError, match=r"plan of account 123456789012 Region us-east-1, and this run works in account"):
        plan.check_targets([HERE])
    with pytest.raises(UsageError, match="account unknown Region eu-west-1"):
        plan.check_targets([Target("", "eu-west-1")])
