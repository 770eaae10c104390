"""Which playbook is in use: who made it so, how and why; changed files, activation, going back, and two processes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.actors import ActorError
from leadgate.ledger.actions import ActionError
from leadgate.ledger.playbook_activations import LONGEST_REASON, add_reason
from leadgate.playbook import LoadedPlaybook, PlaybookError
from leadgate.process_user import find_login
from leadgate.vocabulary import ActivationMethod
from tasks.batches import Worker, run_waiting
from tasks.playbook_in_use import PlaybookInUse, activate, find_before, roll_back, settle

A = PLAYBOOK
B = PLAYBOOK.replace("points: 25", "points: 26")
C = PLAYBOOK.replace("points: 25", "points: 27")
BAD = PLAYBOOK.replace("{name: all_leads, to: pool everybody}", "{name: all_leads, to: pool nobody}")
COMMAND, ROLLBACK, FILE = ActivationMethod.COMMAND, ActivationMethod.ROLLBACK, ActivationMethod.FILE


class File:
    """A playbook's file, as somebody edits it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.edits = 0

    def write(self, text: str) -> LoadedPlaybook:
        self.edits += 1
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(text, encoding="utf-8")
        os.utime(self.path, (self.edits, self.edits))  # file systems may tell times by seconds only
        return self.read()

    def read(self) -> LoadedPlaybook:
        return playbooks.load(self.path)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path / "one" / "playbook.yaml")


@pytest.fixture
def other(tmp_path: Path) -> File:
    return File(tmp_path / "two" / "playbook.yaml")


def list_activations(harness: Harness) -> list[tuple[str, str, str | None]]:
    """The playbooks that were activated, by the points that tell them apart, how, and by whom."""
    found = harness.rows(
        "SELECT v.content, a.method, a.by FROM playbook_activation a JOIN playbook_version v ON v.hash = a.hash "
        "ORDER BY a.id"
    )
    letters = {A: "A", B: "B", C: "C"}
    return [(letters[content], method, by) for content, method, by in found]


def work(harness: Harness, loaded: LoadedPlaybook) -> LoadedPlaybook:
    """What a process does at its start: settle, then take a lead through the stages. What decided about it."""
    used = settle(harness.ledger, loaded, NOW)
    harness.capture(make_lead(harness.one("SELECT count(*) FROM signal")))
    run_waiting(Worker(harness.ledger, used, "worker", 5.0), lambda: NOW)
    assert used.hash == harness.one("SELECT playbook_hash FROM batch ORDER BY id DESC LIMIT 1")
    return used


def test_a_file_that_was_edited_is_used_by_the_next_process_and_is_on_record(harness: Harness, file: File) -> None:
    assert work(harness, file.write(A)).text == A
    assert work(harness, file.read()).text == A
    assert work(harness, file.write(B)).text == B
    assert work(harness, file.write(A)).text == A  # and back
    me = find_login()
    assert list_activations(harness) == [("A", "file", me), ("B", "file", me), ("A", "file", me)]
    (where,) = {row[0] for row in harness.rows("SELECT file FROM playbook_activation")}
    assert str(file.path) in where
    assert harness.one("SELECT count(reason) FROM playbook_activation") == 0


