"""How a report is written out: nothing gets out of its place in HTML, CSV or a terminal. No ledger."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from console.report import command, files, page, text
from console.report.command import Options, period, wanted
from console.report.tables import Column, Section, Table, Tile, words
from console.screen import CommandError
from leadgate.figures import Interval
from leadgate.ledger.figures import QUERIES, Asked
from leadgate.models import STATUSES
from leadgate.playbook import Playbook

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
PLAYBOOK = Playbook.model_validate(
    {
        "name": "Words",
        "sources": {"website": {}},
        "reps": [{"name": "ana", "max_open": 5}],
        "pools": [{"name": "all", "members": [{"rep": "ana"}]}],
        "routing": [{"name": "everybody", "to": "pool all"}],
    }
)


def found(name: str) -> dict[str, list[dict[str, Any]]]:
    """What the queries find when everything in the ledger is called ``name``."""
    times = {"p50": 61.0, "p95": 7200.0}
    by = [{"grouped": 7, "owner": None, "pool": None, "hour": None}, {"grouped": 3, "owner": name}]
    by += [{"grouped": 5, "pool": name}, {"grouped": 5, "pool": None}, {"grouped": 6, "hour": 23}]
    answer = {"owned": True, "touched": True, "decided": True, "missed": True}
    return {
        "journeys": [
            {
                "trigger": "signal",
                "source": name,
                "route": name,
                "score": 41,
                "grade": name,
                "status": status,
                "reached": 4,
                "n": 3,
            }
            for status in STATUSES
        ],
        "conversion": [
            {
                "qualified_as": name,
                "score": 41,
                "grade": name,
                "source": name,
                "accepted": True,
                "rejected": None,
                "n": 2,
            }
            | answer,
            {
                "qualified_as": name,
                "score": 44,
                "grade": None,
                "source": name,
                "accepted": False,
                "rejected": f"rejected: {name}",
                "n": 1,
            }
            | answer,
        ],
        "rules": [{"rule": name, "points": 3.0, "qualified": 3, "decided": 2, "accepted": 1}],
        "to_owner": [each | times | {"n": 3} for each in by],
        "to_touch": [each | times | {"n": 3, "assigned": 3, "kept": 1, "missed": 2} for each in by],
        "turns": [{"pool": name, "owner": name, "n": 4, "turns": 3}, {"pool": None, "owner": name, "n": 1, "turns": 0}],
        "owners": [{"owner": name, "open": 3, "overdue": 1, "assigned": 4}],
        "pools": [{"pool": name, "state": {"weights": {name: 1}, "turns": {name: 3}}}],
        "recent": [{"rep": name, "today": 1, "week": 2}],
        "endings": [{"status": "done", "clean": clean, "n": 2} for clean in (True, False)],
        "stages": [{"stage": "to_owner", "clean": clean, "n": 2} | times for clean in (True, False)],
        "reasons": [{"reason": name, "kind": name, "items": 1, "journeys": 2, "open": 1} | times],
        "late": [
            {"journey_id": 1, "lead_id": 1, "assigned_at": NOW, "due_at": NOW, "sla": name, "pool": name, "route": name}
            | {"ladder_step": 1}
        ],
        "captured": [{"n": 3}],
    }


def built(name: str) -> list[Section]:
    return command.build(list(QUERIES), found(name), Asked(NOW, NOW, NOW), PLAYBOOK)


# --- HTML -------------------------------------------------------------------------------------------------

_OURS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "nav", "a", "main", "div",
    "section", "article", "span", "strong", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "svg",
    "rect", "text", "line", "circle",
}  # fmt: skip
_HARMLESS = {
    "lang", "charset", "name", "content", "http-equiv", "href", "id", "class", "scope", "tabindex", "role", "aria-label",
    "viewbox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "text-anchor",
}  # fmt: skip
_VOID = {"meta"}


class Strict(HTMLParser):
    """Collects tags and attributes, and fails where elements are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(name: str) -> Strict:
    parser = Strict()
    parser.feed(page.html(built(name), name, name))
    parser.close()
    assert parser.open == []
    return parser


