"""botocore's and AWS's errors as ours: which kind it is, what helps, and whether AWS may have acted nevertheless."""

import re
from socket import EAI_NONAME, gaierror
from traceback import walk_tb
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from ..errors import AwsError, CredentialsError, DeniedError, ThrottledError, TransientError, UnsupportedCallError
from ..models import Target

# The codes of all AWS services for a client that is too fast (botocore.retries.standard lists the same).
THROTTLES = frozenset(
    "BandwidthLimitExceeded CallRateLimitExceededException EC2ThrottledException LimitExceededException "
    "PriorRequestNotComplete ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled "
    "RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException TooManyRequestsException "
    "TransactionInProgressException".split()
)
TRANSIENT = frozenset(
    "InternalError InternalFailure RequestTimeout RequestTimeoutException ServiceUnavailable Unavailable".split()
)
DENIED = frozenset(
    "AccessDenied AccessDeniedException ForbiddenException InsufficientPrivilegesException UnauthorizedAccess "
    "UnauthorizedOperation".split()
)
BAD_CREDENTIALS = frozenset(
    "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature IncompleteSignatureException InvalidClientTokenId "
    "InvalidSignatureException InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException RequestExpired "
    "SignatureDoesNotMatch UnrecognizedClientException".split()
)
UNKNOWN_KEYS = frozenset("AuthFailure InvalidClientTokenId UnrecognizedClientException".split())
TIMED = frozenset("AuthFailure InvalidSignatureException RequestExpired SignatureDoesNotMatch".split())
"""Codes that AWS also returns for a request that was signed by a clock that is some minutes off."""
CLOCK = ", or correct this machine's clock"
ELSEWHERE = " No credentials are valid in a Region that is not enabled for the account."
LACKS = "The endpoint does not support this call. Check AWS_ENDPOINT_URL."
NOT_AWS = "The response is not from AWS. Check the endpoint URL and any proxy."
UNSUPPORTED = frozenset({"InvalidAction", "UnknownOperationException"})
CREDENTIALS_HINT = "Check the source of the AWS credentials: variables, the profile's credential_process, or a token file."
NOT_IMPLEMENTED = ("404", "Not yet implemented")
"""What a simulated endpoint returns for a service that it does not have."""
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
"""What botocore raises for a response that makes no sense: an invalid date, a missing member, a number without an end."""

NO_SUCH_HOST = "NoSuchHost"
"""The code of a call to a service that this Region does not have."""

SECRET = re.compile(
    r"(?<!\w)(\w*://)[^/\s]*(?=@)|(x-amz-security-token:\s*)[^\s']+|(Value ').*?(?=' at 'externalId')"
    r"""|(?<![^\s"'])(?![^\s"']*\barn:)[^\s"':]*:[^\s"']*(?=@)""",
    re.IGNORECASE | re.DOTALL,
)
"""What messages repeat: the whole address of a proxy or an endpoint (botocore), mistyped or not, the headers where a
signature is wrong (AWS), a value that is not taken (STS)."""


def map_error(name: str, exception: Exception, target: Target) -> AwsError:
    """The error of a call (`ec2:DescribeImages`) in one place, without the secrets that messages repeat.  An error that is
    not a call's is raised as it is."""
    if isinstance(exception, boto.ClientError) and exception.operation_name.startswith("AssumeRole"):
        # A role's credentials are made, and renewed, inside whichever call needs them; this is what was refused.
        name = f"sts:{exception.operation_name}"
    kind, code, message, hint, acted = _classify(name, exception)
    return kind(name, code, _masked(message), target, hint=hint, acted=acted, status=_status_of(exception))


def map_credentials_error(exception: Exception, target: Target) -> AwsError:
    """The error of looking for credentials, before any call.  Raises every other error again."""
    if isinstance(exception, boto.ClientError | boto.BotoCoreError):
        return map_error("credentials", exception, target)
    if isinstance(exception, (*PLAIN, RuntimeError)):
        text = _masked(str(exception))
        return CredentialsError("credentials", type(exception).__name__, text, target, hint=CREDENTIALS_HINT)
    raise exception


def _masked(text: str) -> str:
    return SECRET.sub(lambda found: f"{''.join(filter(None, found.groups()))}***", text)


