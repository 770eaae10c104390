"""How a report is written out: nothing gets out of its place in HTML, CSV or a terminal. No ledger.

Long as one file: one made-up ledger, written out in each format.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried
from rich.console import Console

from console.display_names import DisplayNames, write_as_person
from console.report import charts, files, page, reading, text, trend
from console.report.request import ReportOptions, build_previous_request, build_request, choose_sections
from console.report.tables import Column, Section, Table, Tile, describe_value
from console.report.zones import choose_zone
from console.screen import CommandError
from leadgate.figures import FIRST_TOUCHES, PATHS, Interval
from leadgate.ledger.figures import QUERIES, ReportRequest
from leadgate.ledger.record_figures import SECTIONS as RECORD_SECTIONS
from leadgate.playbook import Playbook
from leadgate.vocabulary import STATUSES

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


#: What became of five first touches.
TOUCHES = dict.fromkeys(FIRST_TOUCHES, 0) | {"kept": 1, "missed": 2, "not_due": 2}


def make_rows(name: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of every query, where everything in the ledger is called ``name``."""
    times = {"p50": 61.0, "p95": 7200.0}
    by = [{"grouped": 7, "owner": None, "pool": None, "hour": None}, {"grouped": 3, "owner": name}]
    by += [{"grouped": 5, "pool": name}, {"grouped": 5, "pool": None}, {"grouped": 6, "hour": 23}]
    answer = {"owned": True, "touched": True, "due": True, "missed": True, "accepted": False}
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
                "outcome": None,
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
                "rejected": None,
                "n": 2,
            }
            | answer
            | {"accepted": True, "outcome": "won"},
            {
                "qualified_as": name,
                "score": 44,
                "grade": None,
                "source": name,
                "rejected": f"rejected: {name}",
                "outcome": "lost",
                "n": 1,
            }
            | answer,
        ],
        "rules": [{"rule": name, "points": 3.0, "qualified": 3, "decided": 2, "won": 1}],
        "patterns": [{"rules": [name], "won": 1, "lost": 1, "total": 6}],
        "early": [{"n": 0}],
        "reliability": [{"model": 1, "lowest": 0.1, "highest": 0.3, "chance": 0.2, "won": 1, "leads": 4}],
        "to_owner": [each | times | {"n": 3} for each in by],
        "to_touch": [each | times | {"n": 3, "assigned": 5} | TOUCHES for each in by],
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
        "trend": [{"begins": NOW.date(), "signals": 3, "owned": 2, "kept": 1, "missed": 1, "to_touch": 60.0}],
        "captured": [{"n": 3}],
        "updates": [
            {"about": about, "source": name, "owner": name, "path": path, "kept": 1, "missed": 1, "not_done": 1, "n": 2}
            for about in RECORD_SECTIONS.values()
            for path in PATHS
        ],
        "records": [
            dict.fromkeys(("owned", "unowned", "held", "overdue", "stale", "slipped"), outcome is None)
            | {"about": about, "source": name, "owner": name, "sales_stage": name, "n": 2}
            | {"is_open": outcome is None, "outcome": outcome}
            for about in RECORD_SECTIONS.values()
            for outcome in (None, "won", "lost", "churned")
        ],
        "record_reasons": [
            {"about": about, "reason": name, "kind": name, "items": 1, "journeys": 2, "open": 1} | times
            for about in RECORD_SECTIONS.values()
        ],
    }


def build_sections(name: str) -> list[Section]:
    return reading.build_sections(list(QUERIES), make_rows(name), ReportRequest(NOW, NOW, NOW), PLAYBOOK)


def build_headline(
    cells: dict[str, list[dict[str, Any]]], section: str, key: str, playbook: Playbook = PLAYBOOK
) -> Tile:
    """One of the figures that are looked at first."""
    (made,) = reading.build_sections([section], cells, ReportRequest(NOW, NOW, NOW), playbook)
    (tile,) = [tile for tile in made.tiles if tile.key == key]
    return tile


# --- HTML -------------------------------------------------------------------------------------------------

_ALLOWED_TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "nav", "a", "main", "div",
    "section", "article", "span", "strong", "details", "summary", "table", "thead", "tbody", "tr", "th", "td", "svg",
    "rect", "text", "line", "circle",
}  # fmt: skip
_ALLOWED_ATTRIBUTES = {
    "lang", "charset", "name", "content", "http-equiv", "href", "id", "class", "scope", "tabindex", "role", "aria-label",
    "viewbox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "text-anchor",
}  # fmt: skip
_TAGS_WITHOUT_END = {"meta"}


