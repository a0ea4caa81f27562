"""The account of the article: five front and five back images in each of dev and prod, and one without tags."""

from datetime import datetime

from .account import DemoAccount, DemoImage

REGION = "eu-west-1"


def _image(id: str, name: str, created: str, environment: str = "", role: str = "", day: str = "2017-06-15") -> DemoImage:
    """`created` is the time of day, UTC, on `day`."""
    pairs = {"environment": environment, "role": role}
    return DemoImage(
        name,
        datetime.fromisoformat(f"{day}T{created}"),
        id=id,
        tags={key: value for key, value in pairs.items() if value},
    )


IMAGES = (
    _image("ami-50504e36", "front-a3c56c4", "09:55:42", "dev", "front"),
    _image("ami-52504e34", "front-ff5eac7", "09:56:43", "dev", "front"),
    _image("ami-3e514f58", "front-0b9d2e6", "09:57:44", "dev", "front"),
    _image("ami-c8534dae", "front-7c41fa8", "09:58:45", "dev", "front"),
    _image("ami-11534d77", "front-e26b953", "09:59:47", "dev", "front"),
    _image("ami-fd4c529b", "front-31d05d8", "10:05:39", "prod", "front"),
    _image("ami-50514f36", "front-a4b33c9", "10:06:42", "prod", "front"),
    _image("ami-7e4c5218", "front-5d8ea07", "10:07:43", "prod", "front"),
    _image("ami-d3524cb5", "front-c90137b", "10:08:45", "prod", "front"),
    _image("ami-8a4f51ec", "front-26fd4b1", "10:09:46", "prod", "front"),
    _image("ami-954658f3", "back-d358afc", "11:46:56", "dev", "back"),
    _image("ami-a74856c1", "back-285244c", "11:47:57", "dev", "back"),
    _image("ami-1b47597d", "back-f07c6d2", "11:48:58", "dev", "back"),
    _image("ami-6c49570a", "back-49ae813", "11:49:59", "dev", "back"),
    _image("ami-e2465884", "back-b61d95e", "11:51:01", "dev", "back"),
    _image("ami-9d4759fb", "back-c58de50", "11:52:05", "prod", "back"),
    _image("ami-55495733", "back-579c0f6", "11:53:07", "prod", "back"),
    _image("ami-0f465869", "back-8e2b7a4", "11:54:08", "prod", "back"),
    _image("ami-b44856d2", "back-13f9c6d", "11:55:10", "prod", "back"),
    _image("ami-27475941", "back-da7045b", "11:56:11", "prod", "back"),
    _image("ami-2bf48158", "test-delete", "17:40:15", day="2016-08-16"),
)


def account(now: datetime) -> DemoAccount:
    """The article's account; its dates are the article's own."""
    return DemoAccount({REGION: IMAGES})
