"""Qualification of records: points by the kind's rules, then what the update means.

Belongs here: what this stage loads and stores. Does not belong here: points and verdict (``leadgate.scoring``), or the
judgement of each kind (``leadgate.records``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import bulk, outbox, qualifications, record_judgements, record_owners, records, superseding
from leadgate.ledger.record_owners import PastOwners
from leadgate.playbook import Playbook
from leadgate.records import expansion, opportunity, renewal
from leadgate.scoring import qualify, score
from leadgate.sla.sla_targets import list_returnable_reasons
from leadgate.vocabulary import JourneyKind, JourneyStatus, MessageKind, NothingNew, Outcome, StageName
from tasks.records import lead_outcomes
from tasks.records.frames import add_values
from tasks.stage import Decided, Gathered, Stage, Work

Judge = Callable[[pd.DataFrame, Playbook, datetime], pd.DataFrame]
#: What an update of each kind means.
JUDGES: Final[Mapping[JourneyKind, Judge]] = {
    JourneyKind.OPPORTUNITY: opportunity.judge,
    JourneyKind.RENEWAL: renewal.judge,
    JourneyKind.EXPANSION: expansion.judge,
}
#: Who is asked as an approval, so that one word is the answer, and not as a correction.
_APPROVES: Final = "manager"
#: Outcomes after which nobody works on the record by an earlier update either.
_ENDS: Final = (Outcome.DONE, Outcome.NURTURE, Outcome.DISQUALIFIED)
#: Outcomes after which an earlier update that is held asks nothing any more.
_ANSWERS: Final = (Outcome.CONTINUE, Outcome.HOLD, Outcome.REVIEW, *_ENDS)


def gather(connection: Connection, work: Work) -> Gathered[pd.DataFrame]:
    """Beside the updates, what happened about their records: ``journey_id``, ``kind``, ``occurred_at``."""
    frame = add_values(records.read_for_qualification(connection, work.batch.id), work.rules)
    # of a record that names nobody who may have it, whoever had it last is asked and told
    past = record_owners.find_past_owners(connection, work.batch.id, list_returnable_reasons(work.rules))
    reps = {rep.name for rep in work.rules.reps}
    named = zip(bulk.list_values(frame["rep"]), bulk.list_values(frame["journey_id"]), strict=True)
    found = [past.get(journey, PastOwners()).choose_owner(rep) for rep, journey in named]
    frame["rep"] = pd.Series([rep if rep in reps else None for rep in found], index=frame.index, dtype=object)
    return Gathered(frame, records.read_activities(connection, work.batch.id, StageName.QUALIFICATION))


def decide(gathered: Gathered[pd.DataFrame], work: Work) -> Decided:
    frame, rules = gathered.frame.copy(), work.rules
    scored = score(frame, rules, gathered.context, work.now)
    frame[list(scored.columns)] = scored
    verdict = qualify(frame, rules, work.now, gathered.context)
    frame[list(verdict.columns)] = verdict
    frame["was"] = frame["changes_at"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    judged = JUDGES[work.batch.journey_kind](frame, rules, work.now)
    frame = frame.drop(columns=[name for name in judged if name in frame])
    frame = pd.concat([frame, judged], axis=1)
    frame["value"] = pd.Series([None] * len(frame), index=frame.index, dtype=object)
    frame["item_route"] = _find_deciders(frame, rules)
    approval = (frame["outcome"] == Outcome.HOLD) & (frame["ask"] == _APPROVES)
    frame.loc[approval, "outcome"] = Outcome.REVIEW
    superseded = frame["superseded"].astype(bool)
    frame.loc[superseded, "outcome"] = Outcome.SUPERSEDED
    frame.loc[superseded, "reason"] = NothingNew.LATER_UPDATE
    frame["reason_missing"] = frame["outcome"].isin((Outcome.DISQUALIFIED, Outcome.HOLD)) & frame["reason"].isna()
    frame["playbook_hash"] = work.playbook.hash
    return Decided(frame)


def _find_deciders(frame: pd.DataFrame, playbook: Playbook) -> pd.Series:
    """Who decides about each held record where the judgement names them: the owner, or the owner's manager. None: the
    playbook's exceptions say."""
    managers = {rep.name: rep.manager for rep in playbook.reps}
    found = [
        rep if ask == "owner" else managers.get(rep) if ask == "manager" else None
        for rep, ask in zip(bulk.list_values(frame["rep"]), bulk.list_values(frame["ask"]), strict=True)
    ]
    return pd.Series(found, index=frame.index, dtype=object)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    return decided.frame


