"""The fake AWS in process: the clients of an attached session reach it without a socket.

botocore emits `before-send` with the signed request and takes what the handler returns as the response. It treats an
exception raised there as one of the HTTP layer, so clients retry as on a real network.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from .core import FakeAws
from .errors import Broken


class Body(io.BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, **_: object) -> Iterator[bytes]:
        while chunk := self.read(65536):
            yield chunk


def attach(fake_aws: FakeAws, session: Any) -> None:
    """Send the requests of clients that this boto3 or botocore session makes from now on to the fake AWS."""
    from botocore.awsrequest import AWSResponse
    from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

    def send(request: Any, **_: object) -> AWSResponse:
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        path = "/" + request.url.split("/", 3)[3]
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value) for name, value in request.headers.items()
        }
        try:
            response = fake_aws.handle(request.method, path, headers, body)
        except Broken as broken:
            match broken.kind:
                case "unreachable":
                    raise EndpointConnectionError(endpoint_url=request.url) from None
                case "hang" | "hang-after":
                    raise ReadTimeoutError(endpoint_url=request.url) from None
                case _:
                    raise ConnectionClosedError(endpoint_url=request.url) from None
        return AWSResponse(request.url, response.status, response.headers, Body(response.body))  # type: ignore[arg-type]

    getattr(session, "_session", session).register("before-send", send)
