"""What the contract says of an account: it knows what is in the account, the options and the time, and nothing of the code.

Slow and plain on purpose: each function is one paragraph of the contract.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from amicleaner.config import Config
from tests.fake_aws import RegionState, World
from tests.fake_aws.resources import Image, LaunchTemplate

OVER = {"Successful", "Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"}
ENDED = ("cancelled", "failed", "closed", "deleted")
REFERENCES = {
    "ssm:Parameter": "ssm-parameter",
    "imagebuilder:ImageRecipe": "image-recipe",
    "imagebuilder:ContainerRecipe": "container-recipe",
}
NAMED_STAYS = ("in-use", "state", "protected", "managed", "public", "shared", "keep-tag")


@dataclass(frozen=True)
class Naming:
    """Something names an AMI.  `by` are the (kind, id) under one of which it may be told."""

    image: str
    by: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Verdict:
    """`reasons` are those that the contract allows, nearly always one; `namings` what is known to use the AMI."""

    remove: bool
    reasons: frozenset[str]
    namings: tuple[Naming, ...] = ()
    groups: frozenset[object] = frozenset()


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
    for name in sorted({name for _, name in targets}):
        places = [world.region(name, account) for account in sorted({*accounts, *readers})]
        own: dict[object, list[Image]] = {}
        for account in sorted(account for account in accounts if (account, name) in targets):
            images = world.region(name, account).images.values()
            own[account, name] = [image for image in images if image.owner_id == account]
        lookers = [Looker(place, config) for place in places]
        for looker in lookers:
            looker.early()
        decided = _all(own, config, now, _namings(lookers))
        if any(verdict.remove for verdict in decided.values()):
            asked = _asked(decided)
            for looker in lookers:
                looker.refreshes()
                looker.references(asked)
            first, decided = decided, _all(own, config, now, _namings(lookers))
            if config.from_ids:
                decided = {id: _open_question(first[id], verdict, lookers) for id, verdict in decided.items()}
            if not config.include_shared:
                inside = {*accounts, *readers}
                for image in (image for images in own.values() for image in images if image.image_id in decided):
                    verdict = decided[image.image_id]
                    if verdict.remove and (image.organizations or set(image.shared_with) - inside):
                        decided[image.image_id] = replace(verdict, remove=False, reasons=frozenset({"shared"}))
        verdicts |= decided
        lost |= {text for looker in lookers for text in looker.lost}
    return Expected(verdicts, frozenset(lost), frozenset(config.from_ids) - verdicts.keys())


def _namings(lookers: Iterable[Looker]) -> dict[str, tuple[Naming, ...]]:
    found: dict[str, tuple[Naming, ...]] = {}
    for naming in (naming for looker in lookers for naming in looker.found):
        found[naming.image] = (*found.get(naming.image, ()), naming)
    return found


def _asked(decided: Mapping[str, Verdict]) -> set[str]:
    """All AMIs of every group out of which something would go; of named ones, which have no group, those themselves."""
    groups = {group for verdict in decided.values() if verdict.remove for group in verdict.groups}
    return {id for id, verdict in decided.items() if verdict.groups & groups or verdict.remove}


def _open_question(first: Verdict, verdict: Verdict, lookers: Iterable[Looker]) -> Verdict:
    """Named AMIs have no group: the contract leaves open whether those that stay anyway are asked about."""
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

    def refreshes(self) -> None:
        """Asked only once something would go."""
        if self.looks_at("auto-scaling-groups"):
            for refresh in self.region.refreshes.values():
                if refresh.status not in OVER:
                    self.configuration(refresh.desired_configuration or {}, ("instance-refresh", refresh.refresh_id))

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
        """`resolve:ssm:` with a name or an ARN, with a version or a label or none."""
        if text is None or not text.startswith("resolve:ssm:"):
            return text
        if not self.looks_at("launch-templates"):
            return None  # pins and aliases are left out with them
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


def _all(
    own: Mapping[object, Sequence[Image]], config: Config, now: datetime, namings: Mapping[str, tuple[Naming, ...]]
) -> dict[str, Verdict]:
    """Groups and N count in each Region of each account alone."""
    verdicts: dict[str, Verdict] = {}
    for place, images in own.items():
        judge = _named if config.from_ids else _grouped
        for id, verdict in judge(images, config, now, namings).items():
            apart = frozenset((place, group) for group in verdict.groups)
            verdicts[id] = replace(verdict, namings=namings.get(id, ()), groups=apart)
    return verdicts


def _named(
    images: Iterable[Image], config: Config, now: datetime, namings: Mapping[str, tuple[Naming, ...]]
) -> dict[str, Verdict]:
    verdicts = {}
    for image in images:
        if image.image_id in config.from_ids:
            reasons = [
                reason
                for reason in stays(image, config, now, namings)
                if reason in NAMED_STAYS and not (reason == "in-use" and config.ignore_in_use)
            ]
            verdicts[image.image_id] = Verdict(not reasons, frozenset({next(iter(reasons), "named")}))
    return verdicts


def _grouped(
    images: Iterable[Image], config: Config, now: datetime, namings: Mapping[str, tuple[Naming, ...]]
) -> dict[str, Verdict]:
    reasons: dict[str, str] = {}
    members: dict[object, list[Image]] = {}
    for image in images:
        found = next(stays(image, config, now, namings), None)
        if found is None and config.ami_min_days >= 0 and now - made(image) < timedelta(days=config.ami_min_days):
            found = "too-young"
        if found is not None:
            reasons[image.image_id] = found
            continue
        for group in groups(image, config):
            members.setdefault(group, []).append(image)
    for rest in members.values():
        rest.sort(key=lambda image: image.image_id)
        rest.sort(key=made, reverse=True)
        for image in [image for image in rest if image.state == "available"][: config.keep_previous]:
            reasons[image.image_id] = "kept-previous"
    return {
        image.image_id: Verdict(
            image.image_id not in reasons,
            frozenset({reasons.get(image.image_id, "old")}),
            groups=frozenset(() if reasons.get(image.image_id) == "not-selected" else groups(image, config)),
        )
        for image in images
    }


def stays(image: Image, config: Config, now: datetime, namings: Mapping[str, tuple[Naming, ...]]) -> Iterator[str]:
    """Every reason to stay that the AMI has by itself, in the contract's order; `shared` is asked last of all."""
    if image.image_id in namings:
        yield "in-use"
    if image.state not in ("available", "failed", "error", "invalid"):
        yield "state"
    elif image.created is None and not config.from_ids:
        yield "state"  # the contract is silent: what removes less
    if image.deregistration_protection not in (None, "", "disabled"):
        yield "protected"
    prefixes = ("aws:backup:", "aws:dlm:")
    if (
        "dlm:managed" in image.tags
        or any(key.startswith(prefixes) for key in image.tags)
        or (image.name or "").startswith("AwsBackup_")
    ):
        yield "managed"
    if image.public and not config.include_shared:
        yield "public"
    if any(has_tag(image, wanted) for wanted in config.keep_tag):
        yield "keep-tag"
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


def made(image: Image) -> datetime:
    assert image.created is not None  # one without a date stays for that
    return image.created


def has_tag(image: Image, wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in image.tags and (not equals or image.tags[key] == value)


def grouped_texts(image: Image, config: Config) -> list[str]:
    if config.mapping_key == "name":
        return [image.name or ""]
    return [image.tags[key] for key in config.mapping_values if image.tags.get(key)]


def selected(image: Image, config: Config) -> bool:
    name = image.name or ""
    return all(has_tag(image, wanted) for wanted in config.only_tag) and (
        not config.only_name or any(fnmatchcase(name, pattern) for pattern in config.only_name)
    )


def groups(image: Image, config: Config) -> set[object]:
    if config.mapping_key == "name":
        return {value for value in config.mapping_values if value in (image.name or "")}
    values = frozenset((key, image.tags[key]) for key in config.mapping_values if image.tags.get(key))
    return {values} if values or config.include_untagged else set()
