"""Reviews on a real ledger: what a reviewer sees, decides and takes; and what nobody took in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, reruns, reviews
from tasks.batches import activate, claim_next_work
from tasks.failed_batches import CANCELLED, hold_batch
from tasks.overdue import escalate_overdue

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

#: 25 points, in the review band; and one whose address nobody can write to.
CHIEF = make_lead(1, Company="", **{"Job title": "Chief of Nothing"})
BROKEN = make_lead(2, Email="broken address of somebody")


@pytest.fixture(autouse=True)
def rita(log_in: Callable[[str], None]) -> None:
    """Rita reviews."""
    log_in("rita")


@pytest.fixture
def waiting(harness: Harness) -> Harness:
    """A ledger with a lead in review (J1, behind W2) and one that is an exception (J2, behind W1)."""
    harness.begin(CHIEF, BROKEN)
    return harness


def item(harness: Harness, kind: str) -> int:
    return int(harness.one("SELECT id FROM work_item WHERE kind = :kind AND closed_at IS NULL", kind=kind))


def test_reviews_are_listed_before_exceptions_with_what_there_is_to_decide_by(
    cli: Cli, waiting: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    found = read_json(cli("review", "--json"))
    assert [each["kind"] for each in found["items"]] == ["review", "exception"]
    assert found["items"][0]["due_at"] > found["items"][1]["due_at"]  # so the order is not that of the due times
    in_band = found["items"][0]
    assert (in_band["score"], in_band["contributions"]) == (25, {"decides": 25})
    assert in_band["missing"] == ["company"]
    assert in_band["values"] == {"job_title": "Chief of Nothing"}
    assert found["items"][1]["score"] is None
    told = join_lines(cli("review"))
    assert "A score of 25 is in the review band" in told
    assert "missing company" in told
    assert f"Next: leadgate review W{in_band['id']}" in told
    assert read_json(cli("review", "--limit", 1, "--json"))["total"] == 2


def test_a_reviewer_sees_the_grade_and_what_is_known_not_to_be_there(
    cli: Cli, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    grades = "  grades: {fit: {A: 40, B: 20, C: 10}, engagement: {1: 30, 2: 15, 3: 5}}\n"
    evidence = (
        "  evidence: {budget: {negative: \"budget = 'none left'\", value: budget}, need: {activity: demo_request}}\n"
    )
    rules = PLAYBOOK.replace("  fit:", f"{grades}  fit:").replace("  review:", f"{evidence}  review:")
    harness = Harness(ledger, playbooks.parse(rules, path=tmp_path / "rules.yaml"))
    harness.capture(CHIEF | {"Budget": "none left"})
    harness.run()
    (each,) = read_json(cli("review", "--json"))["items"]
    assert (each["grade"], each["unknown"], each["negative"]) == ("B4", ["need"], ["budget"])
    assert "grade B4" in join_lines(cli("review"))
    told = join_lines(cli("review", f"W{each['id']}"))
    assert "Known not to be there: budget" in told
    assert "Score 25, grade B4: " in told


def test_values_are_masked_unless_asked(cli: Cli, waiting: Harness) -> None:
    exception = item(waiting, "exception")
    for arguments in (["review"], ["review", f"W{exception}"]):
        for more in ([], ["--json"]):
            assert "broken address" not in cli(*arguments, *more).stdout
            assert "broken address" in join_lines(cli(*arguments, *more, "--show-personal"))


def test_a_field_of_the_playbooks_own_is_masked_too(cli: Cli, harness: Harness, tmp_path: Path) -> None:
    changed = PLAYBOOK.replace("scoring:\n", "fields: {nickname: {type: text}}\nheaders: {Nick: nickname}\nscoring:\n")
    changed = changed.replace("  fit:\n", '  fit:\n    - {name: named, when: "nickname is not null", points: 25}\n')
    (tmp_path / "playbook.yaml").write_text(changed, encoding="utf-8")
    harness = Harness(harness.ledger, playbooks.parse(changed, path=Path("tests.yaml")))
    harness.begin(make_lead(1, Company="", Nick="Zorro the fox"))
    reviewed = item(harness, "review")
    assert read_json(cli("review", f"W{reviewed}", "--json"))["values"] == {"nickname": "Z•••"}
    assert read_json(cli("review", f"W{reviewed}", "--json", "--show-personal"))["values"] == {
        "nickname": "Zorro the fox"
    }


def test_one_review_is_told_with_its_points_and_the_commands_that_decide_it(cli: Cli, waiting: Harness) -> None:
    reviewed = item(waiting, "review")
    told = join_lines(cli("review", f"w{reviewed}"))
    for part in (
        f"W{reviewed}: score_in_review_band at qualification, lead 1",
        "Score 25: fit 25, engagement 0.",
        "decides +25",
        "job_title Chief of Nothing",
        "company missing",
        f"leadgate review W{reviewed} --approve",
        f"leadgate review W{reviewed} --take",
    ):
        assert part in told
    assert "--set email=ADDRESS" in join_lines(cli("review", item(waiting, "exception")))


def test_nothing_that_waits_is_no_error(cli: Cli, harness: Harness) -> None:
    assert "Nothing waits" in cli("review").stdout
    assert read_json(cli("review", "--json")) == {"order": "due", "total": 0, "items": []}


@pytest.mark.parametrize(
    ("options", "note"),
    [(["--approve"], "approved in a review"), (["--approve", "spoke to them"], "spoke to them")],
)
def test_an_approved_lead_goes_on_to_an_owner(cli: Cli, waiting: Harness, options: list[str], note: str) -> None:
    reviewed = item(waiting, "review")
    assert f"W{reviewed} approved by rita" in cli("review", f"W{reviewed}", *options, "--now", NOW).stdout
    assert waiting.rows("SELECT closed_by, resolution, note FROM work_item WHERE id = :id", id=reviewed) == [
        ("rita", "done_by_hand", note)
    ]
    waiting.run()
    assert waiting.rows("SELECT status FROM journey WHERE id = 1") == [("owned",)]
    assert waiting.find_broken() == []


def test_options_may_follow_an_approval_without_words(cli: Cli, waiting: Harness) -> None:
    reviewed = item(waiting, "review")
    did = read_json(cli("review", f"W{reviewed}", "--approve", "--later", "--json"))
    assert did == {
        "work_item": reviewed,
        "did": "approved",
        "by": "rita",
        "journeys": 1,
        "taken_from": None,
        "action": None,
        "standing": [],
    }


def test_a_rejected_lead_ends_with_the_reason(cli: Cli, waiting: Harness) -> None:
    cli("review", f"W{item(waiting, 'review')}", "--reject", "a pupil")
    assert waiting.rows("SELECT status FROM journey WHERE id = 1") == [("discarded",)]
    assert "as discarded: a pupil" in join_lines(cli("explain", "J1"))
    assert waiting.find_broken() == []


def test_a_corrected_lead_is_scored_again(cli: Cli, waiting: Harness) -> None:
    cli("review", f"W{item(waiting, 'review')}", "--set", "company=Acme", "--now", NOW)
    waiting.run()
    assert waiting.rows("SELECT status FROM journey WHERE id = 1") == [("owned",)]
    assert waiting.one("SELECT score FROM qualification ORDER BY id DESC LIMIT 1") == 55
    assert waiting.find_broken() == []


def test_taking_an_item_says_who_decides_it(cli: Cli, waiting: Harness, log_in: Callable[[str], None]) -> None:
    reviewed = item(waiting, "review")
    taken = "SELECT assignee, taken_at FROM work_item WHERE id = :id"
    cli("review", f"W{reviewed}", "--take", "--now", NOW)
    again = read_json(cli("review", f"W{reviewed}", "--take", "--now", NOW + HOUR, "--json"))
    assert again["taken_from"] is None
    assert waiting.rows(taken, id=reviewed) == [("rita", NOW)]
    assert [each["id"] for each in read_json(cli("queue", "--assignee", "rita", "--json"))["items"]] == [reviewed]
    log_in("sam")
    other = cli("review", f"W{reviewed}", "--take", "--now", NOW + HOUR)
    assert "was rita's until now" in other.stderr
    assert waiting.rows(taken, id=reviewed) == [("sam", NOW + HOUR)]
    assert waiting.rows("SELECT what, by FROM action ORDER BY id") == [("take", "rita"), ("take", "sam")]
    assert "sam decides" in join_lines(cli("explain", f"W{reviewed}"))
    assert waiting.find_broken() == []


def test_what_cannot_be_decided_changes_nothing_and_says_what_to_do(cli: Cli, waiting: Harness) -> None:
    reviewed, exception = item(waiting, "review"), item(waiting, "exception")
    for arguments, hint in (
        (["--approve"], "say which"),
        (["W999"], "there is no open work item W999"),
        (["W999", "--take"], "there is no work item W999"),
        (["lead"], "give one like W12"),
        ([reviewed, "--approve", "--take"], "--approve and --take exclude one another"),
        ([reviewed, "--reject", " "], "--reject needs a reason"),
        ([reviewed, "--reject", "REASON"], "in place of REASON"),
        ([reviewed, "--set", "compny=Acme"], "did you mean 'company'?"),
        ([reviewed, "--set", "company"], "write it like --set"),
    ):
        assert hint in cli("review", *arguments, code=2).stderr
    assert waiting.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL AND assignee IS NULL") == 2
    cli("review", exception, "--reject", "spam")
    for decision in (["--approve"], ["--reject", "spam"]):
        assert f"`leadgate explain W{exception}`" in cli("review", exception, *decision, code=2).stderr
    assert "rita closed it as discarded" in cli("review", exception, "--take", code=2).stderr


def test_what_is_no_review_is_refused_with_the_command_that_fits(cli: Cli, harness: Harness) -> None:
    harness.capture(*(make_lead(number, Email="broken") for number in range(20)))
    harness.capture(make_lead(30), source="partner")
    harness.run()
    harness.run(now=NOW + 4 * HOUR)
    breaker, escalation = item(harness, "breaker"), item(harness, "escalation")
    assert f"leadgate rerun W{breaker}" in cli("review", breaker, "--approve", code=2).stderr
    assert "closes when the lead is followed up" in cli("review", escalation, "--approve", code=2).stderr
    assert "it holds no lead" in cli("review", escalation, "--take", code=2).stderr
    cli("review", breaker, "--take")
    assert harness.one("SELECT assignee FROM work_item WHERE id = :id", id=breaker) == "rita"
    assert harness.find_broken() == []


def test_a_run_that_did_not_finish_is_no_review_but_somebody_can_see_to_it(cli: Cli, harness: Harness) -> None:
    harness.capture(make_lead(1))
    worker = harness.worker()
    activate(worker, NOW)
    work = claim_next_work(worker, NOW)
    assert work is not None
    hold_batch(harness.ledger, work, reason=CANCELLED, why="in the UI", now=NOW)
    recovery = item(harness, "recovery")
    assert f"leadgate rerun W{recovery}" in cli("review", recovery, "--approve", code=2).stderr
    assert check(harness, DAY) == 1
    cli("review", recovery, "--take")
    assert harness.one("SELECT assignee FROM work_item WHERE id = :id", id=recovery) == "rita"
    assert harness.find_broken() == []


# --- what nobody takes ------------------------------------------------------------------------------------

MESSAGES = "SELECT journey_id, target FROM outbox WHERE kind = 'work_item_overdue' ORDER BY id"


def check(harness: Harness, after: timedelta) -> int:
    return escalate_overdue(harness.ledger, harness.loaded.playbook, NOW + after)


@pytest.fixture
def escalating(ledger: Ledger) -> Callable[[str], Harness]:
    """A harness whose first exception route escalates to somebody, with what ``waiting`` has."""

    def make(to: str) -> Harness:
        changed = PLAYBOOK.replace(
            "{to: data_quality, within: 8h,", f"{{to: data_quality, within: 8h, escalate_to: {to},"
        )
        assert changed != PLAYBOOK
        harness = Harness(ledger, playbooks.parse(changed, path=Path("tests.yaml")))
        harness.begin(CHIEF, BROKEN)
        return harness

    return make


def test_what_nobody_takes_is_escalated_once_when_it_is_due(escalating: Callable[[str], Harness], cli: Cli) -> None:
    harness = escalating("cyn")
    exception = item(harness, "exception")
    assert check(harness, 8 * HOUR - timedelta(seconds=1)) == 0
    assert [check(harness, 8 * HOUR), check(harness, 8 * HOUR), check(harness, 9 * HOUR)] == [1, 0, 0]
    assert harness.rows(MESSAGES) == [(2, "cyn")]
    assert harness.rows("SELECT escalated_at, closed_at FROM work_item WHERE id = :id", id=exception) == [
        (NOW + 8 * HOUR, None)
    ]
    assert check(harness, DAY) == 1  # the review, which names nobody: the last route
    assert harness.rows(MESSAGES) == [(2, "cyn"), (1, "revenue_operations")]
    listed = {each["id"]: each for each in read_json(cli("queue", "--json"))["items"]}
    assert listed[exception]["escalated_to"] == "cyn"
    assert "↑ cyn" in cli("queue").stdout
    assert "Nobody took it in time: escalated to cyn at 2026-03-04 18:00 UTC." in join_lines(
        cli("explain", f"W{exception}")
    )
    assert harness.find_broken() == []


def test_what_somebody_took_or_decided_is_not_escalated(waiting: Harness) -> None:
    reviews.take(waiting.ledger, item(waiting, "review"), by=make_actor("rita"), now=NOW)
    reruns.discard(waiting.ledger, [item(waiting, "exception")], by=make_actor("rita"), now=NOW, reason="spam")
    assert check(waiting, 30 * DAY) == 0
    assert waiting.rows(MESSAGES) == []


def test_a_lead_that_is_held_again_has_a_new_item_with_a_time_of_its_own(waiting: Harness) -> None:
    first = item(waiting, "exception")
    assert check(waiting, 8 * HOUR) == 1
    reruns.rerun(waiting.ledger, [first], by=make_actor("ops"), now=NOW + 9 * HOUR, playbook=waiting.loaded.playbook)
    waiting.run(now=NOW + 9 * HOUR)
    assert check(waiting, 10 * HOUR) == 0
    assert waiting.one("SELECT escalated_at FROM work_item WHERE id = :id", id=first) == NOW + 8 * HOUR
    assert check(waiting, 17 * HOUR) == 1
    assert waiting.rows(MESSAGES) == [(2, "revenue_operations"), (2, "revenue_operations")]
    assert waiting.find_broken() == []


def test_a_parked_source_is_escalated_once_by_its_first_lead(harness: Harness) -> None:
    harness.begin(*(make_lead(number, Email="broken") for number in range(20)))
    held = "SELECT min(id) FROM journey WHERE work_item_id = :id"
    first = harness.one(held, id=item(harness, "breaker"))
    assert check(harness, DAY) == 1
    assert harness.rows(MESSAGES) == [(first, "revenue_operations")]
    assert harness.find_broken() == []


def test_an_escalation_of_a_late_first_touch_is_not_escalated_again(harness: Harness) -> None:
    harness.begin(make_lead(1))
    harness.run(now=NOW + 4 * HOUR)
    assert item(harness, "escalation")
    assert check(harness, 30 * DAY) == 0


def test_several_that_check_at_once_escalate_each_item_once(harness: Harness) -> None:
    for number in range(6):
        harness.capture(make_lead(number, Email=f"broken {number}"), source=("website", "partner")[number % 2])
    harness.run()
    gate, counts = threading.Barrier(4), list[int]()

    def at_once() -> None:
        gate.wait()
        counts.append(check(harness, DAY))

    threads = [threading.Thread(target=at_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 6
    assert len(harness.rows(MESSAGES)) == 6
    assert check(harness, DAY) == 0
    assert harness.find_broken() == []