class StrictParser(HTMLParser):
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
        if tag not in _TAGS_WITHOUT_END:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _TAGS_WITHOUT_END:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def parse_page(name: str) -> StrictParser:
    parser = StrictParser()
    parser.feed(page.render_page(build_sections(name), name, name))
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


@settings(max_examples=tried(25))
@given(hostile)
def test_no_name_gets_out_of_its_place_on_the_page(name: str) -> None:
    parser = parse_page(name)
    assert parser.tags <= _ALLOWED_TAGS
    assert parser.attributes.keys() <= _ALLOWED_ATTRIBUTES
    assert all(link.startswith("#") for link in parser.attributes["href"])


def test_the_page_fetches_nothing_and_says_its_name() -> None:
    written = page.render_page(build_sections("ana"), "Leads of Acme & Co", "2026-02-03 to 2026-03-04")
    assert "default-src 'none'" in written
    assert not re.search(r"https?:|url\(|@import|<script|src=", written)
    assert "<title>Leads of Acme &amp; Co</title>" in written


def test_every_chart_has_a_title_and_its_table() -> None:
    written = page.render_page(build_sections("ana"), "Leads", "all of them")
    drawn = re.findall(r"<svg [^>]*>.*?</svg>", written, re.DOTALL)
    assert len(drawn) >= 30
    assert all(re.match(r'<svg [^>]*role="img" aria-label="[^"]{10,}"><title>', chart) for chart in drawn)
    for article in re.findall(r"<article.*?</article>", written, re.DOTALL):
        assert "<table>" in article


def test_a_report_of_nothing_is_a_page_too() -> None:
    empty: dict[str, list[dict[str, Any]]] = {name: [] for queries in QUERIES.values() for name in queries}
    nothing = {"grouped": 7, "n": 0, "p50": None, "p95": None}
    empty |= {
        "to_owner": [nothing],
        "to_touch": [nothing | dict.fromkeys(FIRST_TOUCHES, 0) | {"assigned": 0}],
        "recent": [],
    }
    sections = reading.build_sections(list(QUERIES), empty, ReportRequest(NOW, NOW, NOW), PLAYBOOK)
    assert "<svg" not in page.render_page(sections, "Leads", "none")
    assert files.build_json_data(sections)["funnel"]["steps"][0]["of_signals"] is None


@given(st.lists(st.tuples(*[st.floats(0, 1e9)] * 2).map(sorted), min_size=1, max_size=5), st.text(max_size=40))
@settings(max_examples=tried(50))
def test_a_chart_is_drawn_of_any_times_and_nothing_sticks_out_of_it(times: list[list[float]], label: str) -> None:
    rows = [charts.Range(label, low, low, high, "1 h 20 min · 33 % of 12") for low, high in times]
    drawn = charts.draw_spans("Times of any length", rows)
    for svg in re.findall(r"<svg .*?</svg>", drawn, re.DOTALL):
        width = float(re.findall(r'viewBox="0 0 (\d+)', svg)[0])
        for x, anchor, said in re.findall(r'<text [^>]*x="([-\d.]+)"[^>]*text-anchor="(\w+)">([^<]*)<', svg):
            if said.isascii():  # others have letters of other widths
                start = float(x) - len(html.unescape(said)) * 6.9 * {"start": 0, "middle": 0.5, "end": 1}[anchor]
                assert -8 <= start <= start + len(html.unescape(said)) * 6.9 <= width + 8


def test_no_card_stands_alone_on_half_of_the_page() -> None:
    written = page.render_page(build_sections("ana"), "Leads", "all of them")
    for packed in re.findall(r'<div class="cards">(.*?)</section>', written, re.DOTALL):
        assert packed.count('<article class="half">') != 1


# --- Text, CSV, JSON --------------------------------------------------------------------------------------


def render_text(name: str, width: int = 100) -> str:
    stream = io.StringIO()
    text.render(
        build_sections(name), "about", Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
    )
    return stream.getvalue()


@pytest.mark.parametrize("name", ["ana", "a_route_with_a_name_that_is_as_long_as_a_playbook_will_allow_it"])
def test_text_fits_a_hundred_columns(name: str) -> None:
    shown = render_text(name)
    assert max(len(line) for line in shown.splitlines()) <= 100
    assert "".join(shown.lower().split()).count(name.replace("_", "")[:10]) > 10


