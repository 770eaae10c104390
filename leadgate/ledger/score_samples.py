"""Leads that a score is learned from: what was recorded when each was decided about, and what it came to in time.

Belongs here: this query. Does not belong here: learning (``leadgate.learning``).

Of each lead the first journey that was followed up counts (one that had an owner, or of which an outcome was recorded),
by its first qualification: what a person, an owner or time added later is in a later one. Of the assignment nothing is
read but whether the lead was accepted in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from leadgate.learning.indicators import Decision, Value, read_decision
from leadgate.learning.training import Sample
from leadgate.ledger.assignments import ENDED_OR_NOT
from leadgate.ledger.typed_rows import read_row, read_rows
from leadgate.vocabulary import RecordedVerdict

#: What a lead is recorded as by a file, where it is accepted, and where it came to more.
_ACCEPTED: Final = (RecordedVerdict.ACCEPTED.value, RecordedVerdict.WON.value)
_MORE: Final = (RecordedVerdict.WON.value,)

_FIRST: Final = f"""first AS (
        SELECT DISTINCT ON (j.lead_id) j.lead_id, j.id AS journey_id FROM journey j
        WHERE j.kind = 'lead' AND j.lead_id IS NOT NULL AND j.status <> 'joined'
            AND (EXISTS (SELECT FROM assignment a WHERE a.journey_id = j.id AND {ENDED_OR_NOT})
                OR EXISTS (SELECT FROM recorded_outcome r WHERE r.journey_id = j.id AND r.withdrawn_at IS NULL))
        ORDER BY j.lead_id, j.id),
    decided AS (
        SELECT f.lead_id, f.journey_id, q.contributions, q.evidence, q.score, q.at,
            q.details -> 'learned' AS learned, q.details -> 'audit' IS NOT NULL AS audited,
            least(q.at, o.first_at) AS decided_at
        FROM first f
        CROSS JOIN LATERAL (SELECT * FROM qualification q WHERE q.journey_id = f.journey_id
            ORDER BY q.generation LIMIT 1) q
        CROSS JOIN LATERAL (SELECT min(r.occurred_at) AS first_at FROM recorded_outcome r
            WHERE r.lead_id = f.lead_id AND r.withdrawn_at IS NULL) o
        WHERE :history OR o.first_at IS NULL OR o.first_at >= q.at)"""
_WON: Final = f"""((:accepted AND EXISTS (SELECT FROM journey j
            JOIN assignment a ON a.journey_id = j.id AND {ENDED_OR_NOT}
            WHERE j.lead_id = d.lead_id AND a.accepted_at BETWEEN d.at AND d.decided_at + :horizon))
        OR EXISTS (SELECT FROM activity t WHERE t.lead_id = d.lead_id AND t.kind = ANY(:outcomes)
            AND t.withdrawn_at IS NULL AND t.occurred_at BETWEEN d.at AND d.decided_at + :horizon)
        OR EXISTS (SELECT FROM recorded_outcome r WHERE r.lead_id = d.lead_id AND r.kind = ANY(:recorded)
            AND r.withdrawn_at IS NULL AND r.occurred_at BETWEEN d.decided_at AND d.decided_at + :horizon))"""
_SAMPLES: Final = f"""
    WITH {_FIRST}
    SELECT d.lead_id, d.journey_id, d.at, d.decided_at, CAST(d.contributions AS text), CAST(d.evidence AS text),
        d.score, {_WON} AS won
    FROM decided d WHERE d.decided_at > CAST(:since AS timestamptz) AND d.decided_at <= :until ORDER BY d.lead_id"""
_SCORED: Final = f"""
    WITH {_FIRST}
    SELECT CAST(d.learned ->> 'chance' AS double precision) AS chance, d.at, {_WON} AS won
    FROM decided d WHERE d.learned ->> 'model' = :model ORDER BY d.at, d.lead_id"""
_COUNTS: Final = f"""
    WITH {_FIRST}
    SELECT (SELECT count(DISTINCT j.lead_id) FROM journey j JOIN qualification q ON q.journey_id = j.id
            WHERE j.kind = 'lead' AND j.lead_id IS NOT NULL) AS scored,
        (SELECT count(*) FROM decided) AS followed_up,
        (SELECT count(*) FROM decided d WHERE d.decided_at + :horizon > :now) AS not_ripe,
        (SELECT count(*) FROM decided d WHERE d.audited) AS audited"""


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """How many leads were ever ``scored``, how many of them were ``followed_up`` so that an outcome can be known, how
    many of these are ``not_ripe``: their time is not up; and how many were followed up as the audit share alone."""

    scored: int
    followed_up: int
    not_ripe: int
    audited: int


@dataclass(frozen=True, slots=True)
class ScoredThen:
    """The ``chance`` that a learned score gave a lead, when, and whether it was ``won`` in time, so far."""

    chance: float
    at: datetime
    won: bool


#: What fields said when a journey was scored: by journey, and the moment of its score.
ValuesThen = Mapping[tuple[int, datetime], Mapping[str, Value]]


def read_samples(
    connection: Connection,
    *,
    label: str,
    outcomes: Sequence[str],
    horizon: timedelta,
    history: bool,
    now: datetime,
    values: ValuesThen | None = None,
) -> list[Sample]:
    """The leads whose time is up by ``now``. ``outcomes``: kinds of activities that win a lead, by the playbook.

    A lead whose outcome was known before it was scored is left out: what it was scored by may be later. ``history``
    takes it, as of when the outcome was known: for leads that were imported as they came. Where ``values`` are given,
    a lead that has none there is left out: nobody knows any more what its fields said.
    """
    parameters = _list_parameters(label, outcomes, horizon, history)
    return _read(connection, parameters | {"since": "-infinity", "until": now - horizon}, values)


def read_samples_since(
    connection: Connection,
    since: datetime,
    *,
    label: str,
    outcomes: Sequence[str],
    horizon: timedelta,
    now: datetime,
    values: ValuesThen | None = None,
) -> list[Sample]:
    """The leads that were decided about after ``since``, whether or not their time is up: ``won`` is so far."""
    parameters = _list_parameters(label, outcomes, horizon, history=False)
    return _read(connection, parameters | {"since": since.isoformat(), "until": now}, values)


def _read(connection: Connection, parameters: dict[str, object], values: ValuesThen | None) -> list[Sample]:
    rows = connection.execute(text(_SAMPLES), parameters)
    known: dict[tuple[str, str], Decision] = {}
    samples = []
    for lead_id, journey_id, at, decided_at, contributions, evidence, score, won in rows:
        if (decision := known.get((contributions, evidence))) is None:
            decision = known[contributions, evidence] = read_decision(contributions, evidence)
        if values is not None:
            if (then := values.get((journey_id, at))) is None:
                continue
            decision = replace(decision, values=then)
        samples.append(Sample(lead_id, decided_at, decision, score, won))
    return samples


def _list_parameters(label: str, outcomes: Sequence[str], horizon: timedelta, history: bool) -> dict[str, object]:
    accepted = label == "accepted"
    return {
        "accepted": accepted,
        "outcomes": list(outcomes),
        "recorded": [*(_ACCEPTED if accepted else _MORE), *outcomes],
        "horizon": horizon,
        "history": history,
    }


def read_scored(
    connection: Connection, model: int, *, label: str, outcomes: Sequence[str], horizon: timedelta
) -> list[ScoredThen]:
    """The leads that were followed up and that the learned score ``model`` scored, in the order of their scores."""
    parameters = _list_parameters(label, outcomes, horizon, history=False)
    return read_rows(connection, ScoredThen, _SCORED, model=str(model), **parameters)


def count_leads(connection: Connection, *, horizon: timedelta, history: bool, now: datetime) -> SampleCounts:
    """How many leads could be learned from, and how many could not."""
    found = read_row(connection, SampleCounts, _COUNTS, horizon=horizon, history=history, now=now)
    return found or SampleCounts(0, 0, 0, 0)