hostile = st.one_of(
    st.text(min_size=1, max_size=40),
    st.text(alphabet="<>\"'&/=;!-[] \x00\u202e", min_size=1, max_size=40),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "</style><script>",
            "</svg><iframe src='https://x.example'>",
            "' onload='alert(1)",
            "<!-- ",
            "&lt;b&gt;",
            "]]>",
            "\ud800",
        ]
    ),
)


@settings(max_examples=25, deadline=None)
@given(hostile)
def test_no_name_gets_out_of_its_place_on_the_page(name: str) -> None:
    parser = read(name)
    assert parser.tags <= _OURS
    assert parser.attributes.keys() <= _HARMLESS
    assert all(link.startswith("#") for link in parser.attributes["href"])


def test_the_page_fetches_nothing_and_says_its_name() -> None:
    written = page.html(built("ana"), "Leads of Acme & Co", "2026-02-03 to 2026-03-04")
    assert "default-src 'none'" in written
    assert not re.search(r"https?:|url\(|@import|<script|src=", written)
    assert "<title>Leads of Acme &amp; Co</title>" in written


def test_every_chart_has_a_title_and_its_table() -> None:
    written = page.html(built("ana"), "Leads", "all of them")
    charts = re.findall(r"<svg [^>]*>.*?</svg>", written, re.DOTALL)
    assert len(charts) >= 15
    assert all(re.match(r'<svg [^>]*role="img" aria-label="[^"]{10,}"><title>', chart) for chart in charts)
    for article in re.findall(r"<article.*?</article>", written, re.DOTALL):
        assert "<table>" in article


def test_a_report_of_nothing_is_a_page_too() -> None:
    empty: dict[str, list[dict[str, Any]]] = {name: [] for queries in QUERIES.values() for name in queries}
    nothing = {"grouped": 7, "n": 0, "p50": None, "p95": None}
    empty |= {"to_owner": [nothing], "to_touch": [nothing | {"assigned": 0, "kept": 0, "missed": 0}], "recent": []}
    sections = command.build(list(QUERIES), empty, Asked(NOW, NOW, NOW), PLAYBOOK)
    assert "<svg" not in page.html(sections, "Leads", "none")
    assert files.as_data(sections)["funnel"]["steps"][0]["of_signals"] is None


# --- Text, CSV, JSON --------------------------------------------------------------------------------------


def printed(name: str, width: int = 100) -> str:
    stream = io.StringIO()
    text.render(built(name), "about", Console(file=stream, width=width, markup=False, highlight=False, emoji=False))
    return stream.getvalue()


@pytest.mark.parametrize("name", ["ana", "a_route_with_a_name_that_is_as_long_as_a_playbook_will_allow_it"])
def test_text_fits_a_hundred_columns(name: str) -> None:
    shown = printed(name)
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "".join(shown.split()).count(name[:30]) > 10


def test_columns_that_do_not_fit_are_named() -> None:
    columns = [Column("name", "name", "text"), *(Column(f"n{i}", f"number {i}") for i in range(9))]
    wide = Table("wide", "Wide", columns, [{"name": "ana"} | {f"n{i}": 10**9 for i in range(9)}])
    stream = io.StringIO()
    text.render([Section("s", "S", "all", [wide])], "about", Console(file=stream, width=60, markup=False))
    assert "Left out: number 3, number 4" in stream.getvalue()
    assert max(len(line) for line in stream.getvalue().splitlines()) <= 60


def test_no_name_moves_the_cursor() -> None:
    assert "\x1b" not in printed("red\x1b[31m")


@given(hostile.filter(lambda name: "\r" not in name and "\n" not in name))
@settings(max_examples=30, deadline=None)
def test_cells_of_csv_are_no_formulas(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("csv")
    for file in files.write(built(f"={name}"), folder):
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream))
        assert {len(line) for line in lines} == {len(lines[0])}
        for line in lines[1:]:
            assert all(re.fullmatch(r"-?[\d.e-]+", cell) for cell in line if cell.startswith(("=", "+", "-", "@")))


