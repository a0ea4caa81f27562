"""What every test has: hypothesis' profiles, an environment without the developer's settings, no network."""

from __future__ import annotations

import gc
import os
import socket
import sys
from typing import Any

import pytest
from hypothesis import Phase, settings

from amicleaner import cli
from amicleaner.config import Config
from tests.quick_botocore import install

# Not the same examples each time, whatever hypothesis takes for CI: every run is to look at other accounts.
for profile, examples in {"brief": 10, "dev": 100, "ci": 100, "long": 100_000}.items():
    settings.register_profile(profile, max_examples=examples, deadline=None, derandomize=False, print_blob=profile != "dev")
# The same examples each time, so that a mutant that is killed once stays so; nobody reads the example, so none is shrunk.
settings.register_profile(
    "mutation", max_examples=50, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

FOREIGN = ("AWS_", "AMICLEANER_", "BOTO_", "MOTO_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "PYTHONWARNINGS")
LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104 - a name that is compared, nothing is bound


def clean_environment() -> None:
    """A developer's profile, proxy or colours must change no test; made-up credentials open nothing."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    }


def no_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: to a test, everything but this machine is unreachable."""
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = arguments[0] or "localhost"
    else:
        return
    host = host.decode() if isinstance(host, bytes) else str(host)
    if not host.startswith(LOOPBACK):
        raise socket.gaierror(socket.EAI_NONAME, f"tests reach no network: {host}")


clean_environment()
install()
sys.addaudithook(no_network)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs with which a run would have begun."""
    configs: list[Config] = []

    def carry_out(config: Config) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(cli, "_carry_out", carry_out)
    return configs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: the others fill the time of the processes beside it."""
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("accounts", "install"))))


def pytest_collection_finish() -> None:
    """Thousands of collected tests and botocore's models would be searched for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
