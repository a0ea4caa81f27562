"""Fault injection: rules by which single calls fail.

| kind | what happens | takes effect |
|---|---|---|
| `refuse` | an error with `code`, `message`, `status` | no |
| `deny` | the error for a missing IAM permission | no |
| `throttle` | the service's throttling error | no |
| `http500` | status 500 with an HTML page (botocore: ResponseParserError, not retried) | no |
| `html`, `empty` | status 200 with an HTML page, or with nothing (botocore: ResponseParserError) | no |
| `xhtml` | status 200 with a page that is also XML (botocore: a response without members!) | no |
| `truncated` | status 200 and the first half of the true response | yes |
| `unreachable` | nobody listens (on a real socket: the connection is closed at once) | no |
| `cut` | the connection is closed without a response | no |
| `lost` | the same, after the call has taken effect | yes |
| `cut-after` | the call takes effect, and the connection is closed in the middle of the response | yes |
| `hang`, `hang-after` | silence until released, then the connection is closed | no, yes |
| `do` | `do(world, call)` is called, and the call succeeds | yes |
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from .calls import Call
from .errors import ApiError, Broken, denied
from .rates import throttled
from .wire import Response, plain
from .world import World

Kind = Literal[
    "refuse", "deny", "throttle", "http500", "html", "xhtml", "empty", "truncated", "unreachable", "cut", "lost",
    "cut-after", "hang", "hang-after", "do",
]  # fmt: skip

# As moto's server sends it. From a page that starts with <html> botocore makes an error with the code 500 instead.
HTML = b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>It is not you</h1>\n"
XHTML = b"<html><head><title>Please log in</title></head><body><h1>Please log in</h1></body></html>"


@dataclass
class Fault:
    action: str  # a name or a pattern: DescribeImages, Describe*, autoscaling:*
    kind: Kind
    nth: int = 1  # the first matching call that fails
    times: int | None = 1  # how many fail; None: all from then on
    page: int | None = None  # of a listing: only calls for this page fail
    when: Callable[[Call], bool] | None = None
    code: str = "UnauthorizedOperation"
    message: str = "You are not authorized to perform this operation."
    status: int = 403
    do: Callable[[World, Call], object] | None = None
    seen: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def matches(self, call: Call) -> bool:
        return (
            any(fnmatchcase(name, self.action) for name in (call.action, call.name))
            and self.page in (None, call.page)
            and (self.when is None or self.when(call))
        )

    def before(self, call: Call, world: World) -> Response | None:
        """The response instead of the true one, if any. Raises the error, or Broken."""
        match self.kind:
            case "refuse":
                raise ApiError(self.code, self.message, self.status)
            case "deny":
                raise denied(call.service, call.name)
            case "throttle":
                raise throttled(call.service)
            case "unreachable" | "cut":
                raise Broken(self.kind)
            case "hang":
                raise Broken(self.kind, self.released)
            case "http500":
                return plain(500, HTML)
            case "html":
                return plain(200, HTML)
            case "xhtml":
                return plain(200, XHTML)
            case "empty":
                return plain(200, b"")
            case "do" if self.do is not None:
                self.do(world, call)
        return None

    def after(self, response: Response) -> Response:
        """The response that the client gets once the call has taken effect."""
        match self.kind:
            case "lost":
                raise Broken(self.kind)
            case "hang-after":
                raise Broken(self.kind, self.released)
            case "truncated" | "cut-after":
                # Both look the same to a client that does not compare the body with its announced length.
                return response._replace(body=response.body[: len(response.body) // 2])
        return response


class Faults(list[Fault]):
    """The rules. The first one that is due for a call applies."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def take(self, call: Call) -> Fault | None:
        chosen = None
        with self._lock:
            for fault in self:
                if not fault.matches(call):
                    continue
                fault.seen += 1
                due = fault.seen >= fault.nth and (fault.times is None or fault.seen < fault.nth + fault.times)
                if due and chosen is None:
                    chosen = fault
        return chosen

    def release(self) -> None:
        """Release every call that hangs."""
        for fault in self:
            fault.released.set()
