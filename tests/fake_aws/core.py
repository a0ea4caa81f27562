"""The fake AWS: one request in, one response out, and the settings with which tests make it fail."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping
from fnmatch import fnmatchcase

from . import (
    autoscaling,
    ec2_changes,
    ec2_compute,
    ec2_images,
    ec2_references,
    ec2_snapshots,
    ec2_templates,
    identity,
    recycle_bin,
    services,
    ssm,
)
from .action import Action, Actions, Context
from .calls import Call, CallLog
from .errors import ApiError, Broken, denied
from .faults import Faults
from .paging import Pager
from .rates import Rates
from .wire import NAMESPACES, Request, Response, failure, success
from .world import AccessKey, World

Hook = Callable[[World, Call], object]

SERVICES: dict[str, Mapping[str, Action]] = {
    **services.SERVICES,
    "ec2": {
        **ec2_images.ACTIONS,
        **ec2_snapshots.ACTIONS,
        **ec2_changes.ACTIONS,
        **recycle_bin.EC2,
        **ec2_references.ACTIONS,
        **ec2_compute.ACTIONS,
        **ec2_templates.ACTIONS,
        **services.SERVICES["ec2"],
    },
    "autoscaling": autoscaling.ACTIONS,
    "rbin": recycle_bin.RBIN,
    "ssm": ssm.ACTIONS,
    "sts": identity.STS,
    "organizations": identity.ORGANIZATIONS,
}


class FakeAws:
    def __init__(
        self,
        world: World | None = None,
        *,
        latency: float = 0.0,
        sleep: Callable[[float], object] = time.sleep,
        rates: bool = False,
    ) -> None:
        self.sleep = sleep
        self.reset(world or World(), latency=latency, rates=rates)

    def reset(self, world: World, *, latency: float = 0.0, rates: bool = False) -> None:
        """Start again with another world. Existing clients keep working."""
        self.world = world
        self.latency = latency
        self.calls = CallLog()
        self.faults = Faults()
        self.pager = Pager()
        self.rates = Rates(world.clock, rates)
        # Allowed IAM actions, or patterns of them; None allows all. `allow_in` overrides it for single accounts.
        self.allow: Collection[str] | None = None
        self.allow_in: dict[str, Collection[str]] = {}
        # Allowed only where DescribeImageReferences calls on the caller's behalf (aws:CalledVia).
        self.allow_via: Collection[str] = ()
        # Actions, or patterns like `service:*`, that this endpoint lacks.
        self.missing_actions: set[str] = set()
        self._before: dict[str, list[Hook]] = {}
        self._after: dict[str, list[Hook]] = {}
        self._requests = itertools.count(1)

    def warm(self) -> None:
        """Render everything that is cached, so that the first call is as fast as the next ones."""
        for account in self.world.accounts.values():
            for region in account.regions.values():
                for image in region.images.values():
                    image.rendered(ec2_images.render_image)
                for snapshot in region.snapshots.values():
                    snapshot.rendered(ec2_snapshots.render_snapshot)
                for instance in region.instances.values():
                    instance.rendered(ec2_compute.render_instance)

    def before(self, action: str, hook: Hook) -> None:
        """Call the hook before an action takes effect. The world is locked, so the hook must not wait for a request."""
        self._before.setdefault(action, []).append(hook)

    def after(self, action: str, hook: Hook) -> None:
        """Call the hook after an action has taken effect, before its response is sent."""
        self._after.setdefault(action, []).append(hook)

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Respond to one request. Raises Broken where the client gets no response."""
        request_id = f"{next(self._requests):08x}-0000-4000-8000-000000000000"
        try:
            request = Request.parse(method, path, headers, body)
        except ApiError as error:
            return failure("ec2", error, request_id)
        key = self.world.keys.get(request.access_key)
        call = Call(
            time=self.world.clock(),
            account=key.account_id if key else "",
            region=request.region,
            service=request.service,
            action=request.action,
            params=request.params,
            page=self.pager.number(request.params),
        )
        self.calls.begin(call)
        try:
            return self._answer(call, key, request_id)
        except Broken as broken:
            call.outcome = broken.kind
            raise
        finally:
            self.calls.end()

    def _answer(self, call: Call, key: AccessKey | None, request_id: str) -> Response:
        fault = self.faults.take(call)
        if fault and fault.kind in ("unreachable", "cut", "hang"):
            fault.before(call, self.world)
        if self.latency:
            self.sleep(self.latency)
        try:
            with self.world.lock:
                instead = fault.before(call, self.world) if fault else None
                if instead is not None:
                    call.outcome = f"HTTP {instead.status}"
                    return instead
                response = success(call.service, call.action, self._act(call, key), request_id)
                call.outcome = "OK"
                return fault.after(response) if fault else response
        except ApiError as error:
            call.outcome = error.code
            return failure(call.service, error, request_id)

    def _act(self, call: Call, key: AccessKey | None) -> str | dict[str, object]:
        caller = self._authenticate(call, key)
        action = self._find(call)
        self.rates.take(call)
        if call.action != "GetCallerIdentity" and not self._may(call.account, call.name, False):
            raise denied(call.service, call.name, caller.arn)
        unknown = call.params.keys() - action.params
        if unknown:
            raise ApiError("UnsupportedByFakeAws", f"{call.name} with {', '.join(sorted(unknown))}")
        account = self.world.accounts[caller.account_id]
        context = Context(
            world=self.world,
            account=account,
            region=account.region(call.region),
            caller=caller,
            call=call,
            pager=self.pager,
            may=lambda name, via: self._may(call.account, name, via),
        )
        context.region.pass_time()
        for hook in self._before.get(call.action, ()):
            hook(self.world, call)
        content = action.handler(context)
        for hook in self._after.get(call.action, ()):
            hook(self.world, call)
        return content

    def _authenticate(self, call: Call, key: AccessKey | None) -> AccessKey:
        """AWS refuses an unknown key and a Region that is not enabled with the same error, here EC2's for all services."""
        if key is not None and key.expires is not None and key.expires <= self.world.clock():
            raise ApiError("RequestExpired", "Request has expired.")
        if key is None or not self.world.account(key.account_id).enabled(call.region):
            raise ApiError("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
        return key

    def _find(self, call: Call) -> Action:
        action = SERVICES.get(call.service, Actions()).get(call.action)
        missing = any(fnmatchcase(name, entry) for entry in self.missing_actions for name in (call.action, call.name))
        if action is None or missing:
            if call.service not in NAMESPACES:
                raise ApiError("UnknownOperationException", "")
            raise ApiError("InvalidAction", f"The action {call.action} is not valid for this web service.")
        return action

    def _may(self, account: str, name: str, via: bool) -> bool:
        allowed = self.allow_in.get(account, self.allow)
        if allowed is None:
            return True
        return any(fnmatchcase(name, entry) for entry in (*allowed, *(self.allow_via if via else ())))
