"""Random accounts with everything in them that can keep an AMI, and random options beside them.

A simulated account is built while its choices are read from bytes that hypothesis draws.  What names an AMI names one of the
whole account, so that it nearly always hits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from amicleaner.config import OPTIONS, Config, Rule
from tests.fake_aws import DEFAULT_ACCOUNT, RegionState, World
from tests.fake_aws.resources import INSTANCE_STATES, Image
from tests.strategies import Choices, chosen

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAIN, SECOND, OUTSIDE = DEFAULT_ACCOUNT, "210987654321", "999999999999"
HOME, AWAY = "eu-west-1", "us-east-1"
ABSENT = "ami-00000000deadbeef0"

T = TypeVar("T")
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
    "ubuntu-22.04-20260914": "ubuntu-22.04", "20260914": "20260914", "web-3": "web", "AwsBackup_i-1": "AwsBackup_i",
    "AwsBackup_i-2": "AwsBackup_i", "awsbackup_i-3": "awsbackup_i", "web-AwsBackup_1": "web-AwsBackup",
    "AwsBackup-web": "AwsBackup-web",
}  # fmt: skip
"""Names, and the families that a person would say they are of."""
NAMES = [*(name for name in FAMILIES if "backup" not in name.lower()), None]
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

# What names AMIs.

PARAMETERS = ["golden", "/team/golden", "base.image_1"]
SELECTORS = ["", "", ":1", ":2", ":3", ":prod", ":old"]
STATUSES = [
    "Pending", "InProgress", "Successful", "Failed", "Cancelling", "Cancelled", "RollbackInProgress", "RollbackFailed",
    "RollbackSuccessful", "Baking", "Unheard",
]  # fmt: skip
FLEET_STATES = ["submitted", "active", "modifying", "failed", "unheard"]
SPOT_FLEET_STATES = [*FLEET_STATES, "cancelled", "cancelled_running", "cancelled_terminating"]
EC2_FLEET_STATES = [*FLEET_STATES, "deleted", "deleted_running", "deleted_terminating"]
REQUEST_STATES = ["open", "active", "closed", "cancelled", "failed", "disabled", "unheard"]

# Options.

CHECKS = next(option.choices for option in OPTIONS if option.name == "skip_check")
TAG_KEYS = [("role", "environment"), ("role",), ("environment",), ("team", "role"), ("nothing",)]
NAME_VALUES: dict[str, list[tuple[str, ...]]] = {
    "name": [("web",), ("web", "db"), ("web", "e", "-"), ("web-", "-1", "[web]"), ("front", "back", "-")],
    "pattern": [("^([a-z]+)-",), ("web", "^(db)-?(.)"), ("[0-9]+$", "^(w)?")],
    "family": [()],
}
MOST_AMIS = 12


def seldom(choices: Choices, usual: T, *others: T, weight: int = 4) -> T:
    """Mostly the usual value: each part of an account should matter in many accounts, and not all in each."""
    return choices.one(others) if choices.byte() % (weight + 1) == weight else usual


def choose_mark(choices: Choices, weight: int = 2) -> Data:
    return choices.one(MARKS) if seldom(choices, False, True, weight=weight) else {}


def choose_grouping(choices: Choices) -> dict[str, Any]:
    key = choices.one(["tags", "tags", "tags", "name", "family", "pattern"])
    if key == "tags":
        excluded: list[tuple[str, ...]] = [("dev",), ("we", "prod"), ("web",), ("x", "y")]
        values = seldom(choices, ("environment", "role"), *TAG_KEYS, weight=1)
    else:
        excluded = [("db",), ("1", "end"), ("Web",)]
        values = choices.one(NAME_VALUES[key])
    return {
        "mapping_key": key,
        **({"mapping_values": values} if values else {}),
        "excluded_mapping_values": seldom(choices, (), *excluded),
    }


def choose_retention(choices: Choices) -> dict[str, Any]:
    """The options that say what is looked at, and how much of it is kept."""
    return choose_grouping(choices) | {
        "keep_previous": choices.one([1, 0, 0, 0, 0, 0, 0, 1, 2, 3, None]),
        "keep_daily": seldom(choices, 0, 1, 3, weight=2),
        "keep_weekly": seldom(choices, 0, 1, 2, weight=3),
        "keep_monthly": seldom(choices, 0, 1, 2, weight=3),
        "keep_yearly": seldom(choices, 0, 1, 2, weight=3),
        "ami_min_days": seldom(choices, -1, 0, 1, 3, 10, weight=2),
        "unused_days": seldom(choices, None, 0, 3, 10, weight=1),
        "only_tag": seldom(choices, (), ("team=a",), ("role=web", "environment=dev"), ("team=",), ("role=we",), weight=12),
        "only_name": seldom(choices, (), ("web*",), ("*-?", "front*"), ("web",), ("[[]web[]]",), weight=12),
        "include_untagged": seldom(choices, False, True, weight=2),
    }


def choose_checks(choices: Choices) -> dict[str, Any]:
    """The options that hold beside ids and beside rules too."""
    quarantine = seldom(choices, None, 1, 7, weight=2)
    return {
        "keep_tag": seldom(choices, (), ("keep",), ("keep=yes",), ("keep=", "team=b"), ("team", "Keep=no"), weight=1),
        "include_shared": seldom(choices, False, True) and quarantine is None,
        "all_launch_template_versions": seldom(choices, False, True),
        "skip_check": seldom(choices, (), *((check,) for check in CHECKS), ("instances", "image-references"), weight=3),
        "quarantine": quarantine,
        "limit": seldom(choices, None, 0, 1, 3, weight=6),
        "require_recycle_bin": seldom(choices, None, 7, 30, weight=6),
    }


def choose_rule(choices: Choices, name: str) -> Rule:
    said = {
        "only_tag": seldom(choices, (), ("environment=dev",), ("role=web",), weight=1),
        "only_name": seldom(choices, (), ("web*",), ("db*",), weight=1),
        "keep_previous": choices.one([None, 0, 1, 2]),
        "keep_monthly": choices.one([None, 1]),
        "mapping_key": choices.one([None, "family"]),
    }
    return Rule(name, tuple((option, value) for option, value in said.items() if value not in (None, ())))


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
    choices: Choices
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


def build(choices: Choices) -> Account:
    """The account and the run over it; the choices that are left are for what happens later."""
    second = seldom(choices, None, "target", "reader", weight=2)
    # Two profiles, each with a Region of its own; what the second account has in the first one's Region only protects.
    apart = second == "target" and seldom(choices, False, True, weight=2)
    away = seldom(choices, False, True, weight=8)
    second_home = AWAY if apart else HOME
    places = [(MAIN, HOME)]
    if second:
        places.append((SECOND, second_home))
    if apart or away:
        places.append((SECOND, HOME) if apart else (MAIN, AWAY))
    # Known before they are made, so that an account can use what stands in another.
    counts = [choices.one(range(6, MOST_AMIS + 1)), *(choices.one(range(5)) for _ in places[1:])]
    ids = tuple(image_id(number + 1) for number in range(sum(counts)))
    regions = (HOME, AWAY) if away and not apart else ()
    owners = (MAIN, SECOND) if second == "target" else (MAIN,)
    options = choose_checks(choices)
    if seldom(choices, False, True, weight=7):
        listed = tuple(pick(ids, choices) for _ in range(choices.one(range(1, 7))))
        options |= {"from_ids": listed, "ignore_in_use": choices.one((False, True))}
    else:
        options |= choose_retention(choices)
        if seldom(choices, False, True):
            options["rules"] = tuple(choose_rule(choices, f"rule-{number}") for number in range(choices.one((1, 2, 3))))
    account = Account(
        config=Config(
            dry_run=True,
            region=regions,
            profile=("main", "second") if second == "target" else ("main",),
            used_by_profile=("second",) if second == "reader" else (),
            **options,
        ),
        targets=frozenset({(MAIN, HOME), (SECOND, AWAY)} if apart else itertools.product(owners, regions or (HOME,))),
        readers=(SECOND,) if second == "reader" else (),
        second_home=second_home,
        ids=ids,
        cap=seldom(choices, None, 1, 2, 3, 5, weight=1),
        blank_pages=seldom(choices, False, True, weight=8),
        choices=choices,
    )
    builders = [Builder(account, account.world.region(name, owner)) for owner, name in places]
    left = iter(ids)
    for builder, count in zip(builders, counts, strict=True):
        builder.several(builder.retention_rule, 4)
        for id in itertools.islice(left, count):
            builder.ami(id)
    for builder in builders:
        home = builder is builders[0]
        for name in PARAMETERS[: choices.one(range(4 if home else 3))]:
            builder.parameter(name)
        builder.several(builder.template, 2 if home else 1)
        builder.several(builder.use, 5 if home else 3)
    return account


wholes = chosen(build, 600)


def pick(ids: Sequence[str], choices: Choices) -> str:
    """One of the AMIs, seldom one that is none of them."""
    index = choices.one(range(MOST_AMIS + 1))
    return ids[index % len(ids)] if index < MOST_AMIS else ABSENT


def remark(image: Image, mark: Data) -> None:
    """Somebody changes an AMI that exists."""
    for name, value in mark.items():
        if name == "tags":
            image.tags.update(value)
        elif name not in ("snapshot_tags", "owner_id", "created"):
            setattr(image, name, value)


@dataclass
class Builder:
    """Fills one Region."""

    account: Account
    region: RegionState

    @property
    def choices(self) -> Choices:
        return self.account.choices

    def add(self, kind: str, *arguments: Any, **members: Any) -> Any:
        return self.account.add(self.region, kind, *arguments, **members)

    def several(self, make: Callable[[], T], most: int, least: int = 0) -> list[T]:
        return [make() for _ in range(self.choices.one(range(least, most + 1)))]

    def flag(self) -> bool:
        return self.choices.one((False, True))

    def retention_rule(self) -> None:
        one = self.choices.one
        kind, days = one(["EC2_IMAGE", "EBS_SNAPSHOT"]), one([1, 7, 29, 30, 365])
        match: dict[str, str | None] = one([{}, {}, {}, {"role": "web"}, {"environment": None}])
        self.add("retention_rule", kind, days, match=match, status=one(["available", "available", "pending"]))

    def ami(self, id: str) -> None:
        one, region = self.choices.one, self.region
        members: dict[str, Any] = {"name": one(NAMES), "created": NOW - one(AGES)}
        tags = {key: value for key, value in (("environment", one(ENVIRONMENTS)), ("role", one(ROLES))) if value is not None}
        for mark in (choose_mark(self.choices), choose_mark(self.choices, 6)):
            tags |= mark.get("tags", {})
            members |= {**mark, "tags": tags}
        snapshots: tuple[int | str, ...] = one([(8,), (8,), (8,), tuple(region.snapshots)[:1] or (8,), ()])
        name, created, more = members.pop("name"), members.pop("created"), members.pop("snapshot_tags", {})
        image = self.add("image", name or "", image_id=id, created=created, snapshots=snapshots, **members)
        image.name, image.created = name, created
        for snapshot in image.snapshot_ids:
            region.snapshots[snapshot].tags.update(more)
        if more:
            self.account.script.append(f"    its snapshots with {more}")

    # What names AMIs.

    def some_ami(self) -> str:
        return pick(self.account.ids, self.choices)

    def named(self) -> dict[str, str]:
        """What can stand in a template or an override: an AMI's id, an alias, or nothing."""
        one = self.choices.one
        kind = one(["id", "id", "nothing", "alias"])
        if kind != "alias":
            return {"ImageId": self.some_ami()} if kind == "id" else {}
        owner, name, selector = one(["", "", MAIN, SECOND]), one([*PARAMETERS, "gone", "/golden"]), one(SELECTORS)
        if owner:
            name = f"arn:aws:ssm:{self.region.name}:{owner}:parameter/{name.removeprefix('/')}"
        return {"ImageId": f"resolve:ssm:{name}{selector}"}

    def parameter(self, name: str) -> None:
        one = self.choices.one
        values = self.several(lambda: seldom(self.choices, self.some_ami(), "no ami at all"), 3, least=1)
        labels = {one(["prod", "old"]): one((0, 1, 2)) % len(values) + 1 for _ in range(one((0, 1, 2)))}
        shared = {MAIN, SECOND} if self.flag() else set()
        self.add("parameter", name, values[-1], history=values[:-1], labels=labels, shared_with=shared)

    def template(self) -> None:
        one = self.choices.one
        versions = self.several(lambda: {"InstanceType": "t3.micro"} | self.named(), 4, least=1)
        default, deleted = one(range(4)) % len(versions) + 1, one([None, None, 1, 2, 3])
        name, managed = f"template-{len(self.region.launch_templates)}", one((False, False, True))
        template = self.add("launch_template", name, versions, default=default, managed=managed)
        # AWS refuses to delete the default version.
        if deleted in template.versions and deleted != default:
            del template.versions[deleted]
            self.account.script.append(f"    without version {deleted}")

    def specification(self) -> dict[str, str]:
        one, known = self.choices.one, list(self.region.launch_templates.values())
        number, version = one(range(4)), one(["1", "2", "3", "4", "1", "2", "$Latest", "$Default", None])
        template = known[number] if number < len(known) else None
        if self.flag():
            shape = {"LaunchTemplateName": template.name if template else "gone"}
        else:
            shape = {"LaunchTemplateId": template.template_id if template else "lt-0000000000000dead"}
        return shape | ({"Version": version} if version else {})

    def maybe_template(self) -> dict[str, Any]:
        return {"LaunchTemplateSpecification": self.specification()} if self.flag() else {}

    def override(self) -> dict[str, Any]:
        return {"InstanceType": "t3.micro"} | self.named() | self.maybe_template()

    def setup(self) -> dict[str, Any]:
        """A group's template or policy, as the API names them."""
        if self.flag():
            return {"LaunchTemplate": self.specification()}
        policy = self.maybe_template() | {"Overrides": self.several(self.override, 2)}
        return {"MixedInstancesPolicy": {"LaunchTemplate": policy}}

    def fleet_config(self) -> dict[str, Any]:
        overrides = self.several(lambda: {"InstanceType": "t3.micro"} | self.named(), 2)
        return self.maybe_template() | {"Overrides": overrides}

    def group(self, setup: dict[str, Any], *, least: int, most: int = 2) -> None:
        policy = setup.get("MixedInstancesPolicy")
        group = self.add("group", launch_template=setup.get("LaunchTemplate"), mixed_instances_policy=policy)
        for _ in range(self.choices.one(range(least, most + 1))):
            wanted, status = self.setup(), self.choices.one(STATUSES)
            self.add("refresh", group.name, wanted, status)

    def use(self) -> None:
        one = self.choices.one
        match one(range(9)):
            case 0:
                self.add("instance", self.some_ami(), one(sorted(INSTANCE_STATES)), managed=self.flag())
            case 1:
                self.add("launch_configuration", self.some_ami())
            case 2:
                self.group(self.setup() if self.flag() else {}, least=0)
            case 3:
                self.group(self.setup(), least=0, most=0)
            case 4:
                self.group({}, least=1)
            case 5:
                # Overrides of a Spot Fleet name no AMI.
                specifications = self.several(lambda: {"ImageId": self.some_ami()}, 2)
                configs = self.several(self.maybe_template, 2, least=1)
                state = one(SPOT_FLEET_STATES)
                self.add("spot_fleet", state, launch_specifications=specifications, launch_template_configs=configs)
            case 6:
                state, type = one(EC2_FLEET_STATES), one(["maintain", "request", "instant"])
                configs = self.several(self.fleet_config, 2, least=1)
                self.add("fleet", state, type=type, launch_template_configs=configs)
            case 7:
                self.add("spot_request", self.some_ami(), one(REQUEST_STATES))
            case 8:
                self.add("recipe", self.some_ami(), f"recipe-{len(self.region.recipes)}", container=self.flag())
