"""How a source's failures end: a Region without the service, a denied call, an endpoint that lacks it."""

from __future__ import annotations

from socket import EAI_AGAIN, EAI_NONAME, gaierror
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError
from urllib3.exceptions import NewConnectionError

from amicleaner.aws.api import Api
from amicleaner.aws.usage import READERS, guarded
from amicleaner.clock import Clock
from amicleaner.errors import TransientError
from amicleaner.models import Target
from amicleaner.sources import SOURCES, UsageSource

URL = "https://batch.eu-west-9.amazonaws.com"


def not_found(errno: int = EAI_NONAME) -> EndpointConnectionError:
    """What botocore raises where a host's name leads nowhere: the cause is in urllib3's error."""
    cause = NewConnectionError(None, "Failed to resolve")  # type: ignore[arg-type]
    cause.__cause__ = gaierror(errno, "Name or service not known")
    return EndpointConnectionError(endpoint_url=URL, error=cause)


class Failing:
    """An account whose every call ends in the given way."""

    def __init__(self, failure: Exception, region: str = "eu-west-9") -> None:
        self.calls = 0
        self.failure = failure
        clock = Clock(now=lambda: None, monotonic=lambda: 0.0, sleep=lambda seconds: None)  # type: ignore[arg-type,return-value]
        self.api = Api(Target("1", region), lambda service: self, clock=clock)
        self.meta = SimpleNamespace(endpoint_url=URL, partition="aws-cn" if region.startswith("cn-") else "aws")

    def __getattr__(self, method: str) -> Any:
        def call(**_: Any) -> Any:
            self.calls += 1
            raise self.failure

        return call

    def read(self, source: UsageSource) -> Any:
        return guarded(source, self.api, READERS[source])


(BATCH,) = (source for source in SOURCES if source.check == "batch")
IN_EVERY_REGION = ("ec2", "autoscaling")


def ids(source: UsageSource) -> str:
    return source.things


@pytest.mark.parametrize("source", [source for source in READERS if source.calls[0].service not in IN_EVERY_REGION], ids=ids)
def test_a_host_that_does_not_exist_says_that_the_region_lacks_the_service(source: UsageSource) -> None:
    failing = Failing(not_found())
    report = failing.read(source)
    assert (report.images, report.warnings, report.next_reads) == ([], [], [])
    assert failing.calls == 1


@pytest.mark.parametrize("region", ["eu-west-1", "cn-north-1"])
def test_a_host_of_a_service_that_the_region_has_is_an_error(region: str) -> None:
    """A private network may hide the host: the references there must not be missed."""
    with pytest.raises(TransientError) as caught:
        Failing(not_found(), region).read(BATCH)
    assert "--skip-check" not in caught.value.hint


@pytest.mark.parametrize("source", [source for source in READERS if source.calls[0].service in IN_EVERY_REGION], ids=ids)
def test_a_host_that_every_region_has_is_an_error(source: UsageSource) -> None:
    """EC2 and Auto Scaling are everywhere: the network is broken, or the Region's name is wrong."""
    with pytest.raises(TransientError) as caught:
        Failing(not_found()).read(source)
    assert "--skip-check" not in caught.value.hint


@pytest.mark.parametrize(
    "failure",
    [
        not_found(EAI_AGAIN),
        EndpointConnectionError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL, error=ConnectionRefusedError()),
        ConnectTimeoutError(endpoint_url=URL),
    ],
    ids=["temporary", "unknown", "refused", "timeout"],
)
def test_a_host_that_only_does_not_answer_is_an_error(failure: Exception) -> None:
    failing = Failing(failure)
    with pytest.raises(TransientError):
        failing.read(BATCH)
    assert failing.calls == 3
