"""Which accounts and Regions a run works in: profiles, roles, an organization, patterns over Regions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import boto3
from botocore import exceptions as boto
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from ..config import ACCOUNT_ID, ROLE_ARN, Config
from ..errors import AmicleanerError, UsageError
from ..models import Target
from .api import Api
from .concurrency import run_concurrently, thread_pool
from .error_mapping import SENSELESS
from .session import Clients, known_profiles, new_session, resolve_credentials, with_credentials

ACCOUNTS_AT_ONCE = 16
"""Accounts whose Regions are read at once, at most."""

FALLBACK_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""By partition, where the enabled Regions are asked for when nothing names one that exists."""

SessionMaker = Callable[[str | None], boto3.Session]
"""Makes a session for a profile's name, or for None from the environment."""

ApiMaker = Callable[[Target, Clients], Api]


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the run.  `id` is empty if it is not known; a `read_only` one is read for references alone.  `regions`
    are those of its profiles, for a run that names none."""

    id: str
    session: boto3.Session
    read_only: bool = False
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Location:
    """One Region of one account of the run, with its calls."""

    api: Api
    clients: Clients
    read_only: bool


def make_session(profile: str | None) -> boto3.Session:
    """A boto3 session; raises UsageError for a profile that does not exist or a broken AWS configuration."""
    try:
        return new_session(profile=profile)
    except boto.ProfileNotFound as error:
        raise UsageError(f"{error}.", hint=f"Existing profiles: {', '.join(known_profiles()) or 'none'}.") from error
    except (boto.BotoCoreError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"The AWS configuration cannot be read: {error}") from error


def check_sessions(config: Config, sessions: SessionMaker) -> None:
    """Raises UsageError for what can be found without a call: an unknown profile, a missing Region, all of them excluded."""
    made = [sessions(profile) for profile in config.profile or (None,)]
    for profile in config.used_by_profile:
        sessions(profile)
    if not config.region and config.apply_plan is None and not any(session.region_name for session in made):
        raise _no_region()
    wanted = config.region or [session.region_name for session in made if session.region_name]
    named = config.apply_plan is None and not any({*name} & {*"*?["} for name in wanted)
    if named and all(any(fnmatchcase(name, pattern) for pattern in config.exclude_region) for name in wanted):
        raise _none_left()


def _none_left() -> UsageError:
    return UsageError("--exclude-region excludes every Region.")


def _no_region() -> UsageError:
    return UsageError("No Region is set.", hint="Pass --region, set AWS_REGION, or set a region in the profile.")


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds out in which accounts and Regions a run works, and as whom."""

    config: Config
    sessions: SessionMaker
    make_api: ApiMaker

    def accounts(self, *, named: bool = False) -> list[Account]:
        """The accounts of the run, targets first; one that is also only read is a target.

        `named` asks for the account's id even in a run with one account (a plan needs it; some networks have no STS, so
        nothing else asks).
        """
        config = self.config
        base = self._session(config.profile[0] if config.profile else None)
        several = len(config.profile) > 1 or config.used_by_profile or config.used_by_role_arn
        if config.organization_role:
            found = self._organization(base)
        elif config.role_arn:
            found = [Account(_account_of(arn), self._assume(base, arn)) for arn in config.role_arn]
        else:
            profiles = [base, *(self._session(profile) for profile in config.profile[1:])]
            found = [Account(self._identity(s)[0] if several or named else "", s) for s in profiles]
        for profile in config.used_by_profile:
            session = self._session(profile)
            found.append(Account(self._identity(session)[0], session, read_only=True))
        for arn in config.used_by_role_arn:
            found.append(Account(_account_of(arn), self._assume(base, arn), read_only=True))
        unique: dict[str, Account] = {}
        for account in found:
            first = unique.setdefault(account.id, account)
            own = () if account.read_only else (account.session.region_name,)
            unique[account.id] = replace(first, regions=tuple(filter(None, dict.fromkeys([*first.regions, *own]))))
        return list(unique.values())

    def locations(self, accounts: Sequence[Account], targets: Sequence[Target] | None = None) -> list[Location]:
        """Every (account, Region) of the run, targets first, sorted.  `targets` of a saved plan say where it may delete.

        Where profiles have Regions of their own, the other accounts are read there too: their references protect.
        """
        owners = [account for account in accounts if not account.read_only]
        with thread_pool(ACCOUNTS_AT_ONCE, "account") as pool:
            if targets is None:
                regions = run_concurrently(pool, [partial(self._regions, account) for account in owners])
            else:
                regions = [sorted(target.region for target in targets if target.account == account.id) for account in owners]
            cleaned = {account.id: set(found) for account, found in zip(owners, regions, strict=True)}
            wanted = set().union(*regions)
            if not wanted:
                raise _none_left()
            # Patterns mean the same in every account: what one of them leaves out is not enabled there.
            same = bool(self.config.region) and targets is None
            more = [account for account in accounts if account.read_only or not (same or cleaned[account.id] == wanted)]
            # A Region that is not enabled in an account cannot be read there, and holds nothing.
            enabled = run_concurrently(pool, [partial(self._enabled_regions, account) for account in more])
        read = {account.id: wanted.intersection(found) for account, found in zip(more, enabled, strict=True)}
        locations = []
        for account in accounts:
            own = cleaned.get(account.id, set())
            for region in own | read.get(account.id, set()):
                locations.append(self._location(account.session, region, account.id, read_only=region not in own))
        return sorted(locations, key=lambda location: (location.read_only, location.api.target))

    def _regions(self, account: Account) -> list[str]:
        """The Regions of one target account."""
        config, own = self.config, account.regions
        if not config.region and not own:
            raise _no_region()
        if not config.region and not config.exclude_region:
            return list(own)
        return select_regions(config.region or own, config.exclude_region, self._enabled_regions(account))

    def _enabled_regions(self, account: Account) -> list[str]:
        location = self._location(account.session, account=account.id)
        try:
            answer = list(location.api.pages("DescribeRegions"))
        finally:
            location.clients.drop()
        for item in answer:
            location.api.filled("DescribeRegions", item, "RegionName", "a Region")
        return sorted({item["RegionName"] for item in answer if item.get("OptInStatus") != "not-opted-in"})

    def _session(self, profile: str | None) -> boto3.Session:
        """A session with its credentials, before calls in many threads ask for them."""
        session = self.sessions(profile)
        resolve_credentials(session, Target("", self._first_region(session)), self.config.connect_timeout)
        return session

    def _location(
        self, session: boto3.Session, region: str | None = None, account: str = "", *, read_only: bool = False
    ) -> Location:
        """The calls to a Region, or those that belong to none."""
        region = region or self._first_region(session)
        config = self.config
        clients = Clients(session, region, connect_timeout=config.connect_timeout, read_timeout=config.read_timeout)
        return Location(self.make_api(Target(account, region), clients), clients, read_only)

    def _first_region(self, session: boto3.Session) -> str:
        """The Region for calls that belong to no Region.  A mistyped Region has no host, so it is not used."""
        wanted = self.config.region
        for name in (name for name in wanted if not {*name} & {*"*?["}):
            if name in session.get_available_regions("ec2", _partition_of(session, name)):
                return name
        named = next((_partition_of(session, name) for name in wanted), "aws")
        return session.region_name or FALLBACK_REGIONS.get(named, FALLBACK_REGIONS["aws"])

    def _organization(self, base: boto3.Session) -> list[Account]:
        config = self.config
        own, partition = self._identity(base)
        api = self._location(base, account=own).api
        # `State` replaces `Status`, which AWS no longer promises after September 2026 (Organizations' `Account`).
        states: dict[str, str] = {}
        for account in api.pages("organizations:ListAccounts"):
            id, state = account.get("Id") or "", account.get("State") or account.get("Status")
            if not ACCOUNT_ID.fullmatch(id) or not state or states.setdefault(id, state) != state:
                raise api.malformed("organizations:ListAccounts", f"account {id or 'without an Id'} is malformed")
        unknown = set(config.exclude_account) - states.keys() - {own}
        if unknown:
            raise AmicleanerError(f"--exclude-account: {', '.join(sorted(unknown))} is not in this organization.")
        found = []
        for id in sorted(states.keys() | {own}):
            if id not in config.exclude_account and (id == own or states[id] == "ACTIVE"):
                arn = f"arn:{partition}:iam::{id}:role/{config.organization_role}"
                found.append(Account(id, base if id == own else self._assume(base, arn)))
        if not found:
            raise UsageError("--exclude-account excludes every account.")
        return found

    def _identity(self, session: boto3.Session) -> tuple[str, str]:
        """(account id, partition) of whoever the session's credentials belong to."""
        api = self._location(session).api
        answer = api.call("sts:GetCallerIdentity")
        account = str(api.filled("sts:GetCallerIdentity", answer, "Account", "the response"))
        arn = str(answer.get("Arn") or "").split(":")
        return account, arn[1] if len(arn) > 1 and arn[1] else "aws"

    def _assume(self, base: boto3.Session, arn: str) -> boto3.Session:
        """A session whose credentials come from assuming a role, and renew themselves before they expire."""
        extra: dict[str, Any] = {"RoleSessionName": "amicleaner"}
        if self.config.external_id is not None:
            extra["ExternalId"] = self.config.external_id
        source = base.get_credentials()
        if source is None:
            raise AmicleanerError(
                f"No AWS credentials were found to assume {arn} with.",
                hint="Provide AWS credentials: a profile, environment variables or a role.",
            )
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=self._location(base).clients.make,
            source_credentials=source,
            role_arn=arn,
            extra_args=extra,
        )
        return with_credentials(base, DeferredRefreshableCredentials(partial(_fetch, fetcher, arn), "assume-role"))


