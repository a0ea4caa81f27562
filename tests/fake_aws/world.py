"""The simulated world: accounts and their Regions, roles, an organization.

Ids come from one counter, so the same test builds the same world. Hold `world.lock` for a change that other threads must not
see half done; builders and the server hold it themselves.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .region import RegionState
from .resources import Resource

Clock = Callable[[], datetime]

DEFAULT_ACCOUNT = "123456789012"

# A part of the real list. Newer Regions must be enabled for an account first.
REGIONS = {
    **dict.fromkeys(
        ("ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1",
         "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2",
         "us-west-1", "us-west-2"),
        "opt-in-not-required",
    ),
    "af-south-1": "not-opted-in",
    "ap-east-1": "not-opted-in",
    "eu-south-1": "opted-in",
}  # fmt: skip


@dataclass
class Account:
    world: World
    account_id: str
    opt_in: dict[str, str] = field(default_factory=lambda: dict(REGIONS))
    regions: dict[str, RegionState] = field(default_factory=dict)

    def region(self, name: str) -> RegionState:
        with self.world.lock:
            if name not in self.regions:
                self.opt_in.setdefault(name, "opt-in-not-required")
                self.regions[name] = RegionState(self.world, self.account_id, name)
            return self.regions[name]

    def enabled(self, region: str) -> bool:
        return self.opt_in.get(region, "not-opted-in") != "not-opted-in"


@dataclass
class AccessKey:
    account_id: str
    arn: str
    expires: datetime | None = None


@dataclass
class Role:
    arn: str
    trusted: set[str] | None = None  # account ids; None trusts every account of the world
    external_id: str | None = None

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]


@dataclass(kw_only=True)
class OrganizationAccount(Resource):
    account_id: str
    name: str
    state: str = "ACTIVE"


@dataclass
class Organization:
    management: str
    accounts: dict[str, OrganizationAccount] = field(default_factory=dict)


class World:
    def __init__(self, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, AccessKey] = {}
        self.roles: dict[str, Role] = {}
        self.organization: Organization | None = None
        # Emulators ignore DeleteAssociatedSnapshots and respond without results.
        self.deletes_associated = True
        # How long a restored snapshot is `recovering`.
        self.recovery = timedelta(0)
        self._ids = itertools.count(1)

    def new_id(self, prefix: str) -> str:
        return f"{prefix}-{next(self._ids):017x}"

    def account(self, account_id: str = DEFAULT_ACCOUNT) -> Account:
        """The account, created with an access key if it is new."""
        with self.lock:
            if account_id not in self.accounts:
                self.accounts[account_id] = Account(self, account_id)
                key = AccessKey(account_id, f"arn:aws:iam::{account_id}:user/fake_aws")
                self.keys[self.access_key(account_id)] = key
            return self.accounts[account_id]

    def region(self, name: str = "eu-west-1", account_id: str = DEFAULT_ACCOUNT) -> RegionState:
        return self.account(account_id).region(name)

    def access_key(self, account_id: str = DEFAULT_ACCOUNT) -> str:
        return f"AKIA{account_id}TEST"

    def credentials(self, account_id: str = DEFAULT_ACCOUNT) -> dict[str, str]:
        """Arguments for `boto3.Session` or a client."""
        self.account(account_id)
        return {"aws_access_key_id": self.access_key(account_id), "aws_secret_access_key": "secret"}

    def environment(self, url: str, region: str = "eu-west-1", account_id: str = DEFAULT_ACCOUNT) -> dict[str, str]:
        """Environment variables with which an unmodified program reaches the fake AWS at `url` and nothing else."""
        self.account(account_id)
        return {
            "AWS_ACCESS_KEY_ID": self.access_key(account_id),
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": region,
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_CONFIG_FILE": "/dev/null",
        }

    def session_key(self, role: Role, session_name: str, expires: datetime) -> str:
        """A temporary access key of an assumed role."""
        with self.lock:
            self.account(role.account_id)
            key = f"ASIA{next(self._ids):016d}"
            name = role.arn.rsplit("/", 1)[-1]
            arn = f"arn:aws:sts::{role.account_id}:assumed-role/{name}/{session_name}"
            self.keys[key] = AccessKey(role.account_id, arn, expires)
            return key

    def add_role(
        self,
        account_id: str,
        name: str = "cleaner",
        *,
        trusted: Iterable[str] | None = None,
        external_id: str | None = None,
    ) -> Role:
        self.account(account_id)
        arn = f"arn:aws:iam::{account_id}:role/{name}"
        role = Role(arn, None if trusted is None else set(trusted), external_id)
        self.roles[arn] = role
        return role

    def add_organization(self, management: str, members: Iterable[str] = ()) -> Organization:
        self.organization = Organization(management)
        for account_id in (management, *members):
            self.account(account_id)
            entry = OrganizationAccount(account_id=account_id, name=f"account-{account_id}")
            self.organization.accounts[account_id] = entry
        return self.organization
