"""What tests of replays begin with: five leads with owners, and a draft under which they would get none.

Belongs here: these fixtures. Does not belong here: leads of many ways (``test_replay``).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import PLAYBOOK, Harness, make_lead

#: A playbook with so few points that nobody gets an owner.
STRICTER = PLAYBOOK.replace("points: 30", "points: 10")


@pytest.fixture
def five_owned(harness: Harness) -> Harness:
    """Five leads with owners."""
    harness.begin(*(make_lead(number) for number in range(1, 6)))
    return harness


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    """The file of the draft."""
    path = tmp_path / "draft.yaml"
    path.write_text(STRICTER, encoding="utf-8")
    return path
