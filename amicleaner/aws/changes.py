"""One changing call, from its token to its result: paced, written to the audit log before and after, tried again.

It decides nothing about AMIs.  Every change of a run goes through `Changer.change`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..actions import Change
from ..audit import AuditError, AuditLog, Subject
from ..clock import Clock
from ..errors import AwsError, CredentialsError, DeniedError, ThrottledError
from ..models import Failure, Target
from .api import Api
from .rate_limits import Retries

CALLS_AT_ONCE = 32
"""Changing calls in flight in all targets together, at most."""

STOP_GRACE = 20.0
"""Seconds that a call in flight gets after a stop; what has no answer then is reported as not known."""

IN_USE = "InvalidSnapshot.InUse"
"""Passing for some seconds after its AMI was deregistered, lasting where another AMI uses the snapshot."""

IN_USE_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)

WORKERS = 4
"""AMIs in work in one target together: at 80 ms a call they use up AWS's bucket in a few seconds."""

T = TypeVar("T")

End = Literal["done", "already", "refused", "expired", "stopped"]


@dataclass(slots=True)
class Attempts:
    """The tries of one change so far; kept over a pause in which it is checked again.  `lost`: a try got no answer, so AWS
    may have acted."""

    retries: Retries
    in_use_pauses: Iterator[float] = field(default_factory=lambda: iter(IN_USE_PAUSES))
    lost: bool = False
    error: AwsError | None = None

    def ended(self, end: End) -> "Changed":
        """The end of the change, with what is known of its tries."""
        return Changed(end, error=self.error, lost=self.lost)


@dataclass(frozen=True, slots=True)
class Changed:
    """How a change ended.

    `done` by this call, or `already` so before it; `refused` for good by AWS, or without an answer (`lost`); `expired`: what
    is known of the AMI became too old before the call was made; `stopped`: the run ends, and this call was not made.
    """

    end: End
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: AwsError | None = None
    lost: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether it is so now."""
        return self.end in ("done", "already")

    @property
    def code(self) -> str:
        """AWS's code, empty where there is no error."""
        return self.error.code if self.error else ""

    @property
    def denied(self) -> bool:
        """Whether the permission is missing."""
        return isinstance(self.error, DeniedError)

    @property
    def failure(self) -> Failure:
        """What the result of a change that did not succeed says."""
        if self.error is None:
            return Failure("Interrupted", "The run was stopped first.")
        message = self.error.message
        if self.lost:
            message = f"{message} (one try got no response: it may be done)".lstrip()
        return Failure(self.error.code, message, self.error.action)