def test_csv_has_a_file_for_each_table_with_the_keys_of_json(tmp_path: Path) -> None:
    sections = built("ana")
    files.write(sections, tmp_path / "new")
    data = json.loads(json.dumps(files.as_data(sections)))
    for section, tables in data.items():
        for table, rows in tables.items():
            with (tmp_path / "new" / f"{section}_{table}.csv").open(encoding="utf-8-sig", newline="") as stream:
                lines = list(csv.DictReader(stream))
            assert len(lines) == len(rows)
            for line, row in zip(lines, rows, strict=True):
                assert {re.sub("_(low|high)$", "", name) for name in line if "interval" in name} | {
                    name for name in line if "interval" not in name
                } == row.keys()


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "share", "·"),
        (0, "count", "·"),
        (1234, "count", "1,234"),
        (0.625, "share", "62 %"),
        (0.004, "share", "0.4 %"),
        (0.996, "share", "99.6 %"),
        (-0.04, "signed", "0.0"),
        (1.25, "signed", "+1.2"),
        (Interval(0.5, 0.75), "interval", "50 to 75 %"),
        (Interval(0.701, 0.704), "interval", "70.1 to 70.4 %"),
        (3900.0, "span", "1 h 5 min"),
        (0, "text", "0"),
    ],
)
def test_cells_in_words(value: Any, kind: Any, shown: str) -> None:
    assert words(value, kind) == shown


# --- What is asked for ------------------------------------------------------------------------------------


def test_a_period_is_the_last_thirty_days_with_today() -> None:
    asked = period(Options(), NOW)
    assert (asked.since.isoformat(), asked.until.isoformat()) == (
        "2026-02-03T00:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
    )


def test_days_are_those_of_the_zone() -> None:
    late = datetime(
        2026, 3, 29, 22, 30, tzinfo=UTC
    )  # half past midnight of the 30th in Berlin, which has just gone to summer
    asked = period(Options(zone="Europe/Berlin", since="2026-03-29"), late)
    assert (asked.since.isoformat(), asked.until.isoformat()) == (
        "2026-03-29T00:00:00+01:00",
        "2026-03-31T00:00:00+02:00",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (Options(since="yesterday"), "'yesterday' is no day; write it like 2026-03-02"),
        (Options(until="9999-12-31"), "is no day of this ledger; years are from 1971 to 2199"),
        (Options(since="2026-03-02", until="2026-03-01"), "ends .2026-03-01. before it begins .2026-03-02."),
        (Options(zone="Europe/Berln"), "is not a time zone; did you mean .*Europe/Berlin"),
    ],
)
def test_a_period_that_cannot_be_meant_is_refused(options: Options, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        period(options, NOW)


def test_sections_come_in_their_order() -> None:
    assert wanted(Options()) == ["funnel", "conversion", "speed", "load", "paths"]
    assert wanted(Options(sections=("paths", "speed"))) == ["speed", "paths"]
    assert wanted(Options(rep="ana")) == ["speed", "load", "overdue"]
    with pytest.raises(CommandError, match=r"no section 'sped'; did you mean .*speed"):
        wanted(Options(sections=("sped",)))
    with pytest.raises(CommandError, match="no section 'funnel' of a rep"):
        wanted(Options(rep="ana", sections=("funnel",)))


def test_a_tile_says_what_there_is() -> None:
    shown = {tile.label: tile for section in built("ana") for tile in section.tiles}
    assert shown["signals"] == Tile("signals", "24")
    assert shown["capture to owner"] == Tile("capture to owner", "1 min 1 s", "median; 95 % within 2 h")
    assert shown["furthest from a fair share"].value == "0.00 leads"
    assert shown["overdue now"].value == "1"
