"""A mail server on loopback that takes every message and keeps it, or refuses it; with the standard library alone."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage


@dataclass
class Mailbox:
    """What arrived: the recipients of each message's envelope, and the message."""

    port: int = 0
    envelopes: list[list[str]] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    refusal: str = ""  # what recipients are answered in place of being taken


@contextlib.contextmanager
def taking_mail() -> Iterator[Mailbox]:
    """A mail server that listens for as long as this lasts."""
    box = Mailbox()

    class Session(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True  # each answer is a packet

        def handle(self) -> None:
            recipients: list[str] = []
            self._say("220 loopback")
            while line := self.rfile.readline():
                verb = line.decode(errors="replace").strip().upper()
                if verb.startswith("QUIT"):
                    self._say("221 bye")
                    return
                if verb.startswith("RCPT") and box.refusal:
                    self._say(box.refusal)
                    continue
                if verb.startswith("RCPT"):
                    recipients.append(line.decode().strip())
                if verb != "DATA":
                    self._say("250 ok")
                    continue
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part[1:] if part.startswith(b"..") else part)
                message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                box.envelopes.append(recipients)
                box.messages.append(message)
                self._say("250 taken")

        def _say(self, words: str) -> None:
            self.wfile.write(f"{words}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
    server.daemon_threads = True
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield box
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
