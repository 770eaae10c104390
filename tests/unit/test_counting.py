"""A number and its noun agree, wherever people read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leadgate.counting import format_count

ROOT = Path(__file__).parents[2]
#: A number in an f-string right before what it counts, in the plural.
_PLURAL = re.compile(
    r"\{[^{}]*(?::,|len\([^{}]*\))\}\**? (journeys|leads|signals|rescores|batches|messages|work items|problems|pools|reps)\b"
)


@pytest.mark.parametrize(
    ("count", "told"), [(0, "0 journeys wait"), (1, "1 journey waits"), (1_200, "1,200 journeys wait")]
)
def test_one_is_singular(count: int, told: str) -> None:
    assert format_count(count, "journey waits", "journeys wait") == told


def test_no_screen_and_no_artifact_says_a_plural_of_whatever_number() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {each[0]}"
        for folder in ("console", "flows")
        for path in (ROOT / folder).rglob("*.py")
        for each in _PLURAL.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []
