"""A larger account that shows the tool: two Regions, several families, an AMI for each reason, orphaned snapshots, an AMI in
quarantine and one in the Recycle Bin."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from ..actions import KEEP_UNTIL_TAG, QUARANTINE_TAG
from .account import DemoAccount, DemoImage, made_id

HOME = "eu-west-1"
AWAY = "us-east-1"
PROD_RETAINED_DAYS = 14


def account(now: datetime) -> DemoAccount:
    """The tour's account, as of `now`."""
    now = now.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    web = _family(now, "web", "prod", "web", number=9, every=7, gib=16, full=6.5)
    api = _family(now, "api", "prod", "api", number=7, every=14, gib=30, full=11.2)
    worker = _family(now, "worker", "staging", "worker", number=6, every=3, gib=8, full=3.1)
    dev = _family(now, "web-dev", "dev", "web", number=8, every=1, gib=16, full=6.4)
    api[5] = replace(api[5], instances=14, template="api")
    web[0] = replace(web[0], instances=3, template="web")
    worker[4] = replace(worker[4], parameter="/golden/worker")
    return DemoAccount(
        {
            HOME: (*web, *api, *worker, *dev, *_one_for_each_reason(now)),
            AWAY: _family(now, "edge", "prod", "edge", number=6, every=21, gib=8, full=2.4),
        },
        orphans=(("left-behind-a", 30, 420), ("left-behind-b", 16, 212), ("left-behind-c", 8, 97)),
        dangling=("batch-legacy",),
        retained_days=PROD_RETAINED_DAYS,
        retained_tags={"environment": "prod"},
    )


def _one_for_each_reason(now: datetime) -> list[DemoImage]:
    """AMIs that are kept although they are old, each for a reason of its own; and those that can be brought back."""
    prod = {"environment": "prod", "role": "web"}
    quarantined = {QUARANTINE_TAG: (now - timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")}
    next_year = {KEEP_UNTIL_TAG: f"{now + timedelta(days=60):%Y-%m-%d}"}

    def old(name: str, days: int, tags: Mapping[str, str] = prod, **more: Any) -> DemoImage:
        return DemoImage(
            name, now - timedelta(days=days), tags=tags, snapshot_tags=_environment(tags), gib=16, full_gib=6.1, **more
        )

    return [
        old("web-audit-2025", 330, {**prod, **next_year}),
        old("web-protected-base", 300, more={"DeregistrationProtection": "enabled-without-cooldown"}),
        old("AwsBackup_i-0c1f2ab34d56e7f89_nightly", 41, {**prod, "aws:backup:source-resource": "i-0c1f2ab34d56e7f89"}),
        old("web-partner", 280, shared_with="210987654321"),
        old("web-public-demo", 260, public=True),
        old("web-disabled-by-hand", 240, state="disabled"),
        old("web-enabled-by-hand", 235, {**prod, **quarantined}),
        old("web-in-quarantine", 220, {**prod, **quarantined}, state="disabled"),
        old("web-building", 0, state="pending"),
        old("web-broken", 90, state="failed"),
        old("test-import", 512, {}),
        old("web-deleted-yesterday", 230, recycled=True),
    ]


def _family(
    now: datetime, name: str, environment: str, role: str, *, number: int, every: int, gib: int, full: float
) -> list[DemoImage]:
    """AMIs of one role, the newest first, a few days apart."""
    tags = {"environment": environment, "role": role}
    images = []
    for place in range(number):
        created = now - timedelta(days=2 + place * every, hours=place)
        commit = sha256(f"{name} {place}".encode()).hexdigest()[:7]
        image = DemoImage(
            f"{name}-{created:%Y%m%d}-{commit}",
            created,
            id=made_id("ami", f"{name} {place}"),
            tags=tags,
            snapshot_tags=_environment(tags),
            gib=gib,
            full_gib=full,
        )
        images.append(image)
    return images


def _environment(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key == "environment"}
