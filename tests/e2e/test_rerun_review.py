"""Reruns and reviews as flows on a real Prefect server: the forms, what is done, and what the artifacts show.

Long as one file: reruns and reviews share their forms, their flows and how a test fills them in.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead
from prefect_api import ask

from flows.run import Runner
from leadgate import playbook as playbooks
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reruns import RerunReport
from leadgate.playbook.check import require
from leadgate.settings import Settings
from leadgate.vocabulary import STAGES

CHIEF = make_lead(1, Company="", **{"Job title": "Chief of Nothing"})  # 25 points: in the review band
BROKEN = make_lead(2, Email="broken address of somebody")
PRIVATE = "jane.private@company2.example"


@pytest.fixture
def begun(harness: Harness) -> Harness:
    """A ledger with a lead in review and an exception."""
    harness.begin(CHIEF, BROKEN)
    return harness


@pytest.fixture
def held(
    begun: Harness, runner: Runner, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Harness:
    """The ledger of ``begun``, and flows that find it by the environment, as a worker's do."""
    playbook = tmp_path / "playbook.yaml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    assert settings.database_url is not None
    monkeypatch.setenv("LEADGATE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("LEADGATE_HOME", str(settings.home))
    monkeypatch.setenv("LEADGATE_KEY", settings.key or "")
    monkeypatch.setenv("LEADGATE_PLAYBOOK", str(playbook))
    return begun


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.form_support

    monkeypatch.setattr(flows.form_support, "PATIENCE", 0.5)


def rerun(**parameters: Any) -> RerunReport:
    from flows.rerun import rerun_handoff

    return cast(RerunReport, asyncio.run(cast(Any, rerun_handoff)(**parameters)))


def review(**parameters: Any) -> RerunReport:
    from flows.review import review as flow

    return cast(RerunReport, asyncio.run(cast(Any, flow)(**parameters)))


def item(harness: Harness, journey: int) -> int:
    return int(harness.one("SELECT work_item_id FROM journey WHERE id = :id", id=journey))


def artifact(key: str) -> Any:
    """The content of the latest artifact with this key."""
    found = ask(lambda client: client.read_latest_artifacts(limit=200))
    data = next(each.data for each in found if each.key == key)
    return json.loads(data) if data.startswith("[") else data


def last_run(flow: str) -> Any:
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    named = FlowFilter(name=FlowFilterName(any_=[flow]))
    return ask(lambda c: c.read_flow_runs(flow_filter=named, sort=FlowRunSort.START_TIME_DESC, limit=1))[0]


def retry(flow: Any, run: Any) -> None:
    """Run a failed flow run again, as "Retry" in the UI and a worker do."""
    from prefect.flow_engine import run_flow_async
    from prefect.states import AwaitingRetry

    ask(lambda client: client.set_flow_run_state(run.id, AwaitingRetry(), force=True))
    again = ask(lambda client: client.read_flow_run(run.id))
    asyncio.run(run_flow_async(flow, flow_run=again, parameters=again.parameters))


# --- the forms --------------------------------------------------------------------------------------------


def test_the_forms_offer_every_stage_reason_mode_and_decision(server: str) -> None:
    from prefect.utilities.callables import parameter_schema

    from expectations import PROMISES
    from flows.rerun import rerun_handoff
    from flows.review import review as flow

    rerun_form = parameter_schema(rerun_handoff).model_dump()
    choices = {name: part["enum"] for name, part in rerun_form["definitions"].items()}
    assert choices["Stage"] == list(STAGES)
    assert choices["Mode"] == ["as_it_is", "corrected", "as_proposed", "done_by_hand", "discard"]
    promised = {promise.reason for suite in PROMISES.values() for promise in suite}
    others = {"score_in_review_band", "no_route", "nobody_available", "source_parked", "check_failed", "stage_failed"}
    assert promised | others <= set(choices["Reason"])
    review_form = parameter_schema(flow).model_dump()
    assert review_form["definitions"]["Decision"]["enum"] == [
        "approve", "reject", "correct", "take", "same", "different",
    ]  # fmt: skip
    assert review_form["required"] == ["work_items", "decision"]
    assert rerun_form["required"] == []
    assert rerun_form["properties"]["mode"]["default"] == "as_it_is"
    for form in (rerun_form, review_form):
        for name, field in form["properties"].items():
            assert field["description"], name


def test_every_reason_that_holds_a_lead_in_the_bundled_playbook_can_be_chosen_or_is_its_own(server: str) -> None:
    from flows.forms import Reason
    from leadgate import playbook

    loaded = playbook.load_default()
    require(loaded)
    routed = {reason for route in loaded.playbook.exceptions for reason in route.reasons}
    assert routed <= {str(reason) for reason in Reason}


# --- rerun-handoff ----------------------------------------------------------------------------------------


def test_a_corrected_lead_goes_on_to_its_owner_and_the_table_says_so(held: Harness) -> None:
    broken = item(held, 2)
    done = rerun(work_items=[broken], mode="corrected", corrections={"email": PRIVATE}, by="olga")
    assert (done.work_items, done.released, done.journeys) == (1, 1, {2: broken})
    assert held.count_statuses() == {"owned": 1, "held": 1}
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 2")
    assert artifact("rerun-handoff") == [
        {
            "lead": 2,
            "journey": "J2",
            "work item": f"W{broken}",
            "was held for": "email_malformed at validation",
            "what was done": "corrected",
            "now": "has an owner",
            "owner or reason": owner,
        }
    ]
    summary = artifact("rerun-handoff-summary")
    assert "by olga" in summary
    assert "1 has an owner" in summary
    assert held.rows("SELECT what, by FROM action") == [("corrected", "olga (said in the Prefect UI)")]
    assert held.find_broken() == []


def test_a_rerun_as_it_is_by_reason_says_why_the_lead_is_held_again(held: Harness) -> None:
    done = rerun(reason="email_malformed", stage="validation")
    assert done.released == 1
    (line,) = artifact("rerun-handoff")
    assert line["now"] == f"held at validation, W{item(held, 2)}"
    assert line["owner or reason"] == "email malformed"
    assert held.rows("SELECT by FROM action") == [("shared Prefect login",)]
    summary = artifact("rerun-handoff-summary")
    assert "shared Prefect login" in summary
    again = next(line for line in summary.splitlines() if line.startswith("- J2: held at validation"))
    assert f"W{item(held, 2)}" in again
    assert "email malformed" in again
    assert held.find_broken() == []


def test_values_that_were_typed_into_a_form_are_not_kept_by_prefect(held: Harness) -> None:
    rerun(work_items=[item(held, 2)], mode="corrected", corrections={"email": PRIVATE, "country": "DE"})
    parameters = last_run("rerun-handoff").parameters
    assert parameters["corrections"] == {"email": "j•••@company2.example", "country": "DE"}
    rerun(work_items=[item(held, 1)], mode="done_by_hand", words=f"wrote to {PRIVATE}")
    assert last_run("rerun-handoff").parameters["words"] == "wrote to j•••@company2.example"
    assert held.one("SELECT note FROM work_item WHERE journey_id = 1") == f"wrote to {PRIVATE}"
    with pytest.raises(ActionError, match="no field 'emial'"):
        rerun(reason="spam", mode="corrected", corrections={"emial": PRIVATE})
    assert PRIVATE not in str(last_run("rerun-handoff"))


def test_a_run_copied_from_one_whose_values_are_masked_changes_nothing(held: Harness) -> None:
    with pytest.raises(ActionError, match="type it again"):
        rerun(work_items=[item(held, 2)], mode="corrected", corrections={"email": "j•••@company2.example"})
    assert held.count_statuses() == {"held": 2}


#: Fields of the form, and what is said about them.
UNCLEAR_RERUNS: list[tuple[dict[str, Any], str]] = [
    ({}, "nothing says which leads"),
    ({"source": " ", "work_items": []}, "nothing says which leads"),
    ({"reason": "spam", "other_reason": "mine"}, "exclude one another"),
    ({"source": "websit"}, "did you mean 'website'"),
    ({"reason": "email_malformed", "stage": "capture"}, "no open work item fits"),
    ({"reason": "score_in_review_band", "mode": "as_proposed"}, "proposes a correction"),
    ({"source": "website", "mode": "corrected"}, "needs corrections"),
    ({"source": "website", "corrections": {"company": "Acme"}}, "would not use them"),
    ({"source": "website", "mode": "discard", "words": " "}, "needs words"),
    ({"source": "website", "limit": 0}, "limit is 0"),
    ({"source": "website", "by": "x" * 8_000}, "8,000 characters, and a name has at most 80"),
    ({"source": "website", "by": "rita\nApproved by mia"}, "line breaks or signs that nobody sees"),
    ({"source": "website", "by": "rita\x1b[2J\u202e"}, "line breaks or signs that nobody sees"),
]


def test_a_form_that_is_not_clear_changes_nothing(held: Harness) -> None:
    """All on one ledger, because none changes it."""
    for parameters, hint in UNCLEAR_RERUNS:
        with pytest.raises(ActionError, match=hint):
            rerun(**parameters)
        run = last_run("rerun-handoff")
        assert run.state.is_failed(), parameters
        assert "ActionError" in run.state.message, parameters
        assert len(run.parameters["by"]) <= 80, parameters
        assert held.count_statuses() == {"held": 2}, parameters
        assert held.one("SELECT count(*) FROM action") == 0, parameters


def test_a_name_in_a_form_is_shown_as_it_was_typed_and_never_as_markdown(held: Harness) -> None:
    name = "**rita** [x](https://evil.example) <b>"
    rerun(work_items=[item(held, 2)], mode="discard", words="made up", by=name)
    assert held.one("SELECT by FROM action") == f"{name} (said in the Prefect UI)"
    page = artifact("rerun-handoff-summary")
    assert "\\*\\*rita\\*\\* \\[x\\]" in page
    assert "<b>" not in page.replace("\\<b", "")


def test_what_is_closed_already_is_left_alone_and_said(held: Harness) -> None:
    broken = item(held, 2)
    rerun(work_items=[broken], mode="discard", words="made up")
    assert artifact("rerun-handoff")[0]["now"] == "discarded"
    assert rerun(work_items=[broken]).released == 0
    assert f"work item W{broken} is closed already" in artifact("rerun-handoff-summary")
    assert held.find_broken() == []


def test_a_limit_takes_the_oldest_due_first(held: Harness) -> None:
    done = rerun(source="website", mode="discard", words="made up", limit=1)
    assert list(done.journeys) == [2]
    assert held.count_statuses() == {"held": 1, "discarded": 1}


def test_what_is_not_run_now_waits_and_the_table_says_so(held: Harness) -> None:
    rerun(work_items=[item(held, 2)], run_now=False)
    assert held.rows("SELECT status FROM journey WHERE id = 2") == [("ready",)]
    assert artifact("rerun-handoff")[0]["now"] == "still waiting at capture, for the next run"


def test_a_lead_that_another_process_has_taken_meanwhile_is_waited_for_and_not_taken_from_it(
    held: Harness, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.form_support
    from leadgate.ledger.batches import claim

    def faster(*_: Any) -> None:
        claim(
            held.ledger, holder="consumer", playbook_hash=held.loaded.hash, now=NOW + timedelta(days=365), limit=10,
            lease_seconds=60.0,
        )  # fmt: skip

    monkeypatch.setattr(flows.form_support, "claim_next_work", faster)
    rerun(work_items=[item(held, 2)])
    batch = held.one("SELECT max(id) FROM batch")
    assert artifact("rerun-handoff")[0]["now"] == f"at capture, worked on in batch {batch}"
    assert held.one("SELECT holder FROM batch WHERE id = :id", id=batch) == "consumer"


def test_a_lead_that_its_stage_fails_for_in_a_rerun_is_held_again(
    held: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import handoff

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(handoff, "prepare", broken)
        rerun(work_items=[item(held, 2)], mode="corrected", corrections={"email": PRIVATE})
    assert held.count_statuses() == {"held": 2}
    failed = held.one("SELECT id FROM work_item WHERE reason = 'stage_failed' AND closed_at IS NULL")
    rerun(work_items=[failed])
    assert held.count_statuses() == {"held": 1, "owned": 1}
    assert held.find_broken() == []


def test_a_run_that_failed_after_its_decision_and_is_retried_does_not_decide_again(
    held: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    import flows.rerun

    async def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("the Prefect API went away")

    with monkeypatch.context() as patch:
        patch.setattr(flows.rerun, "_publish", away)
        with pytest.raises(ConnectionError):
            rerun(work_items=[item(held, 2)], mode="corrected", corrections={"email": PRIVATE})
    run = last_run("rerun-handoff")
    assert run.state.is_failed()
    retry(flows.rerun.rerun_handoff, run)
    assert last_run("rerun-handoff").state.is_completed()
    assert "An earlier attempt of this run stored its decision" in artifact("decided-before")
    assert held.one("SELECT email FROM lead WHERE id = 2") == PRIVATE
    assert held.rows("SELECT what FROM action") == [("corrected",)]
    assert held.find_broken() == []


def test_a_retry_of_a_rerun_by_reason_finds_it_done(held: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.rerun

    async def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("the Prefect API went away")

    with monkeypatch.context() as patch:
        patch.setattr(flows.rerun, "_publish", away)
        with pytest.raises(ConnectionError):
            rerun(reason="email_malformed", mode="discard", words="made up")
    retry(flows.rerun.rerun_handoff, last_run("rerun-handoff"))
    assert last_run("rerun-handoff").state.is_completed()
    assert held.rows("SELECT what FROM action") == [("discarded",)]


# --- review -----------------------------------------------------------------------------------------------


def test_an_approval_shows_what_there_was_to_decide_by_and_where_the_lead_went(held: Harness) -> None:
    reviewed = item(held, 1)
    review(work_items=[reviewed], decision="approve", by="rita")
    owner = held.one("SELECT owner FROM assignment WHERE journey_id = 1")
    told = artifact("review")
    for part in (
        f"## W{reviewed}: score\\_in\\_review\\_band at qualification, lead 1",
        "Score 25: fit 25, engagement 0.",
        "| decides | +25 |",
        "Missing: company",
        "**Decided:** approved by rita",
        f"J1: has an owner, {owner}",
    ):
        assert part in told
    assert held.rows("SELECT resolution, closed_by, note FROM work_item WHERE id = :id", id=reviewed) == [
        ("done_by_hand", "rita (said in the Prefect UI)", "approved in a review")
    ]
    assert held.find_broken() == []


def test_the_evidence_of_an_exception_is_masked(held: Harness) -> None:
    review(work_items=[item(held, 2)], decision="reject", reason=f"no such person, says {PRIVATE}")
    told = artifact("review")
    assert "Value: b•••" in told
    assert "broken address" not in told
    assert PRIVATE not in told
    assert PRIVATE not in str(last_run("review"))
    assert held.rows("SELECT status FROM journey WHERE id = 2") == [("discarded",)]
    assert held.rows("SELECT by FROM action") == [("shared Prefect login",)]


def test_two_records_are_compared_and_decided_in_a_review(held: Harness, tmp_path: Path) -> None:
    asking = PLAYBOOK.replace("scoring:\n", "matching: {likely: [phone]}\nscoring:\n", 1)
    (tmp_path / "playbook.yaml").write_text(asking, encoding="utf-8")
    phone = make_lead(3)["Phone"]
    held.capture(make_lead(3), make_lead(4, Phone=phone))
    Harness(held.ledger, playbooks.parse(asking, path=Path("tests.yaml"))).run()
    done = review(work_items=[item(held, 4)], decision="same", lead=3, by="rita")
    assert done.journeys.keys() == {4}
    assert held.rows("SELECT status, joined_to FROM journey WHERE id = 4") == [("joined", 3)]
    told = artifact("review")
    assert "| phone |" in told
    assert "lead 3, score" in told
    assert "the same person by rita" in told
    assert phone not in told
    assert held.find_broken() == []


def test_a_correction_in_a_review_is_scored_again(held: Harness) -> None:
    review(work_items=[item(held, 1)], decision="correct", corrections={"company": "Acme"}, by="rita")
    assert held.rows("SELECT status FROM journey WHERE id = 1") == [("owned",)]
    assert held.one("SELECT score FROM qualification ORDER BY id DESC LIMIT 1") == 55


def test_items_are_taken_by_somebody_and_taken_over_with_a_word(held: Harness) -> None:
    both = [item(held, 1), item(held, 2)]
    review(work_items=both, decision="take", by="rita")
    assert held.rows("SELECT DISTINCT assignee FROM work_item") == [("rita (said in the Prefect UI)",)]
    review(work_items=both[:1], decision="take", by="sam")
    assert f"W{both[0]} was rita (said in the Prefect UI)'s until now" in artifact("review").replace("\\", "")
    assert held.count_statuses() == {"held": 2}


#: Fields of the form, and what is said about them.
UNCLEAR_DECISIONS: list[tuple[dict[str, Any], str]] = [
    ({"work_items": [], "decision": "approve"}, "nothing says which"),
    ({"work_items": [999], "decision": "approve"}, "no open work item W999"),
    ({"decision": "reject"}, "needs a reason"),
    ({"decision": "correct"}, "needs corrections"),
    ({"decision": "approve", "corrections": {"company": "Acme"}}, "would not use them"),
    ({"decision": "take"}, "needs by"),
    ({"decision": "same"}, "same needs lead"),
    ({"decision": "approve", "lead": 1}, "would not use it"),
    ({"decision": "different"}, "does not ask who somebody is"),
    ({"decision": "correct", "corrections": {"compny": "Acme"}}, "did you mean 'company'"),
]


def test_a_decision_that_is_not_clear_changes_nothing(held: Harness) -> None:
    """All on one ledger, because none changes it."""
    reviewed = {"work_items": [item(held, 1)]}
    for parameters, hint in UNCLEAR_DECISIONS:
        with pytest.raises(ActionError, match=hint):
            review(**reviewed | parameters)
        assert held.one("SELECT count(*) FROM action") == 0, parameters
        assert held.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL AND assignee IS NULL") == 2, parameters


# --- what nobody takes ------------------------------------------------------------------------------------


def test_a_run_escalates_what_nobody_took_even_where_no_lead_is_owned(held: Harness, runner: Runner) -> None:
    assert runner.run(now=NOW).escalated == 0
    assert runner.run(now=NOW + timedelta(days=1)).escalated == 2
    assert runner.run(now=NOW + timedelta(days=2)).escalated == 0
    assert held.one("SELECT count(*) FROM outbox WHERE kind = 'work_item_overdue'") == 2
    assert held.find_broken() == []


def test_the_follow_up_flow_by_itself_escalates_too(held: Harness) -> None:
    from flows.follow_up import follow_up

    for _ in range(2):
        asyncio.run(cast(Any, follow_up)(now=NOW + timedelta(days=1)))
    assert held.one("SELECT count(*) FROM outbox WHERE kind = 'work_item_overdue'") == 2


def test_a_leavers_book_is_shown_first_and_then_spread(held: Harness, runner: Runner) -> None:
    from flows.transfer import transfer

    held.capture(*(make_lead(number) for number in range(10, 22)))
    runner.run(now=NOW)
    parameters = {"rep": "bob", "reason": f"left, ask {PRIVATE}", "by": "mia"}
    plan = asyncio.run(cast(Any, transfer)(**parameters))
    assert sum(plan.values()) == 6  # of twelve, at a weight of 2 in 4
    assert "6 leads of bob would go to" in artifact("transfer")
    assert held.one("SELECT count(*) FROM action WHERE what = 'transfer'") == 0
    assert asyncio.run(cast(Any, transfer)(**parameters, dry_run=False)) == plan == {"ana": 3, "cyn": 3}
    assert "6 leads of bob went to" in artifact("transfer")
    assert held.rows("SELECT DISTINCT by FROM action WHERE what = 'transfer'") == [("mia (said in the Prefect UI)",)]
    assert PRIVATE not in held.one("SELECT DISTINCT end_reason FROM assignment WHERE owner = 'bob'")
    assert PRIVATE not in json.dumps(last_run("transfer").parameters)  # what was typed is not kept by Prefect either
    with pytest.raises(ActionError, match="'bop' is no rep"):
        asyncio.run(cast(Any, transfer)(rep="bop", reason="left"))
    assert held.find_broken() == []
