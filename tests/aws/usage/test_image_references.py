"""What AWS's DescribeImageReferences tells."""

from __future__ import annotations

import pytest

from amicleaner.errors import AwsError
from amicleaner.sources import IMAGE_REFERENCES
from tests.aws.usage.account import Account
from tests.fake_aws.resources import INSTANCE_STATES


def test_parameters_and_recipes_protect(account: Account) -> None:
    parameter, recipe, container, free = (account.image() for _ in range(4))
    account.region.add_parameter("/golden/web", parameter)
    account.region.add_recipe(recipe, "base")
    account.region.add_recipe(container, "box", container=True)
    assert account.references([free, container, recipe, parameter]) == {
        parameter: ["SSM parameter /golden/web"],
        recipe: ["Image Builder image recipe base/1.0.0"],
        container: ["Image Builder container recipe box/1.0.0"],
    }


def test_instances_in_live_states_alone(account: Account) -> None:
    image = account.image()
    instances = {state: account.region.add_instance(image, state).instance_id for state in INSTANCE_STATES}
    del instances["terminated"]
    assert account.references([image]) == {image: sorted(f"instance {id}" for id in instances.values())}


@pytest.mark.parametrize("name", ["golden", "/golden", "/golden/web", "/a/b/c"])
def test_a_parameter_has_the_name_that_it_was_given(account: Account, name: str) -> None:
    """Its ARN does not tell a name with one slash, at its beginning, from one with none."""
    image = account.image()
    account.region.add_parameter(name, image)
    assert account.references([image]) == {image: [f"SSM parameter {'golden' if name == '/golden' else name}"]}


def test_ten_at_a_time_each_once(account: Account) -> None:
    images = [account.image() for _ in range(21)]
    for image in images:
        account.region.add_recipe(image)
    assert account.references(images + images).keys() == set(images)
    asked = [len(call.params["ImageId"]) for call in account.fake_aws.calls.of("DescribeImageReferences")]
    assert sorted(asked) == [1, 10, 10]


def test_a_reference_on_the_last_page(account: Account) -> None:
    account.fake_aws.pager.cap = 1
    account.fake_aws.pager.blank_pages = True
    image, other = account.image(), account.image()
    for _ in range(3):
        account.region.add_recipe(other)
    account.region.add_recipe(image)
    assert account.references([other, image])[image] == ["Image Builder image recipe recipe/1.0.0"]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_denied_call_stops_the_run(account: Account, batch: int) -> None:
    account.fault("DescribeImageReferences", nth=batch)
    with pytest.raises(AwsError) as caught:
        account.references([account.image() for _ in range(30)])
    assert caught.value.hint == (
        "Grant the IAM action ec2:DescribeImageReferences and the actions behind it (see --iam-policy). To proceed "
        "without it, pass --skip-check image-references. AMIs used only by SSM parameters and Image Builder recipes will "
        "then NOT be protected."
    )
    assert account.fake_aws.calls.count("DescribeImageReferences") <= (1 if batch == 1 else 3)


@pytest.mark.parametrize("missing", IMAGE_REFERENCES.via)
def test_a_missing_dependent_permission_stops_the_run(account: Account, missing: str) -> None:
    source = IMAGE_REFERENCES
    account.fake_aws.allow = source.actions
    account.fake_aws.allow_via = source.via
    image = account.image()
    assert account.references([image]) == {}
    account.fake_aws.allow_via = [action for action in source.via if action != missing]
    with pytest.raises(AwsError, match=missing):
        account.references([image])


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"])
def test_an_image_that_vanished_is_a_warning(account: Account, code: str) -> None:
    images = sorted(account.image() for _ in range(3))
    for image in images:
        account.region.add_recipe(image)
    account.fault(
        "DescribeImageReferences", code=code, status=400, times=None, when=lambda call: images[1] in call.params["ImageId"]
    )
    assert account.references(images).keys() == {images[0], images[2]}
    assert account.warnings == (f"{images[1]} was deleted during the scan.",)


def test_an_endpoint_without_the_call_is_asked_once(account: Account) -> None:
    account.fake_aws.missing_actions.add("DescribeImageReferences")
    assert account.references([account.image() for _ in range(30)]) == {}
    assert account.warnings == (
        (
            "This endpoint doesn't support ec2:DescribeImageReferences; references from SSM parameters and Image Builder "
            "recipes were not checked."
        ),
    )
    assert account.fake_aws.calls.count("DescribeImageReferences") == 1


@pytest.mark.parametrize(
    ("type", "arn"),
    [
        ("ec2:Volume", "arn:aws:ec2:eu-west-1:123456789012:volume/vol-1"),
        ("ssm:Parameter", "parameter"),
        ("imagebuilder:ImageRecipe", ""),
    ],
)
def test_a_reference_of_another_kind_stops_the_run(account: Account, type: str, arn: str) -> None:
    image = account.image()
    recipe = account.region.add_recipe(image)
    recipe.arn = arn

    def call(action: str, **_: object) -> list[dict[str, str]]:
        return [{"ImageId": image, "ResourceType": type, "Arn": arn}]

    account.api.pages = call  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match="MalformedResponse"):
        account.references([image])


def test_a_reference_without_its_image_stops_the_run(account: Account) -> None:
    account.api.pages = lambda action, **_: [{}]  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match="MalformedResponse: a reference has no ImageId"):
        account.references(["ami-1"])


def test_a_reference_to_what_was_not_asked_about_stops_the_run(account: Account) -> None:
    reference = {"ImageId": "ami-2", "ResourceType": "ssm:Parameter", "Arn": "arn:aws:ssm:eu-west-1:1:parameter/a"}
    account.api.pages = lambda action, **_: [reference]  # type: ignore[assignment, method-assign]
    with pytest.raises(AwsError, match=r"MalformedResponse: the reference arn:.* is about another AMI"):
        account.references(["ami-1"])
