"""Whole processes, from their start to their end, by the operating system's own accounting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds on the wall, seconds of processor time, peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(slots=True)
class Served:
    """A fake AWS in a process of its own; `summary` is there when it has ended."""

    url: str
    key: str
    process: subprocess.Popen[str]
    summary: dict[str, Any] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What leads boto3 to it, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextmanager
def serve(*arguments: str) -> Iterator[Served]:
    """A scenario (`bench.serve`), until the block ends."""
    command = [sys.executable, "-m", "bench.serve", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    url, key = process.stdout.readline().split() if process.stdout else ("", "")
    served = Served(url, key, process)
    try:
        yield served
    finally:
        out, _ = process.communicate()
        served.summary = json.loads(out)


def run(command: Sequence[str], environment: Mapping[str, str], answer: str = "") -> Run:
    """Runs a command to its end, its output thrown away.  Ends the measuring if it fails, for it then did less."""
    env = {"PATH": os.environ["PATH"], "HOME": os.devnull, "LANG": "C.UTF-8", **environment}
    started = time.monotonic()
    process = subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, cwd="/"
    )
    if process.stdin:
        process.stdin.write(answer)
        process.stdin.close()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def middle(runs: Sequence[Run], figure: str) -> float:
    """The median of one figure."""
    return median(getattr(one, figure) for one in runs)
