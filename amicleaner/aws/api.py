"""Every call to AWS goes through `Api`: one place that pages, tries again, and turns AWS's errors into ours.

botocore's own retries are off (`session.py`): they sleep by themselves, and what is throttled must be seen here, where
time is passed in.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from threading import Event
from traceback import walk_tb
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from ..clock import SYSTEM_CLOCK, Clock
from ..errors import AwsError, CredentialsError, NotOfferedError, ThrottledError, TransientError
from ..models import CallRecord, Target
from .operations import OPERATIONS, Operation
from .pace import Gate

# The union of what AWS's services answer to a client that is too fast (botocore.retries.standard lists the same).
THROTTLES = frozenset(
    "BandwidthLimitExceeded EC2ThrottledException LimitExceededException PriorRequestNotComplete "
    "ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown "
    "ThrottledException Throttling ThrottlingException TooManyRequestsException TransactionInProgressException".split()
)
TRANSIENT = frozenset(
    "InternalError InternalFailure RequestTimeout RequestTimeoutException ServiceUnavailable Unavailable".split()
)
DENIED = frozenset("AccessDenied AccessDeniedException UnauthorizedOperation UnauthorizedAccess".split())
BAD_CREDENTIALS = frozenset(
    "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature IncompleteSignatureException InvalidClientTokenId "
    "InvalidSignatureException InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException RequestExpired "
    "SignatureDoesNotMatch UnrecognizedClientException".split()
)
UNKNOWN_KEYS = frozenset("AuthFailure InvalidClientTokenId UnrecognizedClientException".split())
TIMED = frozenset("AuthFailure InvalidSignatureException RequestExpired SignatureDoesNotMatch".split())
"""What AWS answers, too, where a request is signed by a clock that is some minutes off."""
CLOCK = ", or set this machine's clock where it is wrong"
ELSEWHERE = " (or the Region is not enabled for the account: then no credentials are valid there)"
LACKS = "The endpoint does not have this call: check AWS_ENDPOINT_URL."
NOT_OFFERED = frozenset({"InvalidAction", "UnknownOperationException"})
NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.SSOError,
    boto.LoginError,
)
PLAIN = (OSError, ValueError, LookupError, TypeError, AttributeError, ResponseParserError)
"""What botocore lets through where a file is missing, or where what a `credential_process` or STS says makes no sense."""

SENSELESS = (ResponseParserError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
"""What botocore raises where an answer makes no sense: a date that is none, a missing member, a number without an end."""

# The DNS suffixes of AWS's partitions and of its dual-stack names (botocore's partitions.json); VPC endpoints have them too.
AWS_SUFFIXES = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.ic.gov",
    ".api.aws.scloud",
    ".api.cloud-aws.adc-e.uk",
    ".api.aws.hci.ic.gov",
)

SECRET = re.compile(
    r"(://)[^/\s]*(?=@)|(x-amz-security-token:\s*)[^\s']+|(Value ').*?(?=' at 'externalId')", re.IGNORECASE | re.DOTALL
)
"""What messages repeat: the whole address of a proxy or an endpoint (botocore), the headers where a signature is wrong
(AWS), a value that is not taken (STS)."""

MAX_WAIT = 5.0
"""Seconds: the longest pause after what broke."""

MAX_WAIT_THROTTLED = 2.0
"""Seconds: the longest pause after a throttle.  AWS's buckets fill by 20 a second (EC2's guide on throttling)."""

PATIENCE = 4
"""A throttled call is tried so many times more often than one that breaks: it is known that it will be answered."""


class Api:
    """The calls to one Region of one account.  Safe to use from several threads."""

    def __init__(
        self,
        target: Target,
        client: Callable[[str], Any],
        *,
        clock: Clock = SYSTEM_CLOCK,
        attempts: int = 8,
        stop: Event | None = None,
        observe: Callable[[CallRecord], None] | None = None,
    ) -> None:
        """`client` makes (and keeps) the boto3 client of a service; `attempts` counts the first try too; `stop`, once
        set, lets no further try begin."""
        self.target = target
        self.clock = clock
        self._client = client
        self._attempts = attempts
        self._stop = stop or Event()
        self._observe = observe
        self._answered: set[str] = set()
        self._gates: dict[str, Gate] = {}

    def call(self, action: str, *, attempts: int | None = None, **parameters: Any) -> dict[str, Any]:
        """One call (`DescribeImages`), tried again while its fault may pass, at most `attempts` times.

        Raises an `AwsError`, or one of its kinds: `ThrottledError`, `TransientError`, `NotOfferedError`, `CredentialsError`.
        """
        operation = OPERATIONS[action]
        limit = attempts or self._attempts
        tried = 0
        while True:
            tried += 1
            if operation.many:
                self._gates.setdefault(action, Gate(self.clock, many=True))
            if not operation.changes and action in self._gates:
                self._gates[action].enter()
            started = self.clock.monotonic()
            try:
                client = self._client(operation.service)
            except (boto.BotoCoreError, *PLAIN) as exception:
                if isinstance(exception, boto.BotoCoreError) or _about_credentials(exception):
                    raise self._translate(action, operation, exception) from exception
                raise self.error(action, type(exception).__name__, str(exception)) from exception
            try:
                answer: dict[str, Any] = getattr(client, operation.method)(**parameters)
                if operation.changes:
                    _check_done(answer)
            except Exception as exception:
                error = self._translate(action, operation, exception)
                self._record(operation, action, started, error.code)
                # What has answered before, a further page too, is there, and broken now.
                lacks = action not in self._answered and _lacks(action, operation, error, client.meta.endpoint_url)
                if isinstance(error, NotOfferedError) and action in self._answered:
                    error = self.error(action, error.code, error.message)
                if not isinstance(error, ThrottledError | TransientError) or tried >= _tries(error, limit, lacks):
                    raise (_not_offered(error) if lacks else error) from exception
                if self._stop.is_set():
                    raise error from exception
                longest = MAX_WAIT
                if isinstance(error, ThrottledError):
                    self._gates.setdefault(action, Gate(self.clock)).throttled()
                    longest = MAX_WAIT_THROTTLED
                self.clock.sleep(min(longest, 0.25 * 2 ** min(tried - 1, 10)) * random.uniform(0.5, 1.0))
            else:
                self._answered.add(action)
                self._record(operation, action, started, "ok")
                return answer

    def pages(self, action: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of a call.  An answer without its list, or a token that comes twice, is an `AwsError`:
        an answer cut short must never look like a short answer."""
        operation = OPERATIONS[action]
        if operation.size:
            parameters[operation.size_member] = operation.size
        tokens: set[str] = set()
        while True:
            answer = self.call(action, **parameters)
            if not isinstance(answer.get(operation.items), list):
                raise self.error(action, "MalformedResponse", f"the answer has no {operation.items}")
            yield from answer[operation.items]
            token = answer.get("NextToken")
            del answer
            if not token:
                return
            if token in tokens:
                raise self.error(action, "MalformedResponse", "the answer repeats a page")
            tokens.add(token)
            parameters["NextToken"] = token

    def error(self, action: str, code: str, message: str) -> AwsError:
        """An `AwsError` of this account and Region for an answer that came but can't be trusted."""
        return AwsError(
            f"{OPERATIONS[action].service}:{action}", code, message, account=self.target.account, region=self.target.region
        )

    def _record(self, operation: Operation, action: str, started: float, outcome: str) -> None:
        if self._observe:
            seconds = self.clock.monotonic() - started
            self._observe(CallRecord(f"{operation.service}:{action}", self.target, seconds, outcome))

    def _translate(self, action: str, operation: Operation, exception: Exception) -> AwsError:
        name = f"{operation.service}:{action}"
        if isinstance(exception, boto.ClientError) and exception.operation_name.startswith("AssumeRole"):
            # A role's credentials are made, and renewed, inside whichever call needs them; this is what was refused.
            name = f"sts:{exception.operation_name}"
        kind, code, message, hint, acted = _classify(name, exception)
        message = SECRET.sub(lambda found: f"{found[1] or found[2] or found[3]}***", message)
        status = _status_of(exception)
        return kind(
            name,
            code,
            message,
            account=self.target.account,
            region=self.target.region,
            hint=hint,
            acted=acted,
            status=status,
        )


