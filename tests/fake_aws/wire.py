"""AWS's wire protocols: `ec2` and `query` (form in, XML out), `json` (1.1, with a target header) and `rest-json`.

Structures are written with boto3's names. In the `ec2` protocol the name on the wire is that name with a small first letter,
unless a table says otherwise; in the others it is the name itself. Names come from the models of botocore 1.44.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from .errors import ApiError
from .resources import Shape

# The services that respond in XML; all others speak JSON.
NAMESPACES = {
    "ec2": "http://ec2.amazonaws.com/doc/2016-11-15/",
    "autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "rds": "http://rds.amazonaws.com/doc/2014-10-31/",
    "elasticbeanstalk": "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/",
    "cloudformation": "http://cloudformation.amazonaws.com/doc/2010-05-15/",
}
# The routes of `rest-json` services; a part in braces is a parameter.
ROUTES = {
    "rbin": {"ListRules": "POST /list-rules", "GetRule": "GET /rules/{Identifier}"},
    "batch": {"DescribeComputeEnvironments": "POST /v1/describecomputeenvironments"},
    "imagebuilder": {
        "ListImageRecipes": "POST /ListImageRecipes",
        "ListContainerRecipes": "POST /ListContainerRecipes",
        "ListImagePipelines": "POST /ListImagePipelines",
        "ListImagePipelineImages": "POST /ListImagePipelineImages",
        "GetImage": "GET /GetImage",
    },
}

CREDENTIAL = re.compile(r"Credential=([^/\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Request:
    service: str
    region: str
    access_key: str
    action: str
    params: Shape

    @classmethod
    def parse(cls, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Request:
        found = {key.lower(): value for key, value in headers.items()}
        credential = CREDENTIAL.search(found.get("authorization", ""))
        if credential is None:
            raise ApiError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        access_key, region, service = credential.groups()
        if service in ROUTES:
            action, params = route(service, method, path)
            params |= json.loads(body or b"{}")
        elif service not in NAMESPACES:
            action = found.get("x-amz-target", "").rpartition(".")[2]
            params = json.loads(body or b"{}")
        else:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            action = form.pop("Action", "")
            form.pop("Version", None)
            params = unflatten(form)
        return cls(service, region, access_key, action, params)


def route(service: str, method: str, url: str) -> tuple[str, Shape]:
    """The action of a `rest-json` request and the parameters in its URL."""
    path, _, question = url.partition("?")
    for action, template in ROUTES[service].items():
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        if match := re.fullmatch(pattern, f"{method} {path}"):
            return action, {key: unquote(value) for key, value in match.groupdict().items()} | dict(parse_qsl(question))
    return f"{method} {path}", {}


def unflatten(form: Mapping[str, str]) -> Shape:
    """Turn `Filter.1.Name=x` into `{"Filter": [{"Name": "x"}]}`, without the query protocol's `.member`."""
    tree: Shape = {}
    for key, value in form.items():
        *path, last = [part for part in key.split(".") if part != "member"]
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value
    return {key: _lists(value) for key, value in tree.items()}


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if all(key.isdigit() for key in node):
        return [_lists(node[key]) for key in sorted(node, key=int)]
    return {key: _lists(value) for key, value in node.items()}


def text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return escape(str(value))


def ec2(shape: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """The members of a structure in the `ec2` protocol, without those that are None."""
    return "".join(
        f"<{name}>{_ec2_value(value, names)}</{name}>"
        for key, value in shape.items()
        if value is not None
        for name in [(names or {}).get(key) or key[0].lower() + key[1:]]
    )


def _ec2_value(value: Any, names: Mapping[str, str] | None) -> str:
    if isinstance(value, Mapping):
        return ec2(value, names)
    if isinstance(value, list | tuple):
        return "".join(f"<item>{_ec2_value(item, names)}</item>" for item in value)
    return text(value)


def query(shape: Mapping[str, Any]) -> str:
    """The members of a structure in the `query` protocol."""
    return "".join(f"<{key}>{_query_value(value)}</{key}>" for key, value in shape.items() if value is not None)


def _query_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return query(value)
    if isinstance(value, list | tuple):
        return "".join(f"<member>{_query_value(item)}</member>" for item in value)
    return text(value)


def _json_default(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(type(value).__name__)


def success(service: str, action: str, content: str | Shape, request_id: str) -> Response:
    if isinstance(content, str):
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{NAMESPACES[service]}">'
        if service == "ec2":
            body = f"{head}<requestId>{request_id}</requestId>{content}</{action}Response>"
        else:
            body = (
                f"{head}<{action}Result>{content}</{action}Result><ResponseMetadata><RequestId>{request_id}"
                f"</RequestId></ResponseMetadata></{action}Response>"
            )
        return Response(200, _headers("text/xml;charset=UTF-8", request_id), body.encode())
    document = json.dumps(content, default=_json_default)
    return Response(200, _headers("application/x-amz-json-1.1", request_id), document.encode())


def failure(service: str, error: ApiError, request_id: str) -> Response:
    if service not in NAMESPACES:
        document = json.dumps({"__type": error.code, "message": error.message})
        return Response(error.status, _headers("application/x-amz-json-1.1", request_id), document.encode())
    inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
    if service == "ec2":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    else:
        side = "Sender" if error.status < 500 else "Receiver"
        body = (
            f'<ErrorResponse xmlns="{NAMESPACES.get(service, "")}"><Error><Type>{side}</Type>{inner}</Error>'
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Response(error.status, _headers("text/xml;charset=UTF-8", request_id), body.encode())


def plain(status: int, body: bytes, content_type: str = "text/html") -> Response:
    """The response of a proxy or a broken server."""
    return Response(status, {"Content-Type": content_type}, body)


def _headers(content_type: str, request_id: str) -> dict[str, str]:
    return {"Content-Type": content_type, "x-amzn-RequestId": request_id}