def test_columns_that_do_not_fit_are_named() -> None:
    columns = [Column("name", "name", "text"), *(Column(f"n{i}", f"number {i}") for i in range(9))]
    wide = Table("wide", "Wide", columns, [{"name": "ana"} | {f"n{i}": 10**9 for i in range(9)}])
    stream = io.StringIO()
    text.render([Section("s", "S", "all", [wide])], "about", Console(file=stream, width=60, markup=False))
    assert "Left out: number 3, number 4" in stream.getvalue()
    assert max(len(line) for line in stream.getvalue().splitlines()) <= 60


def test_no_name_moves_the_cursor() -> None:
    assert "\x1b" not in render_text("red\x1b[31m")


@given(hostile.filter(lambda name: "\r" not in name and "\n" not in name))
@settings(max_examples=tried(30))
def test_cells_of_csv_are_no_formulas(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("csv")
    for file in files.write(build_sections(f"={name}"), folder):
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream))
        assert {len(line) for line in lines} == {len(lines[0])}
        for line in lines[1:]:
            assert all(re.fullmatch(r"-?[\d.e-]+", cell) for cell in line if cell.startswith(("=", "+", "-", "@")))


def test_csv_has_a_file_for_each_table_with_the_keys_of_json(tmp_path: Path) -> None:
    sections = build_sections("ana")
    files.write(sections, tmp_path / "new")
    data = json.loads(json.dumps(files.build_json_data(sections)))
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
        (0.00001, "share", "below 0.1 %"),
        (0.99999, "share", "above 99.9 %"),
        (-0.04, "signed", "-0.04"),
        (0.004, "number", "below 0.01"),
        (1e-12, "number", "0"),
        (1.25, "signed", "+1.2"),
        (Interval(0.5, 0.75), "interval", "50 to 75 %"),
        (Interval(0.701, 0.704), "interval", "70.1 to 70.4 %"),
        (3900.0, "span", "1 h 5 min"),
        (0, "text", "0"),
    ],
)
def test_cells_in_words(value: Any, kind: Any, shown: str) -> None:
    assert describe_value(value, kind) == shown


# --- What is asked for ------------------------------------------------------------------------------------


def test_a_period_is_the_last_thirty_days_with_today() -> None:
    asked = build_request(ReportOptions(), NOW, "UTC")
    assert (asked.since.isoformat(), asked.until.isoformat()) == (
        "2026-02-03T00:00:00+00:00",
        "2026-03-05T00:00:00+00:00",
    )


def test_days_are_those_of_the_zone() -> None:
    late = datetime(
        2026, 3, 29, 22, 30, tzinfo=UTC
    )  # half past midnight of the 30th in Berlin, which has just gone to summer
    asked = build_request(ReportOptions(since="2026-03-29"), late, "Europe/Berlin")
    assert (asked.since.isoformat(), asked.until.isoformat()) == (
        "2026-03-29T00:00:00+01:00",
        "2026-03-31T00:00:00+02:00",
    )


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(0, 400), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_the_period_before_has_as_many_days_and_ends_where_the_period_begins(first: date, more: int, zone: str) -> None:
    asked = build_request(ReportOptions(since=str(first), until=str(first + timedelta(days=more))), NOW, zone)
    before = build_previous_request(asked)
    assert before.until == asked.since
    assert asked.since.date() - before.since.astimezone(ZoneInfo(zone)).date() == timedelta(days=more + 1)


def test_days_are_the_reps_the_pools_or_this_computers(monkeypatch: pytest.MonkeyPatch) -> None:
    offices = {"here": {"time_zone": "Europe/Berlin"}, "there": {"time_zone": "America/New_York"}}
    reps = [{"name": "ana", "time_zone": "Asia/Tokyo"}, {"name": "bob"}]
    pool = {"name": "one", "members": [{"rep": "ana"}, {"rep": "bob"}], "hours": "here"}
    more = {"hours": offices, "reps": reps}
    one = PLAYBOOK.model_validate(PLAYBOOK.model_dump() | more | {"pools": [pool]})
    two = PLAYBOOK.model_validate(
        PLAYBOOK.model_dump() | more | {"pools": [pool, pool | {"name": "b", "hours": "there"}]}
    )
    monkeypatch.setenv("TZ", "America/Lima")
    assert choose_zone(one, "UTC", "ana", "Ana")[0] == "UTC"
    assert choose_zone(one, None, "ana", "Ana") == ("Asia/Tokyo", "the time zone of Ana")
    assert choose_zone(one, None, "bob", "Bob")[0] == "Europe/Berlin"
    assert choose_zone(two, None, None, "") == ("America/Lima", "the time zone of this computer")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ReportOptions(since="yesterday"), "'yesterday' is not a day; write it like 2026-03-02"),
        (ReportOptions(until="9999-12-31"), "is outside the years of the ledger, 1971 to 2199"),
        (ReportOptions(since="2026-03-02", until="2026-03-01"), "ends .2026-03-01. before it begins .2026-03-02."),
        (ReportOptions(zone="Europe/Berln"), "is not a time zone; did you mean .*Europe/Berlin"),
    ],
)
def test_a_period_that_cannot_be_meant_is_refused(options: ReportOptions, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        build_request(options, NOW, options.zone or "UTC")


def test_sections_come_in_their_order() -> None:
    assert choose_sections(ReportOptions()) == ["funnel", "conversion", "speed", "load", "paths"]
    assert choose_sections(ReportOptions(sections=("paths", "speed"))) == ["speed", "paths"]
    assert choose_sections(ReportOptions(rep="ana")) == ["speed", "load", "overdue"]
    assert choose_sections(ReportOptions(), ["renewals"])[-2:] == ["paths", "renewals"]
    assert choose_sections(ReportOptions(sections=("expansions",))) == ["expansions"]
    with pytest.raises(CommandError, match=r"no section 'sped'; did you mean .*speed"):
        choose_sections(ReportOptions(sections=("sped",)))
    with pytest.raises(CommandError, match="no section 'funnel' of a rep"):
        choose_sections(ReportOptions(rep="ana", sections=("funnel",)))


# --- Headline figures -------------------------------------------------------------------------------------


def test_a_headline_says_what_it_is_of() -> None:
    shown = {(section.key, tile.key): tile for section in build_sections("ana") for tile in section.tiles}
    assert shown["funnel", "signals"].value == "24"
    assert "24 of 24 signals" in shown["funnel", "qualified"].detail
    owner = shown["speed", "to_owner"]
    assert owner.value == "1 min 1 s"
    assert "median of 3 leads" in owner.detail
    assert "95 % within 2 h" in owner.detail
    assert "of the 3 touched, of 5 assigned" in shown["speed", "to_touch"].detail
    won = shown["conversion", "won"]
    assert won.value == "67 %"
    assert "2 won and 1 lost" in won.detail
    assert shown["load", "overdue"].value == "1"


def test_the_documentation_names_every_headline_figure() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    reports = docs.partition("\n## Reports\n")[2].partition("\n## ")[0]
    assert {tile.label for section in build_sections("ana") for tile in section.tiles} == set(
        re.findall(r"\*([A-Z][^*]+)\*", reports)
    )


def test_signals_tell_what_waits_and_what_is_held() -> None:
    assert build_headline(make_rows("ana"), "funnel", "signals").detail == (
        "received in the period; 3 wait for the next run; 3 are held"
    )


def test_what_is_due_and_not_done_is_missed_and_what_is_not_due_yet_is_told_apart() -> None:
    tile = build_headline(make_rows("ana"), "speed", "in_time")
    assert tile.value == "33 %"
    assert "1 of 3 that were due, 2 missed" in tile.detail
    assert "2 leads are not due yet" in tile.detail


def test_touches_before_anything_is_due_are_no_share() -> None:
    cells = make_rows("ana")
    counts = dict.fromkeys(FIRST_TOUCHES, 0) | {"early": 12, "not_due": 285}
    cells["to_touch"] = [each | {"n": 12, "assigned": 297} | counts for each in cells["to_touch"]]
    tile = build_headline(cells, "speed", "in_time")
    assert (tile.number, tile.value) == (None, "none was due yet")
    assert "297 leads are not due yet, 12 of them touched already" in tile.detail


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ({"ana": 3, "bob": 3}, ("0", "every rep has their weight's share")),
        ({"ana": 7, "bob": 2}, ("2.5", "Ana in small, since")),
        ({}, ("no turn was taken yet", "")),
    ],
)
def test_fairness_is_the_furthest_of_any_rep_in_any_pool(turns: dict[str, int], said: tuple[str, str]) -> None:
    cells = make_rows("ana")
    even = {"weights": {"ana": 2, "bob": 2}, "turns": {"ana": 2, "bob": 2} if turns else {}}
    odd = {"weights": {"ana": 1, "bob": 1}, "turns": turns}
    # nothing of the second pool was assigned in the period, and the playbook does not know it any more
    cells |= {"pools": [{"pool": "all", "state": even}, {"pool": "small", "state": odd}], "turns": []}
    tile = build_headline(cells, "load", "fairness")
    assert tile.value == said[0]
    assert said[1] in tile.detail


