"""Paths of journeys in figures: which of them needed a person and why, and the time that each stage took.

Belongs here: the queries of the section ``paths`` of a report. Does not belong here: the other sections (``figures``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.cohort import CAPTURED, COHORT, Query, build_percentiles
from leadgate.vocabulary import STAGES, StageName, list_in_sql

#: What an owner does with a lead that is theirs is how the path goes by itself, unless they give it back.
OF_OWNERS: Final = "'accept', 'wait', 'resume', 'touch', 'note'"
#: Whether nobody was needed for a journey ``j`` that ran only once: to decide a work item, or to do something.
_CLEAN: Final = f"""NOT (j.status = 'held'
        OR j.id IN (SELECT journey_id FROM work_item WHERE journey_id IS NOT NULL)
        OR j.id IN (SELECT journey_id FROM action WHERE what NOT IN ({OF_OWNERS}))
        OR j.id IN (SELECT journey_id FROM correction))"""

ENDINGS: Final = Query(
    COHORT,
    f"SELECT status, generation = 0 AND {_CLEAN} AS clean, count(*) AS n FROM cohort j GROUP BY 1, 2",
)

#: Of a journey: seconds in each stage, from capture to the first owner, and from capture to the end.
_TIMES: Final = (*STAGES, "to_owner", "to_end")


def _build_seconds(number: int) -> str:
    """The seconds that a stage took in one generation: from the handoff before, or from the capture."""
    since = ", ".join([*(f"j.{name}" for name in reversed(STAGES[:number])), "j.generation_before", "j.captured_at"])
    return f"date_part('epoch', j.{STAGES[number]} - coalesce({since}))"


def _build_moment(stage: StageName) -> str:
    """When a journey ``j`` that runs for the first time was handed on by a stage; its first stages may be left out."""
    return f"j.handed_on_at[{STAGES.index(stage) + 1} - j.left_out]"


def _build_first_seconds(number: int) -> str:
    """The seconds that a stage took in a journey that runs for the first time."""
    before = f"j.handed_on_at[{number} - j.left_out]"
    return f"date_part('epoch', {_build_moment(tuple(StageName)[number])} - coalesce({before}, j.captured_at))"


def _build_figures(name: str) -> str:
    """How many journeys have such a time, its median and the time within which 95 % are: clean ones, and the others."""
    return ", ".join(
        f"count({name}) FILTER (WHERE {which}) AS {name}_{key}, "
        f"percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY {name}) FILTER (WHERE {which}) AS {name}_{key}_spans"
        for key, which in (("clean", "clean"), ("person", "NOT clean"))
    )


def _build_rows(name: str) -> str:
    return f"('{name}', true, {name}_clean, {name}_clean_spans), ('{name}', false, {name}_person, {name}_person_spans)"


#: A stage's time runs from the handoff before it to its own, and adds up over the generations of a journey. Most
#: journeys have one generation and keep its moments: of the others the handoffs are read.
STAGE_TIMES: Final = Query(
    f"""first AS (
    SELECT c.captured_at, c.stage, c.status, c.handed_on_at, {_CLEAN.replace("j.", "c.")} AS clean,
        array_position(ARRAY[{list_in_sql(StageName)}], c.start_stage) - 1 AS left_out
    FROM journey c WHERE {CAPTURED} AND c.generation = 0 OFFSET 0),
handed_on AS MATERIALIZED (
    SELECT c.id, c.captured_at, h.generation,
        {", ".join(f"max(h.at) FILTER (WHERE h.stage = '{name}') AS {name}" for name in STAGES)},
        max(h.at) FILTER (WHERE h.stage = 'assignment' AND h.outcome = 'continued') AS owned_at,
        max(h.at) FILTER (WHERE h.stage = 'follow_up' AND h.outcome = 'done') AS done_at
    FROM journey c JOIN handoff h ON h.journey_id = c.id WHERE {CAPTURED} AND c.generation > 0
    GROUP BY c.id, h.generation),
again AS (
    SELECT *, lag(greatest({", ".join(STAGES)})) OVER (PARTITION BY id ORDER BY generation) AS generation_before
    FROM handed_on),
spent AS (
    SELECT clean, {", ".join(f"{_build_first_seconds(number)} AS {name}" for number, name in enumerate(STAGES))},
        CASE WHEN j.stage = 'follow_up' THEN date_part('epoch', {_build_moment(StageName.ASSIGNMENT)} - captured_at) END
            AS to_owner,
        CASE WHEN j.stage = 'follow_up' AND j.status = 'done'
            THEN date_part('epoch', {_build_moment(StageName.FOLLOW_UP)} - captured_at) END AS to_end
    FROM first j
    UNION ALL
    SELECT false, {", ".join(f"sum({_build_seconds(number)})" for number in range(len(STAGES)))},
        date_part('epoch', min(owned_at) - captured_at), date_part('epoch', max(done_at) - captured_at)
    FROM again j GROUP BY id, captured_at),
figures AS (SELECT {", ".join(map(_build_figures, _TIMES))} FROM spent)""",
    f"""SELECT t.stage, t.clean, t.n, t.spans[1] AS p50, t.spans[2] AS p95
    FROM figures CROSS JOIN LATERAL (VALUES {", ".join(map(_build_rows, _TIMES))}) t(stage, clean, n, spans)
    WHERE t.n > 0""",
)


def build_reasons(tables: str, among: str, about: str = "") -> Query:
    """Why a person was needed for the journeys of the table ``among``: by reason, how many journeys, and how long until
    somebody had decided. ``about``: a column of that table by which the rows are told apart, too."""
    of_journey, by = (f", c.{about}" if about else "", f"{about}, " if about else "")
    of_items = f", asked.{about}" if about else ""
    return Query(
        f"""{tables},
asked AS (
        SELECT w.id, w.journey_id{of_journey} FROM work_item w JOIN {among} c ON c.id = w.journey_id
        UNION SELECT x.work_item_id, x.journey_id{of_journey} FROM action x JOIN {among} c ON c.id = x.journey_id
            WHERE x.work_item_id IS NOT NULL
        UNION SELECT j.work_item_id, j.id{of_journey} FROM journey j JOIN {among} c ON c.id = j.id
            WHERE j.work_item_id IS NOT NULL),
    items AS (
        SELECT w.id, w.kind, w.reason, w.closed_at{of_items}, count(*) AS journeys,
            date_part('epoch', w.closed_at - w.opened_at) AS seconds
        FROM asked JOIN work_item w ON w.id = asked.id GROUP BY w.id{of_items})""",
        f"""SELECT {by}reason, kind, count(*) AS items, CAST(sum(journeys) AS bigint) AS journeys,
        count(*) FILTER (WHERE closed_at IS NULL) AS open, {build_percentiles("seconds")}
    FROM items GROUP BY {by}reason, kind ORDER BY journeys DESC, {by}reason, kind""",
    )


REASONS: Final = build_reasons(COHORT, "cohort")
