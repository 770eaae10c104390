"""Outcomes flow back: what becomes of an opportunity is recorded of the lead that it came from.

Belongs here: which lead an opportunity names, and which outcome an update means for it. Does not belong here: finding
the lead's journey and storing the outcome (``ledger.recorded_outcomes``), or counting outcomes (``ledger.figures``).

An opportunity that is made of a lead says that sales accepted it; one that is won or lost says so of the lead, too. So
the figures by source, rule, score band and rep reach what was won. As with outcomes that a file tells, no lead moves.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate import references
from leadgate.ledger import recorded_outcomes
from leadgate.ledger.recorded_outcomes import NewOutcome, StatedOutcome
from leadgate.matching.resolving import CRM_ID, list_crm_sources
from leadgate.playbook import Playbook
from leadgate.records.fields import LEAD
from leadgate.values.addresses import Kinds, read_address
from leadgate.vocabulary import JourneyKind, Outcome, RecordedVerdict

#: The kinds whose records tell what became of the lead that they came from. An expansion that a lead started says
#: nothing of the lead itself.
_TELL: Final = frozenset({JourneyKind.OPPORTUNITY})
_BY: Final = "leadgate"
#: What an update that ends a record means for its lead.
_ENDS: Final = {"won": RecordedVerdict.WON, "lost": RecordedVerdict.LOST}


def record_outcomes(connection: Connection, playbook: Playbook, judged: pd.DataFrame, now: datetime) -> None:
    """Record what the updates of ``judged`` mean for the leads that they name. A lead that is not known, or that is one
    of several, has none; and an update that waits for an answer means nothing yet."""
    if playbook.kind not in _TELL:
        return
    told = judged[judged[LEAD].notna() & judged["outcome"].isin((Outcome.CONTINUE, Outcome.DONE))]
    kinds = Kinds.of(playbook.validation)
    rows: list[Any] = list(told.itertuples())
    stated = [each for line, row in enumerate(rows) if (each := _state(line, row, kinds)) is not None]
    if not stated:
        return
    crm_kinds = [f"{CRM_ID}:{crm}" for crm in dict.fromkeys(list_crm_sources(playbook.matching).values())]
    found = recorded_outcomes.find_journeys(connection, stated, None, crm_kinds)
    new = [
        NewOutcome(journey.journey_id, journey.lead_id, each.kind, None, each.at, each.rep)
        for each in stated
        if (journey := found.get(each.line)) is not None and journey.leads == 1 and not journey.known
    ]
    if new:
        recorded_outcomes.record(connection, new, by=_BY, now=now)


def _state(line: int, row: Any, kinds: Kinds) -> StatedOutcome | None:
    """What an update says of its lead; None where it says nothing new, or names the lead in no way that can be read."""
    is_new = row.number == 1 and not row.due
    kind = _ENDS.get(row.record_outcome, RecordedVerdict.ACCEPTED if is_new else None)
    named = find_way(str(row.lead), kinds)
    if kind is None or named is None:
        return None
    return StatedOutcome(line, *named, kind.value, None, row.changed_at, row.rep)


def find_way(told: str, kinds: Kinds) -> tuple[str, str] | None:
    """By what ``told`` names a lead, and the value: an e-mail address; a number as Leadgate prints it; else an id of
    the lead's source or of a CRM."""
    if "@" in told:
        address = read_address(told, kinds).canonical
        return None if address is None else ("email", address)
    found = references.parse(told)
    if found is not None and found[0] in ("lead", "journey"):
        return found[0], str(found[1])
    return ("external_id", told.strip()) if told.strip() else None
