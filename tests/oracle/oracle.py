"""What the documentation says of an account: it knows what is in the account, the options and the time, not the code.

Slow and plain on purpose: each function is one paragraph of the documentation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from amicleaner.config import Config
from tests.fake_aws import RegionState, World
from tests.fake_aws.resources import Image, LaunchTemplate
from tests.oracle.accounts import FAMILIES

OVER = {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
ENDED = ("cancelled", "failed", "closed", "deleted")
REFERENCES = {
    "ssm:Parameter": "ssm-parameter",
    "imagebuilder:ImageRecipe": "image-recipe",
    "imagebuilder:ContainerRecipe": "container-recipe",
}
NAMED_STAYS = (
    "in-use", "state", "quarantined", "released", "protected", "managed", "public", "shared", "keep-tag", "keep-until",
)  # fmt: skip
LEFT_IN_QUARANTINE = {"quarantined", "not-selected", "no-rule", "no-match", "no-tags", "over-limit", "no-recycle-bin"}
SINCE = "amicleaner:quarantined-at"


@dataclass(frozen=True)
class Naming:
    """Something names an AMI.  `by` are the (kind, id) under one of which it may be told."""

    image: str
    by: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Verdict:
    """`reasons` are those that the documentation allows, nearly always one; `namings` what is known to use the AMI."""

    action: str
    reasons: frozenset[str]
    namings: tuple[Naming, ...] = ()
    groups: frozenset[object] = frozenset()

    @property
    def remove(self) -> bool:
        """Whether it is deleted or quarantined."""
        return self.action in ("remove", "quarantine")


@dataclass(frozen=True)
class Expected:
    """`lost` says what is itself gone, each worth a warning; `absent` which named ids are none of the AMIs."""

    verdicts: Mapping[str, Verdict]
    lost: frozenset[str]
    absent: frozenset[str]

    @property
    def removed(self) -> set[str]:
        return {id for id, verdict in self.verdicts.items() if verdict.remove}


def expect(
    world: World, config: Config, now: datetime, targets: Collection[tuple[str, str]], readers: Sequence[str]
) -> Expected:
    """The plan of a run over the accounts and Regions `targets`; all of its accounts, and `readers`, are read wherever one
    of them is cleaned."""
    verdicts: dict[str, Verdict] = {}
    lost: set[str] = set()
    accounts = {account for account, _ in targets}
    inside = {*accounts, *readers}
    images: dict[str, tuple[RegionState, Image]] = {}
    for name in sorted({name for _, name in targets}):
        places = [world.region(name, account) for account in sorted(inside)]
        own: dict[object, list[Image]] = {}
        for account in sorted(account for account in accounts if (account, name) in targets):
            region = world.region(name, account)
            own[account, name] = [image for image in region.images.values() if image.owner_id == account]
            images |= {image.image_id: (region, image) for image in own[account, name]}
        lookers = [Looker(place, config) for place in places]
        for looker in lookers:
            looker.early()
        decided = first = _all(own, config, Known(now, _namings(lookers), {}))
        asked = _asked(first, config)
        if asked:
            for looker in lookers:
                looker.on_demand()
                looker.references(asked)
            # Tags are read of the snapshots of the same AMIs, some of which others hold too.
            read = {part for id in asked for part in images[id][1].snapshot_ids}
            tags = {
                id: [region.snapshots[part].tags for part in image.snapshot_ids if part in read]
                for id, (region, image) in images.items()
            }
            decided = _all(own, config, Known(now, _namings(lookers), tags))
            if config.from_ids:
                decided = {id: _open_question(first[id], verdict, lookers) for id, verdict in decided.items()}
        verdicts |= decided
        lost |= {text for looker in lookers for text in looker.lost}
    return Expected(
        _last(verdicts, images, config, now, inside), frozenset(lost), frozenset(config.from_ids) - verdicts.keys()
    )


def _last(
    verdicts: dict[str, Verdict],
    images: Mapping[str, tuple[RegionState, Image]],
    config: Config,
    now: datetime,
    inside: Collection[str],
) -> dict[str, Verdict]:
    """The Recycle Bin, the limit over all targets, the oldest first, and launch permissions of what is left."""
    left = 0
    candidates = [id for id, verdict in verdicts.items() if verdict.remove]

    def age(id: str) -> tuple[datetime, str, str, str]:
        region, image = images[id]
        return image.created or datetime.min.replace(tzinfo=now.tzinfo), region.account_id, region.name, id

    for id in sorted(candidates, key=age):
        region, image = images[id]
        found = None
        if config.require_recycle_bin is not None and covered(region, image) < config.require_recycle_bin:
            found = "no-recycle-bin"
        elif config.limit is not None and left >= config.limit:
            found = "over-limit"
        elif not config.include_shared and (image.organizations or set(image.shared_with) - set(inside)):
            found = "shared"
        if found is None:
            left += 1
        else:
            waits = SINCE in image.tags and found == "shared"
            reasons = {found, "over-limit"} if found == "no-recycle-bin" and config.limit == 0 else {found}
            verdicts[id] = replace(verdicts[id], action="release" if waits else "keep", reasons=frozenset(reasons))
    return verdicts


def covered(region: RegionState, image: Image) -> int:
    """The days for which the Recycle Bin would hold an AMI with all its snapshots.  A rule's tag without a value retains
    what has the tag with an empty value: that is less than any value."""

    def longest(kind: str, tags: Mapping[str, str]) -> int:
        rules = [
            rule for rule in region.retention_rules.values() if (rule.resource_type, rule.status) == (kind, "available")
        ]
        retaining = (rule.days for rule in rules if not rule.match or any_of(rule.match, tags))
        return max(retaining, default=0)

    def any_of(match: Mapping[str, str | None], tags: Mapping[str, str]) -> bool:
        return any(tags.get(key) == (value or "") for key, value in match.items())

    snapshots = [longest("EBS_SNAPSHOT", region.snapshots[id].tags) for id in image.snapshot_ids]
    return min([longest("EC2_IMAGE", image.tags), *snapshots]) if snapshots else 0


def _namings(lookers: Iterable[Looker]) -> dict[str, tuple[Naming, ...]]:
    found: dict[str, tuple[Naming, ...]] = {}
    for naming in (naming for looker in lookers for naming in looker.found):
        found[naming.image] = (*found.get(naming.image, ()), naming)
    return found


def _asked(decided: Mapping[str, Verdict], config: Config) -> set[str]:
    """What would be changed, or waits in quarantine, and all AMIs of their groups; listed AMIs have no group."""
    waiting = {"quarantined"} if config.quarantine is not None else set()
    asked = {id for id, verdict in decided.items() if verdict.action != "keep" or verdict.reasons & waiting}
    groups = {group for id in asked for group in decided[id].groups}
    return {id for id, verdict in decided.items() if verdict.groups & groups or id in asked}


def _open_question(first: Verdict, verdict: Verdict, lookers: Iterable[Looker]) -> Verdict:
    """Named AMIs have no group: the documentation leaves open whether those that stay anyway are asked about."""
    return verdict if first.remove else replace(verdict, reasons=first.reasons | verdict.reasons)


# --- what names an AMI -----------------------------------------------------------------------------------


@dataclass
class Looker:
    """Looks through one Region of one account."""

    region: RegionState
    config: Config
    found: list[Naming] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def looks_at(self, check: str) -> bool:
        return check not in self.config.skip_check

    def name(self, image: str | None, *by: tuple[str, str]) -> None:
        """`image` is an id, or an alias, or nothing."""
        known = self.resolved(image)
        if known:
            self.found.append(Naming(known, frozenset(by)))

    def early(self) -> None:
        """Everything that is read of the whole account."""
        region = self.region
        if self.looks_at("instances"):
            for instance in region.instances.values():
                if instance.state != "terminated":
                    self.name(instance.image_id, ("instance", instance.instance_id))
        if self.looks_at("launch-configurations"):
            for configuration in region.launch_configurations.values():
                self.name(configuration.image_id, ("launch-configuration", configuration.name))
        if self.looks_at("launch-templates"):
            for template in region.launch_templates.values():
                every = self.config.all_launch_template_versions
                for number in set(template.versions) if every else {template.default, template.latest}:
                    self.version(template, number)
        if self.looks_at("auto-scaling-groups"):
            for group in region.groups.values():
                by = ("auto-scaling-group", group.name)
                self.configuration(
                    {"LaunchTemplate": group.launch_template, "MixedInstancesPolicy": group.mixed_instances_policy}, by
                )
            for refresh in region.refreshes.values():
                if refresh.status not in OVER:
                    self.configuration(refresh.desired_configuration or {}, ("instance-refresh", refresh.refresh_id))
        if self.looks_at("spot"):
            for fleet in region.spot_fleets.values():
                if lives(fleet.state):
                    by = ("spot-fleet", fleet.fleet_id)
                    for specification in fleet.launch_specifications:
                        self.name(specification.get("ImageId"), by)
                    self.fleet(fleet.launch_template_configs, by)
            for request in region.spot_requests.values():
                if lives(request.state):
                    self.name(request.image_id, ("spot-request", request.request_id))
        if self.looks_at("fleets"):
            for ec2_fleet in region.fleets.values():
                # AWS shows one of the type `instant` to nobody who does not know its id.
                if lives(ec2_fleet.state) and ec2_fleet.type != "instant":
                    self.fleet(ec2_fleet.launch_template_configs, ("fleet", ec2_fleet.fleet_id))

    def on_demand(self) -> None:
        """What is read only once something would be deleted."""
        if self.looks_at("image-builder"):
            for recipe in self.region.recipes:
                kind = REFERENCES[recipe.resource_type]
                self.name(recipe.image_id, (kind, recipe.arn), (kind, recipe.arn.partition("/")[2]))

    def references(self, asked: set[str]) -> None:
        """What AWS itself reports, of the AMIs asked about."""
        if not self.looks_at("image-references"):
            return
        for instance in self.region.instances.values():
            if instance.image_id in asked and instance.state != "terminated":
                self.name(instance.image_id, ("instance", instance.instance_id))
        for parameter in self.region.parameters.values():
            value = parameter.versions[parameter.latest].value
            if value in asked:
                self.name(value, ("ssm-parameter", parameter.name), ("ssm-parameter", parameter.arn))
        for recipe in self.region.recipes:
            if recipe.image_id in asked:
                kind = REFERENCES[recipe.resource_type]
                self.name(recipe.image_id, (kind, recipe.arn), (kind, recipe.arn.partition("/")[2]))

    def configuration(self, shape: Mapping[str, Any], by: tuple[str, str]) -> None:
        """A group's own template and mixed instances policy, or those that a refresh desires."""
        self.pin(shape.get("LaunchTemplate"), by)
        policy = (shape.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
        self.pin(policy.get("LaunchTemplateSpecification"), by)
        for override in policy.get("Overrides") or ():
            self.pin(override.get("LaunchTemplateSpecification"), by)
            self.name(override.get("ImageId"), by)

    def fleet(self, configs: Iterable[Mapping[str, Any]], by: tuple[str, str]) -> None:
        for config in configs:
            self.pin(config.get("LaunchTemplateSpecification"), by)
            for override in config.get("Overrides") or ():
                self.name(override.get("ImageId"), by)

    def pin(self, specification: Mapping[str, Any] | None, by: tuple[str, str]) -> None:
        """The version of a template that is named; the default and the latest one count anyway."""
        if specification is None or not self.looks_at("launch-templates"):
            return
        version = str(specification.get("Version") or "$Default")
        for template in self.region.launch_templates.values():
            if template.template_id == specification.get("LaunchTemplateId") or template.name == specification.get(
                "LaunchTemplateName"
            ):
                number = {"$Latest": template.latest, "$Default": template.default}.get(version)
                self.version(template, int(version) if number is None else number, by)
                return
        self.lost.add(f"a template of {by}")

    def version(self, template: LaunchTemplate, number: int, *by: tuple[str, str]) -> None:
        if number in template.versions:
            self.name(template.versions[number].data.get("ImageId"), ("launch-template", template.template_id), *by)
        else:
            self.lost.add(f"{template.template_id} version {number}")

    def resolved(self, text: str | None) -> str | None:
        """`resolve:ssm:` with a name or an ARN, with a version or a label or none.  No check leaves parameters out."""
        if text is None or not text.startswith("resolve:ssm:"):
            return text
        name = text.removeprefix("resolve:ssm:")
        owner = self.region
        if name.startswith("arn:"):
            _, _, _, region, account, path = name.split(":", 5)
            owner = self.region.world.region(region, account)
            name = path.removeprefix("parameter")  # the ARN of `/a` and that of `a` are written alike
            name = name if name.partition(":")[0] in owner.parameters else name.removeprefix("/")
        name, _, selector = name.partition(":")
        parameter = owner.parameters.get(name)
        if parameter and owner is not self.region and self.region.account_id not in parameter.shared_with:
            parameter = None
        for number, version in sorted(parameter.versions.items(), reverse=True) if parameter else ():
            if selector in ("", str(number)) or selector in version.labels:
                if not version.value.startswith("ami-"):
                    self.lost.add(f"an AMI in {text}")
                return version.value
        self.lost.add(text)
        return None


def lives(state: str) -> bool:
    """In any state but cancelled, failed, closed or deleted, or on its way there."""
    return not state.startswith(ENDED)


# --- what stays ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What names each AMI, and the tags of its snapshots as far as they were read."""

    now: datetime
    namings: Mapping[str, tuple[Naming, ...]]
    tags: Mapping[str, list[dict[str, str]]]


def _all(
    own: Mapping[object, Sequence[Image]],
    config: Config,
    known: Known,
) -> dict[str, Verdict]:
    """Groups and N count in each Region of each account alone."""
    verdicts: dict[str, Verdict] = {}
    for place, images in own.items():
        judge = _named if config.from_ids else _by_rules
        for id, verdict in judge(images, config, known).items():
            apart = frozenset((place, group) for group in verdict.groups)
            verdicts[id] = replace(verdict, namings=known.namings.get(id, ()), groups=apart)
    return verdicts


def _by_rules(
    images: Sequence[Image],
    config: Config,
    known: Known,
) -> dict[str, Verdict]:
    """The first rule whose selection an AMI matches decides for it; without rules the options do."""
    if not config.rules:
        return _grouped(images, config, known)
    verdicts: dict[str, Verdict] = {}
    left = list(images)
    for rule in config.rules:
        under = config.for_rule(rule)
        mine = [image for image in left if selected(image, under)]
        left = [image for image in left if not selected(image, under)]
        for id, verdict in _grouped(mine, under, known).items():
            verdicts[id] = replace(verdict, groups=frozenset((rule.name, group) for group in verdict.groups))
    for image in left:
        # In no group, it has no grouped tag values that could be excluded; by its name it can be.
        ignored = CHOOSING | ({"excluded"} if config.mapping_key == "tags" else set())
        own = [reason for reason in stays(image, config, known) if reason not in ignored]
        verdicts[image.image_id] = waiting(image, own[0] if own else "no-rule", config, known.now)
    return verdicts


CHOOSING = {"not-selected", "no-tags", "no-match"}


def _named(
    images: Iterable[Image],
    config: Config,
    known: Known,
) -> dict[str, Verdict]:
    verdicts = {}
    for image in images:
        if image.image_id in config.from_ids:
            reasons = [
                reason
                for reason in stays(image, config, known)
                if reason in NAMED_STAYS and not (reason == "in-use" and config.ignore_in_use)
            ]
            verdicts[image.image_id] = waiting(image, reasons[0] if reasons else None, config, known.now, "named")
    return verdicts


def _grouped(
    images: Iterable[Image],
    config: Config,
    known: Known,
) -> dict[str, Verdict]:
    reasons: dict[str, str] = {}
    members: dict[object, list[Image]] = {}
    for image in images:
        found = next(stays(image, config, known), None)
        if found is None and config.ami_min_days >= 0 and known.now - made(image) < timedelta(days=config.ami_min_days):
            found = "too-young"
        if found is not None:
            reasons[image.image_id] = found
            continue
        for group in groups(image, config):
            members.setdefault(group, []).append(image)
    places: dict[str, set[str]] = {}
    for rest in members.values():
        # Quarantined AMIs take no place, and are kept where they would have one.
        free = [image for image in rest if SINCE not in image.tags]
        for image, reason in (*newest(free, config), *newest(rest, config)):
            if image in free and (image, reason) not in newest(free, config):
                continue
            places.setdefault(image.image_id, set()).add(reason)
    for id, found_here in places.items():
        reasons[id] = min(found_here, key=KEPT.index)
    return {
        image.image_id: replace(
            waiting(image, reasons.get(image.image_id), config, known.now),
            groups=frozenset(() if reasons.get(image.image_id) == "not-selected" else shown_groups(image, config)),
        )
        for image in images
    }


KEPT = ["kept-previous", "kept-daily", "kept-weekly", "kept-monthly", "kept-yearly"]


def newest(images: Iterable[Image], config: Config) -> list[tuple[Image, str]]:
    """What a group keeps: the N newest, and the newest of each of the last days, weeks, months and years that have one."""
    rest = [image for image in images if image.state not in ("failed", "error", "invalid")]
    rest.sort(key=lambda image: image.image_id)
    rest.sort(key=made, reverse=True)
    periods = (config.keep_daily, config.keep_weekly, config.keep_monthly, config.keep_yearly)
    number = config.keep_previous
    if number is None:
        number = 0 if any(periods) else 4
    kept = [(image, "kept-previous") for image in rest[:number]]
    for reason, count, form in zip(KEPT[1:], periods, ("%Y-%m-%d", "%G-%V", "%Y-%m", "%Y"), strict=True):
        seen: list[str] = []
        for image in rest:
            period = made(image).strftime(form)
            if period not in seen and len(seen) < count:
                seen.append(period)
                kept.append((image, reason))
    return kept


def waiting(image: Image, reason: str | None, config: Config, now: datetime, old: str = "old") -> Verdict:
    """What becomes of an AMI, in quarantine or not, that the plan would keep for a reason, or delete."""
    reasons = frozenset({reason or old})
    if config.quarantine is None:
        return Verdict("remove" if reason is None else "keep", reasons)
    if SINCE not in image.tags or image.state != "disabled":
        return Verdict("quarantine" if reason is None else "keep", reasons)
    if reason is not None:
        return Verdict("keep" if reason in LEFT_IN_QUARANTINE else "release", reasons)
    try:
        since = datetime.strptime(image.tags[SINCE], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=now.tzinfo)
    except ValueError:
        return Verdict("quarantine", reasons)
    if since > now:
        return Verdict("quarantine", reasons)
    if now - since < timedelta(days=config.quarantine):
        return Verdict("keep", frozenset({"quarantined"}))
    return Verdict("remove", reasons)


def stays(image: Image, config: Config, known: Known) -> Iterator[str]:
    """Every reason to stay that the AMI has by itself, in the documented order; `shared` is asked last of all."""
    now, parts = known.now, [image.tags, *known.tags.get(image.image_id, [])]
    disabled = image.state == "disabled" and SINCE in image.tags
    if image.image_id in known.namings:
        yield "in-use"
    if image.state not in ("available", "failed", "error", "invalid") and not disabled:
        yield "state"
    elif image.state in ("failed", "error", "invalid") and config.quarantine is not None:
        yield "state"  # AWS disables no AMI whose creation failed
    elif image.created is None and not config.from_ids:
        yield "state"  # the documentation is silent: what removes less
    if disabled and config.quarantine is None:
        yield "quarantined"
    if SINCE in image.tags and not disabled:
        yield "released"
    if image.deregistration_protection not in (None, "", "disabled"):
        yield "protected"
    prefixes = ("aws:backup:", "aws:dlm:")
    if (
        any(key == "dlm:managed" or key.startswith(prefixes) for part in parts for key in part)
        or (image.name or "").startswith("AwsBackup_")
        or image.owner_alias == "aws-backup-vault"
    ):
        yield "managed"
    if image.public and not config.include_shared:
        yield "public"
    if any(has_tag(part, wanted) for part in parts for wanted in config.keep_tag):
        yield "keep-tag"
    if not keep_is_over(image.tags.get("amicleaner:keep-until"), now):
        yield "keep-until"
    if any(value in text for value in config.excluded_mapping_values for text in grouped_texts(image, config)):
        yield "excluded"
    if (
        config.unused_days is not None
        and image.last_launched
        and now - image.last_launched <= timedelta(days=config.unused_days)
    ):
        yield "recently-launched"
    if not selected(image, config):
        yield "not-selected"
    if not groups(image, config):
        yield "no-tags" if config.mapping_key == "tags" else "no-match"


def keep_is_over(text: str | None, now: datetime) -> bool:
    """The owner's day is over; what is no date never is."""
    if text is None:
        return True
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=now.tzinfo)
    except ValueError:
        return False
    return now >= day + timedelta(days=1)


