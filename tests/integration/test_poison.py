"""The poison hunt, for a few seconds: rows of every kind and errors of every class stop no good lead."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.fuzz import rows
from benchmarks.fuzz.hunt import Figures, Found, Ground, Plan, hunt, opened
from benchmarks.fuzz.rows import Poison
from benchmarks.fuzz.shrink import fewest, smallest
from leadgate.settings import Settings


@pytest.fixture
def ground(settings: Settings, tmp_path: Path) -> Iterator[Ground]:
    with opened(settings, rows.that_reads_text(), tmp_path) as ground:
        yield ground


def test_whatever_is_among_them_good_leads_go_on(ground: Ground) -> None:
    figures = Figures()
    found = hunt(ground, random.Random(20), figures, size=60, seconds=600, rounds=6)
    assert found is None, f"{found.wrong}: {found.plan}"
    assert figures.good_held == 0
    assert figures.good > 80
    assert figures.held > 5
    assert figures.broken.total() == 2
    assert figures.longest_standstill < 60


def test_the_hunt_finds_what_stops_good_leads_and_its_smallest_example(ground: Ground) -> None:
    """Planted: as long as a city of more than 999 characters is in the ledger, validated leads lose their contacts."""
    with ground.ledger.transaction() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF EXISTS (SELECT 1 FROM lead WHERE length(city) > 999) THEN "
                "NEW.email := NULL; NEW.phone := NULL; END IF; RETURN NEW; END $$"
            )
        )
        connection.execute(text("CREATE TRIGGER planted BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION planted()"))
    kinds = {"state": "words", "city": "word", "budget": "sql"}
    poisons = tuple(Poison("website", field, kind, 4_096, "json") for field, kind in kinds.items())
    plan = Plan(poisons, 12)
    wrong = ground.round(plan)
    assert wrong == ["12 good leads are held at enrichment (no_contact)"]
    found = smallest(ground, Found(plan, wrong))
    assert [(each.column, each.kind) for each in found.plan.poisons] == [("city", "word")]
    assert 1_000 <= found.plan.poisons[0].length <= 1_001
    assert "website.city = word, length 1,00" in str(found.plan)


def test_leaving_out_finds_the_few_that_it_takes() -> None:
    assert list(fewest(range(100), lambda some: {17, 63} <= set(some))) == [17, 63]
    assert len(fewest(range(5), lambda some: True)) == 1
