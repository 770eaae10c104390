"""Assignment of records: an owner by the routes of the kind, as for leads.

Belongs here: what this stage loads that is different from leads, and ending the journey before. Does not belong here:
choosing the owner, turns, due times (``tasks.assignment``).
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import absences, bulk, pools, qualifications, record_owners, records, superseding
from leadgate.ledger.faults import Conflict
from leadgate.ledger.record_owners import PastOwners
from leadgate.sla.sla_targets import list_returnable_reasons
from leadgate.vocabulary import JourneyStatus, MessageKind, NothingNew, Outcome, StageName
from tasks import assignment
from tasks.assignment import Capacity, TurnChanges
from tasks.records.frames import add_values
from tasks.stage import Decided, Gathered, Stage, Work

#: Columns that say who had the record before.
_OF_PAST: Final = ("had_by", "earlier_owner", "excluded")


def gather(connection: Connection, work: Work) -> Gathered[Capacity]:
    """``record_owner`` is the rep whom the update names, unless they have lost the record by a person's word; else who
    had it before."""
    frame = add_values(records.read_at_stage(connection, work.batch.id, StageName.ASSIGNMENT), work.rules)
    frame = qualifications.add_scores(frame, connection, work.batch.id)
    named = bulk.list_values(frame["rep"])
    past = _find_past(connection, work, frame)
    columns = {name: [_list_facts(each)[name] for each in past] for name in _OF_PAST}
    columns["record_owner"] = [each.choose_owner(rep) for each, rep in zip(past, named, strict=True)]
    for name, values in columns.items():
        frame[name] = pd.Series(values, index=frame.index, dtype=object)
    kind = work.batch.journey_kind
    pools.add_pools(connection, [pool.name for pool in work.rules.pools], kind)
    capacity = Capacity(
        pools.read_stored_turns(connection, kind),
        assignment.read_loads(connection, work.rules, work.now),
        absences.read_absences(connection, work.now),
    )
    return Gathered(frame, capacity)


def decide(gathered: Gathered[Capacity], work: Work) -> Decided[TurnChanges]:
    """As for leads. What has a later update ends, and takes nobody's turn."""
    superseded = gathered.frame["superseded"].astype(bool)
    decided = assignment.decide(Gathered(gathered.frame[~superseded], gathered.context), work)
    ended = gathered.frame[superseded].assign(outcome=Outcome.SUPERSEDED, reason=NothingNew.LATER_UPDATE)
    frame = pd.concat([decided.frame, ended]) if len(ended) else decided.frame
    return Decided(frame.sort_values("journey_id", ignore_index=True), decided.context)


def store(connection: Connection, work: Work, decided: Decided[TurnChanges]) -> pd.DataFrame:
    """End the journey before of each record that has an owner, then as for leads. An owner who had the record already
    is told nothing new. Raises ``Conflict`` where a person has decided about an owner since."""
    frame = decided.frame
    owned = frame[frame["outcome"] == Outcome.OWNED]
    superseding.supersede(
        connection,
        [int(each) for each in owned["record_id"]],
        [int(each) for each in frame["journey_id"]],
        (JourneyStatus.HELD, JourneyStatus.OWNED),
        work.now,
        in_time={int(each) for each in owned.loc[owned["due"].astype(bool), "record_id"]},
    )
    # behind the locks of the journeys before, so that whoever decides about their owners has done so, or waits
    now = [_list_facts(each) for each in _find_past(connection, work, frame)]
    if any(bulk.list_values(frame[name]) != [each[name] for each in now] for name in _OF_PAST):
        raise Conflict(f"somebody changed who has records of batch {work.batch.id} while it was decided")
    return assignment.store(connection, work, decided, told_as=MessageKind.RECORD_ASSIGNED, told=_is_news)


def _find_past(connection: Connection, work: Work, frame: pd.DataFrame) -> list[PastOwners]:
    """Who had the record of each row."""
    known = record_owners.find_past_owners(connection, work.batch.id, list_returnable_reasons(work.rules))
    return [known.get(journey, PastOwners()) for journey in bulk.list_values(frame["journey_id"])]


def _list_facts(past: PastOwners) -> dict[str, Any]:
    """What is decided by, as columns."""
    return {
        "had_by": past.last if past.knows else None,
        "earlier_owner": past.last,
        "excluded": tuple(sorted(past.lost | past.tried)),
    }


def _is_news(owned: pd.DataFrame) -> list[bool]:
    had = bulk.list_values(owned["had_by"])
    return [owner != before for owner, before in zip(bulk.list_values(owned["owner"]), had, strict=True)]


STAGE: Final = Stage(name=StageName.ASSIGNMENT, gather=gather, decide=decide, store=store, breaks=False)