def _fetch(fetcher: AssumeRoleCredentialFetcher, arn: str) -> Any:
    """A role's credentials.  A malformed response is not an error of the call that waits for them."""
    try:
        return fetcher.fetch_credentials()
    except (*SENSELESS, RuntimeError) as error:
        told = f"the response of AssumeRole is malformed: {(str(error).splitlines() or [''])[0] or type(error).__name__}"
        raise boto.CredentialRetrievalError(provider=arn, error_msg=told) from error


def _account_of(arn: str) -> str:
    match = ROLE_ARN.fullmatch(arn)
    assert match, arn  # noqa: S101 - a `Config` holds no other
    return match[1]


def _partition_of(session: boto3.Session, region: str) -> str:
    try:
        return str(session.get_partition_for_region(region.replace("*", "east") + ("" if region[-1:].isdigit() else "-1")))
    except boto.BotoCoreError:
        return "aws"


def select_regions(wanted: Sequence[str], excluded: Sequence[str], enabled: Sequence[str]) -> list[str]:
    """The enabled Regions that match one of `wanted` and none of `excluded`, sorted.  Raises AmicleanerError for a name
    or a pattern that matches none."""
    for name in (*wanted, *excluded):
        if not any(fnmatchcase(region, name) for region in enabled):
            raise AmicleanerError(f"Region {name!r} is not enabled for this account. Enabled: {', '.join(enabled)}.")
    return [
        region
        for region in enabled
        if any(fnmatchcase(region, name) for name in wanted) and not any(fnmatchcase(region, name) for name in excluded)
    ]
