"""STS (`query` protocol) and Organizations (`json` protocol)."""

from __future__ import annotations

from datetime import timedelta

from .action import Actions, Context
from .errors import ApiError
from .resources import Shape
from .wire import query
from .world import Organization

STS = Actions()
ORGANIZATIONS = Actions()


@STS()
def get_caller_identity(ctx: Context) -> str:
    caller = ctx.caller
    return query({"UserId": "AIDAEXAMPLE", "Account": caller.account_id, "Arn": caller.arn})


@STS("RoleArn", "RoleSessionName", "ExternalId", "SerialNumber", "TokenCode")
def assume_role(ctx: Context) -> str:
    arn, name = ctx.required("RoleArn"), ctx.required("RoleSessionName")
    role = ctx.world.roles.get(arn)
    trusted = role is not None and (role.trusted is None or ctx.caller.account_id in role.trusted)
    if role is None or not trusted or role.external_id not in (None, ctx.text("ExternalId")):
        message = f"User: {ctx.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise ApiError("AccessDenied", message, 403)
    expires = ctx.world.clock() + timedelta(hours=1)
    key = ctx.world.session_key(role, name, expires)
    session = ctx.world.keys[key]
    return query(
        {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": f"secret-of-{key}",
                "SessionToken": f"token-of-{key}",
                "Expiration": expires,
            },
            "AssumedRoleUser": {"AssumedRoleId": f"AROAEXAMPLE:{name}", "Arn": session.arn},
        }
    )


def organization_of(ctx: Context) -> Organization:
    organization = ctx.world.organization
    if organization is None or ctx.account.account_id not in organization.accounts:
        raise ApiError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
    return organization


@ORGANIZATIONS()
def list_accounts(ctx: Context) -> Shape:
    organization = organization_of(ctx)
    page, token = ctx.page(organization.accounts.values(), int(ctx.text("MaxResults") or 20))
    head = f"arn:aws:organizations::{organization.management}:account/o-exampleorgid"
    shapes = [
        entry.finish(
            {
                "Id": entry.account_id,
                "Arn": f"{head}/{entry.account_id}",
                "Email": f"{entry.account_id}@example.com",
                "Name": entry.name,
                # Status has fewer values than State, which is to replace it.
                "Status": entry.state if entry.state in ("ACTIVE", "PENDING_CLOSURE") else "SUSPENDED",
                "State": entry.state,
                "JoinedMethod": "CREATED",
            }
        )
        for entry in page
    ]
    return {"Accounts": shapes, **({"NextToken": token} if token else {})}
