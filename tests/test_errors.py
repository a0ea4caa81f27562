"""An error says what happened, and its hint how to fix it."""

from __future__ import annotations

import errno
import os

import pytest
from botocore.exceptions import EndpointConnectionError

from amicleaner.errors import AmicleanerError, TransientError, UsageError, describe

FILES = "Too many open files.\nHint: Raise the limit on open files (ulimit -n)."
MEMORY = "Out of memory.\nHint: Raise the memory limit (ulimit -v, or the container's), or run with fewer targets."
THREADS = "Can't start new threads.\nHint: Raise the process limit (ulimit -u, or the container's)."


def test_hint_has_a_line_of_its_own() -> None:
    assert describe(UsageError("It is shut.", hint="Open it.")) == "It is shut.\nHint: Open it."
    assert describe(AmicleanerError("It is shut.")) == "It is shut."


@pytest.mark.parametrize(
    "error, text",
    [
        (OSError(errno.EMFILE, os.strerror(errno.EMFILE)), FILES),
        (MemoryError(), MEMORY),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), MEMORY),
        (RuntimeError("can't start new thread"), THREADS),
        (OSError(errno.ENOSPC, "No space left on device"), "Can't write the output: No space left on device."),
        (OSError("odd"), "Can't write the output: odd."),
    ],
)
def test_limit_of_the_system_is_named(error: Exception, text: str) -> None:
    assert describe(error) == text


@pytest.mark.parametrize("text, limit", [(FILES, OSError(errno.EMFILE, "x")), (MEMORY, MemoryError())])
def test_limit_is_named_although_the_error_was_mapped(text: str, limit: Exception) -> None:
    """Without a free file botocore says that it could not connect, and the hint would be to check the network."""
    try:
        try:
            try:
                raise limit
            except (OSError, MemoryError) as error:
                raise EndpointConnectionError(endpoint_url="https://ec2", error=error)  # noqa: B904 - as botocore does
        except EndpointConnectionError as error:
            raise TransientError("ec2:DescribeImages", "EndpointConnectionError", "x", hint="Check the network.") from error
    except TransientError as error:
        assert describe(error) == text  # noqa: PT017


def test_unexpected_error_is_a_bug() -> None:
    message, hint = describe(KeyError("x")).splitlines()
    assert message == "KeyError: 'x'"
    assert hint.startswith("Hint: This is a bug in amicleaner. Run again with --debug for a traceback and report it.")
    assert "://" not in hint


def test_circular_causes_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert describe(first).startswith("ValueError: a\n")
