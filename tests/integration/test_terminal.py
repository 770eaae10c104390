"""Every command on a ledger full of hostile values: nothing that is printed moves a cursor, hides or is interpreted."""

from __future__ import annotations

import html.parser
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli
from harness import NOW, Harness, make_actor, make_lead
from typer.testing import CliRunner, Result

from console.cli import app
from leadgate.ledger import Ledger, reruns

#: Escape sequences, a carriage return, a bell, marks that turn the direction, markup of Rich, HTML, Markdown.
EVIL = "\x1b[31m\x1b]8;;https://evil.example\x07\r\x9b2J\u202egpj\u2066\u200f[red]x[/red][link=https://evil.example]l[/link]</td><script>1</script>"
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
FIELDS = (
    "First name", "Last name", "Company", "Job title", "Message", "Street", "City", "Country", "Website", "Industry",
    "Budget", "Timeline", "Product", "Number of employees", "Lead source",
)  # fmt: skip


def hostile(number: int, **more: Any) -> dict[str, Any]:
    """A lead that gets an owner, with a hostile text in every field that takes any."""
    return make_lead(number) | {name: f"{name} {number} {EVIL}" for name in FIELDS if name != "Country"} | more


@pytest.fixture
def worked(ledger: Ledger, harness: Harness) -> Harness:
    def work() -> None:
        harness.capture(
            hostile(1),
            hostile(2),
            hostile(1, Message=f"again {EVIL}"),
            hostile(3, Email=f"x@<https://evil.example|{EVIL}>", Phone=f"12{EVIL}"),
            hostile(4, Country=EVIL),
            {EVIL: EVIL, "Email": EVIL},
            None,
        )
        harness.activity(f"demo {EVIL}".replace("\x00", ""), "lead1@company1.example")
        harness.run()
        spam = [row[0] for row in harness.rows("SELECT id FROM work_item WHERE reason = 'spam'")]
        reruns.mark_done_by_hand(ledger, spam, by=make_actor(f"mia {EVIL}"), now=NOW, evidence=f"seen {EVIL}")
        harness.run()
        harness.run(NOW + timedelta(hours=5))

    harness.begin_with("hostile values", work)
    assert harness.count_statuses()["owned"] >= 1
    return harness


def harmless(result: Result) -> None:
    for text in (result.stdout, result.stderr):
        assert not UNSAFE.search(text), repr(UNSAFE.search(text))


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["words", "json"])
def test_no_command_that_tells_prints_what_a_terminal_obeys(cli: Cli, worked: Harness, as_json: list[str]) -> None:
    items = [row[0] for row in worked.rows("SELECT id FROM work_item WHERE closed_at IS NULL ORDER BY id")]
    journeys = [row[0] for row in worked.rows("SELECT id FROM journey ORDER BY id")]
    calls: list[tuple[Any, ...]] = [
        ("summary",), ("status",), ("queue",), ("queue", "--show-personal"), ("review",), ("review", "--show-personal"), ("verify",),
        ("verify", "--whole"), ("report",), ("report", "--rep", "ana"), ("playbook", "check"),
        *(("explain", f"J{journey}") for journey in journeys),
        *(("review", f"W{item}", *more) for item in items for more in ((), ("--show-personal",))),
    ]  # fmt: skip
    seen = ""
    for call in calls:
        result = CliRunner().invoke(app, [str(part) for part in (*call, *as_json)])
        assert result.exit_code in (0, 1, 2), (call, result.stderr)  # 1: leads wait; 2: an item that is no review
        harmless(result)
        seen += result.stdout
        if as_json and result.exit_code == 0:
            json.loads(result.stdout)
    assert "Message 1" in seen, "the hostile values were shown at all"


REFUSED: list[tuple[Any, ...]] = [
    ("explain", EVIL), ("explain", f"{EVIL}@company1.example"), ("review", EVIL), ("queue", "--reason", EVIL),
    ("report", "--rep", EVIL), ("report", "--section", EVIL), ("rerun", "--reason", EVIL, "--yes"),
    ("rerun", "--work-item", 1, "--set", f"{EVIL}=x", "--yes"), ("reassign", 1, "--to", EVIL, "--reason", EVIL),
    ("reassign", 1, "--pool", EVIL, "--reason", EVIL), ("transfer", EVIL, "--reason", EVIL),
    ("reject", 1, "--reason", EVIL), ("capture", EVIL, "--source", EVIL), ("touch", 1, "--kind", EVIL, "--for", EVIL),
    ("accept", EVIL), ("unjoin", EVIL), ("playbook", "check", EVIL), ("summary", "--now", EVIL),
]  # fmt: skip


def test_no_refusal_repeats_what_a_terminal_obeys(worked: Harness, cli: Cli) -> None:
    for call in REFUSED:  # of one ledger, which none of them changes
        harmless(CliRunner().invoke(app, [str(part) for part in call]))


def test_what_a_person_typed_is_told_without_what_a_terminal_obeys(worked: Harness, cli: Cli) -> None:
    journey = worked.one("SELECT min(id) FROM journey WHERE status = 'owned'")
    had = worked.one("SELECT owner FROM assignment WHERE journey_id = :j AND ended_at IS NULL", j=journey)
    to = next(rep for rep in ("ana", "bob", "cyn") if rep != had)
    harmless(cli("reassign", journey, "--to", to, "--reason", f"because {EVIL}", "--for", "mia", "--anyway"))
    harmless(cli("wait", journey, "--until", "2099-01-01", "--reason", f"away {EVIL}", "--for", to))
    harmless(cli("accept", journey, "--for", to))
    harmless(cli("explain", f"J{journey}"))
    item = worked.one("SELECT min(id) FROM work_item WHERE closed_at IS NULL AND blocking")
    harmless(cli("review", f"W{item}", "--reject", f"no {EVIL}"))


def test_a_dry_run_shows_a_hostile_file_as_text(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text(f'Email,"{EVIL}",Company\na@b.example,"{EVIL}","{EVIL}"\n', encoding="utf-8", newline="")
    harmless(cli("capture", path, "--source", "website", "--dry-run"))
    harmless(cli("capture", path, "--source", "website"))


class Seen(html.parser.HTMLParser):
    """The scripts, links and images of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "a", "img", "iframe", "link") or any(name.startswith("on") for name, _ in attrs):
            self.found.append((tag, attrs))


def test_the_page_of_the_report_has_no_script_no_link_and_no_picture_of_a_leads(
    cli: Cli, worked: Harness, tmp_path: Path
) -> None:
    worked.rows("UPDATE lead SET lead_source = :evil RETURNING 1", evil=EVIL.replace("\x00", ""))
    page = tmp_path / "report.html"
    cli("report", "--html", page)
    text = page.read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(text)
    assert [each for each in seen.found if "evil" in str(each)] == []
    assert "<script>1</script>" not in text
    assert not UNSAFE.search(text)
