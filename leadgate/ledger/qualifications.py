"""The table ``qualification``: each score and what it led to. Append-only.

Belongs here: every statement that writes the table, and what stages ask about scores. Does not belong here: how a lead
is scored (``leadgate.scoring``).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk, leads
from leadgate.vocabulary import Outcome

if TYPE_CHECKING:
    import pandas as pd


_QUALIFICATION_COLUMNS = [
    "journey_id", "generation", "fit", "engagement", "score", "fit_grade", "engagement_grade", "grade",
    "contributions", "details", "was", "qualified_as", "outcome", "reasons", "evidence", "changes_at",
    "playbook_hash", "at",
]  # fmt: skip


def read_previous_verdicts(connection: Connection, batch_id: int) -> pd.DataFrame:
    """How the leads of a batch at qualification were qualified before; those never scored before are left out.

    ``journey_id``; ``was``: a lead that was followed up was qualified, by a person if not by its score, and one that
    its owner rejected, or that was nurtured since, has to qualify anew; ``finished``: it was followed up, and is only
    scored again; ``engaged_before``: the grade of its engagement then.
    """
    return bulk.select(
        connection,
        """
        SELECT j.id AS journey_id, j.trigger IN ('rescore', 'enrich') AND last.status = 'done' AS finished,
            last.engagement_grade AS engaged_before,
            CASE WHEN last.id = j.id THEN last.qualified_as
                WHEN last.status = 'done' THEN coalesce(last.qualified_as, 'marketing_qualified') END AS was
        FROM journey j JOIN LATERAL (
            SELECT o.id, o.status, q.qualified_as, q.engagement_grade
            FROM journey o LEFT JOIN qualification q ON q.journey_id = o.id
            WHERE o.lead_id = j.lead_id AND o.status <> 'joined'
                AND (o.id < j.id OR (o.id = j.id AND q.generation < j.generation))
            ORDER BY o.id DESC, q.generation DESC NULLS LAST LIMIT 1) last ON true
        WHERE j.batch_id = :batch AND j.stage = 'qualification' AND j.status = 'ready'
            AND (j.lead_id <> j.id OR j.generation > 0)""",
        batch=batch_id,
    )


def insert_qualifications(connection: Connection, frame: pd.DataFrame) -> None:
    """Insert a qualification for each journey and generation. The leads are next scored again at ``changes_at``.

    For a lead that goes on to an owner, that is set when it leaves follow-up (``leads.drop_pending_rescores``).
    """
    failpoint("apply.qualifications.before")
    bulk.copy(connection, "qualification", _QUALIFICATION_COLUMNS, frame)
    leads.mark_scored(connection, bulk.list_values(frame["lead_id"]))
    resting = frame[frame["outcome"].isin((Outcome.NURTURE, Outcome.DONE)) & frame["changes_at"].notna()]
    if not resting.empty:
        leads.look_when_scores_change(
            connection, bulk.list_values(resting["lead_id"]), bulk.list_values(resting["changes_at"])
        )
    failpoint("apply.qualifications.after")


def insert_record_qualifications(connection: Connection, frame: pd.DataFrame) -> None:
    """The same of records, which time alone does not score again."""
    failpoint("apply.qualifications.before")
    bulk.copy(connection, "qualification", _QUALIFICATION_COLUMNS, frame)
    failpoint("apply.qualifications.after")


def format_json_list(values: Sequence[str]) -> str:
    """A list of words as JSON text."""
    return orjson.dumps(list(values)).decode()


def add_scores(frame: pd.DataFrame, connection: Connection, batch_id: int) -> pd.DataFrame:
    """``frame`` with the points, grades and ``qualified_as`` of each journey's last qualification, and
    the ``learned_chance`` by a score that says in which order people work.

    They are missing for a journey that a person sent past qualification.
    """
    scores = bulk.select(
        connection,
        """
        SELECT DISTINCT ON (j.id) j.id AS journey_id, q.fit, q.engagement, q.score, q.fit_grade, q.engagement_grade,
            q.grade, q.qualified_as,
            CASE WHEN q.details -> 'learned' ->> 'role' <> 'shadow'
                THEN CAST(q.details -> 'learned' ->> 'chance' AS double precision) END AS learned_chance
        FROM journey j LEFT JOIN qualification q ON q.journey_id = j.id
        WHERE j.batch_id = :batch AND j.stage = 'assignment' AND j.status = 'ready'
        ORDER BY j.id, q.generation DESC NULLS LAST""",
        batch=batch_id,
    )
    return frame.merge(scores, on="journey_id", how="left")


_APPROVED: Final = "A person approved the lead"


def approve(connection: Connection, journey_ids: Sequence[int], generations: Sequence[int], now: datetime) -> None:
    """The verdict after a review, in the generation that follows: the same score, qualified by a person."""
    connection.execute(
        text(
            """
            INSERT INTO qualification (journey_id, generation, fit, engagement, score, fit_grade, engagement_grade,
                grade, contributions, details, was, qualified_as, outcome, reasons, evidence, playbook_hash, at)
            SELECT q.journey_id, j.generation + 1, q.fit, q.engagement, q.score, q.fit_grade, q.engagement_grade,
                q.grade, q.contributions, q.details, q.was, 'marketing_qualified', 'continue',
                CAST(:reasons AS jsonb), q.evidence, q.playbook_hash, :now
            FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[])) AS j(id, generation)
            CROSS JOIN LATERAL (SELECT * FROM qualification each WHERE each.journey_id = j.id
                ORDER BY each.generation DESC LIMIT 1) q
            ORDER BY j.id"""
        ),
        {
            "ids": list(journey_ids),
            "generations": list(generations),
            "reasons": orjson.dumps([_APPROVED]).decode(),
            "now": now,
        },
    )
