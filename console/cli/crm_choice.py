"""Which CRMs of the playbook a command is about.

Belongs here: choosing them by name. Does not belong here: a command (``crm_check``, ``crm_setup``, ``crm_reconcile``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.screen import CommandError
from leadgate.errors import ExitCode
from leadgate.nearest import propose
from leadgate.playbook import CrmConnection, Playbook

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of the playbook's CRMs; all of them.")]


def choose_crms(playbook: Playbook, name: str | None) -> list[CrmConnection]:
    """The CRM of this name, or all. Raises ``CommandError`` when there is none."""
    if not playbook.crm:
        raise CommandError("the playbook names no CRM; add crm", ExitCode.WRONG_INPUT)
    chosen = [each for each in playbook.crm if name in (None, each.name)]
    if not chosen:
        known = propose(name or "", [each.name for each in playbook.crm])
        raise CommandError(f"{name!r} is no CRM of the playbook; {known}", ExitCode.WRONG_INPUT)
    return chosen