def _lacks(action: str, operation: Operation, error: AwsError, endpoint: str) -> bool:
    """Whether this is how an emulator answers to a read that it does not have: 500, 501, or nothing that parses."""
    if not isinstance(error, TransientError) or operation.changes or _is_aws(endpoint):
        return False
    if error.action != f"{operation.service}:{action}":  # a role's credentials could not be renewed
        return False
    return error.status in {500, 501} or error.code == "ResponseParserError"


def _not_offered(error: AwsError) -> NotOfferedError:
    return NotOfferedError(
        error.action, error.code, error.message, account=error.account, region=error.region, hint=error.hint or LACKS
    )


def _tries(error: AwsError, limit: int, lacks: bool) -> int:
    """A person waits: a host that nobody answers for, or nobody to be trusted, is given up early, and an emulator that
    answers nonsense."""
    if error.code in {"EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"}:
        return min(limit, 3)
    if isinstance(error, ThrottledError) and limit > 1:
        return limit * PATIENCE
    return min(limit, 4) if lacks and error.code == "ResponseParserError" else limit


def _check_done(answer: dict[str, Any]) -> None:
    """A page of a proxy can parse as an answer without members.  EC2 answers in XML, with a request id in its body, and
    `DeregisterImage` says in `Return` that it was done.  Raises ResponseParserError: nobody knows what happened."""
    metadata = answer.get("ResponseMetadata", {})
    kind = str(metadata.get("HTTPHeaders", {}).get("content-type", "")).partition(";")[0]
    told = answer.get("Return") or metadata.get("RequestId") or kind in ("text/xml", "application/xml")
    if not told or answer.get("Return") is False:
        raise ResponseParserError("the answer does not say that it was done")


