from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import Config, Rule
from amicleaner.errors import UsageError
from amicleaner.models import Target
from amicleaner.plan import Plan
from amicleaner.report.document import digest, document, to_json
from amicleaner.report.plan_file import SavedPlan, check_writable, parse, read_plan, write_plan, write_text
from amicleaner.result import Result

from .accounts import HERE, NOW, THERE, article, hostile_plans, plan_of

WHOLE = document(Result(plan_of(article())), Config(save_plan="x"), NOW)
TEXT = to_json(WHOLE)


def sealed(**members: Any) -> str:
    """A plan with other members, whose sha256 is right; None leaves a member out."""
    changed = {name: value for name, value in {**WHOLE, **members}.items() if value is not None}
    return json.dumps({**changed, "sha256": digest(changed)})


def read(text: str) -> SavedPlan:
    """The plan in a file with this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.json")
        path.write_text(text, "utf-8")
        return read_plan(str(path))


def refused(text: str) -> str:
    with pytest.raises(UsageError) as error:
        read(text)
    assert error.value.exit_status == 2
    said = str(error.value).partition("plan.json: ")[2]
    assert 0 < len(said) < 230
    return said


@given(hostile_plans())
def test_a_plan_comes_back_as_it_was_saved(plan: Plan) -> None:
    saved = read(to_json(document(Result(plan), plan.config, NOW)))
    assert saved.changes == {(decision.target, decision.ami.id): "remove" for decision in plan.removals}
    assert saved.targets == plan.targets
    merged = saved.config(Config(apply_plan="x"))
    restored = replace(merged, region=(), full_report=True, explain=(), keep_previous=plan.config.keep_previous)
    assert restored == plan.config
    assert merged.newest_kept == plan.config.newest_kept


@given(st.data())
def test_a_plan_that_was_cut_is_refused(data: st.DataObject) -> None:
    refused(TEXT[: data.draw(st.integers(0, len(TEXT) - 2))])


@given(st.integers(0, len(TEXT) - 2), st.sampled_from('0aZ "{}[],:-.e\\é'))
def test_a_plan_with_another_letter_is_refused_or_says_the_same(position: int, letter: str) -> None:
    changed = TEXT[:position] + letter + TEXT[position + 1 :]
    with suppress(UsageError):
        assert parse(changed) == WHOLE


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
    assert refused(json.dumps(plan)) == (
        "checksum mismatch. The plan was modified or truncated. Save the plan again with --save-plan."
    )


def test_order_and_spaces_do_not_matter() -> None:
    assert parse(json.dumps(dict(reversed(WHOLE.items())), indent=4)) == WHOLE


FIRST, SECOND = WHOLE["amis"][0], WHOLE["amis"][1]
OPTIONS = WHOLE["options"]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "not valid JSON"),
        ("account,region", "not valid JSON (line 1, column 1)"),
        ("[]", "not a plan of amicleaner"),
        ("null", "not a plan of amicleaner"),
        ('{"version": 1}', "not a plan of amicleaner"),
        ('{"version": 1, "version": 1}', "a member appears twice"),
        ('{"version": NaN}', "NaN is not JSON"),
        ("[" * 200_000, "nested too deeply"),
        ('{"version": ' + "1" * 5000 + "}", "not a plan"),
        (
            sealed(version=2, amicleaner="9.9.9"),
            "a plan of version 2, saved by amicleaner '9.9.9'; this amicleaner reads version 1",
        ),
        (sealed(version="1"), "of version '1'"),
        (sealed(version=True), "of version True"),
        (sealed(version=1.0), "of version 1.0"),
        (sealed(version={"x": "y" * 1000}), "of version {'x'"),
        (sealed(targets=None), "targets is missing or unknown"),
        (sealed(targets={}), "targets is missing or unknown"),
        (sealed(targets=[{"account": 1, "region": "x"}]), "targets[0].account is missing or unknown"),
        (sealed(targets=[{"region": "x"}]), "targets[0].account is missing or unknown"),
        (sealed(amis=None), "amis is missing or unknown"),
        (sealed(amis=[1]), "amis[0].account is missing or unknown"),
        (sealed(amis=[{**FIRST, "decision": "maybe"}]), "amis[0].decision is missing or unknown"),
        (sealed(amis=[{"id": "ami-1"}]), "amis[0].account is missing or unknown"),
        (sealed(amis=[FIRST, SECOND, FIRST]), f"lists {FIRST['id']} more than once"),
        (sealed(amis=[{**FIRST, "region": "us-east-1"}]), f"lists AMIs outside its targets: {FIRST['id']}"),
        (sealed(options=[]), "options is missing or unknown"),
        (sealed(options={**OPTIONS, "keep_previous": True}), "options.keep_previous is missing or unknown"),
        (sealed(options={**OPTIONS, "keep_previous": 4.0}), "options.keep_previous is missing or unknown"),
        (sealed(options={**OPTIONS, "mapping_values": "role"}), "options.mapping_values is missing or unknown"),
        (sealed(options={**OPTIONS, "force_delete": True}), "options.force_delete is missing or unknown"),
        (sealed(options={**OPTIONS, "rules": [{"only_tag": []}]}), "options.rules[0].name is missing or unknown"),
        (
            sealed(options={**OPTIONS, "rules": [{"name": "a", "region": []}]}),
            "options.rules[0].region is missing or unknown",
        ),
    ],
)
def test_what_is_no_plan_is_refused_with_a_message_that_says_why(text: str, message: str) -> None:
    assert message in refused(text)


@pytest.mark.parametrize(
    "members",
    [
        {"amicleaner": "9.9.9"},
        {"amicleaner": None, "dry_run": 1, "totals": None, "warnings": 7, "later": "new"},
        {"amis": [{**ami, "later": 1, "tags": None} for ami in WHOLE["amis"]]},
        {"options": {"keep_previous": 4}},
    ],
)
def test_only_what_is_used_is_looked_at(members: dict[str, Any]) -> None:
    """A plan of another release of amicleaner with the same version of the document can be applied."""
    saved = read(sealed(**members))
    assert len(saved.changes) == 4
    assert saved.config(Config(apply_plan="x")).mapping_values == ("environment", "role")


def test_every_action_is_read() -> None:
    actions = dict(zip(("remove", "quarantine", "release", "keep"), WHOLE["amis"], strict=False))
    saved = read(sealed(amis=[{**ami, "decision": action} for action, ami in actions.items()]))
    assert saved.changes == {(HERE, ami["id"]): action for action, ami in actions.items() if action != "keep"}


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
    saved = read_plan(str(path))
    assert len(saved.changes) == 8
    assert saved.targets == (HERE,)
    assert saved.options["keep_previous"] == 3
    told = json.loads(path.read_text())
    assert (told["dry_run"], told["status"], told["exit_status"]) == (True, "planned", 0)


def test_a_mark_before_the_text_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("\ufeff" + TEXT, "utf-8")
    assert len(read_plan(str(path)).changes) == 4


@pytest.mark.parametrize("data", [b"\xff\xfe{\x00", b"\x80"])
def test_bytes_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"plan\.json is not a plan: it is not UTF-8 text"):
        read_plan(str(path))


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"can't read .*none\.json: No such file or directory"):
        read_plan(str(tmp_path / "none.json"))
    with pytest.raises(UsageError, match="Is a directory"):
        read_plan(str(tmp_path))
    with pytest.raises(UsageError, match="can't read"):
        read_plan("a\0b")


def test_a_bad_plan_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pl\x1ban.json"
    path.write_text("{")
    with pytest.raises(UsageError, match=r"^--apply-plan: .*pl\\x1ban\.json: not valid JSON"):
        read_plan(str(path))


@pytest.mark.parametrize(
    "name, message",
    [
        ("link.json", "symbolic link"),
        ("none/plan.json", "No such file"),
        ("pipe", "not a regular file"),
        (".", "not a regular file"),
        (os.devnull, "--dry-run --output json"),
        ("a\0b", "can't write"),
        ("none/", "is a folder"),
    ],
)
def test_a_bad_path_is_found_out_before_and_nothing_is_touched(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "target.json")
    os.mkfifo(tmp_path / "pipe")
    path = os.path.join(tmp_path, name)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(UsageError, match=message):
        check_writable(path)
    with pytest.raises(UsageError, match=message):
        write_text(path, "x")
    assert sorted(os.listdir(tmp_path)) == before


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
    merged = plan.config(Config(apply_plan=plan.path, force_delete=True, profile=("new",), explain=()))
    assert merged == Config(
        keep_previous=2, keep_tag=("keep",), max_deletions=5, price_per_gib=1, profile=("new",), force_delete=True,
        explain=(), region=("eu-west-1",),
    )  # fmt: skip


def test_limits_that_are_given_win(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(max_deletions=5, limit=3))
    merged = plan.config(Config(apply_plan=plan.path, max_deletions=0, max_percent=7.5))
    assert (merged.max_deletions, merged.limit, merged.max_percent) == (0, 3, 7.5)


def test_rules_come_back(tmp_path: Path) -> None:
    rules = (Rule("prod", (("only_tag", ("environment=prod",)), ("keep_monthly", 6))), Rule("rest"))
    plan = saved(tmp_path, Config(rules=rules, rule=("prod",)))
    merged = plan.config(Config(apply_plan=plan.path))
    assert (merged.rules, merged.rule, merged.keep_previous) == (rules, ("prod",), None)


def test_a_plan_by_id_comes_back(tmp_path: Path) -> None:
    config = Config(from_ids=(article()[0].id,), ignore_in_use=True)
    plan = saved(tmp_path, config)
    assert replace(plan.config(Config(apply_plan=plan.path)), region=()) == config


def test_a_plan_is_applied_in_its_own_regions(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(region=("*",), exclude_region=("eu-*",)), (HERE, THERE))
    merged = plan.config(Config(apply_plan=plan.path))
    assert (merged.region, merged.exclude_region) == (("eu-west-1", "us-east-1"), ())


def test_a_plan_of_an_organization_can_be_applied_with_one_accounts_credentials(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(organization_role="reader", exclude_account=("999999999999",)))
    assert plan.config(Config(apply_plan=plan.path)).exclude_account == ()
    again = plan.config(Config(apply_plan=plan.path, organization_role="reader"))
    assert again.exclude_account == ("999999999999",)


@pytest.mark.parametrize(
    "options", [{"keep_previous": -5}, {"rules": [{"name": "a", "keep_previous": -5}]}, {"mapping_key": "moon"}]
)
def test_options_that_are_not_valid_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"its options are not valid: .*(keep.previous: -5|mapping-key: 'moon')"):
        read(sealed(options={**OPTIONS, **options})).config(Config())


def test_the_plan_of_another_account_is_refused(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(), (HERE, THERE))
    plan.check_accounts(["123456789012", "999999999999"])
    with pytest.raises(
        UsageError, match=r"plan.json was created for account 123456789012; these credentials are for accounts 8+, 9+\."
    ):
        plan.check_accounts(["999999999999", "888888888888"])
    with pytest.raises(UsageError, match="credentials are for no account"):
        plan.check_accounts([])


def test_the_plan_of_another_region_is_refused(tmp_path: Path) -> None:
    plan = saved(tmp_path, Config(), (HERE, THERE))
    plan.check_targets([HERE, THERE])
    plan.check_targets([HERE, THERE, Target("999999999999", "eu-west-1")])
    with pytest.raises(UsageError) as error:
        plan.check_targets([HERE])
    assert str(error.value).endswith(
        "plan.json was created for account 123456789012, Region us-east-1; "
        "this run covers account 123456789012, Region eu-west-1."
    )
    with pytest.raises(UsageError, match="covers no Region"):
        plan.check_targets([])
