"""The page of ``leadgate report`` as a reader sees it, on a phone and on a wide screen: in a headless Chromium."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli
from harness import NOW, Harness, make_lead
from pages_seen import LOOK


@pytest.fixture
def page(cli: Cli, harness: Harness, tmp_path: Path) -> Path:
    """The page of a morning with one of most things."""
    chief = {"Job title": "Chief of Nothing"}
    harness.capture(*(make_lead(number, **chief) for number in range(1, 9)), None, make_lead(9, Email="broken address"))
    harness.run(NOW)
    for journey, owner in harness.rows("SELECT journey_id, owner FROM assignment WHERE journey_id < 5"):
        at = NOW + timedelta(minutes=20 * journey)
        harness.activity("call", f"lead{journey}@company{journey}.example", rep=owner, at=at)
        cli("accept", f"J{journey}", "--for", owner, "--now", at)
    harness.run(NOW + timedelta(hours=2))
    cli("report", "--html", tmp_path / "report.html", "--now", NOW + timedelta(hours=6))
    return tmp_path / "report.html"


def test_the_page_can_be_read_on_a_phone_and_on_a_screen_by_day_and_by_night(browser: Any, page: Path) -> None:
    shades = set()
    for width in (390, 768, 1440):
        for scheme in ("light", "dark"):
            window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            window.goto(page.as_uri())
            seen = window.evaluate(LOOK)
            window.close()
            assert seen["charts"] >= 10
            assert seen["smallest"] >= 11
            assert seen["smallestOfPage"] >= 11
            assert seen["outside"] == []
            assert seen["width"] == width
            shades.add(seen["page"])
    assert len(shades) == 2
