"""Images that are named by an SSM parameter (`resolve:ssm:`)."""

from __future__ import annotations

from typing import Any

import pytest

from amicleaner.aws.usage import ssm_parameters
from amicleaner.errors import AwsError
from tests.aws.usage.account import Account

OTHER = "210987654321"


def use(account: Account, *names: str) -> None:
    for name in names:
        account.region.add_launch_template(versions=[{"ImageId": f"resolve:ssm:{name}"}])


def test_a_parameter_that_another_account_shares(account: Account) -> None:
    image = account.image()
    parameter = account.world.region("eu-west-1", OTHER).add_parameter("/golden", image, shared_with={"123456789012"})
    use(account, parameter.arn, f"{parameter.arn}:1")
    assert len(account.read().uses[image]) == 2


def test_all_forms_at_once_in_one_call(account: Account) -> None:
    images = [account.image() for _ in range(3)]
    account.region.add_parameter("/golden/web", images[2], history=images[:2], labels={"prod": 2})
    arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/golden/web"
    use(account, "/golden/web", "/golden/web:1", "/golden/web:2", "/golden/web:prod", arn, f"{arn}:1", f"{arn}:prod")
    uses = account.read().uses
    assert [len(uses[image]) for image in images] == [2, 3, 2]
    labels = {use.label.partition(", SSM parameter ")[2] for image in images for use in uses[image]}
    assert labels == {"/golden/web", "/golden/web:1", "/golden/web:2", "/golden/web:prod", arn, f"{arn}:1", f"{arn}:prod"}
    assert account.fake_aws.calls.count("GetParameters") == 1


def test_ten_names_a_call_each_once(account: Account) -> None:
    images = [account.image() for _ in range(21)]
    for number, image in enumerate(images):
        account.region.add_parameter(f"/golden/{number}", image)
        use(account, f"/golden/{number}", f"/golden/{number}")
    assert [len(uses) for uses in account.read().uses.values()] == [2] * 21
    calls = account.fake_aws.calls.of("GetParameters")
    assert sorted(len(call.params["Names"]) for call in calls) == [1, 10, 10]


def test_an_alias_in_a_pinned_version(account: Account) -> None:
    image = account.image()
    account.region.add_parameter("/golden", image)
    account.region.add_launch_template("web", versions=[{}, {"ImageId": "resolve:ssm:/golden"}, {}])
    account.region.add_group("front", launch_template={"LaunchTemplateName": "web", "Version": "2"})
    assert [label.startswith('Auto Scaling group "front", launch') for label in account.users(image)] == [True]


@pytest.mark.parametrize("name", ["/lost", "/golden:9", "/golden:nobody", "arn:aws:ssm:eu-west-1:999999999999:parameter/x"])
def test_a_lost_parameter_is_a_warning_and_the_others_count(account: Account, name: str) -> None:
    image = account.image()
    account.region.add_parameter("/golden", image)
    use(account, name, "/golden")
    assert len(account.users(image)) == 1
    assert len(account.warnings) == 1
    assert account.warnings[0].startswith(f"SSM parameter {name} does not exist (named by launch template lt-")
    assert account.warnings[0].endswith("version 1 (default, latest)); it protects no AMI.")


@pytest.mark.parametrize("value", ["", "latest", "ami-1,ami-2", '{"ami": "ami-1"}'])
def test_a_value_that_is_no_image_is_a_warning(account: Account, value: str) -> None:
    account.region.add_parameter("/golden", value)
    use(account, "/golden")
    assert account.read().uses == {}
    assert "does not hold an AMI id" in account.warnings[0]


def test_blanks_around_a_value_do_not_matter(account: Account) -> None:
    image = account.image()
    account.region.add_parameter("/golden", f" {image}\n")
    use(account, "/golden")
    assert len(account.users(image)) == 1


def test_a_name_that_no_parameter_can_have_is_not_asked_for(account: Account) -> None:
    image = account.image()
    account.region.add_parameter("/golden", image)
    use(account, "/gol den", "{{ssm:x}}", "", "/golden")
    assert len(account.users(image)) == 1
    assert len(account.warnings) == 3
    assert [call.params["Names"] for call in account.fake_aws.calls.of("GetParameters")] == [["/golden"]]


def test_an_image_in_a_way_that_is_not_known_stops_the_run(account: Account) -> None:
    account.region.add_launch_template(versions=[{"ImageId": "resolve:appconfig:/golden"}])
    with pytest.raises(AwsError, match="names an image in an unknown format: resolve:appconfig:/golden"):
        account.read()


def test_one_bad_name_in_a_batch_is_the_one_that_stops_the_run(account: Account) -> None:
    image = account.image()
    account.region.add_parameter("/golden", image)
    use(account, "/golden", "/other")
    account.fault("GetParameters", code="ValidationException", status=400)
    assert len(account.users(image)) == 1
    account.fault("GetParameters", code="ValidationException", status=400, times=None)
    with pytest.raises(AwsError, match="ValidationException"):
        account.read()


def test_an_endpoint_without_parameters_is_fine_where_none_is_named(account: Account) -> None:
    image = account.image()
    account.fake_aws.missing_actions.add("ssm:*")
    account.region.add_launch_template(versions=[{"ImageId": image}])
    assert len(account.users(image)) == 1
    assert account.warnings == ()


class Parameters:
    """Answers to GetParameters that say less than AWS does: no selector, or a name in another form."""

    def __init__(self, account: Account, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.malformed = account.api.malformed

    def call(self, action: str, Names: list[str]) -> dict[str, Any]:
        assert action == "ssm:GetParameters"
        return self.answers.pop(0)


def parameter(name: str, value: str, **more: str) -> dict[str, str]:
    return {"Name": name, "Value": value, "ARN": f"arn:aws:ssm:eu-west-1:1:parameter{name}"} | more


def test_two_versions_that_the_answer_does_not_tell_apart_are_asked_for_singly(account: Account) -> None:
    """As moto answers: without `Selector`."""
    both = [parameter("/golden", "ami-1"), parameter("/golden", "ami-2")]
    api = Parameters(
        account, {"Parameters": both}, {"Parameters": [both[1]]}, {"Parameters": [both[0]], "InvalidParameters": []}
    )
    assert ssm_parameters.read(api, ["/golden", "/golden:1"]) == {"/golden": "ami-2", "/golden:1": "ami-1"}  # type: ignore[arg-type]


@pytest.mark.parametrize(("selector", "name"), [("1", "/golden:1"), (":1", "/golden:1"), (":X1X", "/golden:X1X")])
def test_a_selector_with_and_without_its_colon(account: Account, selector: str, name: str) -> None:
    found = [parameter("/golden", "ami-1", Selector=selector), parameter("/golden", "ami-2")]
    api = Parameters(account, {"Parameters": found})
    assert ssm_parameters.read(api, ["/golden", name]) == {"/golden": "ami-2", name: "ami-1"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Parameters": []},
        {"Parameters": [], "InvalidParameters": ["/a", "/b"]},
        {"Parameters": [{"Name": "/golden"}]},
        {"Parameters": [parameter("/golden", "ami-1"), parameter("/other", "ami-2")]},
    ],
)
def test_an_answer_that_does_not_say_what_it_holds_stops_the_run(account: Account, answer: dict[str, Any]) -> None:
    with pytest.raises(AwsError, match=r"ssm:GetParameters .*: MalformedResponse"):
        ssm_parameters.read(Parameters(account, answer), ["/golden"])  # type: ignore[arg-type]
