"""It asks again: what is in use is read over and over while the deletion goes on.

The rule (docs/in-use.md): no deregistration rests on an answer older than 60 seconds or, where one reading of an
account's Region takes longer than that, than one reading.  An answer is as old as the moment at which it was begun.

A `Watch` is used from one thread.  It never waits: it starts readings in a pool, early enough that the deletion need not
pause, and `verdict` is None while there is no answer that is fresh enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from ...clock import Clock
from ...errors import AwsError
from ...models import Target, Use
from ..error_mapping import AMI_GONE
from ..usage import merge_uses

FRESH = 60.0
"""Seconds: how old an answer may be."""

AGAIN = 30.0
"""Seconds: how old an answer is when the next one is asked for, if one is going to be needed."""

IN_ONE_CALL = 10
"""AMIs that `DescribeImageReferences` takes (API reference)."""

T = TypeVar("T")


class Reading(Protocol):
    """What a reader returns (`usage.UsageReading`); times are those of `clock.monotonic()`."""

    @property
    def uses(self) -> Mapping[str, Sequence[Use]]:
        """AMI id -> what uses it."""

    @property
    def groups(self) -> Mapping[str, str]:
        """Auto Scaling group -> a digest that changes when it does."""

    @property
    def started(self) -> float:
        """When it was begun."""

    @property
    def finished(self) -> float:
        """When its last answer was there."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one AMI: what uses it, with whom outside the run it is shared.  Both empty: it may go, up to the
    moment `until` (`clock.monotonic()`), when the oldest answer behind it is no longer fresh."""

    used_by: tuple[Use, ...] = ()
    shared_with: tuple[str, ...] = ()
    until: float = field(default=float("inf"), compare=False)


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    value: T
    started: float
    finished: float

    @property
    def expires(self) -> float:
        """The last moment at which it is fresh."""
        took = self.finished - self.started
        return self.finished + took if took > FRESH else self.started + FRESH

    @property
    def due(self) -> float:
        """When the next one should be begun."""
        return self.started + AGAIN


_UNASKED: _Answer[tuple[Any, ...]] = _Answer((), float("inf"), float("inf"))
"""Where a question is not asked at all."""


@dataclass(slots=True, eq=False)
class _Account:
    """One account's Region.  `refreshing` grows only: what an instance refresh wanted once stays for this run."""

    target: Target
    read: Callable[[], Reading]
    groups: dict[str, str] = field(default_factory=dict)
    refreshing: dict[str, Sequence[Use]] = field(default_factory=dict)
    answer: _Answer[Reading] | None = None
    future: Future[tuple[_Answer[Reading], Mapping[str, Sequence[Use]]]] | None = None


