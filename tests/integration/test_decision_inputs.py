"""Each decision of a stage is kept with what it was decided from, in the transaction that stores it."""

from __future__ import annotations

from harness import Harness, make_lead

from leadgate.ledger import decision_inputs
from leadgate.vocabulary import JourneyKind, StageName
from tasks.decision_inputs import RECORDED_STAGES, decode


def test_each_stage_that_decides_has_what_it_decided_from(harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2), {"Last name": "Nobody"})
    with harness.ledger.transaction() as connection:
        rows = list(decision_inputs.list_since(connection, JourneyKind.LEAD, None))
    assert [row.stage for row in rows] == list(RECORDED_STAGES)
    for row in rows:
        frame = decode(row.content).frame
        handed_on = harness.rows(
            "SELECT journey_id, generation FROM handoff WHERE stage = :stage AND batch_id = :batch ORDER BY 1",
            stage=row.stage, batch=row.batch_id,
        )  # fmt: skip
        assert list(zip(frame["journey_id"], frame["generation"], strict=True)) == handed_on
        assert row.journeys == len(handed_on)


def test_validation_keeps_values_as_they_came(harness: Harness) -> None:
    harness.begin(make_lead(1, Email=" Ada@EXAMPLE.com "))
    with harness.ledger.transaction() as connection:
        rows = {row.stage: row for row in decision_inputs.list_since(connection, JourneyKind.LEAD, None)}
    assert decode(rows[StageName.VALIDATION].content).frame["email"].tolist() == ["Ada@EXAMPLE.com"]
    assert decode(rows[StageName.QUALIFICATION].content).frame["email"].tolist() == ["Ada@example.com"]
