"""What tests of HTTP capture share: sources that may post, a client that posts as they do, the real application.

The playbook is the tests' own with other sources; a test that uses ``client`` gets it from a fixture ``loaded``.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

import pytest
import uvicorn
from forked import wait_for
from harness import PLAYBOOK, Harness
from sqlalchemy import text

from console.http.capture_api import build_app
from console.http.serving import build_config
from leadgate import source_secrets
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook

SOURCES = """sources:
  website:
    key: id
    volatile: [sent_at]
    http: {auth: hmac, secret_env: LEADGATE_SECRET_WEBSITE, per_second: 100000, burst: 1000000}
  partner: {http: {auth: bearer, secret_env: LEADGATE_SECRET_PARTNER, max_bytes: 1000, per_second: 1, burst: 3}}
  unset: {http: {auth: bearer, secret_env: LEADGATE_SECRET_UNSET}}
  old: {http: {auth: hmac, secret_env: LEADGATE_SECRET_OLD}}
  files: {}
  activities: {kind: activities, http: {auth: bearer, secret_env: LEADGATE_SECRET_ACTIVITIES}}
scoring:"""
HTTP_PLAYBOOK = PLAYBOOK.partition("sources:")[0] + SOURCES + PLAYBOOK.partition("scoring:")[2]
SECRETS = {
    "LEADGATE_SECRET_WEBSITE": source_secrets.make(),
    "LEADGATE_SECRET_PARTNER": "the-token-of-a-partner-0123456789",
    "LEADGATE_SECRET_ACTIVITIES": source_secrets.make(),
    "LEADGATE_SECRET_OLD": "the-secret-of-an-old-sender-0123",
}
BRAKE_FROM = 2_000  # leads that wait
TOKEN = "the-token-of-a-monitor-0123456789"  # noqa: S105 - of a server that ends with its test
JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """Posts as the sources do."""

    port: int
    seconds: float = 0.0  # what the rates of sources go by
    connections: Any = None  # of its server, for those that look at its limits

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, Any] | None = None) -> Answer:
        with contextlib.closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, headers or {}, encode_chunked=isinstance(body, Iterator))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, payload: Any, source: str = "website", request: str | None = None, **headers: str) -> Answer:
        """``payload`` as JSON, or bytes as they are, signed in as ``source`` does, under the id ``request``."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = (
            JSON
            | build_auth_headers(source, body, request=request)
            | {name.replace("_", "-"): value for name, value in headers.items()}
        )
        return self.send("POST", f"/capture/{source}", body, sent)


def build_auth_headers(source: str, body: bytes, at: float | None = None, request: str | None = None) -> dict[str, str]:
    """The headers by which ``source`` signs in. ``request`` is the id of what it signs; else a new one."""
    secret = SECRETS.get(name_secret(source), "whatever")
    stamp = str(int(time.time() if at is None else at))
    if source == "old":
        digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"X-Leadgate-Timestamp": stamp, "X-Leadgate-Signature": f"sha256={digest}"}
    if source == "website":
        return sign_standard_webhook(secret, body, request or f"msg_{next(_ids)}", stamp)
    return {"Authorization": f"Bearer {secret}"}


def name_secret(source: str) -> str:
    """The variable that holds its secret."""
    return f"LEADGATE_SECRET_{source.upper()}"


def sign_standard_webhook(secret: str, body: bytes, request: str, stamp: str) -> dict[str, str]:
    """The headers of Standard Webhooks for a body of any bytes; their own library signs text only."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.digest(key, f"{request}.{stamp}.".encode() + body, "sha256")
    return {
        "webhook-id": request,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


_ids = itertools.count()


@pytest.fixture
def environment() -> dict[str, str]:
    """What the environment holds; a test module with other sources has one of its own."""
    return SECRETS


@pytest.fixture
def client(ledger: Ledger, loaded: LoadedPlaybook, environment: dict[str, str]) -> Iterator[Client]:
    """The real application in a real server on loopback."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as taken:
        client = Client(taken.getsockname()[1])
        app = build_app(
            ledger,
            loaded.playbook,
            environment,
            metrics_token=TOKEN,
            brake_from=BRAKE_FROM,
            clock=lambda: client.seconds,
        )
        client.connections = app.state.connections
        server = uvicorn.Server(build_config(app, app.state.connections))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            wait_for(lambda: server.started)
            yield client
        finally:
            server.should_exit = True
            thread.join()


def count_signals(harness: Harness) -> int:
    return int(harness.one("SELECT count(*) FROM signal"))


@contextlib.contextmanager
def writer_held(harness: Harness) -> Iterator[None]:
    """Whatever is posted for the website waits while this lasts."""
    with harness.ledger.transaction() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('website', 0))"))
        yield


def is_writer_waiting(harness: Harness) -> bool:
    return bool(harness.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
