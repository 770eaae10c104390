"""A receiver of messages: a real HTTP server on loopback that takes what Apprise posts to a json:// address."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "s3cr3t-t0ken"  # noqa: S105 - made up; a part of the address, as the tokens of most services are


@dataclass
class Receiver:
    """What was received, in order. ``answer`` is the status it gives, ``slow`` the seconds that it takes."""

    port: int = 0
    answer: int = 200
    slow: float = 0.0
    refuse: str = ""  # messages whose text has this in it get a 500
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"json://127.0.0.1:{self.port}/hooks/{SECRET}?rto=1"

    @property
    def keys(self) -> list[str]:
        """The key of each message that it took, as a receiver reads it: from the text."""
        return [read_key(message) for message in self.messages]


def read_key(message: dict[str, Any]) -> str:
    return str(message["message"]).rpartition("Key: ")[2]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens for as long as this lasts."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(receiver.slow)
            refused = receiver.refuse and receiver.refuse in message["message"]
            status = 500 if refused else receiver.answer
            if status == 200:
                receiver.messages.append(message)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
