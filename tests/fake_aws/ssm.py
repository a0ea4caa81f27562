"""Systems Manager (`json` protocol): parameters by name or ARN, with a version or label after a colon."""

from __future__ import annotations

from .action import Actions, Context
from .errors import ApiError
from .resources import Parameter, Shape
from .world import Account

ACTIONS = Actions()


def find(ctx: Context, name: str) -> tuple[Parameter | None, str | None]:
    """The parameter, and the version or label after its name."""
    account: Account | None = ctx.account
    if name.startswith("arn:"):
        *head, tail = name.split(":", 5)
        account = ctx.world.accounts.get(head[4])
        name, region_name = tail.removeprefix("parameter/"), head[3]
    else:
        region_name = ctx.region.name
    base, _, selector = name.partition(":")
    region = account.regions.get(region_name) if account else None
    # The ARNs of `a` and `/a` are the same.
    known = region.parameters if region else {}
    parameter = known.get(base) or known.get(f"/{base}")
    if parameter and account is not ctx.account and ctx.account.account_id not in parameter.shared_with:
        parameter = None
    return parameter, selector or None


def version_of(parameter: Parameter, selector: str | None) -> int | None:
    if selector is None:
        return parameter.latest
    if selector.isdigit():
        return int(selector) if int(selector) in parameter.versions else None
    marked = [number for number, version in parameter.versions.items() if selector in version.labels]
    return marked[0] if marked else None


def parameter_shape(parameter: Parameter, number: int, selector: str | None) -> Shape:
    shape = {
        "Name": parameter.name,
        "Type": "String",
        "Value": parameter.versions[number].value,
        "Version": number,
        "Selector": f":{selector}" if selector else None,
        "LastModifiedDate": parameter.created,
        "ARN": parameter.arn,
        "DataType": "aws:ec2:image",
    }
    return {key: value for key, value in parameter.finish(shape).items() if value is not None}


@ACTIONS("Names")
def get_parameters(ctx: Context) -> Shape:
    names = ctx.strings("Names")
    if not 1 <= len(names) <= 10:
        raise ApiError("ValidationException", "names must have length between 1 and 10")
    shapes, invalid = [], []
    for name in names:
        parameter, selector = find(ctx, name.strip())
        number = version_of(parameter, selector) if parameter else None
        if parameter is None or number is None:
            invalid.append(name)
        else:
            shapes.append(parameter_shape(parameter, number, selector))
    shapes.sort(key=lambda shape: str(shape.get("Name")))
    return {"Parameters": shapes, "InvalidParameters": invalid}
