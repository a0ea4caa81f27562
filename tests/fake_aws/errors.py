"""Error responses, and exchanges that end without a response."""

from __future__ import annotations

import threading


class ApiError(Exception):
    """An error response of AWS."""

    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class Broken(Exception):
    """The client gets no response; each transport decides what it sees instead."""

    def __init__(self, kind: str, released: threading.Event | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.released = released or threading.Event()


DENIALS = {
    "ec2": ("UnauthorizedOperation", 403),
    "autoscaling": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "rds": ("AccessDenied", 403),
    "elasticbeanstalk": ("AccessDenied", 403),
    "cloudformation": ("AccessDenied", 403),
}


def denial(service: str) -> str:
    """The code with which a service denies a caller without the permission."""
    return DENIALS.get(service, ("AccessDeniedException", 400))[0]


def denied(service: str, name: str, caller: str = "arn:aws:iam::123456789012:user/someone") -> ApiError:
    """The error for a caller without the IAM action `name`."""
    code, status = DENIALS.get(service, ("AccessDeniedException", 400))
    message = (
        f"User: {caller} is not authorized to perform: {name} because no identity-based policy allows the {name} action"
    )
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return ApiError(code, message, status)


def invalid_value(value: object, parameter: str, reason: str) -> ApiError:
    """EC2's error for an invalid parameter."""
    return ApiError("InvalidParameterValue", f"Value ( {value} ) for parameter {parameter} is invalid. {reason}")
