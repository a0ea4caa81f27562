"""The fake AWS behind a socket: HTTP/1.1 with connections kept alive, a thread for each."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from .core import FakeAws
from .errors import Broken
from .wire import Answer
from .world import DEFAULT_ACCOUNT

STATUS_PATH = "/_standin"  # what was called so far, as JSON, for whoever runs it as another process


@dataclass
class Served:
    fake_aws: FakeAws
    url: str

    def environment(self, region: str = "eu-west-1", account_id: str = DEFAULT_ACCOUNT) -> dict[str, str]:
        return self.fake_aws.world.environment(self.url, region, account_id)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them
    request_queue_size = 128

    def __init__(self, fake_aws: FakeAws, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.fake_aws = fake_aws
        self.numbers = itertools.count(1)
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """End every connection, then wait for the threads: clients keep connections open for ever."""
        self.stopping.set()
        self.fake_aws.faults.release()
        self.shutdown()
        with self.lock:
            for connection in self.open:
                hang_up(connection)
        self.server_close()


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the other side may have done so
        connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.home = cast(Server, self.server)
        self.number = next(self.home.numbers)
        with self.home.lock:
            self.home.open.add(self.connection)
        if self.home.stopping.is_set():
            hang_up(self.connection)
        self.home.fake_aws.calls.connected()

    def finish(self) -> None:
        self.home.fake_aws.calls.disconnected()
        with self.home.lock:
            self.home.open.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client may hang up
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            answer = self.home.fake_aws.handle(self.command, self.path, dict(self.headers), body, self.number)
        except Broken as broken:
            if broken.kind.startswith("hang"):
                self.wait(broken)
            self.close_connection = True
            return
        self.send(answer)

    def do_GET(self) -> None:
        if self.path == STATUS_PATH:
            document = json.dumps(self.home.fake_aws.calls.summary()).encode()
            self.send(Answer(200, {"Content-Type": "application/json"}, document))
        else:
            self.do_POST()

    def wait(self, broken: Broken) -> None:
        """Be silent until the fault is released, its time is over or the server stops."""
        end = None if broken.wait is None else time.monotonic() + broken.wait
        while not self.home.stopping.is_set() and not broken.released.wait(0.01):
            if end is not None and time.monotonic() >= end:
                return

    def send(self, answer: Answer) -> None:
        # One write for head and body: two would wait for each other's acknowledgement.
        head = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head += [f"Content-Length: {len(answer.body)}", "", ""]
        self.wfile.write("\r\n".join(head).encode() + answer.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(fake_aws: FakeAws, port: int = 0) -> Iterator[Served]:
    """Serve the fake AWS on a port of this machine's own; all services have the one URL."""
    server = Server(fake_aws, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Served(fake_aws, server.url)
    finally:
        server.stop()
        thread.join()
