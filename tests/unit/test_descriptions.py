"""What became of leads, in words: each lead is counted once, and nothing reads as its opposite."""

from __future__ import annotations

import pytest

from tasks.batches import BatchReport
from tasks.descriptions import count_leads, describe_batch, describe_stage
from tasks.stage import StageReport


def stage(name: str, entered: int, **outcomes: int) -> StageReport:
    return StageReport(name, 7, entered=entered, outcomes=outcomes)


THROUGH = [
    stage("capture", 28, **{"continue": 27, "hold": 1}),
    stage("validation", 27, **{"continue": 16, "hold": 10, "parked": 1}),
    stage("enrichment", 16, **{"continue": 16}),
    stage("qualification", 16, **{"continue": 13, "nurture": 3}),
    stage("assignment", 13, owned=13),
]


def test_a_batch_is_told_in_a_line_with_the_time_it_was_worked_on() -> None:
    report = BatchReport(7, 28, "intake", [*THROUGH, stage("follow_up", 13, stay=13)], seconds=1.74)
    assert describe_batch(report) == "28 leads: 13 owned, 12 held, 3 nurture · 1.7 s"


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        (BatchReport(7, 28, "intake", THROUGH), {"owned": 13, "held": 12, "nurture": 3}),
        (
            BatchReport(7, 28, "intake", [*THROUGH, stage("follow_up", 13, stay=10, done=2, reassign=1)]),
            {"owned": 10, "held": 12, "nurture": 3, "done": 2, "taken back": 1},
        ),
        (BatchReport(7, 28, "intake", [stage("follow_up", 13, stay=13)]), {"owned": 13}),  # begun by another run
        (BatchReport(7, 2, "intake", [stage("qualification", 2, review=1, joined=1)]), {"held": 1, "joined": 1}),
        (
            BatchReport(7, 4, "follow_up", [stage("follow_up", 4, stay=2, reassign=1, nurture=1)]),
            {"stay with their owner": 2, "taken back": 1, "nurture": 1},
        ),
    ],
)
def test_each_lead_is_counted_once_by_where_it_ended(report: BatchReport, counts: dict[str, int]) -> None:
    assert count_leads(report) == counts


def test_a_stage_is_told_in_a_line_with_what_it_held_leads_for() -> None:
    report = StageReport(
        "validation",
        7,
        entered=28,
        outcomes={"continue": 16, "hold": 12},
        reasons={"spam": 3, "email_malformed": 9},
        seconds={"gather and decide": 0.05, "gate": 0.06, "apply": 0.01},
    )
    assert describe_stage(report) == ("validation: 28 in, 16 went on, 12 held (email_malformed 9, spam 3) in 0.12 s")
