"""Ports of loopback for programs that take theirs a moment later.

Belongs here: ports that stay free until then. Does not belong here: a server that takes its port at once and tells which
(``socket.create_server`` with port 0).

The kernel gives a port from its own range to every connection that somebody opens, so one of these that is free now may
be taken a moment later. Ports below that range are taken by nobody who does not ask for them by number.
"""

from __future__ import annotations

import contextlib
import random
import socket
from typing import Final

_FIRST: Final = 12_000
_END: Final = 32_000  # the kernel's range begins at 32,768
#: Not that of Hypothesis and of tests, which may draw the same numbers in each process.
_draw: Final = random.SystemRandom()


def find_free_ports(count: int) -> list[int]:
    """Ports that nobody uses just now, each another."""
    found: set[int] = set()
    while len(found) < count:
        port = _draw.randrange(_FIRST, _END)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.add(port)
    return list(found)


def find_free_port() -> int:
    return find_free_ports(1)[0]
