"""Creating what a CRM lacks for what the playbook writes there; what only a person can do is told.

Belongs here: which fields are created, each by itself, and what is left. Does not belong here: a vendor's way to create
a field (``connectors``), or what is found wrong (``check``).

Doing it again creates nothing more, and of two that do it at once each field is created by one: a CRM refuses a second
field of a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from leadgate.connectors.crm import Crm, CrmFinding, CrmObject, CrmRefusedError, WantedField
from leadgate.playbook import CrmConnection, Playbook
from tasks.crm.check import CheckReport, ask_and_close, ask_kind, ask_owners
from tasks.crm.fields import list_kinds, list_wanted, read_known


@dataclass(frozen=True)
class CreatedField:
    """A field that was created, or would be."""

    kind: CrmObject
    name: str
    type: str


@dataclass
class SetupReport(CheckReport):
    """What was created, and in ``findings`` what is left for a person. ``dry_run``: nothing was created."""

    created: list[CreatedField] = field(default_factory=list)
    dry_run: bool = False


def set_up_connection(
    playbook: Playbook,
    connection: CrmConnection,
    environ: Mapping[str, str],
    open_crm: Callable[[], Crm],
    *,
    dry_run: bool = False,
) -> SetupReport:
    """Create the fields that the CRM of ``connection`` lacks. Raises nothing that a CRM causes."""
    report = SetupReport(connection.name, dry_run=dry_run)

    def set_up(crm: Crm, found: list[CrmFinding]) -> None:
        for kind in list_kinds(connection):
            refused = _create_missing(playbook, connection, crm, kind, report)
            new = {each.name.casefold() for each in report.created if each.kind is kind}
            left = ask_kind(playbook, connection, crm, kind)
            if dry_run:  # what would be created is not missing
                left = [each for each in left if each.subject.rpartition(".")[2].casefold() not in new]
            found += [*refused, *left]
        found += ask_owners(playbook, connection, crm)

    ask_and_close(report, connection, environ, open_crm, set_up)
    return report


def _create_missing(
    playbook: Playbook, connection: CrmConnection, crm: Crm, kind: CrmObject, report: SetupReport
) -> list[CrmFinding]:
    """Create the missing fields that are written, each by itself: one that is refused stops no other.

    A field that is only read and is missing is likely a mistake, so it is not created.
    """
    known = read_known(crm, kind)
    names = {name.casefold() for name in known}
    refused: list[CrmFinding] = []
    every = {wanted.name: wanted for wanted in list_wanted(playbook, connection, kind, known)}
    for wanted in every.values():
        if not wanted.is_written or wanted.name.casefold() in names:
            continue
        try:
            made = crm.create_fields(kind, [wanted], dry_run=report.dry_run)
        except CrmRefusedError as error:
            if wanted.name not in read_known(crm, kind):  # another process may have created it meanwhile
                refused.append(_explain_refusal(wanted, error))
            continue
        new = [CreatedField(kind, name, every[name].type.value) for name in made]
        report.created += [each for each in new if each not in report.created]
    return refused


def _explain_refusal(wanted: WantedField, error: CrmRefusedError) -> CrmFinding:
    advice = f"Create it in the CRM by hand, for {wanted.type.value}, or name another field in the playbook."
    return CrmFinding(wanted.name, f"the field was not created: {error}", advice)
