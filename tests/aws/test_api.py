"""Every call: pages, tries again, and errors that say what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import RemoteDisconnected
from threading import Event
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from botocore import exceptions as boto
from botocore.credentials import ProcessProvider
from botocore.parsers import ResponseParserError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ProxyError

from amicleaner.aws.api import AWS_SUFFIXES, Api
from amicleaner.aws.error_mapping import BAD_CREDENTIALS, THROTTLES, TRANSIENT
from amicleaner.aws.response_parser import read_items
from amicleaner.clock import Clock
from amicleaner.errors import (
    AwsError,
    CredentialsError,
    DeniedError,
    ThrottledError,
    TransientError,
    UnsupportedCallError,
    describe,
)
from amicleaner.models import CallRecord, Target

AWS = "https://ec2.eu-west-1.amazonaws.com"
EMULATOR = "http://127.0.0.1:5000"
TARGET = Target("111111111111", "eu-west-1")


def refused(code: str, status: int = 400, message: str = "no", operation: str = "DescribeImages") -> boto.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return boto.ClientError(answer, operation)


class Fake:
    """A client that gives the answers of a list, one a call, and the last one for ever; and the time that passed."""

    def __init__(self, *answers: Any, endpoint: str = AWS, **options: Any) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.slept: list[float] = []
        self.records: list[CallRecord] = []
        self.client = SimpleNamespace(meta=SimpleNamespace(endpoint_url=endpoint))
        for method in ("describe_images", "deregister_image", "describe_image_references", "describe_auto_scaling_groups"):
            setattr(self.client, method, self.answer)
        clock = Clock(
            now=lambda: datetime(2024, 1, 1, tzinfo=UTC), monotonic=lambda: sum(self.slept), sleep=self.slept.append
        )
        self.api = Api(TARGET, lambda service: self.client, clock=clock, observe=self.records.append, **options)

    def answer(self, **parameters: Any) -> Any:
        self.asked.append(parameters)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def fails(self, kind: type[AwsError] = AwsError, action: str = "DescribeImages", **parameters: Any) -> AwsError:
        with pytest.raises(AwsError) as caught:
            self.api.call(action, **parameters)
        assert type(caught.value) is kind
        return caught.value


# Pages


def test_all_pages_are_read_each_with_a_page_size() -> None:
    """0.2.2 read one page."""
    fake = Fake(
        {"Images": [{"n": 1}, {"n": 2}], "NextToken": "a"},
        {"Images": [], "NextToken": "b"},
        {"Images": [{"n": 3}], "NextToken": ""},
        {"Images": [4]},
    )
    assert [item["n"] for item in fake.api.pages("DescribeImages", Owners=["self"])] == [1, 2, 3]
    assert [asked.get("NextToken") for asked in fake.asked] == [None, "a", "b"]
    assert all(asked["MaxResults"] == 1000 and asked["Owners"] == ["self"] for asked in fake.asked)


@pytest.mark.parametrize(
    "answers",
    [
        [{}],
        [{"Images": None}],
        [{"Images": [1], "NextToken": "a"}, {}],
        [{"Images": [1], "NextToken": "a"}, {"Images": [2], "NextToken": "a"}],
    ],
)
def test_a_truncated_response_is_an_error(answers: list[Any]) -> None:
    with pytest.raises(AwsError, match=r"^ec2:DescribeImages failed in account 1{12} Region eu-west-1: MalformedResponse: "):
        list(Fake(*answers).api.pages("DescribeImages"))


# Again


@pytest.mark.parametrize(
    "fault",
    [
        *(refused(code) for code in sorted(THROTTLES | TRANSIENT)),
        refused("Whatever", 500),
        refused("RequestLimitExceeded", 503),
        refused("Slower", 429),
        boto.ReadTimeoutError(endpoint_url=AWS),
        boto.ConnectionClosedError(endpoint_url=AWS),
        ResponseParserError("nonsense"),
        ValueError("time data is none"),
    ],
)
def test_what_may_pass_is_tried_again(fault: Exception) -> None:
    fake = Fake(*[fault] * 7, {"Images": []})
    assert fake.api.call("DescribeImages") == {"Images": []}
    assert len(fake.asked) == 8
    # The pauses are random, between a half and the whole of 9.75 seconds after throttles, of 17.75 after faults.
    assert 4.8 < sum(fake.slept) < 60
    assert max(fake.slept) <= 20


def test_what_does_not_pass_ends_with_its_own_code() -> None:
    fake = Fake(refused("Unavailable", 503), attempts=3)
    assert fake.fails(TransientError).code == "Unavailable"
    assert (len(fake.asked), len(fake.slept)) == (3, 2)


@pytest.mark.parametrize("code, kind", [("Unavailable", TransientError), ("RequestLimitExceeded", ThrottledError)])
def test_a_caller_may_want_no_second_try(code: str, kind: type[AwsError]) -> None:
    fake = Fake(refused(code, 503))
    fake.fails(kind, attempts=1)
    assert (len(fake.asked), fake.slept) == (1, [])


@pytest.mark.parametrize(
    "fault, hint",
    [
        (boto.EndpointConnectionError(endpoint_url=AWS), "Check the network"),
        (boto.ConnectTimeoutError(endpoint_url=AWS), "Check the network"),
        (boto.ProxyConnectionError(proxy_url="http://proxy"), "Check the proxy: HTTPS_PROXY"),
        (
            boto.SSLError(endpoint_url=AWS, error=ValueError("certificate verify failed")),
            "Check the certificates: AWS_CA_BUNDLE",
        ),
    ],
)
def test_nobody_listening_or_nobody_to_be_trusted_is_given_up_early(fault: Exception, hint: str) -> None:
    fake = Fake(fault)
    assert hint in describe(fake.fails(TransientError))
    assert len(fake.asked) == 3


def test_after_a_stop_nothing_is_tried_again() -> None:
    stop = Event()
    stop.set()
    fake = Fake(refused("Unavailable", 503), stop=stop)
    fake.fails(TransientError)
    assert (len(fake.asked), fake.slept) == (1, [])


def test_each_try_is_seen() -> None:
    fake = Fake(refused("Unavailable", 503), refused("PriorRequestNotComplete"), {"Images": []})
    fake.api.call("DescribeImages")
    assert [(record.action, record.target, record.outcome, record.throttled) for record in fake.records] == [
        ("ec2:DescribeImages", TARGET, "Unavailable", False),
        ("ec2:DescribeImages", TARGET, "PriorRequestNotComplete", True),
        ("ec2:DescribeImages", TARGET, "ok", False),
    ]


# What an error says


@pytest.mark.parametrize(
    "fault, kind, words",
    [
        (
            refused("UnauthorizedOperation", 403),
            DeniedError,
            "UnauthorizedOperation: no\nHint: Grant the IAM action ec2:DescribeImages.",
        ),
        (refused("AccessDenied", 403), DeniedError, "Grant the IAM action ec2:DescribeImages."),
        (refused("AccessDenied", 403, operation="AssumeRole"), DeniedError, "sts:AssumeRole failed"),
        (refused("AccessDenied", 403, operation="AssumeRole"), DeniedError, "Grant the IAM action sts:AssumeRole."),
        *((refused(code), CredentialsError, "Renew your AWS credentials") for code in sorted(BAD_CREDENTIALS)),
        (refused("AuthFailure", message="Not authorized for image: [ami-1]"), AwsError, "Not authorized for image"),
        (boto.NoCredentialsError(), CredentialsError, "Unable to locate credentials\nHint: Provide AWS credentials"),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), CredentialsError, "Provide AWS credentials"),
        (boto.UnauthorizedSSOTokenError(), CredentialsError, "Provide AWS credentials"),
        (boto.LoginTokenLoadError(error_msg="x"), CredentialsError, "Provide AWS credentials"),
        (boto.ParamValidationError(report="x"), AwsError, "ParamValidationError"),
        (refused("InvalidAction"), UnsupportedCallError, "InvalidAction: no"),
        (refused("UnknownOperationException", 404), UnsupportedCallError, "UnknownOperationException"),
        (NotImplementedError(), UnsupportedCallError, "NotImplementedError: the simulation does not have this call"),
    ],
)
def test_kinds_of_errors(fault: Exception, kind: type[AwsError], words: str) -> None:
    error = Fake(fault).fails(kind)
    assert words in describe(error)
    assert (error.account, error.region) == (TARGET.account, TARGET.region)
    assert "account 111111111111 Region eu-west-1" in describe(error)


@pytest.mark.parametrize(
    "fault, kind, acted",
    [
        (refused("InternalError", 500), TransientError, True),
        (boto.ReadTimeoutError(endpoint_url=AWS), TransientError, True),
        (boto.ConnectionClosedError(endpoint_url=AWS), TransientError, True),
        (ResponseParserError("x"), TransientError, True),
        (boto.EndpointConnectionError(endpoint_url=AWS), TransientError, False),
        (refused("RequestLimitExceeded", 503), ThrottledError, False),
    ],
)
def test_whether_aws_may_have_acted(fault: Exception, kind: type[AwsError], acted: bool) -> None:
    assert Fake(fault).fails(kind, "DeregisterImage", ImageId="ami-1").acted is acted


@pytest.mark.parametrize(
    "cause, acted",
    [
        (NewConnectionError(SimpleNamespace(), "Connection refused"), False),  # type: ignore[arg-type]
        (ConnectTimeoutError("too long"), False),
        (OSError("Tunnel connection failed: 407 Proxy Authentication Required"), False),
        (RemoteDisconnected("Remote end closed connection without response"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
    ],
)
def test_behind_a_proxy_that_was_cut_off_aws_may_have_acted(cause: Exception, acted: bool) -> None:
    error = ProxyError("Unable to connect to proxy", cause)
    fault = boto.ProxyConnectionError(proxy_url="http://proxy", error=error)
    assert Fake(fault).fails(TransientError, "DeregisterImage", ImageId="ami-1").acted is acted


@pytest.mark.parametrize(
    "fault, kind",
    [(boto.NoRegionError(), AwsError), (boto.NoCredentialsError(), CredentialsError), (ValueError("url"), AwsError)],
)
def test_no_client_no_call(fault: Exception, kind: type[AwsError]) -> None:
    def client(service: str) -> Any:
        raise fault

    with pytest.raises(kind) as caught:
        Api(TARGET, client).call("DescribeImages")
    assert type(caught.value) is kind
    assert caught.value.code == type(fault).__name__


def credential_process(prints: bytes | Exception) -> Exception:
    """What botocore raises where a profile's `credential_process` prints this, or can't be started."""

    def start(words: Any, **_: Any) -> Any:
        if isinstance(prints, Exception):
            raise prints
        return SimpleNamespace(communicate=lambda: (prints, b""), returncode=0)

    config = {"profiles": {"odd": {"credential_process": "helper"}}}
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        ProcessProvider("odd", lambda: config, popen=start).load()
    return caught.value


@pytest.mark.parametrize(
    "prints, code",
    [
        (FileNotFoundError(2, "No such file or directory", "helper"), "FileNotFoundError"),
        (PermissionError(13, "Permission denied", "helper"), "PermissionError"),
        (ResponseParserError("STS answers with a page"), "ResponseParserError"),
        (b"nonsense", "JSONDecodeError"),
        (b"\xff", "UnicodeDecodeError"),
        (b"[]", "AttributeError"),
        (b'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "B", "Expiration": "soon"}', "ParserError"),
        (b'{"Version": 1}', "CredentialRetrievalError"),
    ],
)
@pytest.mark.parametrize("endpoint", [AWS, EMULATOR])
def test_what_gives_no_credentials_is_no_answer_of_aws(prints: bytes | Exception, code: str, endpoint: str) -> None:
    """It is told as what it is, is not asked again, and is never a call that an emulator lacks."""
    fault = credential_process(prints)
    fake = Fake(fault, endpoint=endpoint)
    error = fake.fails(CredentialsError, "DescribeImageReferences")
    assert (error.code, len(fake.asked)) == (code, 1)
    assert "credentials" in error.hint

    def client(service: str) -> Any:
        raise fault

    with pytest.raises(CredentialsError) as caught:
        Api(TARGET, client).call("DescribeImages")
    assert caught.value.code == code


@pytest.mark.parametrize("error", ["Invalid header value b'to-ken\\n'", "Invalid header value b'AWS4 Signature=to-ken\\n'"])
def test_a_session_token_with_a_line_break_is_not_shown(error: str) -> None:
    fake = Fake(boto.HTTPClientError(error=ValueError(error)))
    told = describe(fake.fails(CredentialsError))
    assert "to-ken" not in told
    assert "line break" in told
    assert len(fake.asked) == 1


MISTYPED = ("http:/me:word@proxy", "http:me:word@proxy", "http//me:word@proxy", "http://me:12/word@proxy", "me:word@proxy")


@pytest.mark.parametrize(
    "fault, shown",
    [
        (boto.HTTPClientError(error="Failed to parse: http://me:pass-word@proxy:99999"), "http://***@proxy"),
        (boto.EndpointConnectionError(endpoint_url="http://me:pass-word@127.0.0.1/"), "http://***@127"),
        *((boto.ProxyConnectionError(proxy_url=url), "***@proxy") for url in MISTYPED),
        *((ValueError(f"Invalid endpoint: {url}"), "***@proxy") for url in MISTYPED),
    ],
)
def test_the_password_of_a_proxy_or_an_endpoint_is_not_shown(fault: Exception, shown: str) -> None:
    told = str(Fake(fault).fails(TransientError))
    assert "word" not in told
    assert shown in told


def test_the_name_of_a_session_is_no_password() -> None:
    message = "User: arn:aws:sts::123456789012:assumed-role/admin/jane@example.com is not authorized"
    assert message in str(Fake(refused("AccessDenied", 403, message)).fails(DeniedError))


def test_an_html_page_is_reported_as_such() -> None:
    """A proxy that wants a password, as botocore hands it on."""
    answer: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": 407}}
    error = Fake(boto.ClientError(answer, "DescribeImages")).fails()
    assert (error.code, error.hint) == ("407", "The response is not from AWS. Check the endpoint URL and any proxy.")


@pytest.mark.parametrize("code", ["AuthFailure", "InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch"])
def test_a_clock_that_is_off_may_be_why_aws_does_not_believe(code: str) -> None:
    assert "Renew your AWS credentials, or correct this machine's clock" in Fake(refused(code)).fails(CredentialsError).hint
    assert "clock" not in Fake(refused("ExpiredToken")).fails(CredentialsError).hint


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError('Unable to calculate correct timezone offset for "1e300"'),
        OverflowError("date value out of range"),
        RecursionError("maximum recursion depth exceeded"),
        IndexError(),
        TypeError(),
    ],
)
def test_what_botocore_raises_of_an_answer_that_makes_no_sense(error: Exception) -> None:
    told = Fake(error).fails(TransientError)
    assert (told.code, told.acted) == ("ResponseParserError", True)


def test_what_is_no_fault_of_a_call_passes_through() -> None:
    fake = Fake(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        fake.api.call("DescribeImages")


# What an emulator lacks

LACKING: list[Callable[[], Exception]] = [
    lambda: refused("InternalError", 500),
    lambda: refused("500", 500),
    lambda: refused("InternalFailure", 501),
    lambda: refused("NotImplemented", 501),
    lambda: ResponseParserError("nonsense"),
]


@pytest.mark.parametrize("fault", LACKING)
def test_an_emulator_that_keeps_failing_does_not_have_the_call(fault: Callable[[], Exception]) -> None:
    told = Fake(fault(), endpoint=EMULATOR).fails(UnsupportedCallError, "DescribeImageReferences")
    assert "DescribeImageReferences" in describe(told)
    assert "endpoint" in told.hint


@pytest.mark.parametrize("fault", LACKING)
@pytest.mark.parametrize("suffix", AWS_SUFFIXES)
def test_aws_always_has_it(fault: Callable[[], Exception], suffix: str) -> None:
    for host in (f"https://ec2.x{suffix}", f"https://VPCE-1.ec2.x.vpce{suffix}:443"):
        Fake(fault(), endpoint=host, attempts=1).fails(TransientError, "DescribeImageReferences")


@pytest.mark.parametrize("endpoint", ["https://amazonaws.com.example.org", "https://notamazonaws.com", "http://localhost"])
def test_what_only_looks_like_aws_is_not(endpoint: str) -> None:
    Fake(refused("x", 500), endpoint=endpoint, attempts=1).fails(UnsupportedCallError, "DescribeImageReferences")


@pytest.mark.parametrize(
    "fault, kind",
    [
        (refused("RequestLimitExceeded", 503), ThrottledError),
        (refused("x", 429), ThrottledError),
        (refused("RequestLimitExceeded", 500), ThrottledError),
        (refused("Unavailable", 503), TransientError),
        (boto.ReadTimeoutError(endpoint_url=EMULATOR), TransientError),
    ],
)
def test_an_emulator_that_is_busy_has_the_call(fault: Exception, kind: type[AwsError]) -> None:
    Fake(fault, endpoint=EMULATOR).fails(kind, "DescribeImageReferences")


@pytest.mark.parametrize("fault", LACKING)
def test_a_call_that_changes_something_is_never_taken_as_not_there(fault: Callable[[], Exception]) -> None:
    Fake(fault(), endpoint=EMULATOR).fails(TransientError, "DeregisterImage")


@pytest.mark.parametrize("fault", LACKING)
def test_what_has_answered_before_is_there_and_broken(fault: Callable[[], Exception]) -> None:
    fake = Fake({"Images": [1], "NextToken": "a"}, fault(), endpoint=EMULATOR)
    with pytest.raises(TransientError):
        list(fake.api.pages("DescribeImages"))


@pytest.mark.parametrize("fault", [refused("InvalidAction"), NotImplementedError()])
def test_a_call_that_succeeded_before_is_never_unsupported(fault: Exception) -> None:
    """Asked again during the deletion, it must protect what it protected before."""
    fake = Fake({"ImageReferences": []}, fault, endpoint=EMULATOR)
    fake.api.call("DescribeImageReferences")
    error = fake.fails(AwsError, "DescribeImageReferences")
    assert type(error) is AwsError


def test_a_transient_emulator_failure_is_retried() -> None:
    fake = Fake(*[refused("x", 500)] * 3, {"Images": []}, endpoint=EMULATOR)
    assert fake.api.call("DescribeImages") == {"Images": []}


def test_nonsense_is_given_up_early() -> None:
    """A person waits, and an emulator answers nonsense to each call that it lacks."""
    fake = Fake(ResponseParserError("x"), endpoint=EMULATOR)
    fake.fails(UnsupportedCallError, "DescribeImageReferences")
    assert len(fake.asked) == 4
    assert sum(fake.slept) < 2


def unread(*images: str, broken: bool = False) -> Iterator[Any]:
    node = fromstring("<imagesSet>" + "".join(f"<item>{image}</item>" for image in images) + "</imagesSet>")

    def item(child: Any) -> dict[str, Any]:
        if broken:
            raise ValueError("not what the model says")
        return {"ImageId": child.text}

    return read_items("DescribeImages", node, item)


def test_the_next_page_is_asked_for_before_the_items_of_one_are_read() -> None:
    second = Event()
    fake = Fake({"Images": unread("ami-1"), "NextToken": "more"}, {"Images": unread("ami-2")})
    answer = fake.answer

    def asked(**parameters: Any) -> Any:
        if "NextToken" in parameters:
            second.set()
        return answer(**parameters)

    fake.client.describe_images = asked
    pages = fake.api.pages("DescribeImages")
    assert next(pages) == {"ImageId": "ami-1"}
    assert second.wait(10)
    assert list(pages) == [{"ImageId": "ami-2"}]


def test_an_item_that_is_not_what_the_model_says_is_a_malformed_response() -> None:
    fake = Fake({"Images": unread("ami-1", broken=True)})
    with pytest.raises(AwsError) as caught:
        list(fake.api.pages("DescribeImages"))
    assert caught.value.code == "MalformedResponse"