def test_a_comment_is_no_new_playbook(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    work(harness, file.write(f"# a remark\n{A}"))
    assert len(list_activations(harness)) == 1


def test_two_files_that_differ_do_not_take_turns(harness: Harness, file: File, other: File) -> None:
    work(harness, file.write(A))
    work(harness, other.write(B))
    for _ in range(2):
        assert work(harness, file.read()).text == B
        assert work(harness, other.read()).text == B
    assert [each[0] for each in list_activations(harness)] == ["A", "B"]
    assert work(harness, file.write(C)).text == C
    assert work(harness, other.read()).text == C


def test_a_file_that_nobody_has_read_does_not_bring_an_earlier_playbook_back(
    harness: Harness, file: File, other: File
) -> None:
    work(harness, file.write(A))
    work(harness, file.write(B))
    assert work(harness, other.write(A)).text == B


def test_what_was_activated_stays_in_use_until_the_file_is_changed(harness: Harness, file: File, other: File) -> None:
    work(harness, file.write(A))
    done = activate(harness.ledger, other.write(B), "Chiefs  decide more\noften", by=make_actor("olga"), now=NOW)
    assert done.new
    assert done.before == file.read().hash
    assert work(harness, file.read()).text == B
    assert work(harness, file.write(C)).text == C
    assert [each[:2] for each in list_activations(harness)] == [("A", "file"), ("B", "command"), ("C", "file")]
    assert harness.one("SELECT reason FROM playbook_activation WHERE by = 'olga'") == "Chiefs decide more often"


def test_rolling_back_goes_to_the_one_before_and_again_to_the_one_before_that(harness: Harness, file: File) -> None:
    for content in (A, B, C):
        work(harness, file.write(content))
    olga = make_actor("olga")
    for expected in (B, A):
        done = roll_back(harness.ledger, "worse leads", by=olga, now=NOW, read_as=file.path)
        assert done.loaded.text == expected
        assert work(harness, file.read()).text == expected  # the file still holds C
    with pytest.raises(ActionError, match="no other playbook"):
        roll_back(harness.ledger, "worse leads", by=olga, now=NOW, read_as=file.path)
    assert roll_back(
        harness.ledger, "right after all", by=olga, now=NOW, read_as=file.path, to=file.read().hash[:10]
    ).new
    assert work(harness, file.read()).text == C


def test_the_one_before_is_found_in_any_history() -> None:
    def before(*history: tuple[str, ActivationMethod]) -> str | None:
        return find_before([(name, name.lower(), method) for name, method in history])

    assert before() is None
    assert before(("A", FILE)) is None
    assert before(("A", FILE), ("B", FILE), ("A", COMMAND)) == "B"
    assert before(("A", FILE), ("B", FILE), ("C", FILE), ("B", ROLLBACK)) == "A"
    assert before(("A", FILE), ("B", FILE), ("a", FILE)) == "B"  # the same text, by another hash
    assert before(("A", FILE), ("B", FILE), ("b", ActivationMethod.UPGRADE)) == "A"


def test_a_long_running_process_follows_what_is_activated_and_its_file(
    harness: Harness, file: File, other: File
) -> None:
    told: list[str] = []
    process = PlaybookInUse(harness.ledger, file.write(A), told.append)
    assert process.settle(NOW).text == A
    activate(harness.ledger, other.write(B), "more", by=make_actor("olga"), now=NOW)
    assert process.follow(NOW).text == B
    assert process.follow(NOW, reads_file=True).text == B
    file.write(BAD)
    assert process.follow(NOW, reads_file=True).text == B
    assert "pool nobody" in " ".join(told) or "nobody" in told[-1]
    said = len(told)
    assert process.follow(NOW, reads_file=True).text == B
    assert len(told) == said  # once
    file.write(C)
    assert process.follow(NOW, reads_file=True).text == C


def test_what_a_process_read_before_the_file_changed_does_not_take_over(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    slow = file.write(B)
    assert work(harness, file.write(C)).text == C
    assert settle(harness.ledger, slow, NOW).text == C


def test_the_first_playbook_is_used_although_its_file_changed_since_it_was_read(harness: Harness, file: File) -> None:
    first = file.write(A)
    file.write(B)
    assert settle(harness.ledger, first, NOW).text == A
    assert work(harness, file.read()).text == B


def test_a_changed_file_that_is_not_sound_is_refused_and_changes_nothing(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    bad = file.write(BAD)
    with pytest.raises(PlaybookError, match="nobody"):
        settle(harness.ledger, bad, NOW)
    with pytest.raises(PlaybookError, match="nobody"):
        activate(harness.ledger, bad, "why not", by=make_actor("olga"), now=NOW)
    assert len(list_activations(harness)) == 1
    assert work(harness, file.write(B)).text == B


def test_the_bundled_playbook_does_not_take_over_from_a_file(harness: Harness, file: File) -> None:
    bundled = playbooks.load_default()
    assert settle(harness.ledger, bundled, NOW) is bundled
    assert work(harness, file.write(A)).text == A
    assert settle(harness.ledger, bundled, NOW).text == A


def test_the_same_text_with_another_hash_is_an_upgrade(harness: Harness, file: File) -> None:
    old = "0" * 64
    work(harness, file.write(A))
    with harness.ledger.transaction() as connection:
        connection.execute(
            text("INSERT INTO playbook_version VALUES (:old, :content, :now)"), {"old": old, "content": B, "now": NOW}
        )
        connection.execute(
            text(
                "INSERT INTO playbook_activation (hash, at, by, reason, method) "
                "VALUES (:old, :now, 'olga', 'more', 'command')"
            ),
            {"old": old, "now": NOW},
        )
    assert work(harness, file.read()).text == B
    assert [each[:2] for each in list_activations(harness)][1:] == [("B", "command"), ("B", "upgrade")]


def test_a_reason_is_said_afterwards_once_and_by_who_may(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    number = harness.one("SELECT max(id) FROM playbook_activation")
    olga = make_actor("olga")
    assert add_reason(harness.ledger, number, "The board asked for it", by=olga, now=NOW)
    assert not add_reason(harness.ledger, number, "The board asked for it", by=olga, now=NOW)
    assert harness.rows("SELECT activation_id, reason, by FROM playbook_reason") == [
        (number, "The board asked for it", "olga")
    ]
    with pytest.raises(ActionError, match="no activation"):
        add_reason(harness.ledger, number + 1, "why", by=olga, now=NOW)


@pytest.mark.parametrize("reason", ["", " \n ", "\u200b\u202e", "x" * (LONGEST_REASON + 1), "x" * 8_000], ids=range(5))
def test_no_words_and_too_many_are_no_reason(harness: Harness, file: File, reason: str) -> None:
    work(harness, file.write(A))
    changed, olga = file.write(B), make_actor("olga")
    with pytest.raises(ActionError):
        activate(harness.ledger, changed, reason, by=olga, now=NOW)
    with pytest.raises(ActionError):
        roll_back(harness.ledger, reason, by=olga, now=NOW, read_as=file.path)
    with pytest.raises(ActionError):
        add_reason(harness.ledger, harness.one("SELECT max(id) FROM playbook_activation"), reason, by=olga, now=NOW)
    assert len(list_activations(harness)) == 1


def test_a_reason_is_kept_as_a_line_that_does_nothing(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    activate(harness.ledger, file.write(B), "a\x00b\u202e<b>\r\nc\x1b[31m", by=make_actor("olga"), now=NOW)
    assert harness.one("SELECT reason FROM playbook_activation WHERE by = 'olga'") == "a b <b> c [31m"


def test_who_may_not_operate_activates_nothing(harness: Harness, file: File) -> None:
    work(harness, file.write(A))
    rep = replace(make_actor("ana"), roles=frozenset())
    changed = file.write(B)
    for attempt in (
        lambda: activate(harness.ledger, changed, "why", by=rep, now=NOW),
        lambda: roll_back(harness.ledger, "why", by=rep, now=NOW, read_as=file.path),
        lambda: add_reason(harness.ledger, 1, "why", by=rep, now=NOW),
    ):
        with pytest.raises(ActorError, match="operate"):
            attempt()
    assert len(list_activations(harness)) == 1


def test_leads_that_wait_for_somebody_are_looked_at_again_by_the_new_playbook(harness: Harness, file: File) -> None:
    """A playbook that comes back may know somebody else, as a new one does."""
    work(harness, file.write(A))
    work(harness, file.write(B))
    harness.capture(make_lead(50))
    with harness.ledger.transaction() as connection:
        connection.execute(
            text("UPDATE journey SET run_after = :later WHERE status = 'ready'"), {"later": NOW.replace(day=9)}
        )
    roll_back(harness.ledger, "why", by=make_actor("olga"), now=NOW, read_as=file.path)
    assert harness.one("SELECT count(*) FROM journey WHERE status = 'ready'") == 1


def test_commands_activate_tell_roll_back_and_take_reasons(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    harness.begin(make_lead(0))
    file = File(tmp_path / "playbook.yaml")
    other = File(tmp_path / "next" / "playbook.yaml")
    changed = other.write(B)
    cli("playbook", "activate", other.path, code=2)  # no reason
    done = read_json(cli("playbook", "activate", other.path, "--reason", "Chiefs decide", "--json"))
    assert (done["new"], done["hash"]) == (True, changed.hash)
    assert "in use already" in join_lines(cli("playbook", "activate", other.path, "--reason", "again"))
    told = join_lines(cli("playbook", "history"))
    assert "no reason given" in told
    assert "Chiefs decide" in told
    assert "points: 26" in join_lines(cli("playbook", "show", "active"))
    assert "is in use, and not" in cli("explain", 1).stderr
    cli("playbook", "rollback", "--reason", "worse leads")
    newest, second, first = read_json(cli("playbook", "history", "--json"))["activations"]
    assert (newest["method"], second["method"], first["method"]) == ("rollback", "command", "file")
    assert newest["hash"] == first["hash"] == file.read().hash
    cli("playbook", "reason", first["id"], "--reason", "The first one")
    assert "The first one" in join_lines(cli("playbook", "history"))
    bad = File(tmp_path / "bad" / "playbook.yaml")
    bad.write(BAD)
    assert "nobody" in cli("playbook", "activate", bad.path, "--reason", "why", code=2).stderr
    assert len(read_json(cli("playbook", "history", "--json"))["activations"]) == 3


def test_the_difference_is_told_in_words_of_files_hashes_and_the_one_in_use(
    harness: Harness, cli: Cli, tmp_path: Path
) -> None:
    harness.begin(make_lead(0))
    file = File(tmp_path / "playbook.yaml")
    other = File(tmp_path / "next" / "playbook.yaml")
    other.write(B.replace("first_touch: 4h", "first_touch: 2h").replace("within: 8h", "within: 9h"))
    told = join_lines(cli("playbook", "diff", "active", other.path))
    for words in (
        "25 points when",
        "26 points when",
        "the first touch within 4 h",
        "the first touch within 2 h",
        "exceptions",
    ):
        assert words in told, told
    assert "decide the same" in join_lines(cli("playbook", "diff", file.read().hash[:10], file.path))
    lines = cli("playbook", "diff", file.path, other.path, "--lines").stdout
    assert any(line.startswith("+") and "points: 26" in line for line in lines.splitlines())
    cli("playbook", "diff", "active", "0000", code=2)
    changes = read_json(cli("playbook", "diff", file.path, other.path, "--json"))["changes"]
    assert {each["kind"] for each in changes} == {"changed"}


@pytest.mark.parametrize(
    ("limits", "beyond"),
    [
        (("--only", "scoring", "--only", "slas", "--most", "2"), ()),
        (("--only", "scoring"), ("so does slas",)),
        (("--most", "1"), ("2 changes, and at most 1",)),
        (("--only", "pools", "--most", "0"), ("so does scoring, slas", "2 changes, and at most 0")),
    ],
    ids=["within", "another key", "too many", "both"],
)
def test_a_difference_beyond_its_limits_ends_with_exit_code_1(
    cli: Cli, tmp_path: Path, limits: tuple[str, ...], beyond: tuple[str, ...]
) -> None:
    file, other = File(tmp_path / "playbook.yaml"), File(tmp_path / "next" / "playbook.yaml")
    changed = file.path.read_text(encoding="utf-8").replace("points: 30", "points: 31", 1)
    other.write("# a comment is no change\n" + changed.replace("first_touch: 4h", "first_touch: 2h"))
    code = 1 if beyond else 0
    result = cli("playbook", "diff", file.path, other.path, *limits, code=code)
    assert [words for words in beyond if words not in result.stderr] == []
    found = read_json(cli("playbook", "diff", file.path, other.path, *limits, "--json", code=code))
    assert (found["keys"], len(found["beyond"])) == (["scoring", "slas"], len(beyond))
    cli("playbook", "diff", file.path, file.path, *limits)


def test_a_limit_by_a_key_that_does_not_exist_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "playbook.yaml"
    assert "did you mean 'scoring'" in cli("playbook", "diff", path, path, "--only", "scorin", code=2).stderr


def test_commands_work_by_the_playbook_in_use_and_not_by_their_file(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    harness.begin(make_lead(0))
    other = File(tmp_path / "next" / "playbook.yaml")
    other.write(A.replace("{name: ana,", "{name: ana, label: Anastasia,").replace("name: Tests", "name: In use"))
    cli("playbook", "activate", other.path, "--reason", "a label")
    assert cli("leads", "--rep", "Anastasia", "--json").stdout == cli("leads", "--rep", "ana", "--json").stdout
    cli("report", "--html", tmp_path / "report.html")
    assert "Leads of In use" in (tmp_path / "report.html").read_text(encoding="utf-8")
    rows = tmp_path / "rows.csv"
    rows.write_text("Email\nx@acme.example\n", encoding="utf-8")
    for command, code in (
        (("capture", rows, "--source", "website"), 0),
        (("user", "list"), 0),
        (("crm", "check"), 2),  # it has no CRM, which is said of the one in use
        (("crm", "setup", "--dry-run"), 2),
        (("crm", "reconcile"), 2),
    ):
        assert "is in use, and not" in cli(*command, code=code).stderr, command
    assert len(list(harness.rows("SELECT id FROM playbook_activation"))) == 2  # none of them activated its file


def test_a_file_that_was_activated_and_edited_since_is_told(cli: Cli, tmp_path: Path, file: File) -> None:
    """It is not the file that processes were started with, so nothing follows it."""
    leads = tmp_path / "leads.csv"
    leads.write_text("Email,Company\na@mill.example,Mill\n", encoding="utf-8")
    file.write(B)
    cli("capture", leads, "--source", "website")
    cli("run")
    cli("playbook", "activate", file.path, "--reason", "worth more")
    assert "has changed since" not in cli("capture", leads, "--source", "website").stderr
    file.write(C)
    for command in (("capture", leads, "--source", "website"), ("run",)):
        said = " ".join(cli(*command).stderr.split())
        assert f"{file.path} has changed since it was activated".replace(" ", "") in said.replace(" ", "")
        assert "playbook diff active" in said
    cli("playbook", "activate", file.path, "--reason", "worth still more")
    assert "has changed since" not in cli("capture", leads, "--source", "website").stderr