def finish(connection: Connection, work: Work, frame: pd.DataFrame) -> None:
    """Keep score and judgement whatever came of the update; end what it answers; tell who must hear."""
    judged = frame[frame["outcome"] != Outcome.PARKED]
    if judged.empty:
        return
    by_score = judged[~judged["outcome"].isin((Outcome.HOLD, Outcome.SUPERSEDED))]
    qualifications.insert_record_qualifications(
        connection,
        by_score.assign(at=work.now, reasons=[orjson.dumps(list(each or ())).decode() for each in by_score["reasons"]]),
    )
    record_judgements.insert_judgements(
        connection,
        judged.assign(
            facts=[orjson.dumps(each, default=str).decode() for each in judged["judgement"]],
            outcome=judged["outcome"].astype(str),
            at=work.now,
        ),
    )
    current = judged[~judged["superseded"].astype(bool)]
    _note_times(connection, current)
    _note_slips(connection, work, current)
    _tell(connection, work, current)
    lead_outcomes.record_outcomes(connection, work.rules, judged, work.now)
    journeys = [int(each) for each in frame["journey_id"]]
    for outcomes, statuses in (
        (_ANSWERS, (JourneyStatus.HELD,)),
        (_ENDS, (JourneyStatus.HELD, JourneyStatus.OWNED)),
    ):
        told = current[current["outcome"].isin(outcomes) & ~_stays_owned(current)]
        superseding.supersede(
            connection,
            [int(each) for each in told["record_id"]],
            journeys,
            statuses,
            work.now,
            in_time={int(each) for each in told.loc[told["due"].astype(bool), "record_id"]},
        )


def _stays_owned(current: pd.DataFrame) -> pd.Series:
    """Updates that end here and leave the record with its owner: nothing new was told, and its time has not come."""
    due = current["due"].astype(bool) & current["outcome"].isin(_ENDS) & current["is_open"].astype(bool)
    return due | (current["reason"] == NothingNew.UNCHANGED)


def _note_times(connection: Connection, current: pd.DataFrame) -> None:
    records.look_again(connection, [int(each) for each in current["record_id"]], bulk.list_values(current["again_at"]))
    closed = current[(current["outcome"] == Outcome.DISQUALIFIED) & ~current["is_open"].astype(bool)]
    records.close_records(connection, [int(each) for each in closed["record_id"]])


def _note_slips(connection: Connection, work: Work, current: pd.DataFrame) -> None:
    """Note each slip once, and tell the owner and the owner's manager."""
    slipped = current[[bool(each.get("slipped")) for each in current["judgement"]]]
    if slipped.empty:
        return
    news = records.note_slips(
        connection,
        [int(each) for each in slipped["record_id"]],
        bulk.list_values(slipped["closes_on"]),
        [int(each) for each in slipped["journey_id"]],
        work.now,
    )
    managers = {rep.name: rep.manager for rep in work.rules.reps}
    messages: list[dict[str, Any]] = []
    rows: list[Any] = list(slipped[slipped["record_id"].isin(news)].itertuples())
    for row in rows:
        for target in dict.fromkeys((row.rep, managers.get(row.rep))):
            if target is not None:
                messages.append(
                    {
                        "key": f"slip:{row.record_id}:{row.closes_on}:{target}",
                        "journey_id": row.journey_id,
                        "target": target,
                        "kind": MessageKind.RECORD_SLIPPED,
                    }
                )
    outbox.send(connection, pd.DataFrame(messages), work.now)


def _tell(connection: Connection, work: Work, current: pd.DataFrame) -> None:
    """Tell those who must hear of an update, each once for it."""
    rows: list[Any] = list(current.itertuples())
    messages = [
        {
            "key": f"told:{row.journey_id}:{row.generation}:{target}",
            "journey_id": row.journey_id,
            "target": target,
            "kind": MessageKind.RECORD_CHANGED,
        }
        for row in rows
        if not row.judgement.get("slipped")
        for target in dict.fromkeys(target for target, _ in row.tell)
    ]
    outbox.send(connection, pd.DataFrame(messages), work.now)


STAGE: Final = Stage(name=StageName.QUALIFICATION, gather=gather, decide=decide, store=store, finish=finish)
