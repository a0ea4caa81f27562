"""The fake AWS behind a socket: HTTP/1.1 with persistent connections, one thread per connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from .core import FakeAws
from .errors import Broken
from .wire import Response
from .world import DEFAULT_ACCOUNT


@dataclass
class Served:
    fake_aws: FakeAws
    url: str

    def environment(self, region: str = "eu-west-1", account_id: str = DEFAULT_ACCOUNT) -> dict[str, str]:
        return self.fake_aws.world.environment(self.url, region, account_id)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them
    request_queue_size = 128

    def __init__(self, fake_aws: FakeAws, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.fake_aws = fake_aws
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Close every connection, which clients would keep open forever, then wait for the threads."""
        self.stopping.set()
        self.fake_aws.faults.release()
        self.shutdown()
        with self.lock:
            for connection in self.open:
                hang_up(connection)
        self.server_close()


def hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # the client may have closed it
        connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.home = cast(Server, self.server)
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
            response = self.home.fake_aws.handle(self.command, self.path, dict(self.headers), body)
        except Broken as broken:
            if broken.kind.startswith("hang"):
                self.wait(broken)
            self.close_connection = True
            return
        self.send(response)

    do_GET = do_POST

    def wait(self, broken: Broken) -> None:
        """Stay silent until the fault is released or the server stops."""
        while not self.home.stopping.is_set() and not broken.released.wait(0.01):
            pass

    def send(self, response: Response) -> None:
        # One write for head and body: a second one would wait for the first one's acknowledgement.
        head = [f"HTTP/1.1 {response.status} {responses.get(response.status, '')}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        head += [f"Content-Length: {len(response.body)}", "", ""]
        self.wfile.write("\r\n".join(head).encode() + response.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve(fake_aws: FakeAws, port: int = 0) -> Iterator[Served]:
    """Serve the fake AWS on a local port; all services have the same URL."""
    server = Server(fake_aws, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Served(fake_aws, server.url)
    finally:
        server.stop()
        thread.join()