def test_a_small_distance_from_the_fair_share_is_not_rounded_to_none() -> None:
    cells = make_rows("ana")
    weights = {"ana": 333, "bob": 667}
    cells["pools"] = [{"pool": "all", "state": {"weights": weights, "turns": {"ana": 1, "bob": 2}}}]
    assert build_headline(cells, "load", "fairness").value == "below 0.01"


def test_what_waits_for_the_next_run_is_in_no_share_of_clean_paths() -> None:
    cells = make_rows("ana") | {"endings": [{"status": "ready", "clean": True, "n": 1}]}
    tile = build_headline(cells, "paths", "clean")
    assert (tile.number, tile.detail) == (None, "1 journey waits for the next run")


@pytest.mark.parametrize("section", list(QUERIES))
def test_no_figure_of_nothing_is_a_number_in_words(section: str) -> None:
    empty: dict[str, list[dict[str, Any]]] = {name: [] for queries in QUERIES.values() for name in queries}
    nothing = dict.fromkeys(("n", "assigned", *FIRST_TOUCHES), 0) | {"grouped": 7, "p50": None, "p95": None}
    empty |= {"to_owner": [nothing], "to_touch": [nothing], "recent": []}
    (made,) = reading.build_sections([section], empty, ReportRequest(NOW, NOW, NOW), PLAYBOOK)
    for tile in made.tiles:
        assert "none yet" not in tile.detail
        assert "·" not in tile.detail
        assert tile.number in (None, 0)


@pytest.mark.parametrize(
    ("kind", "now", "was", "said"),
    [
        ("count", 12, 10, "10 in the period before, 2 more."),
        ("count", 0, 0, "0 in the period before, the same."),
        ("share", 0.5, 0.62, "62 % in the period before, 12 points down."),
        ("share", 0.624, 0.615, "62 % in the period before, almost the same."),
        ("share", 0.594, 0.618, "62 % in the period before, 3 points down."),
        ("share", 0.63, 0.62, "1 point up."),
        ("span", 60.0, 180.0, "3 min in the period before, 2 min faster."),
        ("span", None, 180.0, "3 min in the period before."),
        ("span", 60.0, None, "No figure in the period before."),
    ],
)
def test_a_headline_stands_beside_the_period_before(kind: Any, now: float, was: float, said: str) -> None:
    made, before = ([Section("s", "S", "", [], [Tile("t", "T", number, kind, "")])] for number in (now, was))
    assert said in trend.add_change(made, before)[0].tiles[0].before
    (row,) = trend.build_json_data(made, before)
    assert (row["value"], row["before"]) == (now, was)
    assert row["change"] == (None if now is None or was is None else now - was)


def test_every_headline_has_its_figure_of_the_period_before() -> None:
    for section in trend.add_change(build_sections("ana"), build_sections("bob")):
        for tile in section.tiles:
            assert tile.before


# --- Names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sofia_marin", "Sofia Marin"),
        ("ana", "Ana"),
        ("jean-luc", "Jean Luc"),
        ("a@b.example", "a@b.example"),
        ("McX", "McX"),
    ],
)
def test_a_name_is_written_as_people_write_it(name: str, shown: str) -> None:
    assert write_as_person(name) == shown


def test_a_label_wins_and_two_of_a_name_are_told_apart() -> None:
    reps = [
        {"name": "ana", "label": "Ana Lopez"},
        {"name": "ana2", "label": "Ana Lopez"},
        {"name": "sofia", "label": "Sofía"},
    ]
    names = DisplayNames(PLAYBOOK.model_validate(PLAYBOOK.model_dump() | {"reps": reps}))
    assert names.name_rep("sofia") == "Sofía"
    assert names.name_rep("ana2") == "Ana Lopez (ana2)"
    assert [names.find_rep(each) for each in ("SOFÍA", "Sofia", "ana", "Ana Lopez")] == [
        "sofia",
        "sofia",
        "ana",
        "Ana Lopez",
    ]


def test_the_page_has_names_and_the_data_what_the_playbook_calls_them() -> None:
    shown = page.render_page(build_sections("tom_nguyen")[3:4], "Leads", "all of them")
    assert "Tom Nguyen" in shown
    assert "tom_nguyen" not in shown
    assert files.build_json_data(build_sections("tom_nguyen"))["load"]["turns"][-1]["rep"] == "tom_nguyen"


def test_one_is_no_plural() -> None:
    cells = make_rows("ana")
    cells["reasons"] = [each | {"journeys": 1} for each in cells["reasons"]]
    sections = reading.build_sections(list(QUERIES), cells, ReportRequest(NOW, NOW, NOW), PLAYBOOK)
    assert not re.search(r"\b1 (journeys|leads|signals|points)\b", page.render_page(sections, "Leads", "all"))
