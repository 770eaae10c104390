"""The file that the playbook in use came from, edited since: nothing follows such a file, so people are told.

Belongs here: whether it has changed, and the words. Does not belong here: a process's own file, whose change makes it
the playbook in use (``playbook_in_use``).
"""

from __future__ import annotations

import socket
from pathlib import Path

from leadgate.ledger import Ledger, playbook_activations


def describe_changed_file(ledger: Ledger, own: Path) -> str | None:
    """That the file of the playbook in use has changed since, in words. None where it has not, where it is on another
    host, and where it is ``own``, the file of this process."""
    with ledger.transaction() as connection:
        active = playbook_activations.read_active(connection)
    path, _, host = ((active and active.file) or "").rpartition(" on ")
    if active is None or host != socket.gethostname() or Path(path) == own.absolute():
        return None
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            text = file.read(len(active.content) + 1)
    except (OSError, UnicodeDecodeError):
        return None
    if text == active.content:
        return None
    return (
        f"{path} has changed since it was activated, and the playbook in use is as it was then: `leadgate playbook "
        f"diff active {path}` tells what differs, and `leadgate playbook activate {path} --reason WORDS` puts it in use"
    )
