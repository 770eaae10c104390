"""Data Docs from a real ledger: what they say, what never gets into them, and how one build follows another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from commands import Cli, read_json
from harness import NOW, PLAYBOOK, Harness, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.data_docs_folder import FOLDER, MOST_BYTES, BuildRunningError, building, find_build, read_page
from leadgate.ledger import Ledger
from leadgate.playbook import LoadedPlaybook
from leadgate.vocabulary import GateName
from tasks.data_docs import DataDocsReport, build_data_docs

#: Values that break promises, each with a mark that is nowhere else.
SECRET = {
    "Email": "zzmail at acme",
    "First name": "Zzfirst",
    "Last name": "Zzlast",
    "Company": "Zzcompany",
    "Phone": "+49 zzphone",
    "Country": "Zzland",
    "Message": "Zzmessage",
}
HOSTILE = "<script>alert(1)</script> ${column} $$ \u202e {{ 7 * 7 }} 'x' \"y\""
#: A playbook whose own promises would be markup, places of a template, or text that runs backwards.
ADDED = """gates:
  validated:
    expect:
      - name: known_titles
        expectation: expect_column_values_to_be_in_set
        arguments: {{column: job_title, value_set: [{value}, Chief]}}
        severity: warning
        why: {why}
      - name: short_names
        expectation: expect_column_value_lengths_to_be_between
        arguments: {{column: last_name, max_value: {most}}}
        severity: warning
        why: Last names are short
