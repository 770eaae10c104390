"""The page of ``leadgate replay --html`` as a reader sees it, on a phone and on a wide screen: in a headless Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from commands import Cli, join_lines, read_json
from harness import Harness
from pages_seen import LOOK

AT = "2026-03-05T10:00"


def test_the_page_can_be_read_on_a_phone_and_on_a_screen_by_day_and_by_night(
    browser: Any, five_owned: Harness, cli: Cli, stricter: Path, tmp_path: Path
) -> None:
    page = tmp_path / "replay.html"
    done = cli("replay", "--playbook", stricter, "--html", page, "--max-dropped", "0", "--now", AT, code=1)
    assert "all came out the same" in join_lines(done)
    assert "Beyond the limit" in join_lines(done)
    assert "Where leads end" not in done.stdout, "the tables are on the page"
    shades = set()
    for width in (390, 768, 1440):
        for scheme in ("light", "dark"):
            window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            window.goto(page.as_uri())
            seen, words = window.evaluate(LOOK), window.inner_text("body")
            window.close()
            assert seen["charts"] >= 4
            assert seen["smallest"] >= 11
            assert seen["smallestOfPage"] >= 11
            assert seen["outside"] == []
            assert seen["width"] == width
            assert words.index("Self-check") < words.index("What differs")
            assert "J1" in words
            shades.add(seen["page"])
    assert len(shades) == 2


def test_json_and_the_page_are_made_together(five_owned: Harness, cli: Cli, stricter: Path, tmp_path: Path) -> None:
    page = tmp_path / "replay.html"
    found = read_json(cli("replay", "--playbook", stricter, "--html", page, "--json", "--now", AT))
    assert found["changed"] == 5
    assert "5 of 5 journeys differ" in page.read_text(encoding="utf-8")


def test_a_page_of_nothing_says_so(five_owned: Harness, cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "replay.html"
    cli("replay", "--since", "2026-03-05", "--html", page, "--now", AT)
    assert "Nothing was decided" in page.read_text(encoding="utf-8")
    cli("replay", "--html", tmp_path / "no" / "such" / "folder.html", "--now", AT, code=2)
