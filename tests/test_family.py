"""The family of a name, by a table of naming schemes and by properties."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicleaner.family import family_of


@pytest.fixture(autouse=True)
def anew() -> None:
    """Names are looked at anew in each test: the answers are kept otherwise."""
    family_of.cache_clear()


SCHEMES = {
    # What makes the names: two names of a series each, and their family.
    "date and git hash": ("web-20260914-ab12cd3", "web-20260915-ff00aa1", "web"),
    "Packer {{timestamp}}": ("web-1757846622", "web-1757933022", "web"),
    "Packer {{isotime}}": ("web 2026-09-14T10-43-42Z", "web 2026-09-15T10-43-42Z", "web"),
    "Packer {{clean_resource_name isotime}}": ("web-2026-09-14T10-43-42Z", "web-2026-10-01T00-00-00Z", "web"),
    "Packer formatted isotime": ("web-20260914104342", "web-20260915000000", "web"),
    "Packer {{uuid}}": ("web-68c69e5e-7a1b-9c1d-2e3f-0123456789ab", "web-0f8fad5b-d9cb-469f-a165-70867728950e", "web"),
    "Image Builder {{imagebuilder:buildDate}}": ("web 2026-09-14T10-43-42.000Z", "web 2026-09-15T08-01-02.123Z", "web"),
    "Image Builder version": ("web-1.0.0-1-2026-09-14T10-43-42.000Z", "web-1.0.1-12-2026-09-15T10-43-42.000Z", "web"),
    "compact ISO time": ("web_20260914T104342Z", "web_20260915T104342Z", "web"),
    "date and time": ("web_20260914_104342", "web_20260915_0043", "web"),
    "dashed date and time": ("web-2026-09-14-10-43", "web-2026-09-15-10-43-42", "web"),
    "dotted date": ("team/web/2026.09.14", "team/web/2026.10.01", "team/web"),
    "day first": ("web-14-09-2026", "web-01-10-2026", "web"),
    "serial of a day": ("web-20260914.1", "web-20260914.12", "web"),
    "date with v": ("web-v20260914", "web-v20261001", "web"),
    "semantic versions": ("web-1.2.3", "web-1.10.0", "web"),
    "semantic versions with v": ("web-v1.2.3", "web-v2.0.0", "web"),
    "pre-releases": ("web-1.2.3-rc.1", "web-1.3.0-SNAPSHOT", "web"),
    "version and build number": ("web-1.2.3-417", "web-1.2.4-9", "web"),
    "version of two numbers": ("web-1.4", "web-v1.5", "web"),
    "build number": ("web-417", "web-1", "web"),
    "date and build number": ("web-20260914-17", "web-20260914-18", "web"),
    "long build number and date": ("web-104711-20260914", "web-104712-20260915", "web"),
    "git hash": ("web-ab12cd3", "web-0123456789abcdef0123456789abcdef01234567", "web"),
    "architecture before the date": ("web-x86_64-20260914", "web-x86_64-20260915", "web-x86_64"),
    "Amazon Linux 2023": ("app-al2023-20260914", "app-al2023-20260915", "app-al2023"),
    "Ubuntu": ("ubuntu-22.04-20260914", "ubuntu-22.04-20260915", "ubuntu-22.04"),
    "Ubuntu by Packer": ("ubuntu-22.04-1757846622", "ubuntu-22.04-1757933022", "ubuntu-22.04"),
    "Ubuntu and git hash": ("ubuntu-22.04-ab12cd3", "ubuntu-22.04-0ff1ce0", "ubuntu-22.04"),
    "Ubuntu's own": (
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260914",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-20260915.1",
        "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server",
    ),
    "Debian's own": ("debian-12-amd64-20260914-1499", "debian-12-amd64-20260915-1500", "debian-12-amd64"),
    "Red Hat by date": ("rhel-9-20260914", "rhel-9-20260915", "rhel-9"),
    "Windows by year": ("windows-2022-20260914", "windows-2022-20260915", "windows-2022"),
    "Windows' own": (
        "Windows_Server-2022-English-Full-Base-2026.09.10",
        "Windows_Server-2022-English-Full-Base-2026.10.15",
        "Windows_Server-2022-English-Full-Base",
    ),
    "Kubernetes": ("k8s-1.29-20260914", "k8s-1.29-20260915", "k8s-1.29"),
    "EKS-optimized": ("amazon-eks-node-1.29-v20260914", "amazon-eks-node-1.29-v20261001", "amazon-eks-node-1.29"),
    "Cluster API": (
        "capa-ami-ubuntu-22.04-1.29.3-1757846622",
        "capa-ami-ubuntu-22.04-1.29.4-1757933022",
        "capa-ami-ubuntu-22.04",
    ),
    "Bottlerocket": (
        "bottlerocket-aws-k8s-1.29-x86_64-v1.20.0-abcdef12",
        "bottlerocket-aws-k8s-1.29-x86_64-v1.21.1-0abcdef1",
        "bottlerocket-aws-k8s-1.29-x86_64",
    ),
    "backup of an instance": (
        "Lambda - i-0123456789abcdef0 - 2026-09-14",
        "Lambda - i-0123456789abcdef0 - 2026-09-15",
        "Lambda - i-0123456789abcdef0",
    ),
    "account in the name": ("web-123456789012-20260914", "web-123456789012-20260915", "web-123456789012"),
}  # fmt: skip


@pytest.mark.parametrize("first, second, family", SCHEMES.values(), ids=SCHEMES)
def test_names_of_a_series_are_one_family(first: str, second: str, family: str) -> None:
    assert (family_of(first), family_of(second)) == (family, family)


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "al2023",
        "ubuntu22.04",  # the dot is inside a number
        "web-v3",  # v counts with a dot or before a date
        "web-V1.2.3",
        "web-deadbeef",  # no decimal digit: a word
        "web-ab12cd",  # too short for a hash
        "web-AB12CD3",  # a hash is lower-case
        "web-" + "0a" * 20 + "1",  # longer than a hash
        "web_x86_64",
        "web-i-0123456789abcdef0",
        "web-1.2.3-14-gab12cd3",
        "web-20260914-final",
        "web2.0",
        "web-",
        "-20260914",
        "",
        "--",
        # Nothing but such parts
        "20260914",
        "2026-09-14",
        "20260914-ab12cd3",
        "v1.2.3",
        "1-2-3",
        "22.04-20260914",
        "68c69e5e-7a1b-9c1d-2e3f-0123456789ab",
    ],
)
def test_a_name_without_such_parts_is_its_own_family(name: str) -> None:
    assert family_of(name) == name


@pytest.mark.parametrize(
    "one, other",
    [
        ("ubuntu-22.04-20260914", "ubuntu-24.04-20260914"),
        ("ubuntu-2204-20260914", "ubuntu-2404-20260914"),
        ("rhel-8-20260914", "rhel-9-20260914"),
        ("rhel-8-ab12cd3", "rhel-9-ab12cd3"),
        ("windows-2019-1757846622", "windows-2022-1757846622"),
        ("eks-1.28-v20260914", "eks-1.29-v20260914"),
        ("k8s-129-20260914", "k8s-130-20260914"),
        ("web-v2-20260914", "web-v3-20260914"),
        ("backup-i-0123456789abcdef0-20260914", "backup-i-0123456789abcdef1-20260914"),
        ("i-0123456789abcdef0-20260914", "i-0123456789abcdef1-20260914"),
        ("base-ami-01234567-20260914", "base-ami-01234568-20260914"),
        ("web-123456789012-20260914", "web-123456789013-20260914"),
        ("web-x86_64-20260914", "web-x86_32-20260914"),
        ("web-20260914", "Web-20260914"),
    ],
)
def test_what_may_be_another_product_is_another_family(one: str, other: str) -> None:
    assert family_of(one) != family_of(other)


# Parts that never belong to a name, wherever they are at its end.
TAILS = (
    "20260914", "2026-09-14", "2026.09.14", "20260914T104342Z", "2026-09-14T10-43-42.000Z", "v20260914", "1.2.3", "v1.2.3",
    "1.2.3.4", "ab12cd3", "0123456789abcdef0123456789abcdef01234567", "68c69e5e-7a1b-9c1d-2e3f-0123456789ab", "1757846622",
    "104711",
)  # fmt: skip
STEMS = (
    "web",
    "Web",
    "al2023",
    "ubuntu-22.04",
    "rhel-9",
    "team/web",
    "x86_64",
    "k8s-1.29-worker",
    "backup-i-0123456789abcdef0",
)
tails = st.lists(st.tuples(st.sampled_from("-_ /"), st.sampled_from(TAILS)), min_size=1, max_size=4)
names = st.one_of(
    st.text(alphabet="abvix0129.-_ /()", max_size=24),
    st.builds(lambda stem, parts: stem + "".join(sep + part for sep, part in parts), st.sampled_from(STEMS), tails),
)


@given(st.sampled_from(STEMS), tails)
def test_any_series_of_such_parts_is_removed(stem: str, parts: list[tuple[str, str]]) -> None:
    assert family_of(stem + "".join(separator + part for separator, part in parts)) == stem


@given(names)
def test_a_family_is_a_beginning_of_the_name(name: str) -> None:
    family = family_of(name)
    assert name.startswith(family)
    assert bool(family) == bool(name)
    assert name == family or re.match(r"[-_ /@:+.]", name[len(family) :])


@given(names)
def test_a_family_is_its_own_family(name: str) -> None:
    """But for one that ends in a short number or a version of two parts, which belongs to it only before another part."""
    family = family_of(name)
    assert family_of(family) == family or re.search(r"(?:^|[-_ /@:+.])v?[0-9]+(?:\.[0-9]+)?$", family)


@pytest.mark.parametrize(
    "name", ["2026-09-14-" * 300 + "x", "1." * 2000 + "x", "ami-" * 500 + "0123456789", "a" * 4000 + "-", "-" * 4000]
)
def test_a_hostile_name_takes_no_time(name: str) -> None:
    assert name.startswith(family_of(name))
