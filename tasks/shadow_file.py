"""The file of a draft that the setting ``LEADGATE_SHADOW`` names: its content decides beside the playbook in use.

Belongs here: when the file's content becomes the shadow, and what is wrong with the file. Does not belong here: what a
command or a page starts, and passes (``tasks.shadow``).
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

from leadgate.ledger import Ledger, playbook_activations, shadows
from leadgate.ledger.clock import read_time
from leadgate.playbook import LoadedPlaybook, PlaybookError, load
from leadgate.process_user import find_login
from tasks.playbook_in_use import require_activatable
from tasks.shadow import put_in_place

REASON: Final = "the file that LEADGATE_SHADOW names"


def follow_shadow_file(ledger: Ledger, file: Path | None, read_as: Path, now: datetime | None = None) -> str | None:
    """Have the content of ``file`` decide beside the playbook in use, in place of a shadow that runs. On record is the
    user of this process. Content that is the shadow, or was it once, is left as it is: somebody has ended it.

    Returns what is wrong with a file that cannot be used; then nothing changes.
    """
    if file is None:
        return None
    try:
        draft = load(file)
        if not _is_new(ledger, draft):
            return None
        require_activatable(draft, read_as)
    except PlaybookError as error:
        return str(error)
    with ledger.statement() as connection:
        moment = read_time(connection, now)
    put_in_place(ledger, draft, REASON, by=find_login(), now=moment)
    return None


def find_problem(file: Path | None, read_as: Path | None) -> str | None:
    """What is wrong with the file, if anything is."""
    try:
        if file is not None:
            require_activatable(load(file), read_as)
    except PlaybookError as error:
        return str(error)
    return None


def _is_new(ledger: Ledger, draft: LoadedPlaybook) -> bool:
    with ledger.statement() as connection:
        active = playbook_activations.read_active(connection)
        if active is not None and (active.hash == draft.hash or active.content == draft.text):
            return False
        return not shadows.was_started(connection, draft.hash, draft.text)
