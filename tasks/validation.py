"""Validation: clean what was captured, and find out who it is about.

Belongs here: what this stage loads, decides and stores. Does not belong here: how a value is cleaned
(``leadgate.mapping.normalise``), who is the same person (``leadgate.matching``), or which promises it must keep
(``expectations.validated``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from expectations.validated import PROMISES
from leadgate.fields import STANDARD, VALIDATED, find_contact
from leadgate.ledger import activities, bulk, identities, leads, outbox
from leadgate.mapping.normalise import leave_out_unreadable, normalise
from leadgate.matching import CONFLICT
from leadgate.matching.persons import describe_levels
from leadgate.matching.resolving import Match, describe_keys
from leadgate.playbook import GateRules, Playbook
from leadgate.vocabulary import GateName, Outcome, Severity, StageName
from tasks.stage import Decided, Gathered, Stage, Work

_WRITES: Final = (*STANDARD, *VALIDATED, "custom", "attributes")
_FILLS: Final = (*STANDARD, *VALIDATED)  # what a signal that joins may add to its lead


def gather(connection: Connection, work: Work) -> Gathered:
    frame = leads.read_leads_at(connection, work.batch.id, StageName.VALIDATION, [*STANDARD, "custom", "attributes"])
    return Gathered(leads.expand_custom(frame, {name: f.type for name, f in work.rules.fields.items()}))


def decide(gathered: Gathered, work: Work) -> Decided:
    """Normalised values, and what is wrong with those that cannot be: the gate reads the problems.

    A value that cannot be read is left out where that only warrants a warning.
    """
    frame = leave_out_unreadable(normalise(gathered.frame, work.rules, work.now), _list_optional(work.rules))
    frame["contact"] = find_contact(frame)
    custom = list(work.rules.fields)
    frame["custom"] = leads.pack_custom(frame, custom)
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def _list_optional(playbook: Playbook) -> list[str]:
    """The fields whose value may be refused without holding the lead, by the severity of the promise about each."""
    severity = playbook.gates.get(GateName.VALIDATED, GateRules()).severity
    return [
        promise.shown_column
        for promise in PROMISES
        if promise.problem_column
        and promise.shown_column
        and severity.get(promise.name, promise.severity) == Severity.WARNING
    ]


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    """Claim identities; the same person again joins the open journey, or takes the known lead up again.

    Who this is about is looked up here and not in ``decide``: only within this transaction it cannot change.
    """
    frame = decided.frame.copy()
    if frame.empty:
        return frame
    who = identities.identify(connection, frame, work.batch.id, work.rules.matching, work.key)
    frame["provisional"] = frame["lead_id"]
    frame[[*who.columns]] = who
    frame["changed_lead"] = [
        old != new
        for old, new in zip(bulk.list_values(frame["provisional"]), bulk.list_values(frame["lead_id"]), strict=True)
    ]
    asked, joined = frame["hold"].notna(), frame["joined_to"].notna()
    frame.loc[joined, "outcome"] = Outcome.JOINED
    frame.loc[joined, "reason"] = "same_person"
    if asked.any():
        frame.loc[asked, "outcome"] = Outcome.REVIEW
        frame.loc[asked, "reason"] = frame.loc[asked, "hold"]
        rows = zip(frame.loc[asked, "hold"], frame.loc[asked, "matches"], strict=True)
        frame.loc[asked, "item_message"] = [_build_question(hold, matches) for hold, matches in rows]
        identities.keep_lookalikes(connection, frame[asked], work.now)
    known = frame["hold"] == CONFLICT  # what a lead is known by stays until somebody has decided
    leads.update_leads(connection, frame[~joined & ~known & ~frame["changed_lead"]], _WRITES)
    identities.keep_joins(connection, frame[frame["changed_lead"]], _WRITES, work.now)
    leads.refresh_leads(connection, frame[~joined & frame["changed_lead"]], _WRITES)
    leads.fill_from_joined(connection, frame[joined], _FILLS, work.now)
    return frame


def finish(connection: Connection, work: Work, frame: pd.DataFrame) -> None:
    """Leads that turned out to be known ones go; owners hear of news; activities find their person."""
    if "provisional" in frame:
        moved = frame[frame["changed_lead"].fillna(False).astype(bool)]
        leads.drop_provisional(connection, [int(lead) for lead in bulk.list_values(moved["provisional"])])
        joined = frame[frame["outcome"] == Outcome.JOINED]
        outbox.tell_owners(connection, joined, work.now)
    activities.try_to_match_activities(connection, work.now)


def _build_question(hold: str, matches: Sequence[Match]) -> str:
    """What a person is asked, without any personal value: the work item's message is kept."""
    if hold == CONFLICT:
        parts = "; ".join(f"lead {match.lead_id}: {describe_keys(match.levels)}" for match in matches)
        return f"What is known of this person belongs to different leads ({parts})"
    best = matches[0]
    more = f", or one of {len(matches) - 1} more" if len(matches) > 1 else ""
    return f"This may be lead {best.lead_id}{more}: {describe_levels(best.levels)}"


STAGE: Final = Stage(name=StageName.VALIDATION, gather=gather, decide=decide, store=store, finish=finish)
