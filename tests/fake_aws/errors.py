"""What goes wrong: answers with an error, and exchanges that end without a proper answer."""

from __future__ import annotations

import threading


class ApiError(Exception):
    """An answer of AWS with a code and a message."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Broken(Exception):
    """No answer comes; what it is that the client sees, each transport knows."""

    def __init__(self, kind: str, wait: float | None = None, released: threading.Event | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.wait = wait  # seconds of silence, None without end
        self.released = released or threading.Event()


def invalid_value(value: object, parameter: str, reason: str) -> ApiError:
    """EC2's usual wording for a parameter it does not take."""
    return ApiError("InvalidParameterValue", f"Value ( {value} ) for parameter {parameter} is invalid. {reason}")
