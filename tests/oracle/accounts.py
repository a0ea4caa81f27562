"""Random accounts with everything in them that can keep an AMI, and random options beside them.

hypothesis draws plain data, which shrinks well; `build` makes a simulated account of it.  AMIs are named by an index among
those of the whole account, so that a use nearly always hits one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from amicleaner.config import OPTIONS, Config, Rule
from tests.fake_aws import DEFAULT_ACCOUNT, RegionState, World
from tests.fake_aws.resources import INSTANCE_STATES, Image

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAIN, SECOND, OUTSIDE = DEFAULT_ACCOUNT, "210987654321", "999999999999"
HOME, AWAY = "eu-west-1", "us-east-1"
ABSENT = "ami-00000000deadbeef0"

Data = Mapping[str, Any]

DAY = timedelta(days=1)
BIT = timedelta(milliseconds=1)
AGES = [
    *(DAY * days for days in (1, 2, 4, 5, 6, 7, 8, 9, 20, 30, 31, 400)),
    *(DAY * days for days in (3, 3, 3, 10, 10)),
    *(DAY * days + bit for days in (0, 3, 10) for bit in (-BIT, BIT)),
    DAY * 0.5, DAY * 2.25, DAY * 5 + BIT * 2, DAY * 5 + BIT * 999, DAY * 0, -DAY,
]  # fmt: skip

FAMILIES = {
    "web-1": "web", "web-2": "web", "db-web": "db-web", "db-7": "db", "frontend": "frontend", "WEB-1": "WEB", "e": "e",
    "back.end": "back.end", "[web]": "[web]", "web-20260914-ab12cd3": "web", "web-20260915": "web", "db-v1.2.3": "db",
    "ubuntu-22.04-20260914": "ubuntu-22.04", "20260914": "20260914",
}  # fmt: skip
"""Names, and the families that a person would say they are of."""
NAMES = [*FAMILIES, None]
ENVIRONMENTS = ["dev", "dev", "dev", "web", "prod", "", None]
ROLES = ["web", "web", "dev", "db", "", None, None]

# What makes an AMI special: members of its own and, under `tags`, more tags; those that change nothing stand here too.
MARKS: list[Data] = [
    *(
        {"state": state}
        for state in ("pending", "disabled", "invalid", "transient", "failed", "failed", "error", "brand-new")
    ),
    *({"state": "failed", "name": name} for name in ("web-3", "AwsBackup_i-1")),
    *({"name": name} for name in ("AwsBackup_i-2", "awsbackup_i-3", "web-AwsBackup_1", "AwsBackup-web", "")),
    *({"tags": {key: "x"}} for key in ("aws:backup:source-resource", "aws:dlm:lifecycle-policy-id", "dlm:managed")),
    *({"tags": {key: "x"}} for key in ("aws:backupx", "my-aws:dlm:x", "dlm:managed2", "aws:cloudformation:stack-name")),
    *({"tags": {key: "web"}} for key in ("environ", "environment2", "Role", "roles", "environment role", "rol")),
    *({"tags": {"keep": value}} for value in ("yes", "no", "", "yes", "no", "")),
    *({"tags": {"team": value}} for value in ("a", "a", "b", "b", "")),
    *({"tags": {"Keep": "yes", "keeps": "yes", "team2": "a"}},),
    *({"deregistration_protection": text} for text in ("enabled", "enabled-with-cooldown", "disabled", "", "something")),
    {"public": True},
    {"public": True, "shared_with": (OUTSIDE,)},
    *({"shared_with": (OUTSIDE,)} for _ in range(2)),
    {"shared_with": (SECOND,)},
    {"shared_with": (MAIN,)},
    {"shared_with": (MAIN, SECOND, OUTSIDE)},
    *(
        {"organizations": (f"arn:aws:organizations::123456789012:{path}",)}
        for path in ("organization/o-1", "ou/o-1/ou-2") * 2
    ),
    *({"last_launched": NOW - age} for age in (DAY * 0, DAY * 3, DAY * 3, DAY * 3 + BIT, DAY * 10, DAY * 10)),
    *({"tags": {"amicleaner:keep-until": text}} for text in ("2026-01-01", "2025-12-31", "2030-06-01", "soon", "")),
    *(
        {"snapshot_tags": {key: "x"}}
        for key in ("dlm:managed", "aws:backup:source-resource", "keep", "team", "dlm:managed2")
    ),
    *(
        {"state": state, "tags": {"amicleaner:quarantined-at": text}}
        for state in ("disabled", "disabled", "available")
        for text in ("2025-12-31T00:00:00Z", "2025-12-20T00:00:00Z", "2025-12-25T00:00:00Z", "2026-01-02T00:00:00Z", "soon")
    ),
    {"owner_alias": "aws-backup-vault"},
    {"deprecated": NOW - DAY},
    {"created": None},
    {"owner_id": OUTSIDE},
]
MARK = st.sampled_from([*([{}] * len(MARKS)), *MARKS])
SECOND_MARK = st.sampled_from([*([{}] * len(MARKS) * 6), *MARKS])

AMI = st.fixed_dictionaries(
    {
        "name": st.sampled_from(NAMES),
        "environment": st.sampled_from(ENVIRONMENTS),
        "role": st.sampled_from(ROLES),
        "age": st.sampled_from(AGES),
        "marks": st.tuples(MARK, SECOND_MARK),
        "snapshot": st.sampled_from(["own", "own", "own", "shared", "none"]),
    }
)

# --- what names AMIs: an index among all of them, the last one is none of them ------------------------------

ANY = 12
INDEX = st.integers(0, ANY)
PARAMETERS = ["golden", "/team/golden", "base.image_1"]
SELECTORS = ["", "", ":1", ":2", ":3", ":prod", ":old"]
ALIAS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "", f"arn:aws:ssm:{{}}:{MAIN}:parameter/", f"arn:aws:ssm:{{}}:{SECOND}:parameter/"]),
    st.sampled_from([*PARAMETERS, "gone", "/golden"]),
    st.sampled_from(SELECTORS),
)
TEXT = st.integers(0, 3).flatmap([INDEX, INDEX, st.none(), ALIAS].__getitem__)  # what can stand in a template or an override

SPECIFICATION = st.fixed_dictionaries(
    {
        "template": st.integers(0, 3),
        "by_name": st.booleans(),
        "version": st.sampled_from(["1", "2", "3", "4", "1", "2", "$Latest", "$Default", None]),
    }
)
MAYBE_SPECIFICATION = st.none() | SPECIFICATION
MAYBE_INDEX = st.none() | INDEX
OVERRIDE = st.fixed_dictionaries({"specification": MAYBE_SPECIFICATION, "image": TEXT})
POLICY = st.fixed_dictionaries({"base": MAYBE_SPECIFICATION, "overrides": st.lists(OVERRIDE, max_size=2)})
SETUP = st.fixed_dictionaries({"template": SPECIFICATION}) | st.fixed_dictionaries({"policy": POLICY})
FLEET_CONFIG = st.fixed_dictionaries({"specification": MAYBE_SPECIFICATION, "images": st.lists(TEXT, max_size=2)})

TEMPLATE = st.fixed_dictionaries(
    {
        "versions": st.lists(TEXT, min_size=1, max_size=4),
        "default": st.integers(0, 3),
        "deleted": st.sampled_from([None, None, 1, 2, 3]),
        "managed": st.sampled_from([False, False, True]),
    }
)
PARAMETER = st.fixed_dictionaries(
    {
        "values": st.lists(
            st.integers(0, 4).flatmap([*([INDEX] * 4), st.just("no ami at all")].__getitem__), min_size=1, max_size=3
        ),
        "labels": st.dictionaries(st.sampled_from(["prod", "old"]), st.integers(0, 2), max_size=2),
        "shared": st.booleans(),
    }
)
STATUSES = [
    "Pending", "InProgress", "Successful", "Failed", "Cancelling", "Cancelled", "RollbackInProgress", "RollbackFailed",
    "RollbackSuccessful", "Baking", "Unheard",
]  # fmt: skip
REFRESH = st.fixed_dictionaries({"status": st.sampled_from(STATUSES), "setup": SETUP})
FLEET_STATES = ["submitted", "active", "modifying", "failed", "unheard"]
SPOT_FLEET_STATES = [*FLEET_STATES, "cancelled", "cancelled_running", "cancelled_terminating"]
EC2_FLEET_STATES = [*FLEET_STATES, "deleted", "deleted_running", "deleted_terminating"]
REQUEST_STATES = ["open", "active", "closed", "cancelled", "failed", "disabled", "unheard"]

USE = st.one_of(
    st.fixed_dictionaries(
        {
            "kind": st.just("instance"),
            "image": INDEX,
            "state": st.sampled_from(sorted(INSTANCE_STATES)),
            "managed": st.booleans(),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("configuration"), "image": INDEX}),
    st.fixed_dictionaries(
        {"kind": st.just("group"), "setup": st.none() | SETUP, "refreshes": st.lists(REFRESH, max_size=2)}
    ),
    st.fixed_dictionaries({"kind": st.just("group"), "setup": SETUP, "refreshes": st.just([])}),
    st.fixed_dictionaries(
        {"kind": st.just("group"), "setup": st.none(), "refreshes": st.lists(REFRESH, min_size=1, max_size=2)}
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("spot_fleet"),
            "state": st.sampled_from(SPOT_FLEET_STATES),
            "images": st.lists(INDEX, max_size=2),
            "configs": st.lists(FLEET_CONFIG, min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("fleet"),
            "state": st.sampled_from(EC2_FLEET_STATES),
            "type": st.sampled_from(["maintain", "request", "instant"]),
            "configs": st.lists(FLEET_CONFIG, min_size=1, max_size=2),
        }
    ),
    st.fixed_dictionaries({"kind": st.just("spot_request"), "image": INDEX, "state": st.sampled_from(REQUEST_STATES)}),
    st.fixed_dictionaries({"kind": st.just("recipe"), "image": INDEX, "container": st.sampled_from([False, True])}),
)

PARTS = st.fixed_dictionaries(
    {
        "amis": st.lists(AMI, min_size=6, max_size=ANY),
        "templates": st.lists(TEMPLATE, max_size=2),
        "parameters": st.lists(PARAMETER, max_size=len(PARAMETERS)),
        "uses": st.lists(USE, max_size=5),
    }
)
FEW = st.fixed_dictionaries(
    {
        "amis": st.lists(AMI, max_size=4),
        "templates": st.lists(TEMPLATE, max_size=1),
        "parameters": st.lists(PARAMETER, max_size=2),
        "uses": st.lists(USE, max_size=3),
    }
)


def seldom(usual: Any, *others: Any, weight: int = 4) -> st.SearchStrategy[Any]:
    """Mostly the usual value: each part of an account should matter in many accounts, and not all in each."""
    return st.sampled_from([*([usual] * weight * len(others)), *others])


CHECKS = next(option.choices for option in OPTIONS if option.name == "skip_check")
TAG_KEYS = [("environment", "role"), ("role", "environment"), ("role",), ("environment",), ("team", "role"), ("nothing",)]
NAME_PARTS = [("web",), ("web", "db"), ("web", "e", "-"), ("web-", "-1", "[web]"), ("front", "back", "-")]
BY_TAGS = st.fixed_dictionaries(
    {
        "mapping_key": st.just("tags"),
        "mapping_values": seldom(("environment", "role"), *TAG_KEYS, weight=1),
        "excluded_mapping_values": seldom((), ("dev",), ("we", "prod"), ("web",), ("x", "y")),
    }
)
BY_NAME = st.fixed_dictionaries(
    {
        "mapping_key": st.just("name"),
        "mapping_values": st.sampled_from(NAME_PARTS),
        "excluded_mapping_values": seldom((), ("db",), ("1", "end"), ("Web",)),
    }
)
BY_FAMILY = st.fixed_dictionaries({"mapping_key": st.just("family"), "excluded_mapping_values": seldom((), ("db",))})
BY_PATTERN = st.fixed_dictionaries(
    {
        "mapping_key": st.just("pattern"),
        "mapping_values": st.sampled_from([("^([a-z]+)-",), ("web", "^(db)-?(.)"), ("[0-9]+$", "^(w)?")]),
        "excluded_mapping_values": seldom((), ("db",)),
    }
)
CHOOSING = st.fixed_dictionaries(
    {
        "grouping": st.integers(0, 5).flatmap([BY_TAGS, BY_TAGS, BY_TAGS, BY_NAME, BY_FAMILY, BY_PATTERN].__getitem__),
        "keep_previous": st.sampled_from([1, 0, 0, 0, 1, 2, 3, None]),
        "keep_daily": seldom(0, 1, 3, weight=2),
        "keep_weekly": seldom(0, 1, 2, weight=3),
        "keep_monthly": seldom(0, 1, 2, weight=3),
        "keep_yearly": seldom(0, 1, 2, weight=3),
        "ami_min_days": seldom(-1, 0, 1, 3, 10, weight=2),
        "unused_days": seldom(None, 0, 3, 10, weight=1),
        "only_tag": seldom((), ("team=a",), ("role=web", "environment=dev"), ("team=",), ("role=we",), weight=12),
        "only_name": seldom((), ("web*",), ("*-?", "front*"), ("web",), ("[[]web[]]",), weight=12),
        "include_untagged": seldom(False, True, weight=2),
    }
)
CHECKING = st.fixed_dictionaries(
    {
        "keep_tag": seldom((), ("keep",), ("keep=yes",), ("keep=", "team=b"), ("team", "Keep=no"), weight=1),
        "include_shared": seldom(False, True),
        "all_launch_template_versions": seldom(False, True),
        "skip_check": seldom((), *((check,) for check in CHECKS), ("instances", "image-references"), weight=3),
        "quarantine": seldom(None, 1, 7, weight=2),
        "limit": seldom(None, 0, 1, 3, weight=3),
        "require_recycle_bin": seldom(None, 7, 30, weight=3),
    }
)
OPTIONAL = st.fixed_dictionaries(
    {
        "choosing": CHOOSING,
        "checking": CHECKING,
        "named": seldom(False, True, weight=7),
        "ids": st.lists(INDEX, min_size=1, max_size=6),
        "ignore_in_use": st.booleans(),
    }
)
WHOLE = st.fixed_dictionaries(
    {
        "options": OPTIONAL,
        "main": PARTS,
        "second": seldom(None, "target", "reader", weight=2),
        "second_parts": FEW,
        "rules": st.lists(
            st.fixed_dictionaries(
                {
                    "only_tag": seldom((), ("environment=dev",), ("role=web",), weight=1),
                    "only_name": seldom((), ("web*",), ("db*",), weight=1),
                    "keep_previous": st.sampled_from([None, 0, 1, 2]),
                    "keep_monthly": st.sampled_from([None, 1]),
                    "mapping_key": st.sampled_from([None, "family"]),
                }
            ),
            min_size=1,
            max_size=3,
        ),
        "with_rules": seldom(False, True, weight=4),
        "retention": st.lists(
            st.tuples(
                st.sampled_from(["EC2_IMAGE", "EC2_IMAGE", "EBS_SNAPSHOT", "EBS_SNAPSHOT"]),
                st.sampled_from([1, 7, 29, 30, 365]),
                st.sampled_from([{}, {}, {}, {"role": "web"}, {"environment": None}]),
                st.sampled_from(["available", "available", "pending"]),
            ),
            max_size=4,
        ),
        "away": seldom(False, True, weight=8),
        "away_parts": FEW,
        "apart": seldom(False, True, weight=2),
        "cap": st.sampled_from([1, 2, 2, 3, 5, None]),
        "blank_pages": seldom(False, True, weight=8),
    }
)


@dataclass
class Account:
    """A simulated world and the run over it.  Its text is how to build it."""

    config: Config
    targets: frozenset[tuple[str, str]]
    readers: tuple[str, ...]
    second_home: str
    ids: tuple[str, ...]
    cap: int | None
    blank_pages: bool
    world: World = field(default_factory=lambda: World(lambda: NOW))
    script: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        given = {option.name: getattr(self.config, option.name) for option in OPTIONS}
        said = [f"{option.name}={given[option.name]!r}" for option in OPTIONS if given[option.name] != option.default]
        head = f"Config({', '.join(said)})"
        run = f"targets {sorted(self.targets)}, readers {self.readers}, at most {self.cap} a page"
        return "\n".join(["", head, run, *self.script, ""])

    def add(self, region: RegionState, kind: str, *arguments: Any, **members: Any) -> Any:
        texts = [*(repr(argument) for argument in arguments), *(f"{name}={value!r}" for name, value in members.items())]
        made = getattr(region, f"add_{kind}")(*arguments, **members)
        name = next((getattr(made, key) for key in (f"{kind}_id", "template_id", "fleet_id") if hasattr(made, key)), "")
        self.script.append(f"{region.account_id} {region.name} {kind} {name}: {', '.join(texts)}")
        return made


def image_id(number: int) -> str:
    """Ids in an order that has nothing to do with dates or pages."""
    return f"ami-{number * 7919 % 65536:08x}"


def build(data: Data) -> Account:
    second, options = data["second"], data["options"]
    # Two profiles, each with a Region of its own; what the second account has in the first one's Region only protects.
    apart = second == "target" and data["apart"]
    second_home = AWAY if apart else HOME
    places: list[tuple[str, str, Data]] = [(MAIN, HOME, data["main"])]
    if second:
        places.append((SECOND, second_home, data["second_parts"]))
    if apart or data["away"]:
        places.append((SECOND, HOME, data["away_parts"]) if apart else (MAIN, AWAY, data["away_parts"]))
    # Known before they are made, so that an account can use what stands in another.
    made = sum(len(parts["amis"]) for _, _, parts in places)
    ids = [image_id(number + 1) for number in range(made)]
    regions = (HOME, AWAY) if data["away"] and not apart else ()
    owners = (MAIN, SECOND) if second == "target" else (MAIN,)
    named = [pick(ids, index) for index in options["ids"]]
    settings: dict[str, Any] = dict(options["checking"])
    if options["named"]:
        settings |= {"from_ids": tuple(named), "ignore_in_use": options["ignore_in_use"]}
    else:
        choosing = dict(options["choosing"])
        settings |= choosing.pop("grouping") | choosing
    if options["checking"]["quarantine"] is not None:
        settings["include_shared"] = False
    if data["with_rules"] and not options["named"]:
        settings["rules"] = tuple(
            Rule(f"rule-{number}", tuple((name, value) for name, value in rule.items() if value not in (None, ())))
            for number, rule in enumerate(data["rules"])
        )
    account = Account(
        config=Config(
            dry_run=True,
            region=regions,
            profile=("main", "second") if second == "target" else ("main",),
            used_by_profile=("second",) if second == "reader" else (),
            **settings,
        ),
        targets=frozenset({(MAIN, HOME), (SECOND, AWAY)} if apart else itertools.product(owners, regions or (HOME,))),
        readers=(SECOND,) if second == "reader" else (),
        second_home=second_home,
        ids=tuple(ids),
        cap=data["cap"],
        blank_pages=data["blank_pages"],
    )
    left = iter(ids)
    for owner, name, parts in places:
        region = account.world.region(name, owner)
        for kind, days, match, status in data["retention"]:
            account.add(region, "retention_rule", kind, days, match=match, status=status)
        for ami in parts["amis"]:
            add_ami(account, region, next(left), ami)
    for owner, name, parts in places:
        Builder(account, account.world.region(name, owner), ids).add(parts)
    return account


def pick(ids: Sequence[str], index: int) -> str:
    return ids[index % len(ids)] if index < ANY else ABSENT


def add_ami(account: Account, region: RegionState, id: str, ami: Data) -> None:
    members: dict[str, Any] = {"name": ami["name"], "created": NOW - ami["age"]}
    tags = {key: ami[key] for key in ("environment", "role") if ami[key] is not None}
    for mark in ami["marks"]:
        tags |= mark.get("tags", {})
        members |= {key: value for key, value in mark.items() if key != "tags"}
    name, created = members.pop("name"), members.pop("created")
    shared = next(iter(region.snapshots), None)
    snapshots: tuple[int | str, ...] = () if ami["snapshot"] == "none" else (8,)
    if ami["snapshot"] == "shared" and shared:
        snapshots = (shared,)
    more = members.pop("snapshot_tags", {})
    image = account.add(region, "image", name or "", image_id=id, created=created, tags=tags, snapshots=snapshots, **members)
    image.name, image.created = name, created
    mark_snapshots(region, image, more)
    if more:
        account.script.append(f"    its snapshots with {more}")


def mark_snapshots(region: RegionState, image: Image, tags: Mapping[str, str]) -> None:
    for snapshot in image.snapshot_ids:
        region.snapshots[snapshot].tags.update(tags)


def remark(image: Image, mark: Data) -> None:
    """Somebody changes an AMI that exists."""
    for name, value in mark.items():
        if name == "tags":
            image.tags.update(value)
        elif name not in ("snapshot_tags", "owner_id", "created"):
            setattr(image, name, value)


@dataclass
class Builder:
    """Fills one Region with what names AMIs."""

    account: Account
    region: RegionState
    ids: Sequence[str]

    def add(self, parts: Data) -> None:
        for name, parameter in zip(PARAMETERS, parts["parameters"], strict=False):
            self.parameter(name, parameter)
        for template in parts["templates"]:
            self.template(template)
        for use in parts["uses"]:
            self.use(use)

    def image(self, index: int | str | None) -> str | None:
        """An AMI's id, an alias, or nothing."""
        if isinstance(index, str):
            return "resolve:ssm:" + index.replace("{}", self.region.name).replace("parameter//", "parameter/")
        return None if index is None else pick(self.ids, index)

    def named(self, index: int | str | None) -> dict[str, str]:
        image = self.image(index)
        return {"ImageId": image} if image else {}

    def parameter(self, name: str, data: Data) -> None:
        values = [value if isinstance(value, str) else pick(self.ids, value) for value in data["values"]]
        labels = {label: number % len(values) + 1 for label, number in data["labels"].items()}
        shared = {MAIN, SECOND} if data["shared"] else set()
        self.account.add(self.region, "parameter", name, values[-1], history=values[:-1], labels=labels, shared_with=shared)

    def template(self, data: Data) -> None:
        versions = [{"InstanceType": "t3.micro"} | self.named(index) for index in data["versions"]]
        default = data["default"] % len(versions) + 1
        name = f"template-{len(self.region.launch_templates)}"
        template = self.account.add(self.region, "launch_template", name, versions, default=default, managed=data["managed"])
        # AWS refuses to delete the default version.
        if data["deleted"] in template.versions and data["deleted"] != default:
            del template.versions[data["deleted"]]
            self.account.script.append(f"    without version {data['deleted']}")

    def specification(self, data: Data | None) -> dict[str, str] | None:
        if data is None:
            return None
        known = list(self.region.launch_templates.values())
        exists = data["template"] < len(known)
        if data["by_name"]:
            shape = {"LaunchTemplateName": known[data["template"]].name if exists else "gone"}
        else:
            shape = {"LaunchTemplateId": known[data["template"]].template_id if exists else "lt-0000000000000dead"}
        return shape | ({"Version": data["version"]} if data["version"] else {})

    def setup(self, data: Data | None) -> dict[str, Any]:
        """A group's template or policy, as the API names them."""
        if data is None:
            return {}
        if "template" in data:
            return {"LaunchTemplate": self.specification(data["template"])}
        policy: dict[str, Any] = {}
        base = self.specification(data["policy"]["base"])
        if base:
            policy["LaunchTemplateSpecification"] = base
        overrides = []
        for override in data["policy"]["overrides"]:
            own = self.specification(override["specification"])
            shape: dict[str, Any] = {"InstanceType": "t3.micro"} | self.named(override["image"])
            overrides.append(shape | ({"LaunchTemplateSpecification": own} if own else {}))
        return {"MixedInstancesPolicy": {"LaunchTemplate": policy | {"Overrides": overrides}}}

    def configs(self, data: Sequence[Data]) -> list[dict[str, Any]]:
        shapes = []
        for config in data:
            own = self.specification(config["specification"])
            overrides = [{"InstanceType": "t3.micro"} | self.named(index) for index in config["images"]]
            shapes.append(({"LaunchTemplateSpecification": own} if own else {}) | {"Overrides": overrides})
        return shapes

    def use(self, data: Data) -> None:
        add, region = self.account.add, self.region
        match data["kind"]:
            case "instance":
                add(region, "instance", self.image(data["image"]), data["state"], managed=data["managed"])
            case "configuration":
                add(region, "launch_configuration", self.image(data["image"]))
            case "spot_request":
                add(region, "spot_request", self.image(data["image"]), data["state"])
            case "recipe":
                number = len(region.recipes)
                add(region, "recipe", self.image(data["image"]), f"recipe-{number}", container=data["container"])
            case "spot_fleet":
                specifications = [self.named(index) for index in data["images"]]
                configs = self.configs(data["configs"])
                for config in configs:
                    del config["Overrides"]  # those of Spot name no AMI
                add(
                    region,
                    "spot_fleet",
                    data["state"],
                    launch_specifications=specifications,
                    launch_template_configs=configs,
                )
            case "fleet":
                configs = self.configs(data["configs"])
                add(region, "fleet", data["state"], type=data["type"], launch_template_configs=configs)
            case "group":
                setup = self.setup(data["setup"])
                policy = setup.get("MixedInstancesPolicy")
                group = add(region, "group", launch_template=setup.get("LaunchTemplate"), mixed_instances_policy=policy)
                for refresh in data["refreshes"]:
                    add(region, "refresh", group.name, self.setup(refresh["setup"]) or None, refresh["status"])
