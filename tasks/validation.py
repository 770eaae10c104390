"""Validation: clean what was captured, and find out who it is about.

Belongs here: what this stage loads, decides and stores. Does not belong here: how a value is cleaned
(``leadgate.normalise``) or which promises it must keep (``expectations.validated``).
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.fields import STANDARD, VALIDATED
from leadgate.ledger import bulk, people, records, signals
from leadgate.normalise import normalise
from tasks.stage import Decided, Gathered, Stage, Work

_WRITES: Final = (*STANDARD, *VALIDATED, "custom", "attributes")
_FILLS: Final = (*STANDARD, *VALIDATED)  # what a signal that joins may add to its lead


def gather(connection: Connection, work: Work) -> Gathered:
    frame = signals.leads_at(connection, work.batch.id, "validation", [*STANDARD, "custom", "attributes"])
    return Gathered(people.expand_custom(frame, {name: f.type for name, f in work.rules.fields.items()}))


def decide(gathered: Gathered, work: Work) -> Decided:
    """Normalised values, and what is wrong with those that cannot be: the gate reads the problems."""
    frame = normalise(gathered.frame, work.rules, work.now)
    frame["contact"] = frame["email"].where(frame["email"].notna(), frame["phone"])
    custom = list(work.rules.fields)
    frame["custom"] = people.pack_custom(frame, custom)
    frame["outcome"] = "continue"
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    """Claim identities; the same person again joins the open journey, or takes the known lead up again."""
    frame = decided.frame.copy()
    if frame.empty:
        return frame
    who = people.identify(connection, frame, work.batch.id)
    frame["provisional"] = frame["lead_id"]
    frame["lead_id"], frame["joined_to"] = who["lead_id"], who["joined_to"]
    frame["changed_lead"] = [
        old != new for old, new in zip(bulk.plain(frame["provisional"]), bulk.plain(frame["lead_id"]), strict=True)
    ]
    joined = frame["joined_to"].notna()
    frame.loc[joined, "outcome"] = "joined"
    frame.loc[joined, "reason"] = "same_person"
    people.update_leads(connection, frame[~joined & ~frame["changed_lead"]], _WRITES)
    people.refresh_leads(connection, frame[~joined & frame["changed_lead"]], _WRITES)
    people.fill_from_joined(connection, frame[joined], _FILLS, work.now)
    return frame


def finish(connection: Connection, work: Work, frame: pd.DataFrame) -> None:
    """Leads that turned out to be known ones go; owners hear of news; activities find their person."""
    if "provisional" in frame:
        moved = frame[frame["changed_lead"].fillna(False).astype(bool)]
        people.drop_provisional(connection, [int(lead) for lead in bulk.plain(moved["provisional"])])
        joined = frame[frame["outcome"] == "joined"]
        records.tell_owners(connection, joined, work.now)
    people.match_activities(connection, work.now)


STAGE: Final = Stage(name="validation", gate="validated", gather=gather, decide=decide, store=store, finish=finish)
