"""Images named by an SSM parameter: `resolve:ssm:` and a parameter's name or ARN, with a version or a label or none.

EC2 looks the parameter up at each launch (EC2 guide, "Use a Systems Manager parameter instead of an AMI ID"), so its value
now is in use.  Nothing can be launched through a parameter that was deleted, or that holds no AMI id: it gives a warning.
Once there is a parameter to look up, a call that fails in whatever way ends the run.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import partial
from typing import Any

from ...errors import AwsError
from ...models import Use
from ..api import Api
from ..concurrency import run_concurrently
from .usage_report import UsageReport

CALL = "ssm:GetParameters"
SCHEME = "resolve:"
PREFIX = "resolve:ssm:"
AT_ONCE = 10
AMI = re.compile(r"ami-[0-9a-zA-Z]+")
NAME = re.compile(r"[a-zA-Z0-9_.\-/:]+")
"""What names and ARNs are made of (API reference of PutParameter); on anything else GetParameters refuses the whole call."""


def resolve(images: Iterable[tuple[str, Use]], pool: Executor, report: UsageReport) -> None:
    """The AMIs that SSM parameters hold.  `images` are references to parameters (`SCHEME`); the labels then name them.  One
    that holds no AMI gives a warning."""
    uses: dict[str, list[Use]] = defaultdict(list)
    for image, use in images:
        if image.startswith(PREFIX):
            uses[image.removeprefix(PREFIX).strip()].append(use)
        else:
            # Something newer than this tool: which AMI it means is not known, so nothing may be deleted.
            raise report.api.malformed(CALL, f"{use.label} names an image in an unknown format: {image}")
    names = sorted(name for name in uses if NAME.fullmatch(name))
    batches = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]
    values: dict[str, str] = {}
    for answer in run_concurrently(pool, [partial(read, report.api, batch) for batch in batches]):
        values |= answer
    for name, named in sorted(uses.items()):
        value = values.get(name)
        if value is not None and AMI.fullmatch(value):
            report.images += [(value, use.through(f"SSM parameter {name}")) for use in named]
        else:
            wrong = "does not exist" if value is None else "does not hold an AMI id"
            first = min(use.label for use in named)
            report.warnings.append(f"SSM parameter {name} {wrong} (named by {first}); it protects no AMI.")


def read(api: Api, names: list[str]) -> dict[str, str]:
    """The values of the parameters that exist, at most 10.

    AWS does not promise in which form it names a parameter that was asked for by its ARN, so a parameter that the response
    leaves open is asked for alone.
    """
    try:
        answer = api.call(CALL, Names=names)
    except AwsError as error:
        if error.code != "ValidationException" or len(names) == 1:
            raise
        return {name: value for name in names for value in read(api, [name]).values()}
    parameters = answer.get("Parameters")
    if not isinstance(parameters, list):
        raise api.malformed(CALL, "the response has no Parameters")
    lost = set(answer.get("InvalidParameters") or ())
    if len(names) == 1:
        if len(parameters) + len(lost) != 1:
            raise api.malformed(CALL, f"the response does not say what {names[0]} holds")
        return {names[0]: _value(api, parameters[0])} if parameters else {}
    known = _by_name(api, parameters)
    found = {name: known[name] for name in names if name in known and name not in lost}
    for name in names:
        if name not in found and name not in lost:
            found |= read(api, [name])
    return found


def _by_name(api: Api, parameters: list[dict[str, Any]]) -> dict[str, str]:
    """The values by every spelling under which they can have been asked for; a spelling with two values is left out."""
    claims: dict[str, set[str]] = defaultdict(set)
    for parameter in parameters:
        selector = str(parameter.get("Selector") or "").lstrip(":")
        for name in (parameter.get("Name"), parameter.get("ARN")):
            claims[f"{name}:{selector}" if selector else str(name)].add(_value(api, parameter))
    return {name: values.pop() for name, values in claims.items() if len(values) == 1}


def _value(api: Api, parameter: dict[str, Any]) -> str:
    if parameter.get("Value") is None:
        raise api.malformed(CALL, f"parameter {parameter.get('Name')} has no Value")
    return str(parameter["Value"]).strip()
