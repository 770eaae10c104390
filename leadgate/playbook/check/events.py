"""Systems that are told of events: addresses to which a lead's values may be sent.

Belongs here: what must fit together in this part of a playbook. Does not belong here: sending (``connectors``).
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from leadgate.playbook import EventReceiver
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check_events(checker: Checker) -> Found:
    receivers = checker.playbook.events
    yield from checker.check_unique(("events",), [each.name for each in receivers])
    for position, receiver in enumerate(receivers):
        here: Path = ("events", position)
        yield from _check_address(checker, here, receiver)
        for name in ("about", "shows"):
            words = getattr(receiver, name)
            if len(set(words)) < len(words):
                yield checker.at((*here, name), "names one word twice")


def _check_address(checker: Checker, here: Path, receiver: EventReceiver) -> Found:
    where = (*here, "url")
    try:
        parts = urlsplit(receiver.url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("https", "http") or not receiver.url.isprintable():
        yield checker.at(where, "this is no URL; write one like https://hooks.example/leadgate")
    elif parts.username is not None or parts.password is not None:
        yield checker.at(where, "holds a password; what is sent is signed, by which its receiver knows the sender")
    elif parts.fragment:
        yield checker.at(where, "ends with a fragment, which no server is sent; remove it")
    elif parts.scheme == "http" and host not in _LOOPBACK:
        yield checker.at(where, "sends what happens to leads unencrypted; write https")
    elif host in _LOOPBACK and not receiver.allow_private:
        yield checker.at(where, f"{host} is this machine, which is refused; add allow_private: true")
