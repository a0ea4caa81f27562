"""Every call to AWS goes through `Api`, which pages and retries.

botocore's own retries are off (`session.py`): they sleep by themselves, and what is throttled must be seen here, where
time is passed in.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as boto
from botocore import xform_name
from botocore.parsers import ResponseParserError

from ..actions import Change
from ..clock import SYSTEM_CLOCK, Clock
from ..errors import AwsError, ThrottledError, TransientError, UnsupportedCallError
from ..models import CallRecord, Target
from ..sources import OPERATIONS, Operation
from .concurrency import result_of, thread_pool
from .error_mapping import LACKS, NO_SUCH_HOST, PLAIN, about_credentials, map_error, unknown_host
from .rate_limits import Retries, TokenBucket, change_bucket, read_bucket

# The DNS suffixes of AWS's partitions and of its dual-stack names (botocore's partitions.json); VPC endpoints have them too.
AWS_SUFFIXES = tuple(
    ".amazonaws.com .amazonaws.com.cn .amazonaws.eu .api.aws .api.amazonwebservices.com.cn .api.amazonwebservices.eu "
    ".c2s.ic.gov .sc2s.sgov.gov .cloud.adc-e.uk .csp.hci.ic.gov .api.aws.ic.gov .api.aws.scloud .api.cloud-aws.adc-e.uk "
    ".api.aws.hci.ic.gov".split()
)

EVERYWHERE = frozenset({"autoscaling", "ec2", "organizations", "rbin", "ssm", "sts"})
"""Services in every Region: an unknown host is a failure of the network.  For other services it may mean that the Region
lacks the service."""


@dataclass(eq=False)
class Api:
    """The calls to one Region of one account.  Safe to use from several threads.

    `client` makes (and keeps) the boto3 client of a service; `attempts` counts the first try too; `stop`, once set, lets no
    further try begin; `observe` gets a record of each try.
    """

    target: Target
    client: Callable[[str], Any]
    _: KW_ONLY
    clock: Clock = SYSTEM_CLOCK
    attempts: int = 8
    stop: Event = field(default_factory=Event)
    observe: Callable[[CallRecord], None] = lambda record: None

    def __post_init__(self) -> None:
        self._answered: set[str] = set()
        self._buckets: dict[str, TokenBucket] = {}
        self._change_buckets: dict[str, TokenBucket] = {}

    def bucket(self, change: Change) -> TokenBucket:
        """The bucket of a changing call, one for the whole run: AWS's own doesn't know about our steps.  `call` takes
        nothing out of it."""
        if change.call not in self._change_buckets:
            self._change_buckets[change.call] = change_bucket(self.clock, change)
        return self._change_buckets[change.call]

    def call(self, action: str, *, attempts: int | None = None, unread: bool = False, **parameters: Any) -> dict[str, Any]:
        """One call (`DescribeImages`, `ssm:GetParameters`), tried again while it may help, at most `attempts` times.
        `unread` leaves the list of the response as it came, if `response_parser` took it out.

        Raises an `AwsError`, or one of its kinds (`errors.py`).
        """
        operation = OPERATIONS[action]
        retries = Retries(self.clock, attempts or self.attempts)
        if operation.many:
            self._buckets.setdefault(action, read_bucket(self.clock, full=True))
        while True:
            bucket = self._buckets.get(action)
            while bucket is not None and not bucket.take():
                self.clock.sleep(bucket.wait())
            client = self._client_of(action, operation)
            started = self.clock.monotonic()
            try:
                answer: dict[str, Any] = getattr(client, xform_name(operation.name))(**parameters)
                if operation.changes:
                    _check_done(answer)
                if not unread and isinstance(listed := answer.get(operation.items), Iterator):
                    answer[operation.items] = list(listed)
            except Exception as exception:
                error = map_error(operation.action, exception, self.target)
                self._record(action, started, error)
                exists = not self._answered.isdisjoint((action, operation.service))
                if not exists and unknown_host(exception) and not self._has(operation.service, client.meta.partition):
                    error.code = NO_SUCH_HOST
                    raise self._unsupported(error) from exception
                # What has answered before, a further page too, exists and is broken now.
                lacks = action not in self._answered and _lacks(operation, error, client.meta.endpoint_url)
                if isinstance(error, UnsupportedCallError) and action in self._answered:
                    error = self.error(action, error.code, error.message)
                error.exists = exists
                if isinstance(error, ThrottledError) and not operation.changes:
                    fresh = read_bucket(self.clock, full=False)
                    bucket = self._buckets.setdefault(action, fresh)
                    if bucket is not fresh:
                        bucket.throttled()
                pause = retries.pause(error, attempts=4 if lacks and error.code == "ResponseParserError" else None)
                if pause is None:
                    raise (self._unsupported(error) if lacks else error) from exception
                if self.stop.is_set():
                    raise error from exception
                self.clock.sleep(pause)
            else:
                self._answered.add(action)
                if operation.service not in EVERYWHERE:  # those have calls that not every Region has
                    self._answered.add(operation.service)
                self._record(action, started)
                return answer

    def _has(self, service: str, partition: str) -> bool:
        """Whether the Region is known to have the service (botocore's `endpoints.json`): then it has a host, and the network
        hides it."""
        if service in EVERYWHERE:
            return True
        return self.target.region in boto3.Session().get_available_regions(service, partition_name=partition)

    def _client_of(self, action: str, operation: Operation) -> Any:
        try:
            return self.client(operation.service)
        except (boto.BotoCoreError, *PLAIN) as exception:
            if isinstance(exception, boto.BotoCoreError) or about_credentials(exception):
                raise map_error(operation.action, exception, self.target) from exception
            raise self.error(action, type(exception).__name__, str(exception)) from exception

    def pages(self, action: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of a call.  A response without its list, or a token that is repeated, is an `AwsError`:
        a truncated response must never look like a short one.  The next page is asked for before the items of one are read,
        which takes as long as the answer."""
        operation = OPERATIONS[action]
        if operation.size:
            parameters[operation.size_member] = operation.size
        tokens: set[str] = set()
        with thread_pool(1, "page") as pool:
            answer = self.call(action, unread=True, **parameters)
            while True:
                listed = answer.get(operation.items)
                if not isinstance(listed, list | Iterator):
                    raise self.malformed(action, f"the response has no {operation.items}")
                token = answer.get(operation.next_page) if operation.next_page else None
                if token in tokens:
                    raise self.malformed(action, "the response repeats a page")
                if token:
                    tokens.add(token)
                    parameters[operation.next_page] = token
                    upcoming = pool.submit(self.call, action, unread=True, **parameters)
                try:
                    yield from listed
                except ResponseParserError as error:
                    raise self.malformed(action, str(error)) from error
                if not token:
                    return
                del answer, listed
                answer = result_of(upcoming)

    def error(self, action: str, code: str, message: str) -> AwsError:
        """An `AwsError` in this account and Region."""
        return AwsError(OPERATIONS[action].action, code, message, self.target)

    def malformed(self, action: str, message: str) -> AwsError:
        """The error of a response that can't be trusted."""
        return self.error(action, "MalformedResponse", message)

    def member(self, action: str, thing: Mapping[str, Any], name: str, what: str) -> Any:
        """A member that AWS always sends; the empty string is one.  Raises `malformed` without it."""
        if thing.get(name) is None:
            raise self.malformed(action, f"{what} has no {name}")
        return thing[name]

    def filled(self, action: str, thing: Mapping[str, Any], name: str, what: str) -> Any:
        """A member that AWS always sends, and never empty."""
        if not thing.get(name):
            raise self.malformed(action, f"{what} has no {name}")
        return thing[name]

    def _unsupported(self, error: AwsError) -> UnsupportedCallError:
        return UnsupportedCallError(error.action, error.code, error.message, self.target, hint=LACKS)

    def _record(self, action: str, started: float, error: AwsError | None = None) -> None:
        seconds, throttled = self.clock.monotonic() - started, isinstance(error, ThrottledError)
        outcome = error.code if error else "ok"
        self.observe(CallRecord(OPERATIONS[action].action, self.target, seconds, outcome, throttled))


def _lacks(operation: Operation, error: AwsError, endpoint: str) -> bool:
    """Whether this is an emulator's response to a call that it does not have: 500, 501, or something that does not parse."""
    if not isinstance(error, TransientError) or operation.changes or _is_aws(endpoint):
        return False
    if error.action != operation.action:  # a role's credentials could not be renewed
        return False
    return error.status in {500, 501} or error.code == "ResponseParserError"


def _check_done(answer: dict[str, Any]) -> None:
    """A proxy's page can parse as a response without members.  EC2 responds in XML, with a request id in its body, and
    `DeregisterImage` says in `Return` that it was done.  Raises ResponseParserError: it is unknown what happened."""
    metadata = answer.get("ResponseMetadata", {})
    kind = str(metadata.get("HTTPHeaders", {}).get("content-type", "")).partition(";")[0]
    told = answer.get("Return") or metadata.get("RequestId") or kind in ("text/xml", "application/xml")
    if not told or answer.get("Return") is False:
        raise ResponseParserError("the response does not say that it was done")


def _is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").lower().endswith(AWS_SUFFIXES)
