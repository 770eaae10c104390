"""A playbook that compares persons, and what becomes of leads that are taken through the stages with it."""

from __future__ import annotations

from typing import Any

from harness import PLAYBOOK, Harness, make_lead

MATCHING = """
matching:
  crm_ids: {crm: [partner]}
  certain: [crm_id, phone_and_name]
  likely: [phone, name]
scoring:
"""
RULES = PLAYBOOK.replace("scoring:\n", MATCHING.lstrip("\n"), 1)


def after(harness: Harness, *rows: dict[str, Any], source: str = "website") -> list[tuple[str, int]]:
    """Capture and work; the status and lead of each journey."""
    if rows:
        harness.capture(*rows, source=source)
    harness.run(kinds=["intake"])
    assert harness.find_broken() == []
    return harness.rows("SELECT status, lead_id FROM journey ORDER BY id")  # type: ignore[return-value]


def item(harness: Harness) -> int:
    return int(harness.one("SELECT id FROM work_item WHERE closed_at IS NULL AND kind = 'review'"))


def reasons(harness: Harness) -> list[tuple[str, str]]:
    return harness.rows("SELECT reason, message FROM work_item WHERE closed_at IS NULL ORDER BY id")  # type: ignore[return-value]


ANN = make_lead(1, **{"First name": "Robert", "Last name": "Müller", "Company": "Acme GmbH", "Phone": "+49301000001"})
