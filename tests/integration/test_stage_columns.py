"""A playbook's own field never takes the place of what a stage decided: their names are apart."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from harness import PLAYBOOK, Harness, make_lead

from leadgate import fields
from leadgate import playbook as playbooks
from leadgate.ledger import Ledger
from leadgate.playbook.check import check
from tasks import handoff


def test_every_column_that_a_stage_adds_is_a_name_that_no_field_can_have(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(ledger, playbooks.load_default())
    seen: dict[str, set[str]] = {}
    keep = handoff._keep_evidence

    def look(connection: object, stage: handoff.AnyStage, work: object, frame: pd.DataFrame, result: object) -> None:
        seen.setdefault(stage.name, set()).update(map(str, frame.columns))
        keep(connection, stage, work, frame, result)  # type: ignore[arg-type]

    monkeypatch.setattr(handoff, "_keep_evidence", look)
    sound = {"Job title": "CEO", "Country": "DE", "Use case": "reports", "Timeline": "now"}
    harness.capture(*(make_lead(number, **sound) for number in range(1, 5)), make_lead(5, Email="x"))
    harness.run(kinds=["intake"])
    lead = {*fields.list_columns("follow_up"), *harness.loaded.playbook.fields}
    assert len(seen) == 6
    # the frame of follow-up has none of a lead's fields, and so no names that a playbook chose
    assert seen.pop("follow_up").isdisjoint(harness.loaded.playbook.fields)
    for stage, columns in seen.items():
        assert columns - lead - fields.OF_STAGES == set(), stage


@pytest.mark.parametrize("name", ["reason", "outcome", "detail", "lead_id", "why", "hold", "item_message"])
def test_a_field_of_such_a_name_is_refused(name: str) -> None:
    """As a field, ``reason`` would have been written to ``handoff.reason`` in the lead's own words."""
    taken = PLAYBOOK.replace("scoring:\n", f"fields: {{{name}: {{headers: [Anything]}}}}\nscoring:\n", 1)
    problems = [str(each) for each in check(playbooks.parse(taken, path=Path("tests.yaml")))]
    assert any(f"{name!r} is a name that Leadgate uses itself" in each for each in problems)