def made(image: Image) -> datetime:
    assert image.created is not None  # one without a date stays for that
    return image.created


def has_tag(tags: Mapping[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in tags and (not equals or tags[key] == value)


def grouped_texts(image: Image, config: Config) -> list[str]:
    if config.mapping_key != "tags":
        return [image.name or ""]
    return [image.tags[key] for key in config.mapping_values if image.tags.get(key)]


def selected(image: Image, config: Config) -> bool:
    name = image.name or ""
    return all(has_tag(image.tags, wanted) for wanted in config.only_tag) and (
        not config.only_name or any(fnmatchcase(name, pattern) for pattern in config.only_name)
    )


def shown_groups(image: Image, config: Config) -> set[object]:
    """The untagged are listed together, as a group that nothing is deleted from."""
    return groups(image, config) or ({frozenset()} if config.mapping_key == "tags" else set())


def groups(image: Image, config: Config) -> set[object]:
    name = image.name or ""
    if config.mapping_key == "name":
        return {value for value in config.mapping_values if value in name}
    if config.mapping_key == "family":
        return {FAMILIES.get(name, name)} if name else set()
    if config.mapping_key == "pattern":
        found = [re.search(pattern, name) for pattern in config.mapping_values]
        texts = {tuple(text or "" for text in match.groups()) or (match[0],) for match in found if match}
        return {text for text in texts if any(text)}
    values = frozenset((key, image.tags[key]) for key in config.mapping_values if image.tags.get(key))
    return {values} if values or config.include_untagged else set()
