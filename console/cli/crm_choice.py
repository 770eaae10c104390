"""Which CRMs of the playbook a command is about.

Belongs here: choosing them by name. Does not belong here: a command (``crm_check``, ``crm_setup``, ``crm_reconcile``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from console.screen import CommandError
from leadgate.errors import ExitCode
from leadgate.nearest import find_nearest
from leadgate.playbook import CrmConnection, Playbook

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="A CRM of the playbook; by default all.")]


def choose_crms(playbook: Playbook, name: str | None, sources: Sequence[str] = ()) -> list[CrmConnection]:
    """The CRM of this name, or all. ``sources`` are others that the command could be about.

    Raises ``CommandError`` when there is none.
    """
    if not playbook.crm and (name is None or not sources):
        raise CommandError("the playbook names no CRM; add crm", ExitCode.WRONG_INPUT)
    chosen = [each for each in playbook.crm if name in (None, each.name)]
    if not chosen:
        raise refuse_name(name or "", [each.name for each in playbook.crm], sources)
    return chosen


def refuse_name(name: str, crms: Sequence[str], sources: Sequence[str]) -> CommandError:
    """The error about a name that is none of these, with those that there are."""
    nearest = find_nearest(name, [*crms, *sources])
    hint = f"did you mean {nearest!r}? " if nearest else ""
    there = f"CRMs are: {', '.join(crms) or 'none'}" + (f"; sources are: {', '.join(sources)}" if sources else "")
    what = "no CRM of the playbook" + (", and no source whose answers are read" if sources else "")
    return CommandError(f"{name!r} is {what}; {hint}{there}", ExitCode.WRONG_INPUT)