"""


def load_with(why: str, value: str, most: int = 40) -> LoadedPlaybook:
    added = ADDED.format(why=_quote(why), value=_quote(value), most=most)
    return playbooks.parse(PLAYBOOK.partition("gates:\n")[0] + added, path=Path("tests.yaml"))


def _quote(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


@pytest.fixture
def worked(harness: Harness) -> Harness:
    """Two sound leads, one with an impossible phone number, and one that breaks whatever it can."""
    harness.begin(make_lead(1), make_lead(2), make_lead(8, Phone="call me"), SECRET)
    return harness


def build(harness: Harness, **more: Any) -> DataDocsReport:
    return build_data_docs(harness.ledger, harness.loaded, NOW, **more)


def read(report: DataDocsReport) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in report.folder.iterdir()}


def parse(page: str) -> Any:
    return lxml.html.fromstring(page)


def list_results(page: str) -> dict[str, dict[str, str]]:
    """The results of a validation by their promises, in plain words."""
    rows = [
        {cell.get("data-label"): " ".join(cell.text_content().split()) for cell in row.xpath("./td")}
        for row in parse(page).xpath("//section//tbody/tr[td[@data-label='Observed Value']]")
    ]
    return {row["Promise"]: row for row in rows}


def find_validation(harness: Harness, pages: dict[str, str], gate: str) -> str:
    number = harness.one("SELECT max(id) FROM gate_result WHERE gate = :gate AND rows > 0", gate=gate)
    return pages[f"validation-{number}.html"]


def test_each_gate_is_a_suite_and_each_batch_a_validation(worked: Harness) -> None:
    report = build(worked)
    pages = read(report)
    validations = {
        f"validation-{number}.html" for (number,) in worked.rows("SELECT id FROM gate_result WHERE rows > 0")
    }
    suites = {f"suite-{gate}.html" for gate in GateName}
    assert set(pages) == {"index.html", "style.css", *suites, *validations}
    assert (report.suites, report.validations) == (len(suites), len(validations))
    assert suites | validations <= set(parse(pages["index.html"]).xpath("//main//a/@href"))


def test_a_validation_says_what_great_expectations_says_of_it_and_the_promise_in_plain_words(worked: Harness) -> None:
    page = find_validation(worked, read(build(worked)), "validated")
    results = list_results(page)
    phone = results["The phone number is possible, or it is left out"]
    assert (phone["Status"], phone["If broken"]) == ("Failed", "the row is held")
    assert "values must match this regular expression" in phone["Expectation"]
    assert "2 unexpected values found" in phone["Expectation"]
    assert results["The lead does not look like spam"]["Status"] == "Succeeded"
    (broke,) = parse(page).xpath("//h2[text()='What broke']/..//li[contains(., 'phone number is not')]")
    assert "2 of 4 rows" in broke.text_content()
    facts = {
        row.xpath("string(th)"): row.xpath("string(td)") for row in parse(page).xpath("//table[@class='facts']//tr")
    }
    assert (facts["Evaluated Expectations"], facts["rows"], facts["Run Name"]) == ("9", "4", "batch 1")


def test_a_suite_says_what_is_expected_and_what_follows(worked: Harness) -> None:
    page = parse(read(build(worked))["suite-assigned.html"])
    words = " ".join(page.text_content().split())
    assert "The owner is not absent today. If not, the row is held" in words
    assert "values must belong to this set: False" in words
    assert page.xpath("//nav[@aria-label='Contents']//a[text()='owner_absent']")


def test_no_value_of_a_lead_is_on_any_page(worked: Harness) -> None:
    told = "".join(read(build(worked)).values()).lower()
    assert worked.one("SELECT count(*) FROM work_item w WHERE to_jsonb(w)::text ILIKE '%zzmail%'") > 0
    assert re.findall("zz[a-z]+", told) == []


def test_a_page_has_no_script_no_style_within_and_nothing_of_another_server(worked: Harness) -> None:
    hostile = Harness(worked.ledger, load_with(HOSTILE, HOSTILE))
    hostile.capture(make_lead(11, Title="Clerk"))
    hostile.run()
    pages = read(build(hostile))
    for name, page in pages.items():
        if name.endswith(".css"):
            assert "url(" not in page
            assert "@import" not in page
            continue
        tree = parse(page)
        assert (
            tree.xpath("//script | //style | //iframe | //object | //form | //@style | //@*[starts-with(name(), 'on')]")
            == []
        )
        assert tree.xpath("//@src") == []
        addresses = set(tree.xpath("//@href"))
        assert {each for each in addresses if each not in pages and not each.startswith("#")} == {"/quality"}
        assert "\u202e" not in page
    shown = " ".join(parse(pages["suite-validated.html"]).text_content().split())
    assert "<script>alert(1)</script> ${column} $$ {{ 7 * 7 }} 'x' \"y\"" in shown


def test_a_batch_is_shown_by_the_promises_of_its_own_playbook(worked: Harness) -> None:
    for most in (30, 3):
        harness = Harness(worked.ledger, load_with("Known titles", "Clerk", most))
        harness.capture(make_lead(20 + most))
        harness.run()
    pages = read(build(harness))
    batches = worked.rows("SELECT id FROM gate_result WHERE gate = 'validated' AND rows > 0 ORDER BY id DESC LIMIT 2")
    latest, before = (list_results(pages[f"validation-{number}.html"])["Last names are short"] for (number,) in batches)
    assert "less than or equal to 3" in latest["Expectation"]
    assert latest["Status"] == "Failed"
    assert "less than or equal to 30" in before["Expectation"]
    assert before["Status"] == "Succeeded"


def test_evidence_of_a_promise_that_is_no_more_is_told_as_well(worked: Harness) -> None:
    with worked.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE gate_result DISABLE TRIGGER USER"))
        connection.execute(
            text(
                "UPDATE gate_result SET evidence = jsonb_set(evidence, '{0,promise}', '\"gone\"') WHERE gate = 'captured'"
            )
        )
    page = parse(find_validation(worked, read(build(worked)), "captured"))
    (row,) = page.xpath("//h2[text()='Promises that are no more']/..//tbody/tr")
    assert row.xpath("string(td[@data-label='Rows checked'])") == "4"


def test_a_ledger_in_which_no_batch_came_to_a_gate_has_its_suites(harness: Harness) -> None:
    report = build(harness)
    assert (report.suites, report.validations) == (len(GateName), 0)
    assert "No batch has come to a gate yet" in read(report)["index.html"]


def test_only_the_latest_validations_are_shown(worked: Harness) -> None:
    for number in (31, 32):
        worked.capture(make_lead(number))
        worked.run()
    report = build(worked, latest=1)
    latest = {number for (number,) in worked.rows("SELECT max(id) FROM gate_result WHERE rows > 0 GROUP BY gate")}
    assert {name for name in read(report) if name.startswith("validation-")} == {f"validation-{n}.html" for n in latest}


# --- one build after the other ----------------------------------------------------------------------------


def test_a_build_takes_the_place_of_the_one_before_as_a_whole(worked: Harness) -> None:
    home = worked.ledger.home
    first, second = build(worked), build(worked)
    half = home / FOLDER / f"build-{'0' * 32}"  # of a process that was killed
    half.mkdir()
    third = build(worked)
    folders = {each for each in (home / FOLDER).iterdir() if each.is_dir()}
    assert folders == {second.folder, third.folder}
    assert not first.folder.exists()
    found = find_build(home)
    assert found is not None
    assert (found.folder, found.built_at) == (third.folder.name, NOW)
    assert {each.stat().st_mode & 0o077 for each in (home / FOLDER).rglob("*")} == {0}


def test_a_build_that_fails_leaves_the_one_before(worked: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build(worked)
    monkeypatch.setattr("leadgate.data_docs_folder.MOST_BYTES", 3_000)
    with pytest.raises(ValueError, match="is none of Data Docs"):
        build(worked)
    monkeypatch.undo()
    assert read_page(worked.ledger.home, "index.html") == (before.folder / "index.html").read_bytes()


def test_two_processes_do_not_build_at_once(worked: Harness) -> None:
    with building(worked.ledger.home), pytest.raises(BuildRunningError):
        build(worked)
    assert build(worked).folder.is_dir()


@pytest.mark.parametrize(
    "name",
    ["../current.json", "..", "", "/etc/passwd", "build.lock", "current.json", "index.html\x00", "INDEX.HTML", "a/b.html",
     "index.html\n", "nothing.html", "page.js", "page.svg", ".html", "x" * 200 + ".html"],
)  # fmt: skip
def test_a_name_that_is_no_page_of_the_build_is_refused(tmp_path: Path, name: str) -> None:
    write_build(tmp_path, {"index.html": "told", "page.js": "told", "page.svg": "told"})
    assert read_page(tmp_path, "index.html") == b"told"
    assert read_page(tmp_path, name) is None


def write_build(home: Path, files: dict[str, str]) -> Path:
    folder = home / FOLDER / f"build-{'a' * 32}"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    told = f'{{"folder": "{folder.name}", "built_at": "2026-03-04T10:00:00+00:00", "suites": 6, "validations": 0}}'
    (home / FOLDER / "current.json").write_text(told)
    return folder


def test_what_is_no_regular_file_of_a_limited_size_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.html"
    outside.write_text("secret")
    home = tmp_path / "home"
    folder = write_build(home, {"large.html": "x" * (MOST_BYTES + 1)})
    (folder / "link.html").symlink_to(outside)
    (folder / "folder.html").mkdir()
    os.mkfifo(folder / "pipe.html")
    for name in ("large.html", "link.html", "folder.html", "pipe.html"):
        assert read_page(home, name) is None, name
    (folder / "page.html").write_text("told")
    assert read_page(home, "page.html") == b"told"
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    assert read_page(home, "page.html") is None


@pytest.mark.parametrize(
    "told", ["", "no JSON", "[]", '{"folder": "../../etc"}', '{"folder": "..", "built_at": "2026-03-04T10:00:00+00:00",'
             ' "suites": 1, "validations": 1}']
)  # fmt: skip
def test_what_names_no_build_names_none(tmp_path: Path, told: str) -> None:
    write_build(tmp_path, {"index.html": "told"})
    (tmp_path / FOLDER / "current.json").write_text(told)
    assert find_build(tmp_path) is None
    assert read_page(tmp_path, "index.html") is None


# --- the command ------------------------------------------------------------------------------------------


def test_the_command_builds_them_and_says_where_they_are(cli: Cli, ledger: Ledger, tmp_path: Path) -> None:
    told = read_json(cli("quality", "docs", "--latest", 3, "--json"))
    assert Path(told["folder"]).parent == tmp_path / "home" / FOLDER
    assert told["address"].endswith("/quality/data-docs/")
    assert read_page(tmp_path / "home", "index.html") is not None
    assert "6 suites and 0 validations" in " ".join(cli("quality", "docs").stdout.split())


def test_neither_the_console_nor_the_help_of_the_command_waits_for_great_expectations() -> None:
    asked = "import sys, console.web.app, console.cli.quality; print([m for m in ('great_expectations', 'prefect') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
