"""How much the fake AWS can serve: a slow one would hide how slow the program is."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .measure import Served

CLIENTS = 4
SECONDS = 3.0
BODIES = (
    "Action=DescribeImages&Version=2016-11-15&Owner.1=self&IncludeDisabled=true&MaxResults=1000",
    *["Action=DescribeFleets&Version=2016-11-15&MaxResults=100"] * 9,
)
"""A page of a thousand AMIs among small answers: heavier than what a run asks."""


def served_a_second(served: Served) -> float:
    """Requests per second, from a few clients that read the answers and throw them away."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = list(pool.map(lambda _: _ask(served), range(CLIENTS)))
    return sum(counts) / SECONDS


def _ask(served: Served) -> int:
    connection = http.client.HTTPConnection(urlsplit(served.url).netloc)
    scope = f"Credential={served.key}/20260101/eu-west-1/ec2/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    done, end = 0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        connection.request("POST", "/", BODIES[done % len(BODIES)], headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"the fake AWS answered {answer.status}")
        done += 1
    connection.close()
    return done
