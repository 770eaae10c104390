"""The command line on a real ledger: what a person sees, what a script gets, and which exit code.

Long as one file: what holds for all commands, in one place for whoever adds one.
"""

from __future__ import annotations

import csv
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from forked import wait_for
from harness import NOW, PLAYBOOK, Harness, make_lead
from hostile_files import write_cut_workbook, write_workbook
from receiver import SECRET, Receiver, receiving
from sqlalchemy import text
from typer.testing import Result

from console.command_context import find_login
from tasks.delivery import MOST_ATTEMPTS

WriteCsv = Callable[..., Path]


MIXED = [
    make_lead(1),
    make_lead(2, **{"First name": "Ann", "Email": "Ann.Lee@company2.example"}),
    make_lead(3, Email="jo@gmial.com"),
    make_lead(4, Phone="12"),
    make_lead(5, Email="not an address"),
    make_lead(6, Company=""),
]


@pytest.fixture
def worked(cli: Cli, harness: Harness, write_csv: WriteCsv) -> Harness:
    """A ledger in which some leads are owned, some held, one in nurture."""

    def work() -> None:
        cli("capture", write_csv(MIXED), "--source", "website", "--now", NOW)
        harness.run()

    harness.begin_with("mixed", work)
    return harness


# --- capture --------------------------------------------------------------------------------------------


def test_capturing_a_file_twice_stores_it_once(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    path = write_csv([make_lead(1), make_lead(2)])
    first = read_json(cli("capture", path, "--source", "website", "--json"))
    again = read_json(cli("capture", path, "--source", "website", "--json"))
    assert (first["rows"], first["new"]) == (2, 2)
    assert (again["rows"], again["new"], again["files"][0]["known"]) == (2, 0, 2)
    assert harness.one("SELECT count(*) FROM journey") == 2
    assert "nothing changed" in cli("capture", path, "--source", "website").stdout


def test_a_row_that_cannot_be_read_is_stored_and_its_line_told(cli: Cli, harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("Email,Company\na@one.example,One\nb@two.example,Two,extra\nc@three.example,Three\n")
    result = cli("capture", path, "--source", "website")
    assert "held: line 3" in result.stdout
    assert harness.one("SELECT count(*) FROM signal WHERE unreadable IS NOT NULL") == 1
    assert harness.one("SELECT count(*) FROM signal") == 3


@pytest.fixture
def unusable(tmp_path: Path) -> dict[str, Path]:
    """Files that cannot be captured, by the words that say why."""
    files = {
        "headers": tmp_path / "headers.csv",
        "empty": tmp_path / "empty.csv",
        "no such file": tmp_path / "gone.csv",
        "regular": tmp_path / "pipe.csv",
        "directory": tmp_path / "folder.csv",
    }
    files["headers"].write_text("Email,Company\n")
    files["empty"].touch()
    os.mkfifo(files["regular"])
    files["directory"].mkdir()
    return files


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["capture", "dry run"])
def test_files_that_cannot_be_read_are_skipped_and_the_others_captured(
    cli: Cli, harness: Harness, write_csv: WriteCsv, unusable: dict[str, Path], dry: list[str]
) -> None:
    good = [write_csv([make_lead(1)], "first.csv"), write_csv([make_lead(2)], "last.csv")]
    result = cli("capture", good[0], *unusable.values(), good[1], "--source", "website", *dry, code=4)
    for reason, path in unusable.items():
        assert any(reason in line for line in result.stderr.splitlines() if path.name in line)
    assert "first.csv" in result.stdout
    assert "last.csv" in result.stdout
    assert harness.one("SELECT count(*) FROM signal") == (0 if dry else 2)
    told = read_json(cli("capture", good[0], *unusable.values(), "--source", "website", "--json", *dry, code=4))
    assert [each["file"] for each in told["files"]] == ["first.csv"]
    assert [each["file"] for each in told["left"]] == [path.name for path in unusable.values()]


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["capture", "dry run"])
def test_when_no_file_can_be_read_nothing_was_changed(
    cli: Cli, harness: Harness, unusable: dict[str, Path], dry: list[str]
) -> None:
    for files in (list(unusable.values()), [unusable["headers"]]):
        cli("capture", *files, "--source", "website", *dry, code=2)
    assert harness.one("SELECT count(*) FROM signal") == 0


def test_a_file_that_breaks_off_keeps_its_rows_and_the_next_file_is_captured(
    cli: Cli, harness: Harness, write_csv: WriteCsv, tmp_path: Path
) -> None:
    broken = write_cut_workbook(tmp_path / "broken.xlsx", rows=20_000)
    result = cli("capture", broken, write_csv([make_lead(1)]), "--source", "website", "--json", code=4)
    told = read_json(result)
    assert "broken.xlsx" in result.stderr
    assert 0 < told["files"][0]["rows"] < 20_000
    assert harness.one("SELECT count(*) FROM signal") == told["files"][0]["rows"] + 1


