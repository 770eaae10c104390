"""Follow-up of records: whether the owner's reaction is in time, as for leads.

Belongs here: what this stage loads that is different from leads. Does not belong here: states, targets, ladders and
escalations (``tasks.follow_up``).

A record's owner reacts by an update, which ends this journey and starts the next, or by an activity about the record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import assignments, bulk, pauses, records
from leadgate.vocabulary import JourneyStatus, StageName
from tasks import escalation, follow_up
from tasks.follow_up import FollowUpChanges, OwnerActivity
from tasks.stage import Decided, Gathered, Stage, Work


def gather(connection: Connection, work: Work) -> Gathered[OwnerActivity]:
    batch, rules = work.batch.id, work.rules.follow_up
    frame = assignments.read_owned(connection, batch)
    told_before = records.list_told_before(connection, batch)
    frame["owner_told"] = frame["owner_told"].astype(bool) | frame["journey_id"].isin(told_before)
    activities = records.read_follow_up_activities(connection, batch, rules.outcomes)
    last_active: dict[int, datetime] = {}
    if rules.stale:
        last_active = dict(
            zip(bulk.list_values(activities["journey_id"]), bulk.list_values(activities["occurred_at"]), strict=True)
        )  # they come oldest first
    return Gathered(frame, OwnerActivity(activities, pauses.read_batch_pauses(connection, batch), last_active))


def store(connection: Connection, work: Work, decided: Decided[FollowUpChanges]) -> pd.DataFrame:
    return follow_up.store(connection, work, decided, leave=_leave)


def _leave(connection: Connection, work: Work, left: pd.DataFrame) -> None:
    """A record that leaves its owner comes back by its next update, or when its time has come."""


STAGE: Final = Stage(
    name=StageName.FOLLOW_UP,
    gather=gather,
    decide=follow_up.decide,
    store=store,
    works_on=JourneyStatus.OWNED,
    breaks=False,
    alerts=escalation.build_alerts,
)