@dataclass(eq=False)
class Changer:
    """The changing calls of a run.  Used from one event loop; the calls themselves run in threads.

    `stopping` is set once nothing new may be started, `stopped_by` is what ended the run early, besides an interruption;
    `called_at` is when the last call came back.
    """

    apis: Mapping[Target, Api]
    clock: Clock
    audit: AuditLog
    max_attempts: int
    pool: ThreadPoolExecutor
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    stopped_by: Exception | None = None
    _no_further_call: bool = False

    def __post_init__(self) -> None:
        self.called_at = self.clock.monotonic()
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    def halt(self, reason: Exception | None = None, *, at_once: bool = False) -> None:
        """Starts nothing new, for the first reason given.  `at_once`: no further call at all, not even to finish what was
        begun.  From the loop's own thread."""
        self.stopped_by = self.stopped_by or reason
        self._no_further_call = self._no_further_call or at_once
        self.stopping.set()

    def attempts(self) -> Attempts:
        """The tries of a change that was not tried yet."""
        return Attempts(Retries(self.clock, self.max_attempts))

    async def change(
        self,
        change: Change,
        subject: Subject,
        *,
        attempts: Attempts | None = None,
        expires: float = float("inf"),
        finishing: bool = False,
        **parameters: Any,
    ) -> Changed:
        """Makes one change, and tries again while its failure may pass.

        `expires` is until when (`clock.monotonic()`) what is known of the subject allows the call.  `finishing`: it
        completes what was begun, so that a stop does not prevent it.  Raises nothing that AWS answers.
        """
        tries = attempts or self.attempts()
        bucket = self.apis[subject.target].bucket(change)
        while True:
            while not bucket.take():
                if not await self.sleep(bucket.wait(), finishing=finishing):
                    return tries.ended("stopped")
            calling = False
            try:
                async with self._slots:
                    if self._forbidden(finishing):
                        return tries.ended("stopped")
                    calling = True
                    made, fatal = await self.in_thread(self._call, change, subject, expires, parameters)
            except asyncio.CancelledError:  # nobody waits any longer
                if not calling:
                    return tries.ended("stopped")
                message = f"no response within {STOP_GRACE:.0f} seconds of the stop"
                error = AwsError(change.name, "NoResponse", message, subject.target, acted=True)
                return Changed("refused", error=error, lost=True)
            if fatal:
                self.halt(fatal, at_once=True)
            if made.end == "expired":
                return tries.ended("expired")
            self.called_at = self.clock.monotonic()
            if made.error is None:
                tries.error, tries.lost = None, False  # whatever an earlier try did, it is done now
                return made
            tries.error = made.error
            tries.lost = tries.lost or made.error.acted
            if made.error.code in change.already:
                return tries.ended("already")
            if isinstance(made.error, CredentialsError):
                self.halt(made.error, at_once=True)
            if isinstance(made.error, ThrottledError):
                bucket.throttled()
            pause = next(tries.in_use_pauses, None) if made.error.code == IN_USE else tries.retries.pause(made.error)
            if pause is None or not await self.sleep(pause, finishing=finishing):
                return tries.ended("refused")

    async def in_thread(self, read: Callable[..., T], *arguments: Any) -> T:
        """What `read` returns, in a thread of the calls.  Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, read, *arguments)

    async def look(self, read: Callable[..., T], *arguments: Any) -> T | None:
        """The same; None where it cannot be read, or where no further call is made."""
        if self._no_further_call:
            return None
        try:
            return await self.in_thread(read, *arguments)
        except (AwsError, asyncio.CancelledError):
            return None

    async def carry_out(
        self, work: Iterable[Coroutine[Any, Any, None]], *, on_stop: Callable[[], None] = lambda: None
    ) -> None:
        """Runs all of `work` together, to its end; an error of one part stops the others.

        After a stop `on_stop` is called, and calls in flight get `STOP_GRACE` seconds.  What still hangs then ends with what
        is known of it.
        """
        finished = asyncio.gather(*map(self.halting, work))
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait((finished, stopped), return_when=asyncio.FIRST_COMPLETED)
        on_stop()
        await asyncio.wait((finished,), timeout=STOP_GRACE)
        if not finished.done():
            self.halt(at_once=True)
        finished.cancel()
        stopped.cancel()
        await asyncio.gather(finished, stopped, return_exceptions=True)

    async def halting(self, work: Coroutine[Any, Any, None]) -> None:
        """Does `work`; an error stops everything that changes something, and is what the run ends with."""
        try:
            await work
        except Exception as error:
            self.halt(error)

    def tell(self, report: Callable[[T], None], result: T) -> None:
        """Reports a result.  A view that fails ends the run, and loses no result."""
        try:
            report(result)
        except Exception as error:
            self.halt(error)

    async def sleep(self, seconds: float, *, finishing: bool = False) -> bool:
        """Waits; false once a stop forbids what comes next."""
        if self._forbidden(finishing):
            return False
        try:
            if finishing:
                await asyncio.sleep(seconds)
            else:
                async with asyncio.timeout(seconds):
                    await self.stopping.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            return False
        return not self._forbidden(finishing)

    def _forbidden(self, finishing: bool) -> bool:
        return self._no_further_call or (self.stopping.is_set() and not finishing)

    def _call(
        self, change: Change, subject: Subject, expires: float, parameters: dict[str, Any]
    ) -> tuple[Changed, Exception | None]:
        """In a thread: one call between its two lines in the audit log.  Returns also what ends the run, whatever AWS
        answered: a log that cannot be written, or a bug."""
        made, fatal = Changed("expired"), None
        if self.clock.monotonic() > expires:
            return made, None
        try:
            attempt = self.audit.before(change.name, subject)
        except AuditError as unlogged:
            return made, unlogged
        if self.clock.monotonic() <= expires:  # else the disk is slow, or the machine slept
            try:
                answer = self.apis[subject.target].call(change.call, attempts=1, **change.request(subject.id, **parameters))
                made = Changed("done", answer)
            except AwsError as refused:
                made = Changed("refused", error=refused)
            except Exception as bug:
                error = AwsError(change.name, type(bug).__name__, str(bug), subject.target, acted=True)
                made, fatal = Changed("refused", error=error), bug
        try:
            self.audit.after(attempt, change.name, subject, made.error, sent=made.end != "expired", answer=made.answer)
        except AuditError as unlogged:
            # What AWS answered counts even where it cannot be written down.
            fatal = fatal or unlogged
        return made, fatal
