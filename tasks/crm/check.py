"""Whether a CRM is ready for what the playbook reads and writes there, asked before the first write. Writes nothing.

Belongs here: what is asked of a connection as a whole, and findings about credentials, answers and owners. Does not
belong here: a vendor's fields, rights and rules (``connectors``), or creating what is missing (``setup``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from leadgate.connectors.crm import (
    Crm,
    CrmField,
    CrmFinding,
    CrmLimitError,
    CrmObject,
    CrmRefusedError,
)
from leadgate.connectors.crm_opening import CrmNotConfiguredError
from leadgate.connectors.lead_ads import LeadAdsRefusedError
from leadgate.connectors.service_session import ServiceError
from leadgate.nearest import propose
from leadgate.plain_text import format_line
from leadgate.playbook import CrmConnection, Playbook, Rep
from tasks.crm import lead_ads
from tasks.crm.activities import list_kinds as list_activity_kinds
from tasks.crm.fields import list_deal_fields, list_kinds, list_wanted, read_known
from tasks.crm.owners import CrmOwners
from tasks.crm.record_updates import list_optional_fields

_SHOWN: Final = 500  # characters of what a CRM says
_MOST_FINDINGS: Final = 200  # that a person can read


@dataclass
class CheckReport:
    """What was found about one connection, what blocks first. ``was_asked``: whether the CRM has answered."""

    crm: str
    findings: list[CrmFinding] = field(default_factory=list)
    was_asked: bool = True

    @property
    def is_ready(self) -> bool:
        return self.was_asked and not any(finding.is_blocking for finding in self.findings)


def check_connection(
    playbook: Playbook, connection: CrmConnection, environ: Mapping[str, str], open_crm: Callable[[], Crm]
) -> CheckReport:
    """Ask the CRM of ``connection`` whether reading and writing would work. Raises nothing that a CRM causes."""
    report = CheckReport(connection.name)

    def ask(crm: Crm, found: list[CrmFinding]) -> None:
        for kind in list_kinds(connection):
            found += ask_kind(playbook, connection, crm, kind)
        found += ask_activities(connection, crm)
        found += ask_owners(playbook, connection, crm)

    ask_and_close(report, connection, environ, open_crm, ask)
    return report


def check_answers(
    playbook: Playbook, source: str, environ: Mapping[str, str], open_ads: lead_ads.Opener = lead_ads.open_lead_ads
) -> CheckReport:
    """Ask whether the answers of a source's leads could be read: token, proof and version. That the token may read
    leads is only known once there is one."""
    report = CheckReport(source, was_asked=False)
    http = playbook.sources[source].http
    if http is None or http.answers is None:
        return report
    try:
        with contextlib.closing(open_ads(http.answers, http.secret_env, environ)) as opened:
            opened.check_token()
        report.was_asked = True
    except lead_ads.LeadAdsNotConfiguredError as error:
        advice = "Set it in the environment of this command, and of what keeps Leadgate running."
        report.findings.append(CrmFinding(source, str(error), advice))
    except LeadAdsRefusedError as error:
        advice = "Compare token, secret and version with those of the app; docs/connectors.md names its permissions."
        report.findings.append(CrmFinding(source, str(error), advice))
        report.was_asked = True
    except ServiceError as error:
        advice = f"Is {http.answers.url} right, and does this machine reach it?"
        report.findings.append(CrmFinding(source, str(error), advice))
    report.findings = _sort(report.findings)
    return report


def ask_and_close(
    report: CheckReport,
    connection: CrmConnection,
    environ: Mapping[str, str],
    open_crm: Callable[[], Crm],
    ask: Callable[[Crm, list[CrmFinding]], None],
) -> None:
    """Open the CRM, have ``ask`` add what it finds, and put all of it into ``report``, an answer that fails too.

    An error that is none of the connector's kinds is a fault of the connector.
    """
    found = _find_unset(connection, environ)
    crm: Crm | None = None
    try:
        if not found:
            crm = open_crm()
            ask(crm, found)
    except CrmNotConfiguredError as error:
        advice = "Correct the connection in the playbook; `leadgate playbook check` tells more."
        found.append(CrmFinding(connection.name, str(error), advice))
    except CrmRefusedError as error:
        found.append(_explain_refusal(connection, error))
    except ServiceError as error:
        found.append(_explain_silence(connection, error))
        report.was_asked = False
    except Exception as error:  # a connector's own package may raise anything, and may quote credentials in it
        problem = f"the connector of {connection.name} failed ({type(error).__name__})"
        found.append(CrmFinding(connection.name, problem, "Tell whoever keeps the connector's package."))
        report.was_asked = False
    finally:
        if crm is not None:
            crm.close()
    report.was_asked = report.was_asked and crm is not None
    report.findings = _sort(found)


def _find_unset(connection: CrmConnection, environ: Mapping[str, str]) -> list[CrmFinding]:
    """The variables with credentials that are not set, by name; never a value."""
    return [
        CrmFinding(
            variable,
            f"the variable is not set; {connection.name} needs it as its {word.replace('_', ' ')}",
            f"Set {variable} in the environment of this command, and of what keeps Leadgate running.",
        )
        for word, variable in connection.credentials.items()
        if not environ.get(variable, "").strip()
    ]


def _explain_refusal(connection: CrmConnection, error: CrmRefusedError) -> CrmFinding:
    advice = "Compare credentials, scopes and address with those of the account; docs/connectors.md names them."
    return CrmFinding(connection.name, str(error), advice)


def _explain_silence(connection: CrmConnection, error: ServiceError) -> CrmFinding:
    problem = str(error)
    if isinstance(error, CrmLimitError):
        seconds = error.wait_seconds if 0 <= error.wait_seconds <= 86_400 else 86_400.0  # it may be no number
        minutes = max(1, round(seconds / 60))
        return CrmFinding(connection.name, problem, f"Its limit is reached; ask again in {minutes:,} minutes.")
    advice = f"Is {connection.address or 'the address'} right, and does this machine reach it?"
    if not connection.allow_private:
        advice += " An address within a private network needs allow_private: true."
    return CrmFinding(connection.name, problem, advice)


def ask_kind(playbook: Playbook, connection: CrmConnection, crm: Crm, kind: CrmObject) -> list[CrmFinding]:
    """What would make reading or writing a kind of record fail; a refusal, too. Raises ``ServiceError``."""
    try:
        known = read_known(crm, kind)
        wanted = list_wanted(playbook, connection, kind, known)
        found = crm.check(kind, wanted, creates=kind is CrmObject.TASK or connection.create)
        usual = list_optional_fields(playbook, connection, kind.value)
        found = [replace(each, is_blocking=False) if _name_field(each) in usual else each for each in found]
        return [*found, *_find_unknown_stages(connection, known)] if kind is CrmObject.DEAL else found
    except CrmRefusedError as error:
        return [_explain_refusal(connection, error)]


def _name_field(finding: CrmFinding) -> str:
    """The field that a finding is about, of which a vendor may name the object, too."""
    return finding.subject.rpartition(".")[2]


def ask_activities(connection: CrmConnection, crm: Crm) -> list[CrmFinding]:
    """The kinds of activities that the CRM refuses to read. Raises ``ServiceError``."""
    if connection.reads is None or not connection.reads.activities:
        return []
    found = []
    now = crm.make_position(datetime.now(UTC))
    for kind in list_activity_kinds(connection.reads, crm):
        try:
            crm.read_activities(kind, now)
        except CrmRefusedError as error:
            advice = "Add the scope or the right to read them; docs/connectors.md names them."
            found.append(CrmFinding(f"reading activities: {kind}", str(error), advice))
    return found


def _find_unknown_stages(connection: CrmConnection, known: Mapping[str, CrmField]) -> Iterator[CrmFinding]:
    """Stages of the playbook that no deal of the CRM can come to, where it lists them."""
    deals = connection.reads.deals if connection.reads is not None else None
    stage = next((known[name] for name in list_deal_fields(connection)[:1] if name in known), None)
    if deals is None or stage is None or not stage.choices:
        return
    for name in deals.stages:
        if name not in stage.choices:
            advice = f"Correct it in reads.deals.stages; {propose(name, stage.choices)}"
            yield CrmFinding(stage.name, f"no deal comes to the stage {name}", advice, is_blocking=False)


def _sort(found: Iterable[CrmFinding]) -> list[CrmFinding]:
    """Each finding once and in lines, those that block first, in the order in which they were found."""
    once = dict.fromkeys(map(_clean, found))
    return sorted(once, key=lambda finding: not finding.is_blocking)[:_MOST_FINDINGS]


def _clean(finding: CrmFinding) -> CrmFinding:
    subject, problem, advice = (
        format_line(each, _SHOWN) for each in (finding.subject, finding.problem, finding.advice)
    )
    return CrmFinding(subject, problem, advice, finding.is_blocking)


# --- owners -----------------------------------------------------------------------------------------------


def ask_owners(playbook: Playbook, connection: CrmConnection, crm: Crm) -> list[CrmFinding]:
    """The reps whom the CRM does not know, where it is told who owns a lead or a task. Raises ``ServiceError``."""
    if not connection.names_owners:
        return []
    try:
        owners = CrmOwners(connection.name, crm.list_owners())
    except CrmRefusedError as error:
        return [_explain_refusal(connection, error)]
    return list(_explain_unknown(owners, playbook.reps, _list_takers(playbook), connection))


def _list_takers(playbook: Playbook) -> frozenset[str]:
    """The reps to whom a route can give leads."""
    members = {member.rep for pool in playbook.pools for member in pool.members}
    return frozenset(members | {route.to.removeprefix("rep ") for route in playbook.routing})


def _explain_unknown(
    owners: CrmOwners, reps: Iterable[Rep], takers: frozenset[str], connection: CrmConnection
) -> Iterator[CrmFinding]:
    for rep in reps:
        if owners.find(rep) is None:
            blocks = rep.name in takers
            yield CrmFinding(
                rep.name,
                f"the rep {owners.explain(rep)} in {connection.name}"
                + ("; their leads and tasks would have no owner there" if blocks else "; no pool or route names them"),
                f"Add the user in the CRM, or their e-mail address or crm_ids: {{{connection.name}: ID}} to the rep.",
                is_blocking=blocks,
            )