def unknown_host(exception: BaseException) -> bool:
    """Whether DNS says that the endpoint's host does not exist, which is more than a host that does not respond."""
    cause: BaseException | None = exception
    if isinstance(exception, boto.EndpointConnectionError):
        cause = exception.kwargs.get("error")
    while cause is not None and not isinstance(cause, gaierror):
        cause = cause.__cause__ or cause.__context__
    return cause is not None and cause.errno == EAI_NONAME


def about_credentials(exception: Exception) -> bool:
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
"""The kind of error, AWS's code and message, what helps, and whether AWS may have acted nevertheless."""


def _classify(action: str, exception: Exception) -> _Told:
    name, text = type(exception).__name__, str(exception)
    if isinstance(exception, boto.ClientError):
        return _of_aws(action, exception)
    if isinstance(exception, NotImplementedError):
        return UnsupportedCallError, name, text or "the simulation does not have this call", LACKS, False
    if isinstance(exception, NO_CREDENTIALS):
        return CredentialsError, name, text, "Provide AWS credentials: a profile, environment variables or a role.", False
    if isinstance(exception, PLAIN) and about_credentials(exception):
        return CredentialsError, name, text, CREDENTIALS_HINT, False
    if isinstance(exception, RuntimeError) and "expired" in text:
        # botocore's text for credentials that were renewed and are still expired.
        return CredentialsError, "ExpiredToken", text, "Renew your AWS credentials, or check this machine's clock.", False
    if isinstance(exception, boto.BotoCoreError):
        return _of_the_way(name, text, exception)
    if isinstance(exception, SENSELESS) or (isinstance(exception, RuntimeError) and "timezone offset" in text):
        # For a date that is outside of time botocore has a RuntimeError.
        message = (text.splitlines() or [name])[0]
        return TransientError, "ResponseParserError", message, NOT_AWS, True
    raise exception


def _of_aws(action: str, exception: boto.ClientError) -> _Told:
    """An error response, from AWS or from something in its place."""
    answer, status = exception.response, _status_of(exception)
    code = str(answer.get("Error", {}).get("Code") or status or "Unknown")
    message = str(answer.get("Error", {}).get("Message") or exception)
    if code in THROTTLES or status == 429:
        return ThrottledError, code, message, "AWS throttled this call. Try again later.", False
    # EC2 says AuthFailure too of an AMI that somebody else owns; that is no reason to distrust the credentials.
    if code in BAD_CREDENTIALS and not message.startswith("Not authorized for"):
        clock = CLOCK if code in TIMED else ""
        elsewhere = ELSEWHERE if code in UNKNOWN_KEYS else ""
        hint = f"Renew your AWS credentials{clock}, then run the command again.{elsewhere}"
        return CredentialsError, code, message, hint, False
    if code in UNSUPPORTED or (code, message) == NOT_IMPLEMENTED:
        return UnsupportedCallError, code, message, LACKS, False
    if code in DENIED:
        return DeniedError, code, message, f"Grant the IAM action {action}.", False
    if code in TRANSIENT or status >= 500:
        return TransientError, code, message, "Try again later.", True
    # A page of HTML has no code.
    hint = NOT_AWS if code == str(status) else ""
    return AwsError, code, message, hint, False


def _of_the_way(name: str, text: str, exception: boto.BotoCoreError) -> _Told:
    """An error on the way to AWS or back, or before it: botocore's own."""
    if isinstance(exception, boto.HTTPClientError) and str(exception.kwargs.get("error")).startswith("Invalid header value"):
        # The rest of the text is that value: the session token, or what the request is signed with.
        hint = "Look for a line break in the AWS access key, the session token and the Region."
        return CredentialsError, name, "a value cannot be sent in an HTTP header", hint, False
    if isinstance(exception, boto.ProxyConnectionError):
        hint = "Check the proxy: HTTPS_PROXY, HTTP_PROXY, NO_PROXY."
        return TransientError, name, text, hint, not _never_sent(exception.kwargs.get("error"))
    if isinstance(exception, boto.SSLError):
        hint = "Check the certificates: AWS_CA_BUNDLE, those of a proxy, the endpoint's own."
        return TransientError, name, text, hint, True
    if isinstance(exception, boto.EndpointConnectionError | boto.ConnectTimeoutError):
        return TransientError, name, text, "Check the network, the Region and the endpoint.", False
    if isinstance(exception, boto.HTTPClientError | boto.ConnectionError):
        return TransientError, name, text, "Try again later.", True
    return AwsError, name, text, "", False
