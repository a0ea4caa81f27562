"""Options from a file and from the environment, and which source wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.config import BY_NAME, OPTIONS, Config, Rule
from amicleaner.errors import UsageError
from amicleaner.settings import FILE_KEYS, RULE_KEYS, combine, from_environment, from_file, from_mapping, suspicious

ONLY_THERE = sorted(option.name for option in OPTIONS if option.command_line_only)
ID = "ami-12345678"


@pytest.fixture
def toml(tmp_path: Path) -> Any:
    def write(text: str | bytes) -> dict[str, Any]:
        path = tmp_path / "c.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return from_file(str(path))

    return write


@pytest.fixture
def refusal(toml: Any) -> Any:
    """The message about a wrong file, without the folder."""

    def refusal(text: str | bytes) -> str:
        with pytest.raises(UsageError) as caught:
            toml(text)
        assert caught.value.exit_status == 2
        return f"{caught.value} {caught.value.hint}".strip()

    return refusal


# The environment


@pytest.mark.parametrize(
    "variable, text, value",
    [
        ("KEEP_PREVIOUS", "2", 2),
        ("AMI_MIN_DAYS", "-1", -1),
        ("PRICE_PER_GIB", "0.08", 0.08),
        *(("DRY_RUN", text, True) for text in ("1", "true", "YES", "On", " true ")),
        *(("DRY_RUN", text, False) for text in ("0", "FALSE", "no", "Off")),
        ("OUTPUT", "json", "json"),
        ("MAPPING_VALUES", " environment \t role ", ("environment", "role")),
        ("REGION", "eu-*", ("eu-*",)),
        ("CONFIG", "a b.toml", "a b.toml"),
        ("RULE", "prod rest", ("prod", "rest")),
        ("DEMO", "tour", "tour"),
        ("DEMO", "1", "article"),
        ("DEMO", "no", None),
        ("EXPLAIN", "true", ()),
        ("EXPLAIN", "0", None),
        ("EXPLAIN", ID, (ID,)),
    ],
)
def test_variable_has_the_kind_of_its_option(variable: str, text: str, value: object) -> None:
    environ = {f"AMICLEANER_{variable}": text, "HOME": "/", "KEEP_PREVIOUS": "9"}
    assert from_environment(environ) == ({variable.lower(): value}, [])


@pytest.mark.parametrize("variable", ["KEEP_PREVIOUS", "REGION", "DRY_RUN", "FORCE_DELETE", "NO_SUCH"])
def test_empty_variable_sets_nothing(variable: str) -> None:
    assert from_environment({f"AMICLEANER_{variable}": " "}) == ({}, [])


@pytest.mark.parametrize(
    "variable, text, words",
    [
        ("KEEP_PREVIOUS", "few", ": 'few' is not a whole number."),
        ("KEEP_PREVIOUS", "2.0", ": '2.0' is not a whole number."),
        ("KEEP_PREVIOUS", "-1", ": -1 is too small; the minimum is 0."),
        ("PRICE_PER_GIB", "cheap", ": 'cheap' is not a number."),
        ("DRY_RUN", "maybe", ": 'maybe' is not one of 1, 0, true, false, yes, no, on, off."),
        ("OUTPUT", "xml", ": 'xml' is not one of table, json, csv, markdown."),
        ("REGION", "a,b", ": 'a,b' is not a Region or a pattern."),
        ("DEMO", "big", ": 'big' is not one of article, tour."),
        ("IAM_POLICY", "1", " is not allowed: pass --iam-policy on the command line."),
        ("SUGGEST_CONFIG", "0", " is not allowed: pass --suggest-config on the command line."),
    ],
)
def test_wrong_variable_is_an_error(variable: str, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_environment({f"AMICLEANER_{variable}": text})
    assert str(caught.value) == f"AMICLEANER_{variable}{words}"


@pytest.mark.parametrize(
    "variable, meant",
    [
        ("VERSION", ""),
        ("", ""),
        ("IMAGE_TAG", ""),
        ("KEEP_PREVIOS", " Did you mean AMICLEANER_KEEP_PREVIOUS?"),
        ("DRYRUN", " Did you mean AMICLEANER_DRY_RUN?"),
        ("keep_previous", " Did you mean AMICLEANER_KEEP_PREVIOUS?"),
        ("FORCE", ""),
        ("SKIP_CHECKS", ""),
    ],
)
def test_unknown_variable_is_a_warning(variable: str, meant: str) -> None:
    """A CI that sets AMICLEANER_VERSION works."""
    values, warnings = from_environment({f"AMICLEANER_{variable}": "1", "AMICLEANER_LIMIT": "1"})
    assert values == {"limit": 1}
    assert warnings == [f"Unknown environment variable AMICLEANER_{variable}.{meant}"]


# The file


@pytest.mark.parametrize(
    "text, value",
    [
        ("keep_previous = 0", 0),
        ('mapping_values = ["environment", "a key with spaces"]', ("environment", "a key with spaces")),
        ("price_per_gib = 1", 1.0),
        ("dry_run = false", False),
        ("output = 'csv'", "csv"),
        # Options whose value may be missing.
        ("demo = true", "article"),
        ("demo = 'tour'", "tour"),
        ("demo = false", None),
        ("explain = true", ()),
        ("explain = false", None),
        ("explain = []", ()),
        (f"explain = ['{ID}']", (ID,)),
    ],
)
def test_key_has_the_kind_of_its_option(toml: Any, text: str, value: object) -> None:
    (found,) = toml(text).values()
    assert (type(found), found) == (type(value), value)
    assert toml("") == {}


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfkeep_previous = 2", b"# as on Windows\r\nkeep_previous = 2\r\n"])
def test_file_may_come_from_an_editor_on_windows(toml: Any, text: bytes) -> None:
    assert toml(text) == {"keep_previous": 2}


@pytest.mark.parametrize(
    "text, words",
    [
        ("keep_previos = 2", "c.toml: unknown key 'keep_previos'. Did you mean keep_previous?"),
        ("keep-previous = 2", "c.toml: unknown key 'keep-previous'. Did you mean keep_previous?"),
        ("keep = 2", "c.toml: unknown key 'keep'. Did you mean keep_previous?"),
        ("colour = 2", "c.toml: unknown key 'colour'."),
        ("rules = []", "c.toml: unknown key 'rules'. Did you mean rule?"),
        ("[amicleaner]\nkeep_previous = 2", "c.toml: unknown key 'amicleaner'."),
        ("config = 'other.toml'", "c.toml: config is not allowed: pass --config on the command line."),
        ("iam_policy = true", "c.toml: iam_policy is not allowed: pass --iam-policy on the command line."),
        ("keep_previous = '2'", "c.toml: keep_previous must be a whole number, not '2'."),
        ("keep_previous = true", "c.toml: keep_previous must be a whole number, not true."),
        ("keep_previous = 2.5", "c.toml: keep_previous must be a whole number, not 2.5."),
        ("keep_previous = -1", "c.toml: keep_previous: -1 is too small; the minimum is 0."),
        ("dry_run = 1", "c.toml: dry_run must be true or false, not 1."),
        ("output = ['csv']", "c.toml: output must be a string, not ['csv']."),
        ("output = 'xml'", "c.toml: output: 'xml' is not one of table, json, csv, markdown."),
        ("mapping_values = 'role'", "c.toml: mapping_values must be a list of strings, not 'role'."),
        ("mapping_values = ['role', 1]", "c.toml: mapping_values must be a list of strings, not ['role', 1]."),
        ("explain = 'all'", "c.toml: explain must be a list of strings, not 'all'."),
        ("price_per_gib = 'x'", "c.toml: price_per_gib must be a number, not 'x'."),
        ("price_per_gib = false", "c.toml: price_per_gib must be a number, not false."),
        (f"price_per_gib = 1{'0' * 400}", "c.toml: price_per_gib must be a number, not 1000"),
        ("keep_previous", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
    ],
)
def test_wrong_file_is_an_error(refusal: Any, text: str | bytes, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize("path", ["missing.toml", ".", "a\0b"])
def test_unreadable_file_is_an_error(path: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="configuration file"):
        from_file(str(tmp_path / path))


def test_endless_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(1 << 40)  # more than any memory; sparse
    with pytest.raises(UsageError, match=r"The configuration file .*large\.toml is too large\."):
        from_file(str(tmp_path / "large.toml"))


# Rules


def test_rules_keep_their_order_and_their_options(toml: Any) -> None:
    text = """
        ami_min_days = 7
        [[rule]]
        name = "prod"
        only_tag = ["environment=prod"]
        keep_previous = 10
        [[rule]]
        name = "pull requests"
    """
    options = (("only_tag", ("environment=prod",)), ("keep_previous", 10))
    assert toml(text) == {"ami_min_days": 7, "rules": (Rule("prod", options), Rule("pull requests"))}


@pytest.mark.parametrize(
    "text, words",
    [
        ("keep = 2", "c.toml: rule 'prod': unknown key 'keep'. Did you mean keep_previous?"),
        ("keep-previous = 2", "c.toml: rule 'prod': unknown key 'keep-previous'. Did you mean keep_previous?"),
        ("colour = 2", "c.toml: rule 'prod': unknown key 'colour'."),
        ("limit = 2", "c.toml: rule 'prod': limit cannot be set in a rule. Set it before the first [[rule]]."),
        ("region = ['a']", "c.toml: rule 'prod': region cannot be set in a rule. Set it before the first [[rule]]."),
        ("skip_check = ['spot']", "c.toml: rule 'prod': skip_check is not allowed: for safety, --skip-check must be passed"),
        ("rule = ['a']", "c.toml: rule 'prod': rule is not allowed: pass --rule on the command line."),
        ("keep_previous = '2'", "c.toml: rule 'prod': keep_previous must be a whole number, not '2'."),
        ("keep_previous = -1", "c.toml: rule 'prod': keep_previous: -1 is too small; the minimum is 0."),
        ("only_tag = ['prod']", "c.toml: rule 'prod': only_tag: 'prod' is not a tag with its value."),
        ("mapping_key = 'nmae'", "c.toml: rule 'prod': mapping_key: 'nmae' is not one of name, tags, family, pattern."),
        ("mapping_key = 'name'", "c.toml: rule 'prod': mapping_key also requires mapping_values"),
    ],
)
def test_wrong_rule_is_named(refusal: Any, text: str, words: str) -> None:
    assert words in refusal(f"[[rule]]\nname = 'prod'\n{text}")


@pytest.mark.parametrize(
    "text, words",
    [
        ("[[rule]]\nkeep_previous = 1", "c.toml: [[rule]] number 1 requires a name."),
        ("[[rule]]\nname = 'a'\n[[rule]]\nname = ''", "c.toml: [[rule]] number 2 requires a name."),
        ("[[rule]]\nname = ' '", "c.toml: [[rule]] number 1 requires a name."),
        ("[[rule]]\nname = 1", "c.toml: [[rule]] number 1 requires a name."),
        ("rule = ['prod']", "c.toml: rule must be a list of tables, each under a line [[rule]]."),
        ("[rule.prod]\nkeep_previous = 1", "c.toml: rule must be a list of tables, each under a line [[rule]]."),
    ],
)
def test_rule_without_name_or_form_is_an_error(refusal: Any, text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize("key", ["name", "tags", "pattern"])
def test_mapping_key_of_a_rule_requires_values_in_the_file(key: str) -> None:
    rule = {"name": "a", "mapping_key": key}
    for document in ({"mapping_values": ["x"], "rule": [rule]}, {"rule": [{**rule, "mapping_values": ["x"]}]}):
        (found,) = combine({}, {}, from_mapping(document, "c.toml")).rules
        assert dict(found.options)["mapping_key"] == key
    with pytest.raises(UsageError):
        from_mapping({"rule": [rule]}, "c.toml")


# What neither may set


@pytest.mark.parametrize("name", ONLY_THERE)
def test_dangerous_option_is_refused_and_never_suggested(name: str, refusal: Any) -> None:
    words = f"is not allowed: for safety, --{name.replace('_', '-')} must be passed on the command line."
    with pytest.raises(UsageError) as caught:
        from_environment({f"AMICLEANER_{name.upper()}": "0"})
    assert str(caught.value) == f"AMICLEANER_{name.upper()} {words}"
    assert f"c.toml: {name} {words}" in refusal(f"{name} = false")
    assert f"c.toml: rule 'a': {name} {words}" in refusal(f"[[rule]]\nname = 'a'\n{name} = false")
    assert f"mean {name}?" not in refusal(f"{name}x = false")
    assert f"mean AMICLEANER_{name.upper()}?" not in str(from_environment({f"AMICLEANER_{name.upper()}X": "1"}))
    assert name not in FILE_KEYS


# Which source wins


def test_command_line_wins_over_environment_over_file() -> None:
    file = {"keep_previous": 1, "unused_days": 1, "ami_min_days": 1, "region": ("a",), "dry_run": True}
    environment = {"keep_previous": 2, "unused_days": 2, "region": ("b", "c"), "dry_run": False}
    config = combine({"keep_previous": 3, "region": ("d",)}, environment, file)
    assert (config.keep_previous, config.unused_days, config.ami_min_days) == (3, 2, 1)
    assert (config.region, config.dry_run) == (("d",), False)
    assert combine({}, environment, file).region == ("b", "c")


NAMED: dict[str, Any] = {"mapping_key": "name"}
VALUES: dict[str, Any] = {"mapping_values": ("e",)}


@pytest.mark.parametrize(
    "line, environment, file, values",
    [
        ({}, {}, VALUES, "e"),
        ({}, {}, NAMED | VALUES, "e"),
        ({}, VALUES, NAMED, "e"),
        (VALUES, {}, NAMED, "e"),
        (VALUES, NAMED, {}, "e"),
        ({}, NAMED | VALUES, {"mapping_values": ("f",)}, "e"),
        (NAMED | VALUES, {}, {"mapping_values": ("f",)}, "e"),
        (NAMED, {}, VALUES, None),
        (NAMED, VALUES, {}, None),
        ({}, NAMED, VALUES, None),
        ({}, {}, NAMED, None),
        (NAMED, {}, NAMED | VALUES, None),
    ],
)
def test_mapping_key_requires_values_that_were_meant_for_it(
    line: dict[str, Any], environment: dict[str, Any], file: dict[str, Any], values: str | None
) -> None:
    """Tag keys are no substrings of names."""
    if values:
        assert combine(line, environment, file).mapping_values == (values,)
    else:
        with pytest.raises(UsageError, match="--mapping-key also requires --mapping-values"):
            combine(line, environment, file)


@pytest.mark.parametrize("position", range(3))
def test_family_requires_no_values(position: int) -> None:
    sources: list[dict[str, Any]] = [{}, {}, {}]
    sources[position] = {"mapping_key": "family"}
    assert combine(*sources).mapping_key == "family"


RULES: dict[str, Any] = {"rules": (Rule("prod", (("keep_previous", 2),)),)}


@pytest.mark.parametrize("name", sorted(RULE_KEYS))
def test_option_of_a_rule_cannot_be_combined_with_rules(name: str) -> None:
    given: dict[str, Any] = {name: getattr(Config(), name)} | ({"mapping_values": ("a",)} if name == "mapping_key" else {})
    with pytest.raises(UsageError, match=rf"{BY_NAME[name].flag}.* cannot be combined with the \[\[rule\]\] tables"):
        combine(given, {}, RULES)
    with pytest.raises(UsageError, match=BY_NAME[name].variable):
        combine({}, given, RULES)
    assert combine({}, {}, {**RULES, **given}).rules == RULES["rules"]


def test_rules_can_be_combined_with_everything_else() -> None:
    config = combine({"rule": ("prod",), "dry_run": True}, {"region": ("eu-*",)}, RULES)
    assert (config.rule, config.rules) == (("prod",), RULES["rules"])


@pytest.mark.parametrize(
    "line, ignored",
    [
        ({"from_ids": (ID,)}, {option.name for option in OPTIONS if option.selects}),
        ({"apply_plan": "p.json"}, {option.name for option in OPTIONS if not option.with_apply_plan}),
        ({"restore": (ID,)}, {option.name for option in OPTIONS if not option.with_restore}),
    ],
    ids=["from_ids", "apply_plan", "restore"],
)
def test_excluded_options_of_file_and_environment_are_ignored(line: dict[str, Any], ignored: set[str]) -> None:
    """On the command line they are a misunderstanding; a file is shared by all runs."""
    further: dict[str, Any] = {
        "keep_previous": 1,
        "mapping_key": "name",
        "region": ("eu-*",),
        "debug": True,
        "max_deletions": 5,
        "rule": ("prod",),
        "profile": ("p",),
        "audit_log": "log",
        "quarantine": 7,
    }
    default = Config()
    environment: dict[str, Any]
    file: dict[str, Any]
    for environment, file in [(further, RULES), ({}, {**further, **RULES})]:
        config = combine(line, environment, file)
        assert config.rules == ()
        for name, value in further.items():
            assert getattr(config, name) == (getattr(default, name) if name in ignored else value)


VALUE = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())
RULE = st.dictionaries(st.sampled_from(["name", *sorted(RULE_KEYS)]), st.integers(-2, 9) | st.just("family"))


@given(st.dictionaries(st.sampled_from(sorted(FILE_KEYS)), VALUE), st.lists(RULE))
def test_mapping_becomes_a_valid_config_or_an_error_that_names_the_file(document: dict[str, Any], rules: list[Any]) -> None:
    try:
        values = from_mapping({**document, "rule": rules}, "c.toml")
    except UsageError as error:
        assert str(error).startswith("c.toml: ")  # noqa: PT017
        return
    try:
        config = combine({}, {}, values)
    except UsageError:
        return
    assert not any(getattr(config, name) for name in ONLY_THERE)
    assert len(config.rules) == len(rules)


def test_comma_in_a_free_value_is_suspicious() -> None:
    assert suspicious(Config(keep_tag=("golden,hold",), only_tag=("a=b,c=d",), only_name=("a",), audit_log="a,b")) == [
        "--only-tag: 'a=b,c=d' contains a comma; separate values with spaces.",
        "--keep-tag: 'golden,hold' contains a comma; separate values with spaces.",
    ]
    assert suspicious(Config(only_tag=("k=a,b",), role_arn=("arn:aws:iam::123456789012:role/a,b",))) == []
    assert suspicious(Config(mapping_key="pattern", mapping_values=("a{1,2}",))) == []
    assert suspicious(Config()) == []
