"""A service that knows companies: a real HTTP server on loopback, with one behaviour for each domain that it is asked
about."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SECRET = "s3cr3t-of-the-provider"  # noqa: S105 - made up
VARIABLE = "LEADGATE_PROVIDER_TEST"


@dataclass
class Behaviour:
    """What the service does when it is asked: ``body`` as JSON, or as it is where it is bytes."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    breaks: bool = False  # the connection, without an answer


@dataclass
class CompanyService:
    """``of`` has the behaviour for a domain, ``usual`` that for the others. ``asked`` is about whom, in order."""

    port: int = 0
    usual: Behaviour = field(default_factory=lambda: Behaviour(body={"org": {"size": 120, "industry": "Software"}}))
    of: dict[str, Behaviour] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)  # path, and headers in lower case

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/companies?domain={{company_domain}}"


@contextlib.contextmanager
def serving_companies() -> Iterator[CompanyService]:
    """A service that listens for as long as this lasts."""
    service = CompanyService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            domain = parse_qs(urlsplit(self.path).query).get("domain", [""])[0]
            service.asked.append(domain)
            service.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            behaviour = service.of.get(domain, service.usual)
            time.sleep(behaviour.seconds)
            if behaviour.breaks:
                self.close_connection = True
                return
            body = behaviour.body if isinstance(behaviour.body, bytes) else json.dumps(behaviour.body).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(behaviour.status)
                for name, value in behaviour.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