def test_a_file_past_the_limits_of_its_reader_is_skipped(
    cli: Cli, harness: Harness, write_csv: WriteCsv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADGATE_FILE_MEMORY_MB", "64")
    greedy = write_workbook(tmp_path / "greedy.xlsx", strings=b"<si><t>%d</t></si>", count=400_000)
    result = cli("capture", greedy, write_csv([make_lead(1)]), "--source", "website", code=4)
    assert "LEADGATE_FILE_MEMORY_MB" in result.stderr
    assert harness.one("SELECT count(*) FROM signal") == 1


def test_a_misspelt_source_gets_the_nearest_right_one(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    result = cli("capture", write_csv([make_lead(1)]), "--source", "websit", code=2)
    assert "did you mean 'website'?" in result.stderr
    assert harness.one("SELECT count(*) FROM signal") == 0


def test_an_unsound_playbook_is_refused_before_anything_is_stored(
    cli: Cli, harness: Harness, write_csv: WriteCsv, tmp_path: Path
) -> None:
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK.replace("{rep: cyn}", "{rep: cin}"), encoding="utf-8")
    for command in (["capture", write_csv([make_lead(1)]), "--source", "website"], ["run"]):
        result = cli(*command, code=2)
        assert "did you mean 'cyn'?" in result.stderr
        assert "playbook.yaml:" in result.stderr
    assert harness.one("SELECT count(*) FROM signal") == 0


def test_a_dry_run_shows_the_mapping_and_needs_no_ledger(
    cli: Cli, write_csv: WriteCsv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADGATE_DATABASE_URL", "postgresql://127.0.0.1:1/nothing")
    path = write_csv([make_lead(1, **{"Favourite colour": "blue"})])
    look = read_json(cli("capture", path, "--source", "website", "--dry-run", "--json"))["files"][0]
    fields = {column["header"]: column["field"] for column in look["columns"]}
    assert fields == {
        "Email": "email",
        "First name": "first_name",
        "Last name": "last_name",
        "Company": "company",
        "Phone": "phone",
        "Favourite colour": None,
    }
    shown = cli("capture", path, "--source", "website", "--dry-run").stdout
    assert "an attribute, kept as it is" in shown
    assert "lead1@" not in shown


def test_activities_are_matched_to_their_lead(cli: Cli, worked: Harness, write_csv: WriteCsv) -> None:
    rows = [
        {
            "Email": "ANN.LEE@company2.example",
            "Activity": "Demo Request",
            "Date": "2026-03-04 09:00",
            "Owner": "",
        },
        {"Email": "ann.lee@company2.example", "Activity": "Call", "Date": "2026-03-04 11:00", "Owner": "bob"},
        {"Email": "", "Activity": "Call", "Date": "2026-03-04", "Owner": ""},
        {"Email": "ann.lee@company2.example", "Activity": "Call", "Date": "some day", "Owner": ""},
    ]
    path = write_csv(rows, "activities.csv")
    found = read_json(cli("capture", path, "--source", "activities", "--now", NOW, "--json"))["files"][0]
    assert (found["new"], found["activities"], found["unreadable_lines"]) == (4, 2, [4, 5])
    kinds = worked.rows("SELECT kind, actor, rep, lead_id FROM activity ORDER BY kind")
    assert kinds == [("call", "rep", "bob", 2), ("demo_request", "lead", None, 2)]
    again = read_json(cli("capture", path, "--source", "activities", "--now", NOW, "--json"))
    assert again["new"] == 0
    worked.run()
    assert worked.one("SELECT count(*) FROM work_item WHERE reason = 'unreadable_row'") == 2
    assert worked.find_broken() == []


def test_a_file_without_a_time_is_no_file_of_activities(cli: Cli, harness: Harness, write_csv: WriteCsv) -> None:
    path = write_csv([{"Email": "a@one.example", "Activity": "call"}])
    result = cli("capture", path, "--source", "activities", code=2)
    assert "no column says the time" in result.stderr
    assert harness.one("SELECT count(*) FROM signal") == 0


#: From the second chunk of a file on, storing takes a minute.
SLOW = """
    CREATE FUNCTION sleep_once_there_are_rows() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN IF EXISTS (SELECT 1 FROM signal) THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END';
    CREATE TRIGGER slow BEFORE INSERT ON signal FOR EACH STATEMENT EXECUTE FUNCTION sleep_once_there_are_rows()"""


def test_ctrl_c_keeps_what_was_stored_and_the_next_capture_goes_on(cli: Cli, harness: Harness, tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    rows = 10_000
    with path.open("w", encoding="utf-8") as file:
        file.write("Email,Company\n")
        file.writelines(f"lead{n}@company.example,Company {n}\n" for n in range(rows))
    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-m", "console.cli", "capture", str(path), "--source", "website"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: harness.one("SELECT count(*) FROM signal") > 0, 120)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    stored = harness.one("SELECT count(*) FROM signal")
    assert process.returncode == 130, errors
    assert "What was stored stays" in errors
    assert "Traceback" not in errors
    assert 0 < stored < rows
    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql("DROP TRIGGER slow ON signal")
    assert read_json(cli("capture", path, "--source", "website", "--json"))["new"] == rows - stored


# --- deliver --------------------------------------------------------------------------------------------


@pytest.fixture
def notified(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver, which the playbook names for everybody."""
    with (tmp_path / "playbook.yaml").open("a", encoding="utf-8") as playbook:
        playbook.write("notifications: [{to: everybody, address_env: NOTIFY_EVERYBODY}]\n")
    with receiving() as receiver:
        monkeypatch.setenv("NOTIFY_EVERYBODY", receiver.address)
        yield receiver


def test_deliver_sends_what_waits_and_says_so(cli: Cli, worked: Harness, notified: Receiver) -> None:
    result = cli("deliver", "--now", NOW)
    assert "2 messages delivered." in join_lines(result)
    assert SECRET not in result.stdout + result.stderr
    assert len(notified.messages) == 2
    assert "0 messages delivered." in cli("deliver", "--now", NOW).stdout
    assert "delivered 2026-03-04 10:00" in join_lines(cli("explain", 1))


def test_deliver_names_the_variable_that_is_missing(
    cli: Cli, worked: Harness, notified: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_EVERYBODY")
    assert "2 messages wait for an address: set NOTIFY_EVERYBODY." in join_lines(cli("deliver"))
    assert read_json(cli("deliver", "--json"))["waiting_for_address"] == {"NOTIFY_EVERYBODY": 2}
    assert "waiting in the outbox" in join_lines(cli("explain", 1))


def test_deliver_tells_failures_and_a_given_up_message_is_sent_again(
    cli: Cli, worked: Harness, notified: Receiver
) -> None:
    notified.answer = 500
    told = join_lines(cli("deliver", "--now", NOW))
    assert "2 attempts failed: NOTIFY_EVERYBODY: the receiver answered 500." in told
    assert "2 messages wait for the next attempt." in told
    worked.rows(f"UPDATE outbox SET attempts = {MOST_ATTEMPTS - 1}, retry_at = NULL RETURNING id")
    assert "2 messages were given up. Next: leadgate queue --reason undeliverable" in join_lines(cli("deliver"))
    assert "NOTIFY_EVERYBODY" in join_lines(cli("queue", "--reason", "undeliverable"))
    assert "answered 500" in cli("queue", "--reason", "undeliverable", "--json").stdout
    assert "given up" in join_lines(cli("explain", 1))
    assert "2 messages are due again. Next: leadgate deliver" in join_lines(cli("rerun", "--reason", "undeliverable"))
    notified.answer = 200
    assert read_json(cli("deliver", "--json"))["delivered"] == 2
    assert worked.find_broken() == []


def test_a_given_up_message_can_be_told_by_hand(cli: Cli, worked: Harness, notified: Receiver) -> None:
    notified.answer = 500
    worked.rows(f"UPDATE outbox SET attempts = {MOST_ATTEMPTS - 1} RETURNING id")
    cli("deliver")
    item = worked.one("SELECT min(id) FROM work_item WHERE reason = 'undeliverable'")
    told = cli("rerun", "--work-item", item, "--done-by-hand", "told them at their desk")
    assert "No lead waited for it." in told.stdout
    assert worked.rows(f"SELECT resolution, note FROM work_item WHERE id = {item}") == [
        ("done_by_hand", "told them at their desk")
    ]
    notified.answer = 200
    assert read_json(cli("deliver", "--json"))["delivered"] == 0
    assert worked.find_broken() == []


# --- what people read -----------------------------------------------------------------------------------


def test_the_summary_adds_up_and_fits_on_a_screen(cli: Cli, worked: Harness) -> None:
    found = read_json(cli("summary", "--json"))
    assert found["signals"] == len(MIXED) == sum(found["journeys"].values())
    assert found["journeys"] == {"held": 3, "owned": 2, "nurture": 1}
    for stage in found["stages"]:
        ended = sum(stage["ended"].values())
        assert stage["entered"] == stage["passed"] + stage["held"] + stage["waiting"] + ended
    assert sum(owner["open"] for owner in found["owners"]) == 2
    assert sum(line["items"] for line in found["queue"]) == 3
    assert found["to_owner"] == {"count": 2, "p50": 0.0, "p95": 0.0}
    lines = cli("summary").stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100


def test_the_commands_that_the_summary_proposes_work_when_pasted(cli: Cli, worked: Harness) -> None:
    commands = read_json(cli("summary", "--json"))["next"]
    assert {command.split()[1] for command in commands} == {"explain", "queue", "rerun", "verify"}
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "leadgate"
        cli(*arguments, *(["--now", str(NOW)] if arguments[0] == "rerun" else []))
    worked.run()
    assert worked.one("SELECT email FROM lead WHERE id = 3") == "jo@gmail.com"
    assert worked.count_statuses() == {"owned": 4, "held": 1, "nurture": 1}
    assert worked.find_broken() == []


def test_an_empty_ledger_says_what_to_do_first(cli: Cli) -> None:
    assert "leadgate capture" in cli("summary").stdout
    assert "nothing has been captured" in cli("explain", 1, code=2).stderr


def test_a_report_of_an_empty_ledger_is_no_error(cli: Cli, tmp_path: Path) -> None:
    assert "Nothing has been captured yet" in cli("report").stdout
    assert read_json(cli("report", "--json"))["signals_ever"] == 0
    assert "Nothing has been captured yet" in cli("report", "--html", tmp_path / "page.html").stdout
    assert "</html>" in (tmp_path / "page.html").read_text()


def test_a_lead_is_explained_however_it_is_named(cli: Cli, worked: Harness) -> None:
    owner = worked.one("SELECT owner FROM assignment WHERE journey_id = 2")
    told = cli("explain", 2, "--now", NOW).stdout
    for part in (
        "What triggered it?",
        "leads.csv:3",
        "Who owns it, and why them?",
        f"{owner} has had it since",
        "another's turn",
        "What evidence proves it worked?",
        "has_company +30",
        "lead assigned",
        "What happens when the normal path fails?",
        "The first touch is due 2026-03-04 14:00 UTC (SLA standard)",
    ):
        assert part in told
    for reference in ("J2", "ann.lee@company2.example", " ANN.LEE@Company2.example "):
        assert cli("explain", reference, "--now", NOW).stdout == told
    data = read_json(cli("explain", "J2", "--json"))
    assert (data["lead_id"], data["status"], len(data["answers"])) == (2, "owned", 4)
    late = join_lines(cli("explain", 2, "--now", NOW + timedelta(hours=5)))
    assert "was due 2026-03-04 14:00 UTC and is late" in late


def test_a_held_lead_is_explained_with_what_can_be_done(cli: Cli, worked: Harness) -> None:
    item = worked.one("SELECT id FROM work_item WHERE journey_id = 3")
    told = cli("explain", f"W{item}").stdout
    assert "looks like a typo of gmail.com" in told
    assert f"leadgate rerun W{item} --proposed" in told
    assert "data_quality decides" in told
    assert cli("explain", "jo@gmial.com").stdout == told


def test_an_unknown_lead_is_an_error_that_helps(cli: Cli, worked: Harness) -> None:
    for reference, hint in (
        ("999", "the leads' ids go from 1 to 6"),
        ("J999", "there is no journey J999"),
        ("W999", "there is no work item W999"),
        ("somebody", "give an id like 17"),
        ("ann.lee@elsewhere.example", "lead 2 is a•••@company2.example"),
        ("\x1b[31m@\x00", "␛[31m@␀"),
    ):
        assert hint in cli("explain", reference, code=2).stderr


HOSTILE = make_lead(
    7,
    **{
        "First name": "\x1b[31mRed\x07",
        "Last name": "[bold]Li[/bold] :smile:",
        "Company": '=cmd|"/c calc"!A1',
        "Job title": "<script>alert(1)</script>\r\n\u202etxt",
        "Email": "=2+5@@x",
        "Message": "nul \x00 " + "x" * 30_000,
    },
)


def test_no_value_of_a_lead_reaches_the_terminal_as_it_is(
    cli: Cli, harness: Harness, write_csv: WriteCsv, tmp_path: Path
) -> None:
    cli("capture", write_csv([HOSTILE]), "--source", "website", "--now", NOW)
    harness.run()
    export = tmp_path / "queue.csv"
    shown = [
        cli("explain", 1),
        cli("explain", 1, "--json"),
        cli("queue", "--show-personal"),
        cli("queue", "--show-personal", "--csv", export),
        cli("summary"),
    ]
    for result in shown:
        text = result.stdout + result.stderr
        assert not {character for character in text if ord(character) < 32} - {"\n"}
        assert "\u202e" not in text
    told = shown[0].stdout
    assert "[bold]Li[/bold] :smile:" in told
    assert "30,006 characters" in told
    with export.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["value"] == "'=2+5@@x"


def test_lists_mask_personal_values_unless_asked(cli: Cli, worked: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    listed, asked = cli("queue").stdout, cli("queue", "--show-personal").stdout
    for value in ("jo@gmial.com", "jo@gmail.com", "not an address"):
        assert value not in listed
        assert value in asked
    assert "j•••@gmail.com" in listed
    assert "not an address" not in cli("queue", "--json").stdout


def test_the_queue_is_filtered_and_a_misspelt_filter_is_an_error(cli: Cli, worked: Harness) -> None:
    def items(*filters: str) -> int:
        found = read_json(cli("queue", *filters, "--json"))
        assert found["total"] == len(found["items"])
        return len(found["items"])

    assert items() == 3
    assert items("--reason", "email_malformed") == 2
    assert items("--stage", "validation", "--route", "data_quality", "--source", "website") == 3
    assert items("--stage", "follow-up") == 0
    assert items("--due-before", NOW) == 0
    assert items("--due-before", (NOW + timedelta(days=1)).isoformat()) == 3
    assert len(read_json(cli("queue", "--limit", 1, "--json"))["items"]) == 1
    assert "did you mean 'email_malformed'?" in cli("queue", "--reason", "email_malfomed", code=2).stderr
    assert "did you mean 'validation'?" in cli("queue", "--stage", "validaton", code=2).stderr
    assert "not a time" in cli("queue", "--due-before", "soon", code=2).stderr


# --- what people decide ---------------------------------------------------------------------------------


def errors(result: Result) -> str:
    """What went wrong, in a line: a wrong option's is in a box."""
    return " ".join(result.stderr.replace("│", " ").split())


def test_a_rep_who_is_logged_in_acts_as_themselves(
    cli: Cli, worked: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (owner,) = worked.rows("SELECT owner FROM assignment WHERE journey_id = 1")[0]
    mine = PLAYBOOK.replace(f"{{name: {owner},", f"{{name: {owner}, login: {find_login()},")
    (tmp_path / "playbook.yaml").write_text(mine, encoding="utf-8")
    monkeypatch.setenv("LOGNAME", "somebody_else")
    monkeypatch.setenv("USER", "somebody_else")
    accepted = read_json(cli("accept", 1, "--now", NOW + timedelta(hours=1), "--json"))
    assert (accepted["by"], accepted["acted_for"]) == (owner, None)
    assert worked.rows("SELECT what, by, acted_for FROM action") == [("accept", owner, None)]


def item_of(harness: Harness, journey: int) -> int:
    """The open work item that holds a journey."""
    return int(harness.one("SELECT id FROM work_item WHERE journey_id = :j AND closed_at IS NULL", j=journey))


def test_a_correction_lets_a_lead_go_on_and_is_told(cli: Cli, worked: Harness) -> None:
    item = item_of(worked, 5)
    cli(
        "rerun",
        "--work-item",
        item,
        "--set",
        "email=eve@company5.example",
        "--now",
        NOW,
    )
    worked.run()
    assert worked.one("SELECT status FROM journey WHERE id = 5") == "owned"
    told = cli("explain", 5).stdout
    assert f"{find_login()} set email to eve@company5.example" in told
    assert f"W{item} (email_malformed at validation) was closed by {find_login()}" in told
    assert worked.find_broken() == []


def test_a_rerun_that_is_not_clear_changes_nothing(cli: Cli, worked: Harness) -> None:
    malformed = ("--reason", "email_malformed")
    for arguments, hint in (
        ((), "say which"),
        ((*malformed, "--set", "emial=x"), "did you mean 'email'?"),
        ((*malformed, "--set", "email"), "write it like --set email="),
        ((*malformed, "--set", "email=a@b.example"), "correct 2 work items; add --yes"),
        ((*malformed, "--discard", "no"), "discard 2 work items; add --yes"),
        ((*malformed, "--discard", " "), "needs words"),
        ((*malformed, "--discard", "no", "--proposed"), "exclude one another"),
        (("--reason", "email_malfomed"), "did you mean 'email_malformed'?"),
        (("--work-item", "999"), "work item W999 does not exist"),
        (("W1", "--set", "email=nonsense"), "would be held again (email: "),
        (("J5",), "J5 is a journey, and a work item is expected"),
        (("--batch", "W1"), "W1 is a work item, and a batch is expected"),
        ((*malformed, "--by", "ops"), "whoever is logged in"),
    ):
        assert hint in errors(cli("rerun", *arguments, code=2))
    assert worked.count_statuses() == {"owned": 2, "held": 3, "nurture": 1}


def test_a_proposal_that_validation_would_not_take_is_refused_and_the_others_are_taken(
    cli: Cli, worked: Harness
) -> None:
    first, second = (
        row[0] for row in worked.rows("SELECT id FROM work_item WHERE reason = 'email_malformed' ORDER BY 1")
    )
    propose = "UPDATE work_item SET proposal = CAST(:proposal AS jsonb) WHERE id = :id"
    with worked.ledger.transaction() as connection:
        connection.execute(text(propose), {"id": first, "proposal": '{"email": "eve@gmial.com"}'})
        connection.execute(text(propose), {"id": second, "proposal": '{"email": "eve@company5.example"}'})
    refused = errors(cli("rerun", f"W{first}", "--proposed", "--now", NOW, code=2))
    assert f"work item W{first}" in refused
    assert "email: " in refused
    assert "did you mean 'eve@gmail.com'?" in refused
    assert "did you mean 'eve@gmail.com'?" in errors(cli("review", f"W{first}", "--proposed", "--now", NOW, code=2))
    assert worked.one("SELECT count(*) FROM correction") == 0
    done = read_json(cli("rerun", "--reason", "email_malformed", "--proposed", "--yes", "--now", NOW, "--json"))
    assert (done["work_items"], [each["status"] for each in done["standing"]]) == (1, ["owned"])
    assert f"work item W{first}" in done["skipped"][0]
    assert worked.rows("SELECT field, value FROM correction") == [("email", "eve@company5.example")]
    assert worked.find_broken() == []
    alone = cli("rerun", "--reason", "email_malformed", "--proposed", "--now", NOW)
    assert "Nothing was changed" in join_lines(alone)


def test_a_rerun_by_reason_takes_every_item_with_it(cli: Cli, worked: Harness) -> None:
    done = read_json(
        cli("rerun", "--reason", "email_malformed", "--stage", "validation", "--later", "--now", NOW, "--json")
    )
    assert (done["work_items"], done["released"], done["skipped"]) == (2, 2, [])
    assert "No open work item matches" in cli("rerun", "--reason", "email_malformed").stdout
    worked.run()
    assert worked.count_statuses() == {"owned": 2, "held": 3, "nurture": 1}  # nothing was mended
    assert worked.find_broken() == []


def test_discarding_ends_the_journeys_and_says_why(cli: Cli, worked: Harness) -> None:
    batch = str(worked.one("SELECT min(batch_id) FROM work_item"))
    cli("rerun", "--batch", batch, "--discard", "made up", "--yes")
    assert worked.count_statuses() == {"owned": 2, "discarded": 3, "nurture": 1}
    assert "as discarded: made up" in join_lines(cli("explain", 5))
    again = cli("rerun", "W1", code=2)
    assert "closed already" in again.stderr


def test_an_owner_accepts_or_rejects_with_a_reason_of_the_playbook(cli: Cli, worked: Harness) -> None:
    at = ("--now", (NOW + timedelta(hours=1)).isoformat())
    owners = dict(worked.rows("SELECT journey_id, owner FROM assignment"))
    accepted = read_json(cli("accept", 1, "--for", owners[1], *at, "--json"))
    assert (accepted["by"], accepted["acted_for"]) == (find_login(), owners[1])
    assert f"{find_login()} accepted it for {owners[1]} 2026-03-04 11:00 UTC" in join_lines(cli("explain", 1))
    again = cli("accept", "lead 1", "--for", "mia", *at, code=2).stderr
    assert f"{find_login()} accepted it for {owners[1]} at 2026-03-04 11:00 UTC" in again
    wrong = cli("reject", 2, "--reason", "not_fit", "--for", owners[2], code=2)
    assert "did you mean 'not_a_fit'?" in wrong.stderr
    assert f"--for {owners[2]}" in cli("reject", 2, "--reason", "not_a_fit", code=2).stderr
    assert "did you mean 'ana'" in cli("reject", 2, "--reason", "not_a_fit", "--for", "anna", code=2).stderr
    assert "whoever is logged in" in errors(cli("accept", 2, "--by", "zzz", code=2))
    assert worked.count_statuses() == {"owned": 2, "held": 3, "nurture": 1}
    rejected = read_json(cli("reject", "J2", "--reason", "not_a_fit", "--for", "mia", "--json"))
    assert (rejected["journey_id"], rejected["goes_to"]) == (2, "nurture")
    assert "so nobody owns it now" in cli("accept", 2, "--for", "ana", code=2).stderr
    assert "it is in nurture, because rejected: not_a_fit" in cli("explain", 2).stdout
    assert worked.find_broken() == []


def test_a_manager_moves_leads_and_hears_what_the_clock_does(cli: Cli, worked: Harness) -> None:
    (journey, had_it), *_ = worked.rows("SELECT journey_id, owner FROM assignment ORDER BY journey_id")
    others = [rep for rep in ("ana", "bob", "cyn") if rep != had_it]
    why = ("--reason", "knows them", "--for", "mia")
    at = (NOW + timedelta(hours=1)).isoformat()
    assert "say who gets it" in cli("reassign", journey, *why, code=2).stderr
    assert "--anyway is for --to" in cli("reassign", journey, "--pool", "everybody", "--anyway", *why, code=2).stderr
    assert "did you mean 'everybody'" in cli("reassign", journey, "--pool", "everybdy", *why, code=2).stderr
    assert "a reason is needed" in cli("reassign", journey, "--to", others[0], "--reason", " ", code=2).stderr
    said = join_lines(cli("reassign", journey, "--to", others[0], *why, "--now", at))
    assert f"{others[0]} has journey J{journey} now; {had_it} is told, too. The SLA's clock begins again." in said
    assert "The first touch is due 2026-03-04 15:00 UTC." in said
    told = join_lines(cli("explain", journey))
    assert f"by hand (reassign to {others[0]}). Reassign to {others[0]}. A person chose them." in told
    assert f"{had_it} had it until 2026-03-04 11:00 UTC: reassigned: knows them." in told

    plan = join_lines(cli("transfer", others[0], "--reason", "left, call +49 30 1234567", "--dry-run"))
    assert "Nothing was stored. Without --dry-run it is." in plan
    moved = read_json(cli("transfer", others[0], "--reason", "left, call +49 30 1234567", "--for", "mia", "--json"))
    assert moved["left"] == []
    assert sum(moved["by_owner"].values()) == len(moved["placed"]) > 0
    assert worked.one("SELECT count(*) FROM assignment WHERE owner = :rep AND ended_at IS NULL", rep=others[0]) == 0
    assert "transferred: left, call •••67" in join_lines(cli("explain", journey))  # what is kept holds no number
    assert "has no leads and no records; nothing was changed" in cli("transfer", others[0], "--reason", "left").stdout
    assert "is no rep, and has no leads" in cli("transfer", "nobody", "--reason", "left", code=2).stderr

    taken = join_lines(cli("unassign", journey, "--reason", "wrong team", "--for", "mia"))
    item = worked.one("SELECT id FROM work_item WHERE reason = 'unassigned'")
    assert f"work item W{item} asks who gets it. Its clock has stopped" in taken
    assert "so nobody owns it now" in cli("unassign", journey, *why, code=2).stderr
    other = worked.one("SELECT min(id) FROM journey WHERE status = 'owned'")
    assert read_json(cli("unassign", f"J{other}", "--nurture", *why, "--json"))["work_item_id"] is None
    assert worked.find_broken() == []


def test_an_owner_waits_for_a_lead_goes_on_and_logs_a_touch(cli: Cli, worked: Harness) -> None:
    later = (NOW + timedelta(hours=1)).isoformat()
    owner = worked.one("SELECT owner FROM assignment WHERE journey_id = 1")
    waits = read_json(
        cli("wait", 1, "--until", "2026-03-09", "--reason", "on holiday", "--for", owner, "--json", "--now", later)
    )
    assert (waits["journey_id"], waits["until"][:16]) == (1, "2026-03-09T00:00")
    told = join_lines(cli("explain", 1, "--now", later))
    assert f"{owner} waits for the lead since 2026-03-04 11:00 UTC: on holiday." in told
    assert "The first touch is due 2026-03-09 11:00 UTC" in told
    assert "its clocks run" in cli("resume", 2, "--for", "mia", "--now", later, code=2).stderr
    assert "run again" in cli("resume", 1, "--for", owner, "--now", later).stdout
    assert "is no touch and no outcome" in cli("touch", 1, "--kind", "fax", "--for", owner, code=2).stderr
    assert "none of the playbook's reps" in cli("touch", 1, "--kind", "call", code=2).stderr
    call = ("touch", 1, "--kind", "call", "--for", owner, "--seconds", 90, "--at", later, "--now", later, "--later")
    assert read_json(cli(*call, "--json"))["new"] is True
    assert "Known already: call" in cli(*call).stdout
    worked.run(NOW + timedelta(hours=1))
    assert worked.one("SELECT status FROM journey WHERE id = 1") == "done"
    told = join_lines(cli("explain", 1))
    assert f"call, 90 s {owner} yes, as the first touch" in told
    assert (
        f"waited for the lead from 2026-03-04 11:00 UTC to 2026-03-04 11:00 UTC (on holiday), until {owner} went on"
        in told
    )
    assert worked.find_broken() == []


def test_verify_tells_a_script_when_an_invariant_is_broken(cli: Cli, worked: Harness) -> None:
    assert read_json(cli("verify", "--json"))["holds"] is True
    assert "invariants hold" in cli("verify").stdout
    with worked.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE qualification SET score = score + 1 WHERE journey_id = 1")
    assert "score_adds_up" in cli("verify", code=1).stdout
    broken = [each for each in read_json(cli("verify", "--json", code=1))["invariants"] if each["broken"]]
    assert [(each["name"], each["broken"]) for each in broken] == [("score_adds_up", 1)]


# --- the playbook, and what cannot be reached -----------------------------------------------------------


def test_secrets_that_are_set_are_part_of_the_check(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "posting.yaml"
    file.write_text(PLAYBOOK.replace("website: {", "website: {http: {auth: hmac, secret_env: LEADGATE_SECRET_W}, "))
    assert "is sound" in cli("playbook", "check", file).stdout
    monkeypatch.setenv("LEADGATE_SECRET_W", "x")
    assert "LEADGATE_SECRET_W holds a secret of 1 character" in cli("playbook", "check", file, code=2).stderr
    monkeypatch.setenv("LEADGATE_PLAYBOOK", str(file))
    for command in ("up", "listen"):
        assert "LEADGATE_SECRET_W holds a secret of 1 character" in cli(command, code=2).stderr
    monkeypatch.setenv("LEADGATE_SECRET_W", cli("secret", "new").stdout)
    problems = read_json(cli("playbook", "check", file, "--json"))["problems"]
    assert not any("secret" in problem["key"] for problem in problems)


def test_a_playbook_is_checked_by_line(cli: Cli, tmp_path: Path) -> None:
    assert "is sound" in cli("playbook", "check").stdout
    wrong = tmp_path / "wrong.yaml"
    text = PLAYBOOK.replace("severity: {phone_possible: critical,", "severity: {not_spamm: warning,")
    wrong.write_text(text, encoding="utf-8")
    result = cli("playbook", "check", wrong, code=2)
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "not_spamm" in each)
    assert f"wrong.yaml:{line}: gates.validated.severity.not_spamm:" in result.stderr
    assert "did you mean 'not_spam'?" in result.stderr
    found = read_json(cli("playbook", "check", wrong, "--json", code=2))
    assert (found["ok"], [each["line"] for each in found["problems"] if not each["note"]]) == (False, [line])
    misspelt = "kinds:\n  renewal:\n    gates: {validated: {severity: {values_redable: warning}}}\n"
    wrong.write_text(f"{PLAYBOOK.rstrip()}\n{misspelt}", encoding="utf-8")
    line = len(wrong.read_text(encoding="utf-8").splitlines())
    result = cli("playbook", "check", wrong, code=2)
    assert f"wrong.yaml:{line}: kinds.renewal.gates.validated.severity.values_redable:" in result.stderr
    assert "did you mean 'values_readable'?" in result.stderr
    assert "gone.yaml" in cli("playbook", "check", tmp_path / "gone.yaml", code=2).stderr


def test_a_playbook_is_copied_once_and_shown(cli: Cli, worked: Harness, tmp_path: Path) -> None:
    folder = tmp_path / "team"
    cli("playbook", "init", folder)
    assert "is sound" in cli("playbook", "check", folder / "playbook.yaml").stdout
    assert "not overwritten" in cli("playbook", "init", folder, code=2).stderr
    shown = read_json(cli("playbook", "show", "--json"))
    assert shown["playbook"]["name"] == "Tests"
    decided = worked.one("SELECT hash FROM playbook_version")
    assert shown["hash"] == decided
    assert "name: Tests" in cli("playbook", "show", decided[:10]).stdout
    assert "no playbook with a hash" in cli("playbook", "show", "0000", code=2).stderr


def test_a_postgresql_that_does_not_answer_is_exit_code_3(
    cli: Cli, write_csv: WriteCsv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADGATE_DATABASE_URL", "postgresql://leadgate:secret@127.0.0.1:1/nothing")
    path = write_csv([make_lead(1)])
    for command in (["capture", path, "--source", "website"], ["summary"], ["explain", "1"], ["verify"]):
        result = cli(*command, code=3)
        assert "does not answer" in result.stderr
        assert "secret" not in result.stderr


def test_postgresql_going_away_is_explained(cli: Cli, worked: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    from leadgate.ledger import reports

    def cut(*_: Any) -> None:
        with worked.ledger.transaction() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(reports, "read_summary", cut)
    assert "What was stored stays" in cli("summary", code=3).stderr


def test_a_setting_that_is_no_number_is_wrong_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADGATE_LEASE_SECONDS", "long")
    assert "LEADGATE_LEASE_SECONDS" in cli("summary", code=2).stderr


COMPLETES = """
import sys
from console.cli import app

try:
    app(prog_name="leadgate")
finally:
    print(sorted({"prefect", "pandas", "sqlalchemy"} & set(sys.modules)), file=sys.stderr)
"""


def test_a_shell_completes_commands_without_importing_them(cli: Cli) -> None:
    def complete(*typed: str) -> tuple[list[str], str]:
        words = {
            "_LEADGATE_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(typed),
            "COMP_CWORD": str(len(typed) - 1),
        }
        program = [sys.executable, "-c", COMPLETES]
        done = subprocess.run(program, capture_output=True, text=True, check=True, env=dict(os.environ) | words)
        return done.stdout.split(), done.stderr

    assert complete("leadgate", "re") == (
        ["report", "records", "rerun", "review", "reject", "reassign", "resume", "replay"],
        "[]\n",
    )
    assert complete("leadgate", "secret", "n") == (["new"], "[]\n")
    assert "--source" in complete("leadgate", "capture", "--s")[0]


SLOW_TO_IMPORT = """
import sys
from typer.testing import CliRunner
from console.cli import app

def run(command, *slow):
    result = CliRunner().invoke(app, command.split())
    print(command, result.exit_code, sorted(set(slow) & set(sys.modules)))

run("--help", "pydantic", "sqlalchemy", "pandas")
for command in ("summary", "status", "queue", "report"):
    run(command, "alembic", "duckdb", "email_validator", "great_expectations", "jinja2", "numpy", "openpyxl", "pandas", "phonenumbers",
        "prefect", "requests", "sqlmodel")
run("verify", "alembic", "duckdb", "pandas", "prefect")
"""


def test_commands_that_read_import_nothing_slow_that_they_do_not_use(cli: Cli, worked: Harness) -> None:
    """In a process of its own; import what is slow where it is used, or for type checking alone."""
    printed = subprocess.run(
        [sys.executable, "-c", SLOW_TO_IMPORT], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    commands = ("--help", "summary", "status", "queue", "report", "verify")
    assert printed.stdout.splitlines() == [f"{command} 0 []" for command in commands]
