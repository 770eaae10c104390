"""Files whose columns have names that say nothing: known by their values, once for a file, or told to a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness
from typer.testing import Result

from leadgate import playbook as playbooks

WriteCsv = Callable[..., Path]


def make_rows(count: int, **more: str) -> list[dict[str, str]]:
    return [
        {
            "Kontaktweg": f"ada{at}@mill{at}.example",
            "Xyz": f"+49 30 12345{at:02}",
            "Company": f"Mill {at}",
            "Owner email": "rep@seller.example",
            **more,
        }
        for at in range(count)
    ]


def join_errors(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_a_column_is_known_by_its_values_for_the_whole_file(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    rows = make_rows(60)
    rows[55]["Kontaktweg"] = ""  # a batch that saw this row alone would take the owner's address
    told = cli("capture", write_csv(rows), "--source", "website", "--now", NOW)
    assert "'Kontaktweg' is taken as email by its values (59 of 59)" in join_errors(told)
    assert "'Xyz' is taken as phone" in join_errors(told)
    assert harness.rows("SELECT DISTINCT recognised FROM signal") == [('{"Kontaktweg":"email","Xyz":"phone"}',)]
    harness.run(limit=25)
    found = harness.rows("SELECT email, phone FROM lead WHERE company = 'Mill 7'")
    assert found == [("ada7@mill7.example", "+49301234507")]
    assert harness.one("SELECT count(*) FROM lead WHERE email IS NOT NULL") == 59
    assert harness.one("SELECT count(*) FROM lead WHERE email = 'rep@seller.example'") == 0
    assert harness.one("SELECT count(*) FROM lead WHERE attributes ->> 'Owner email' = 'rep@seller.example'") == 60


def test_a_lead_tells_by_which_column_it_is_known(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    cli("capture", write_csv(make_rows(2)), "--source", "website", "--now", NOW)
    harness.run()
    told = join_lines(cli("explain", harness.one("SELECT min(id) FROM lead")))
    assert "Its column Kontaktweg was taken as email by the values of its file." in told


def test_a_dry_run_says_what_is_known_by_values(cli: Cli, write_csv: WriteCsv) -> None:
    path = write_csv(make_rows(3))
    look = read_json(cli("capture", path, "--source", "website", "--dry-run", "--json"))["files"][0]
    by_values = {column["header"]: column["field"] for column in look["columns"] if column["by_values"]}
    assert by_values == {"Kontaktweg": "email", "Xyz": "phone"}
    shown = join_lines(cli("capture", path, "--source", "website", "--dry-run"))
    assert "email, by its values" in shown
    assert "ada1@" not in shown


def test_an_address_that_no_lead_gets_is_told(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    rows = [
        {"Full name": "ann@mill.example", "Owner email": "rep@seller.example", "Phone": "+49 30 1234567"},
        {"Full name": "Bob Hill", "Owner email": "rep@seller.example", "Phone": "+49 30 1234568"},
    ]
    path = write_csv(rows)
    told = join_errors(cli("capture", path, "--source", "website"))
    assert "2 rows have an e-mail address only in a column that is not the lead's: 'Owner email' (2)" in told
    assert "'Full name' (1)" in told
    assert harness.one("SELECT count(*) FROM signal WHERE recognised IS NOT NULL") == 0
    file = read_json(cli("capture", path, "--source", "website", "--json"))["files"][0]
    assert file["addresses_elsewhere"] == {"Owner email": 2, "Full name": 1}
    assert file["recognised"] == {}


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"A": "ada@mill.example", "B": "bob@mill.example"}, None),  # which is the lead's?
        ({"A": "ada@mill.example", "B": ""}, "A"),
        ({"Referred by": "ada@mill.example"}, None),
        ({"x" * 900: "ada@mill.example"}, None),
        ({f"c{at}": "" for at in range(2_000)} | {"A": "ada@mill.example"}, "A"),
    ],
    ids=["two", "one", "somebody else", "an endless name", "2,000 columns"],
)
def test_what_is_not_clear_is_not_decided(
    cli: Cli, write_csv: WriteCsv, columns: dict[str, str], field: str | None
) -> None:
    path = write_csv([{**columns, "Company": "Mill"}, {**columns, "Company": "Hill"}])
    look = read_json(cli("capture", path, "--source", "website", "--dry-run", "--json"))["files"][0]
    assert [column["header"] for column in look["columns"] if column["by_values"]] == ([field] if field else [])
    assert any("only in a column that is not the lead's" in notice for notice in look["notices"]) == (field is None)


def test_the_playbook_wins_over_what_values_say(
    cli: Cli, harness: Harness, write_csv: WriteCsv, tmp_path: Path
) -> None:
    cli("capture", write_csv(make_rows(3)), "--source", "website", "--now", NOW)
    mapped = json.dumps({"Kontaktweg": "", "Owner email": "email"})
    assert "headers:" not in PLAYBOOK
    text = f"headers: {mapped}\n{PLAYBOOK}"
    changed = playbooks.parse(text, path=tmp_path / "playbook.yaml")
    Harness(harness.ledger, changed).run()
    assert harness.rows("SELECT DISTINCT email FROM lead") == [("rep@seller.example",)]
    assert harness.rows("SELECT DISTINCT attributes ? 'Kontaktweg' FROM lead") == [(True,)]