class Watch:
    """What protects AMIs now, in all accounts of the run."""

    def __init__(
        self,
        clock: Clock,
        pool: Executor,
        *,
        readers: Mapping[Target, Callable[[], Reading]],
        readings: Mapping[Target, Reading],
        refreshes: Callable[[Target, Any, Sequence[str]], Mapping[str, Sequence[Use]]] | None = None,
        references: Callable[[Target, Sequence[str]], Mapping[str, Sequence[Use]]] | None = None,
        references_since: float | None = None,
        permissions: Callable[[Target, str], Iterable[str]] | None = None,
    ) -> None:
        """All callables raise AwsError, run in `pool`, and may run side by side; none may wait for `pool` itself.

        readers: every account of the run, those that are only read included, in each Region: a full new reading.
        readings: the plan's own, as first answers; a target without one is read before anything goes.
        refreshes: instance refreshes of the named groups, those that changed or came since the last reading.
        references: who references these AMIs (10 at most) of a target, besides what the readers see; None: not asked.
        references_since: since when (`clock.monotonic()`) the plan knows that nothing references the AMIs that go.
        permissions: whom outside the run one AMI is shared with; None: not asked beside the deletion.

        For `--ignore-in-use` leave `readers` and `references` empty.  To end a reading that nobody needs any more,
        shut down the pool that the readers make their calls in, with `cancel_futures`.
        """
        self.failure: Exception | None = None
        """The reading that failed: nothing may be deregistered any more."""
        self._clock = clock
        self._pool = pool
        self._refreshes = refreshes
        self._ring: Callable[[], None] = lambda: None
        self._regions: dict[str, list[_Account]] = defaultdict(list)
        for target, read in sorted(readers.items()):
            account = _Account(target, read)
            if target in readings:
                first = readings[target]
                account.answer = _Answer(first, first.started, first.finished)
                account.groups = dict(first.groups)
            self._regions[target.region].append(account)
        self._references = _Questions(references, IN_ONE_CALL, references_since) if references else None
        self._permissions = _Questions(_one_by_one(permissions), 1, None) if permissions else None

    def on_answer(self, ring: Callable[[], None]) -> None:
        """`ring` is called, from any thread, when an answer has come."""
        self._ring = ring

    @property
    def in_flight(self) -> bool:
        """Whether an answer is on its way."""
        return any(account.future for accounts in self._regions.values() for account in accounts) or any(
            questions.in_flight for questions in (self._references, self._permissions) if questions
        )

    def invalidate(self) -> None:
        """No answer up to now counts any more: call it after the question, for a person may have thought for long."""
        for accounts in self._regions.values():
            for account in accounts:
                account.answer = account.future = None
        for questions in (self._references, self._permissions):
            if questions:
                questions.invalidate()

    def collect(self) -> None:
        """Takes in the answers that came.  A failed one is kept in `failure`."""
        try:
            for accounts in self._regions.values():
                for account in accounts:
                    if account.future and account.future.done():
                        future, account.future = account.future, None
                        account.answer, refreshing = future.result()
                        account.groups = dict(account.answer.value.groups)
                        account.refreshing.update(refreshing)
            for questions in (self._references, self._permissions):
                if questions:
                    questions.collect()
        except Exception as error:
            self.failure = self.failure or error

    def prepare(self, target: Target, upcoming: Sequence[str], *, last: bool, lasts: float) -> None:
        """Starts what must be asked for a target's deletion: `upcoming` are the ids of the AMIs whose turn comes soon,
        in order, `last` says that none come after them, `lasts` is how many seconds it will take until all had theirs."""
        now = self._clock.monotonic()
        for account in self._regions.get(target.region, ()):
            answer = account.answer
            if account.future or (answer and (now < answer.due or now + lasts <= answer.expires)):
                continue
            account.future = self._submit(self._read, account)
        for questions in (self._references, self._permissions):
            if questions:
                questions.prepare(target, upcoming, last, now, self._ask)

    def verdict(self, target: Target, ami_id: str) -> Verdict | None:
        """What is known of an AMI from answers that are all fresh; None: wait for one.  Raises the reading's failure."""
        if self.failure:
            raise self.failure
        now = self._clock.monotonic()
        uses: list[Sequence[Use]] = []
        until = float("inf")
        for account in self._regions.get(target.region, ()):
            if not account.answer or now > account.answer.expires:
                return None
            uses += account.answer.value.uses.get(ami_id, ()), account.refreshing.get(ami_id, ())
            until = min(until, account.answer.expires)
        references = self._references.answer(target, ami_id, now) if self._references else _UNASKED
        shared = self._permissions.answer(target, ami_id, now) if self._permissions else _UNASKED
        if references is None or shared is None:
            return None
        used_by = merge_uses([{ami_id: users} for users in (*uses, references.value)]).get(ami_id, ())
        return Verdict(used_by, tuple(sorted(shared.value)), min(until, references.expires, shared.expires))

    def _read(self, account: _Account) -> tuple[_Answer[Reading], Mapping[str, Sequence[Use]]]:
        """Runs in the pool.  The refreshes of changed groups are part of the answer, so it is there when they are."""
        started = self._clock.monotonic()
        reading = account.read()
        changed = sorted(group for group, digest in reading.groups.items() if account.groups.get(group) != digest)
        uses = self._refreshes(account.target, reading, changed) if self._refreshes and changed else {}
        finished = max(reading.finished, self._clock.monotonic())
        return _Answer(reading, started, finished), uses

    def _ask(self, ask: Callable[[Target, Sequence[str]], Any], target: Target, ids: Sequence[str]) -> Future[_Answer[Any]]:
        def question() -> _Answer[Any]:
            started = self._clock.monotonic()
            value = ask(target, ids)
            return _Answer(value, started, self._clock.monotonic())

        return self._submit(question)

    def _submit(self, task: Callable[..., T], *arguments: Any) -> Future[T]:
        future = self._pool.submit(task, *arguments)
        future.add_done_callback(lambda _: self._ring())
        return future


class _Questions(Generic[T]):
    """Prompt for one AMI each, asked `size` AMIs at a time, shortly before their turn."""

    def __init__(
        self, ask: Callable[[Target, Sequence[str]], Mapping[str, Iterable[T]]], size: int, since: float | None
    ) -> None:
        self._call = ask
        self._size = size
        self._first: _Answer[tuple[T, ...]] | None = None if since is None else _Answer((), since, since)
        self._answers: dict[tuple[Target, str], _Answer[tuple[T, ...]]] = {}
        self._asked: set[tuple[Target, str]] = set()
        self._futures: dict[Future[_Answer[Mapping[str, Iterable[T]]]], tuple[Target, tuple[str, ...]]] = {}

    @property
    def in_flight(self) -> bool:
        return bool(self._futures)

    def invalidate(self) -> None:
        self._first = None
        self._answers.clear()
        self._asked.clear()
        self._futures.clear()

    def prepare(self, target: Target, upcoming: Sequence[str], last: bool, now: float, ask: Callable[..., Any]) -> None:
        """Full batches only, but for the last one, and where the AMI whose turn it is has no fresh answer."""
        known = {id: self._answers.get((target, id), self._first) for id in upcoming if (target, id) not in self._asked}
        wanted = [id for id, answer in known.items() if answer is None or now >= answer.due]
        for start in range(0, len(wanted), self._size):
            batch = tuple(wanted[start : start + self._size])
            urgent = batch[0] == upcoming[0] and self.answer(target, batch[0], now) is None
            if len(batch) == self._size or last or urgent:
                self._futures[ask(self._call, target, batch)] = (target, batch)
                self._asked.update((target, id) for id in batch)

    def collect(self) -> None:
        for future in [future for future in self._futures if future.done()]:
            target, ids = self._futures.pop(future)
            self._asked.difference_update((target, id) for id in ids)
            answer = future.result()
            for id in ids:
                value = tuple(answer.value.get(id, ()))
                self._answers[target, id] = _Answer(value, answer.started, answer.finished)

    def answer(self, target: Target, id: str, now: float) -> _Answer[tuple[T, ...]] | None:
        answer = self._answers.get((target, id), self._first)
        return answer if answer and now <= answer.expires else None


def _one_by_one(
    ask: Callable[[Target, str], Iterable[str]],
) -> Callable[[Target, Sequence[str]], Mapping[str, Iterable[str]]]:
    def question(target: Target, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        try:
            return {id: tuple(ask(target, id)) for id in ids}
        except AwsError as error:
            if error.code in AMI_GONE:  # nobody can use an AMI that is no more; its deregistration will say so
                return {}
            raise

    return question
