"""Rules by which single calls go wrong.

| kind | what happens | acted |
|---|---|---|
| `refuse` | an error with `code`, `message`, `status` | no |
| `deny` | the caller lacks the IAM action | no |
| `throttle` | the service's own throttling error | no |
| `http500` | status 500 with a page of HTML (botocore: ResponseParserError, not tried again) | no |
| `html`, `empty` | status 200 with a page of HTML, with nothing (botocore: ResponseParserError) | no |
| `xhtml` | status 200 with a page that is XML too (botocore: an answer without any member!) | no |
| `truncated` | status 200 and the first half of the true answer | yes |
| `unreachable` | nobody listens (on a real socket: closed at once) | no |
| `cut` | the connection is closed without an answer | no |
| `lost` | the same, but AWS has acted | yes |
| `cut-after` | AWS has acted, the connection is closed in the middle of the answer | yes |
| `hang`, `hang-after` | silence for `seconds` or until released, then the connection is closed | no, yes |
| `do`, `do-after` | `do(world, call)` is called, then all goes well | yes |
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
from .wire import Answer, plain
from .world import World

Kind = Literal[
    "refuse", "deny", "throttle", "http500", "html", "xhtml", "empty", "truncated", "unreachable", "cut", "lost",
    "cut-after", "hang", "hang-after", "do", "do-after",
]  # fmt: skip

# As moto's server says it. To a status 500 with a page that starts with <html> botocore gives the code 500.
HTML = b"<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>It is not you</h1>\n"
XHTML = b"<html><head><title>Please log in</title></head><body><h1>Please log in</h1></body></html>"


@dataclass
class Fault:
    action: str  # a name or a pattern: DescribeImages, Describe*, autoscaling:*
    kind: Kind
    nth: int = 1  # the first of the matching calls that goes wrong
    times: int | None = 1  # how many do; None: all from then on
    page: int | None = None  # only a call for this page of a listing
    when: Callable[[Call], bool] | None = None
    code: str = "UnauthorizedOperation"
    message: str = "You are not authorized to perform this operation."
    status: int = 403
    body: bytes | None = None  # for the kinds with a page
    seconds: float | None = None
    do: Callable[[World, Call], object] | None = None
    seen: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def matches(self, call: Call) -> bool:
        return (
            any(fnmatchcase(name, self.action) for name in (call.action, call.name))
            and self.page in (None, call.page)
            and (self.when is None or self.when(call))
        )

    def before(self, call: Call, world: World) -> Answer | None:
        """What happens instead of acting: an answer, an error, or nothing."""
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
                raise Broken(self.kind, self.seconds, self.released)
            case "http500":
                return plain(500, HTML if self.body is None else self.body)
            case "html":
                return plain(200, HTML if self.body is None else self.body)
            case "xhtml":
                return plain(200, XHTML if self.body is None else self.body)
            case "empty":
                return plain(200, b"")
            case "do" if self.do is not None:
                self.do(world, call)
        return None

    def after(self, call: Call, world: World, answer: Answer) -> Answer:
        """What becomes of an answer once AWS has acted."""
        match self.kind:
            case "lost":
                raise Broken(self.kind)
            case "hang-after":
                raise Broken(self.kind, self.seconds, self.released)
            case "truncated" | "cut-after":
                # A client that does not compare the body with its announced length sees the same in both.
                return answer._replace(body=answer.body[: len(answer.body) // 2])
            case "do-after" if self.do is not None:
                self.do(world, call)
        return answer


class Faults(list[Fault]):
    """The rules; of those that match a call, the first that is due."""

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
        """Let go of every call that hangs."""
        for fault in self:
            fault.released.set()
