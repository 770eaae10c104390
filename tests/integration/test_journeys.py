"""Journeys through the stages on a real ledger, with the real gates: what becomes of each kind of lead.

Long as one file: every way of a journey through the stages, on the same leads.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import event

from leadgate import playbook as playbooks
from leadgate.ledger import actions, reruns
from leadgate.ledger.verify import read_projection

OWNER = "SELECT owner FROM assignment WHERE journey_id = :journey AND ended_at IS NULL"


def item(harness: Harness, reason: str) -> int:
    """The id of the one open work item with that reason."""
    return harness.one("SELECT id FROM work_item WHERE closed_at IS NULL AND reason = :reason", reason=reason)


def test_a_clean_lead_gets_an_owner_who_is_told_and_has_a_due_time(harness: Harness) -> None:
    harness.capture(make_lead(1))
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    ((owner, due, why),) = harness.rows("SELECT owner, due_at, why FROM assignment")
    assert due == NOW + timedelta(hours=4)
    assert owner in why
    assert harness.rows("SELECT target, kind FROM outbox") == [(owner, "lead_assigned")]
    stages = [stage for (stage,) in harness.rows("SELECT stage FROM handoff ORDER BY id")]
    assert stages == ["capture", "validation", "enrichment", "qualification", "assignment"]
    assert harness.find_broken() == []


@pytest.mark.parametrize(
    ("row", "stage", "reason"),
    [
        (None, "capture", "unreadable_row"),
        ({"Email": "", "Phone": "", "Last name": "Nobody"}, "capture", "no_contact"),
        (make_lead(1, Email="not an address"), "validation", "email_malformed"),
        (make_lead(1, Phone="call me"), "validation", "phone_impossible"),
        (make_lead(1, Country="Atlantis"), "validation", "country_unknown"),
        (make_lead(1, Email="x@mailinator.com"), "validation", "email_disposable"),
        (make_lead(1, Company=""), "qualification", None),
    ],
)
def test_a_lead_that_breaks_a_promise_is_held_with_its_reason(
    harness: Harness, row: dict[str, Any] | None, stage: str, reason: str | None
) -> None:
    harness.capture(row, make_lead(2))
    harness.run()
    if reason is None:
        assert harness.count_statuses() == {
            "nurture": 1,
            "owned": 1,
        }  # no company, no points: nothing is wrong with it
    else:
        assert harness.count_statuses() == {"held": 1, "owned": 1}
        assert harness.rows("SELECT stage, reason FROM work_item") == [(stage, reason)]
    assert harness.find_broken() == []


def test_a_value_that_cannot_be_read_is_left_out_with_a_warning_while_a_contact_is_left(harness: Harness) -> None:
    lenient = PLAYBOOK.removesuffix(INSISTS) + "fields: {seats: {type: integer}}\n"
    harness.loaded = playbooks.parse(lenient, path=harness.loaded.path)
    harness.capture(
        make_lead(1, Phone="call me"), make_lead(2, Country="Atlantis"), make_lead(3, seats="a dozen"),
        make_lead(4, Phone="call me", Email="\n"), *(make_lead(n, Phone="call me") for n in range(5, 40)),
    )  # fmt: skip
    harness.run()
    assert harness.count_statuses() == {"owned": 38, "held": 1}  # and the breaker does not count what passes
    assert harness.rows("SELECT reason, journey_id FROM work_item WHERE blocking") == [("no_contact", 4)]
    assert harness.rows("SELECT reason FROM warned WHERE journey_id < 4 ORDER BY journey_id") == [
        ("phone_impossible",), ("country_unknown",), ("field_unreadable",),
    ]  # fmt: skip
    assert harness.rows("SELECT phone, country, attributes FROM lead WHERE id < 3 ORDER BY id") == [
        (None, "DE", {"phone (as received)": "call me"}),
        ("+49301000002", None, {"country (as received)": "Atlantis"}),
    ]
    assert harness.one("SELECT attributes FROM lead WHERE id = 3") == {"seats (as received)": "a dozen"}
    assert harness.find_broken() == []


def test_a_typo_of_a_mail_domain_is_proposed_and_not_applied(harness: Harness) -> None:
    harness.capture(make_lead(1, Email="kim@gmial.com"))
    harness.run()
    assert harness.rows("SELECT value, proposal FROM work_item") == [("kim@gmial.com", {"email": "kim@gmail.com"})]


def test_routes_name_who_decides_and_by_when(harness: Harness) -> None:
    harness.capture(make_lead(1, Phone="call me"), None)
    harness.run()
    assert harness.rows("SELECT reason, route, due_at FROM work_item ORDER BY reason") == [
        ("phone_impossible", "data_quality", NOW + timedelta(hours=8)),
        ("unreadable_row", "revenue_operations", NOW + timedelta(hours=24)),
    ]


def test_the_same_person_again_joins_the_open_journey_and_fills_what_is_missing(harness: Harness) -> None:
    harness.capture(make_lead(1, Phone=""), make_lead(1, Email="LEAD1@company1.example", Phone="+49301234567"))
    harness.run()
    assert harness.count_statuses() == {"owned": 1, "joined": 1}
    assert harness.rows("SELECT phone FROM lead") == [("+49301234567",)]
    harness.capture(make_lead(1, Message="me again"))
    harness.run()
    assert harness.count_statuses() == {"owned": 1, "joined": 2}
    assert harness.one("SELECT count(*) FROM outbox WHERE kind = 'lead_heard_again'") == 1
    assert harness.find_broken() == []


def test_a_shared_phone_alone_joins_nobody(harness: Harness) -> None:
    harness.capture(make_lead(1, Phone="+49301234567"), make_lead(2, Phone="+49301234567"))
    harness.run()
    assert harness.count_statuses() == {"owned": 2}


def test_the_same_file_again_and_a_second_run_change_nothing(harness: Harness) -> None:
    rows = [make_lead(1), make_lead(2, Phone="call me"), make_lead(1, Message="again"), None, make_lead(3, Company="")]
    assert harness.capture(*rows) == 5
    harness.run()
    before = read_projection(harness.ledger)
    assert harness.capture(*rows) == 0
    assert harness.capture(*rows[:2]) == 0
    harness.run()
    assert read_projection(harness.ledger) == before


def test_two_identical_rows_of_one_file_are_two_signals(harness: Harness) -> None:
    assert harness.capture(make_lead(1), make_lead(1)) == 2
    harness.run()
    assert harness.count_statuses() == {"owned": 1, "joined": 1}


def test_a_person_who_returns_after_the_journey_ended_is_the_same_lead(harness: Harness) -> None:
    harness.capture(make_lead(1, Company=""))
    harness.run()
    assert harness.count_statuses() == {"nurture": 1}
    harness.capture(make_lead(1, Company="Now with a company"))
    harness.run()
    assert harness.count_statuses() == {"nurture": 1, "owned": 1}
    assert harness.rows("SELECT company FROM lead") == [("Now with a company",)]
    assert harness.find_broken() == []


def test_news_of_a_nurtured_lead_scores_it_again(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Title="Chief Buyer"))
    harness.run()
    assert harness.count_statuses() == {"held": 1}  # 25 points: in the review band
    harness.capture(make_lead(2, Company=""))
    harness.run()
    assert harness.count_statuses() == {"held": 1, "nurture": 1}
    harness.activity("demo_request", "lead2@company2.example")
    harness.run()
    assert harness.rows("SELECT trigger, status FROM journey WHERE trigger = 'rescore'") == [("rescore", "held")]
    assert harness.find_broken() == []


def test_a_disqualified_lead_carries_the_reason(harness: Harness) -> None:
    harness.capture(make_lead(1, Email="spy@rival.example"))
    harness.run()
    assert harness.count_statuses() == {"disqualified": 1}
    assert "works for a competitor" in harness.one("SELECT reasons ->> 0 FROM qualification")


def test_a_review_is_approved_by_hand(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Title="Chief Buyer"))
    harness.run()
    work_item = item(harness, "score_in_review_band")
    reruns.mark_done_by_hand(harness.ledger, [work_item], by=make_actor("mia"), now=NOW, evidence="known from the fair")
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.one("SELECT closed_by FROM work_item WHERE id = :id", id=work_item) == "mia"
    assert harness.find_broken() == []


def test_a_rerun_with_a_correction_starts_from_the_signal_and_goes_on(harness: Harness) -> None:
    harness.capture(make_lead(1, Email="not an address"))
    harness.run()
    report = reruns.rerun(
        harness.ledger,
        [item(harness, "email_malformed")],
        by=make_actor("mia"),
        now=NOW,
        playbook=harness.loaded.playbook,
        corrections={"email": "Right@Company1.example"},
    )
    assert (report.work_items, report.released) == (1, 1)
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.one("SELECT email_canonical FROM lead") == "right@company1.example"
    assert harness.rows("SELECT generation, stage FROM handoff ORDER BY id")[:3] == [
        (0, "capture"), (0, "validation"), (1, "capture"),
    ]  # fmt: skip
    assert harness.find_broken() == []


def test_a_phone_that_a_person_gives_is_no_guess(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Title="Chief Buyer", Phone="468123456", Country="SE"))
    harness.run()
    assert harness.one("SELECT attributes ->> 'phone_country_guessed' FROM lead") == "SE"
    reruns.rerun(
        harness.ledger, [item(harness, "score_in_review_band")], by=make_actor("mia"), now=NOW,
        playbook=harness.loaded.playbook, corrections={"phone": "+468123457"},
    )  # fmt: skip
    harness.run()
    assert harness.rows("SELECT phone, attributes ? 'phone_country_guessed' FROM lead") == [("+468123457", False)]
    assert harness.find_broken() == []


def test_a_correction_at_capture_gives_the_lead_its_contact(harness: Harness) -> None:
    harness.capture({"Email": "", "Phone": "", "Company": "Acme"})
    harness.run()
    reruns.rerun(
        harness.ledger, [item(harness, "no_contact")], by=make_actor("mia"), now=NOW, playbook=harness.loaded.playbook,
        corrections={"email": "kim@acme.example"},
    )  # fmt: skip
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_an_unreadable_row_becomes_readable_when_a_person_gives_it_its_values(harness: Harness) -> None:
    harness.capture(None)
    harness.run()
    given = {"email": "kim@acme.example", "company": "Acme"}
    reruns.rerun(
        harness.ledger,
        [item(harness, "unreadable_row")],
        by=make_actor("mia"),
        now=NOW,
        playbook=harness.loaded.playbook,
        corrections=given,
    )
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.find_broken() == []


def test_a_mapping_that_was_mended_counts_for_what_was_parked(harness: Harness) -> None:
    rows = [make_lead(n) | {"Email": f"030 12345{n}", "Reply": f"lead{n}@company{n}.example"} for n in range(30)]
    harness.capture(*rows, source="partner")
    harness.run()
    assert harness.count_statuses() == {"held": 30}
    mended = PLAYBOOK.replace(
        "partner: {default_country: FR}", "partner: {default_country: FR, mapping: {Reply: email, Email: phone}}"
    )
    after = Harness(harness.ledger, playbooks.parse(mended, path=Path("tests.yaml")))
    reruns.rerun(
        after.ledger, [item(after, "source_parked")], by=make_actor("mia"), now=NOW, playbook=after.loaded.playbook
    )
    after.run()
    assert after.count_statuses() == {"owned": 30}
    assert after.find_broken() == []


def test_a_late_correction_is_validated_again(harness: Harness) -> None:
    harness.capture(make_lead(1, Company="", Title="Chief Buyer"))
    harness.run()
    reruns.rerun(
        harness.ledger, [item(harness, "score_in_review_band")], by=make_actor("mia"), now=NOW, playbook=harness.loaded.playbook,
        corrections={"company": "Acme", "country": "Germany"},
    )  # fmt: skip
    harness.run()
    assert harness.count_statuses() == {"owned": 1}
    assert harness.rows("SELECT company, country FROM lead") == [("Acme", "DE")]
    assert harness.find_broken() == []


def test_a_rerun_as_it_is_fails_again_with_one_new_work_item(harness: Harness) -> None:
    harness.capture(make_lead(1, Phone="call me"))
    harness.run()
    reruns.rerun(
        harness.ledger,
        [item(harness, "phone_impossible")],
        by=make_actor("mia"),
        now=NOW,
        playbook=harness.loaded.playbook,
    )
    harness.run()
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 1
    assert harness.one("SELECT generation FROM journey") == 1
    assert harness.find_broken() == []


def test_done_by_hand_waives_the_promise_and_nothing_else(harness: Harness) -> None:
    harness.capture(make_lead(1, Phone="call me"), make_lead(2, Phone="call me", Country="Atlantis"))
    harness.run()
    ids = [i for (i,) in harness.rows("SELECT id FROM work_item WHERE reason = 'phone_impossible'")]
    reruns.mark_done_by_hand(harness.ledger, ids, by=make_actor("mia"), now=NOW, evidence="spoke to them by e-mail")
    harness.run()
    assert harness.count_statuses() == {"owned": 1, "held": 1}
    assert harness.one("SELECT reason FROM work_item WHERE closed_at IS NULL") == "country_unknown"
    assert harness.find_broken() == []


def test_a_discarded_journey_keeps_its_signal(harness: Harness) -> None:
    harness.capture(None)
    harness.run()
    reruns.discard(
        harness.ledger, [item(harness, "unreadable_row")], by=make_actor("mia"), now=NOW, reason="a stray line"
    )
    harness.run()
    assert harness.count_statuses() == {"discarded": 1}
    assert harness.one("SELECT count(*) FROM signal") == 1
    assert harness.find_broken() == []


def test_a_work_item_that_is_closed_is_skipped_and_an_unknown_field_is_refused(harness: Harness) -> None:
    harness.capture(None)
    harness.run()
    work_item = item(harness, "unreadable_row")
    reruns.discard(harness.ledger, [work_item], by=make_actor("mia"), now=NOW, reason="a stray line")
    again = reruns.discard(harness.ledger, [work_item, 999], by=make_actor("mia"), now=NOW, reason="twice")
    assert again.work_items == 0
    assert len(again.skipped) == 2
    with pytest.raises(actions.ActionError, match="email"):
        reruns.rerun(
            harness.ledger,
            [work_item],
            by=make_actor("mia"),
            now=NOW,
            playbook=harness.loaded.playbook,
            corrections={"emial": "x"},
        )


def test_the_breaker_parks_a_source_behind_one_work_item_and_other_sources_go_on(harness: Harness) -> None:
    bad = [make_lead(n, Email="030 1234567") for n in range(60)]
    good = [make_lead(n) for n in range(100, 140)]
    harness.capture(*[row for pair in zip(bad, good * 2, strict=False) for row in pair], source="partner")
    harness.capture(*[make_lead(n) for n in range(200, 230)])
    harness.run()
    held = harness.rows(
        "SELECT source, count(DISTINCT work_item_id) FROM journey WHERE status = 'held' GROUP BY source"
    )
    assert held == [("partner", 1)]
    assert harness.one("SELECT count(*) FROM journey WHERE source = 'website' AND status = 'owned'") == 30
    harness.capture(*[make_lead(n) for n in range(300, 310)], source="partner")
    harness.run()
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL") == 1  # late ones wait behind it too
    assert harness.find_broken() == []
    reruns.rerun(
        harness.ledger,
        [item(harness, "source_parked")],
        by=make_actor("mia"),
        now=NOW,
        playbook=harness.loaded.playbook,
    )
    harness.run()
    assert harness.one("SELECT count(*) FROM journey WHERE source = 'partner' AND status = 'owned'") >= 40
    assert harness.find_broken() == []


@contextlib.contextmanager
def counted_statements(harness: Harness) -> Iterator[list[str]]:
    """The statements that are sent to the ledger meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(harness.ledger.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(harness.ledger.engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("reason", "act"),
    [
        ("source_parked", reruns.rerun),
        ("phone_impossible", reruns.rerun),
        ("phone_impossible", reruns.mark_done_by_hand),
        ("score_in_review_band", reruns.mark_done_by_hand),
        ("phone_impossible", reruns.discard),
    ],
)
def test_a_decision_about_many_leads_takes_a_handful_of_statements(
    harness: Harness, reason: str, act: Callable[..., reruns.RerunReport]
) -> None:
    harness.capture(*[make_lead(n, Email="030 1234567") for n in range(60)], source="partner")
    harness.capture(*[make_lead(n, Phone="call me") for n in range(100, 105)], *[make_lead(n) for n in range(200, 230)])
    harness.capture(*[make_lead(n, Company="", Title="Chief Buyer") for n in range(300, 305)])
    harness.run()
    ids = [i for (i,) in harness.rows("SELECT id FROM work_item WHERE reason = :reason", reason=reason)]
    how: dict[Callable[..., Any], dict[str, Any]] = {
        reruns.rerun: {
            "playbook": harness.loaded.playbook,
            "corrections": {"phone": "+49 30 901820", "industry": "Retail"},
        },
        reruns.mark_done_by_hand: {"evidence": "looked at them"},
        reruns.discard: {"reason": "made up"},
    }
    with counted_statements(harness) as sent:
        done = act(harness.ledger, ids, by=make_actor("mia"), now=NOW, **how[act])
    assert done.released == {"source_parked": 60}.get(reason, 5)
    assert len(sent) <= 13
    recorded = "SELECT count(*) FROM action a JOIN work_item w ON w.id = a.work_item_id WHERE w.reason = :reason"
    assert harness.one(recorded, reason=reason) == done.released
    harness.run()
    assert harness.find_broken() == []


def test_a_breaker_that_cools_down_lets_its_source_out_by_itself(harness: Harness) -> None:
    harness.capture(*[make_lead(n, Email="030 1234567") for n in range(30)], source="partner")
    harness.run()
    assert harness.count_statuses() == {"held": 30}
    later = NOW + timedelta(hours=1)
    harness.capture(*[make_lead(n) for n in range(100, 110)], source="partner")
    harness.run(later)
    assert harness.one("SELECT count(*) FROM journey WHERE status = 'owned'") == 10
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL AND kind = 'breaker'") == 0
    assert harness.one("SELECT count(*) FROM work_item WHERE closed_at IS NULL AND reason = 'email_malformed'") == 30
    assert harness.find_broken() == []
