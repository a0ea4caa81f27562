"""Several calls at once, with the outcome that one after another would have had."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

from ..interrupts import LOOK

T = TypeVar("T")


@contextmanager
def thread_pool(threads: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool of threads.  Its end waits for no call that is still in flight, so that Ctrl-C ends the run at once."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def run_concurrently(pool: Executor, calls: Sequence[Callable[[], T]]) -> list[T]:
    """The results in the order of `calls`.

    Raises the error of the first call, in that order, that has one, once nothing runs any more: which of several errors
    is reported must not depend on which thread was faster.
    """
    futures = [pool.submit(call) for call in calls]
    try:
        return [result_of(future) for future in futures]
    except BaseException as error:
        # One that was cancelled never runs, and a pool that is shut down meanwhile tells nobody who waits for it.
        running = [future for future in futures if not future.cancel()]
        if isinstance(error, Exception):  # a Ctrl-C is not kept waiting
            wait(running)
        raise


def result_of(future: Future[T]) -> T:
    """The result of a call in a pool.  Raises its error, or Interrupted in the main thread."""
    while not wait([future], LOOK).done:
        pass
    return future.result()