def _is_aws(endpoint: str) -> bool:
    return (urlsplit(endpoint).hostname or "").lower().endswith(AWS_SUFFIXES)


def _about_credentials(exception: Exception) -> bool:
    """Whether botocore met it, unprepared, where it fetches credentials, which is inside whichever call needs them."""
    if isinstance(exception, boto.BotoCoreError):
        return False
    return any(frame.f_globals.get("__name__") == "botocore.credentials" for frame, _ in walk_tb(exception.__traceback__))


def _never_sent(error: Any) -> bool:
    """Whether a proxy's error (urllib3's) came before it had the request.  Where a proxy is cut off later, behind which AWS
    may have acted, urllib3 calls it by the same name."""
    cause = getattr(error, "original_error", None)
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    return not kinds.isdisjoint({"NewConnectionError", "ConnectTimeoutError"}) or str(cause).startswith("Tunnel ")


def _status_of(exception: Exception) -> int:
    answer = exception.response if isinstance(exception, boto.ClientError) else {}
    return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


_Told = tuple[type[AwsError], str, str, str, bool]
"""The kind of error, AWS's code and message, what helps, and whether AWS may have acted all the same."""


def _classify(action: str, exception: Exception) -> _Told:
    name, text = type(exception).__name__, str(exception)
    if isinstance(exception, boto.ClientError):
        return _of_aws(action, exception)
    if isinstance(exception, NotImplementedError):
        return NotOfferedError, name, text or "the simulation does not have this call", LACKS, False
    if isinstance(exception, NO_CREDENTIALS):
        return CredentialsError, name, text, "Give AWS credentials: a profile, environment variables or a role.", False
    if isinstance(exception, PLAIN) and _about_credentials(exception):
        hint = "Check where the AWS credentials come from: variables, the profile's credential_process, a token's file."
        return CredentialsError, name, text, hint, False
    if isinstance(exception, RuntimeError) and "expired" in text:
        # botocore's word for credentials that were renewed and count as expired all the same.
        return CredentialsError, "ExpiredToken", text, "Renew your AWS credentials, or check this machine's clock.", False
    if isinstance(exception, boto.BotoCoreError):
        return _of_the_way(name, text, exception)
    if isinstance(exception, SENSELESS) or (isinstance(exception, RuntimeError) and "timezone offset" in text):
        # For a date that is outside of time botocore has a RuntimeError.
        message = (text.splitlines() or [name])[0]
        return TransientError, "ResponseParserError", message, "Check the endpoint: AWS answers otherwise.", True
    raise exception


def _of_aws(action: str, exception: boto.ClientError) -> _Told:
    """An error that was answered, by AWS or in its place."""
    answer, status = exception.response, _status_of(exception)
    code = str(answer.get("Error", {}).get("Code") or status or "Unknown")
    message = str(answer.get("Error", {}).get("Message") or exception)
    if code in THROTTLES or status == 429:
        return ThrottledError, code, message, "AWS limits how often this call may be made: try again later.", False
    # EC2 says AuthFailure too of an AMI that somebody else owns; that is no reason to distrust the credentials.
    if code in BAD_CREDENTIALS and not message.startswith("Not authorized for"):
        clock = CLOCK if code in TIMED else ""
        elsewhere = ELSEWHERE if code in UNKNOWN_KEYS else ""
        hint = f"Renew your AWS credentials{clock}, then run the command again{elsewhere}."
        return CredentialsError, code, message, hint, False
    if code in NOT_OFFERED:
        return NotOfferedError, code, message, LACKS, False
    if code in DENIED:
        return AwsError, code, message, f"Grant the IAM action {action}.", False
    if code in TRANSIENT or status >= 500:
        return TransientError, code, message, "", True
    # A page of HTML has no code.
    hint = "Check the proxy and the endpoint: AWS answers otherwise." if code == str(status) else ""
    return AwsError, code, message, hint, False


def _of_the_way(name: str, text: str, exception: boto.BotoCoreError) -> _Told:
    """An error on the way to AWS or back, or before it: botocore's own."""
    if isinstance(exception, boto.HTTPClientError) and str(exception.kwargs.get("error")).startswith("Invalid header value"):
        # The rest of the text is that value: the session token, or what the request is signed with.
        hint = "Look for a line break in the AWS access key, the session token and the Region."
        return CredentialsError, name, "a value can't be sent in a header", hint, False
    if isinstance(exception, boto.ProxyConnectionError):
        hint = "Check the proxy: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."
        return TransientError, name, text, hint, not _never_sent(exception.kwargs.get("error"))
    if isinstance(exception, boto.SSLError):
        hint = "Check the certificates: AWS_CA_BUNDLE, those of a proxy, the endpoint's own."
        return TransientError, name, text, hint, True
    if isinstance(exception, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        return TransientError, name, text, "Check the network, the Region and the endpoint.", False
    if isinstance(exception, boto.HTTPClientError | boto.ConnectionError):
        return TransientError, name, text, "", True
    return AwsError, name, text, "", False
