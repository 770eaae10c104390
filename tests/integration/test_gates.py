"""The six gates, run by Great Expectations: which rows pass, which are stopped and why, what holds a batch.

Long as one file: six gates, with the same kinds of rows for each.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pandas as pd
import pytest
from harness import Harness, make_lead

from expectations import PROMISES, gate
from expectations.findings import MAX_SHOWN
from expectations.view import build_view
from leadgate.expressions import evaluation
from leadgate.playbook import Playbook
from leadgate.playbook.check.added_expectations import EXPECTATIONS
from leadgate.vocabulary import GateName
from tasks import stage_task

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

#: For each gate, a row that keeps every promise.
CLEAN: dict[GateName, dict[str, Any]] = {
    "captured": {
        "unreadable": None,
        "source_known": True,
        "source": "website",
        "signal_key": "k1",
        "too_long": None,
        "too_long_value": None,
        "contact": "ada@example.com",
        "longest_value": 40,
        "occurred_in_future": False,
        "occurred_at": "2026-03-01T10:00:00+00:00",
    },
    "validated": {
        "email": "ada@example.com",
        "email_problem": None,
        "phone": "+442079460000",
        "phone_problem": None,
        "contact": "ada@example.com",
        "country": "GB",
        "country_problem": None,
        "consent": "yes",
        "consent_problem": None,
        "spam_reason": None,
        "message": "please call",
        "is_disposable": False,
        "field_problem": None,
        "unreadable_problem": None,
    },
    "enriched": {
        "contact": "ada@example.com",
        "email": "ada@example.com",
        "contact_changed": False,
        "unattributed": None,
        "employees": 120,
        "company_domain": "example.com",
        "provider_problem": None,
        "company": "Example Ltd",
    },
    "qualified": {
        "fit": 40,
        "engagement": 25,
        "score": 65,
        "contribution_sum": 65,
        "outcome": "continue",
        "reason_missing": False,
        "playbook_hash": "abc",
    },
    "assigned": {
        "owner": "grace",
        "owner_known": True,
        "rule": "enterprise",
        "owner_absent": False,
        "over_cap": False,
        "due_at": NOW + timedelta(hours=4),
        "assigned_at": NOW,
    },
    "followed_up": {
        "open_assignments": 1,
        "owner": "grace",
        "owner_told": True,
        "due_at": NOW + timedelta(hours=4),
        "assigned_at": NOW,
        "ladder_step": 1,
        "ladder_length": 3,
        "waiting_and_chased": False,
        "touched_before_assigned": False,
    },
}

#: Gate, what is wrong with the row, the promises that break, in the suite's order.
BROKEN: list[tuple[GateName, dict[str, Any], list[str]]] = [
    ("captured", {"unreadable": "line 17: 5 cells, the header has 8"}, ["readable"]),
    ("captured", {"source_known": False}, ["source_known"]),
    ("captured", {"source_known": None}, ["source_known"]),
    ("captured", {"signal_key": None}, ["keyed"]),
    ("captured", {"contact": None}, ["has_contact"]),
    ("captured", {"too_long": "email: 8,000 characters, at most 320", "too_long_value": "aaa"}, ["values_fit"]),
    ("captured", {"longest_value": 20_001}, ["values_not_oversized"]),
    ("captured", {"occurred_in_future": True}, ["not_from_the_future"]),
    ("captured", {"unreadable": "broken quoting", "contact": None}, ["readable", "has_contact"]),
    ("validated", {"email": "ada@example", "email_problem": "no dot"}, ["email_well_formed"]),
    ("validated", {"email": "ada@gmial.com", "email_problem": "looks like a typo"}, ["email_well_formed"]),
    ("validated", {"email": None, "email_problem": "not an address"}, ["email_well_formed"]),
    ("validated", {"email": "ada at example.com"}, ["email_well_formed"]),  # though validation saw no problem
    ("validated", {"email": "=cmd|' /C calc'!A0"}, ["email_well_formed"]),
    ("validated", {"phone": "020 7946 0000"}, ["phone_possible"]),
    ("validated", {"phone": "+4412", "phone_problem": "too short"}, ["phone_possible"]),
    ("validated", {"contact": None, "email": None, "phone": None}, ["has_contact"]),
    ("validated", {"country": "Atlantis", "country_problem": "unknown"}, ["country_known"]),
    ("validated", {"country": "UK"}, ["country_known"]),  # two letters, but not ISO's
    ("validated", {"consent": "no", "consent_problem": "refused"}, ["consent_not_refused"]),
    ("validated", {"spam_reason": "7 links in the message"}, ["not_spam"]),
    ("validated", {"is_disposable": True}, ["email_lasting"]),
    ("validated", {"field_problem": "seats: 'many' is not an integer"}, ["fields_valid"]),
    ("validated", {"unreadable_problem": "seats: not a whole number"}, ["fields_readable"]),
    ("enriched", {"contact": None}, ["has_contact"]),
    ("enriched", {"contact_changed": True}, ["contact_unchanged"]),
    ("enriched", {"contact_changed": None}, ["contact_unchanged"]),
    ("enriched", {"unattributed": "employees"}, ["attributed"]),
    ("enriched", {"employees": 0}, ["employees_plausible"]),
    ("enriched", {"company_domain": "https://example.com/"}, ["company_domain_well_formed"]),
    ("enriched", {"provider_problem": "accounts: timed out"}, ["providers_answered"]),
    ("enriched", {"company": None}, ["company_known"]),
    ("qualified", {"fit": None}, ["fit_scored"]),
    ("qualified", {"engagement": None}, ["engagement_scored"]),
    ("qualified", {"score": 64}, ["score_adds_up"]),
    ("qualified", {"score": None}, ["score_adds_up"]),
    ("qualified", {"score": 10_001, "contribution_sum": 10_001}, ["score_in_bounds"]),
    ("qualified", {"outcome": "lost"}, ["outcome_known"]),
    ("qualified", {"outcome": None}, ["outcome_known"]),
    ("qualified", {"outcome": "disqualified", "reason_missing": True}, ["disqualified_with_reason"]),
    ("assigned", {"owner": "nobody", "owner_known": False}, ["owner_known"]),
    ("assigned", {"rule": None}, ["rule_recorded"]),
    ("assigned", {"owner_absent": True}, ["owner_present"]),
    ("assigned", {"over_cap": True}, ["owner_within_caps"]),
    ("assigned", {"due_at": None}, ["touch_due", "due_after_assignment"]),
    ("assigned", {"due_at": NOW}, ["due_after_assignment"]),
    ("followed_up", {"open_assignments": 2}, ["one_owner"]),
    ("followed_up", {"open_assignments": 0}, ["one_owner"]),
    ("followed_up", {"owner_told": False}, ["owner_told"]),
    ("followed_up", {"due_at": None}, ["touch_due", "due_after_assignment"]),
    ("followed_up", {"due_at": NOW - timedelta(minutes=1)}, ["due_after_assignment"]),
    ("followed_up", {"ladder_step": 4}, ["step_within_ladder"]),
    ("followed_up", {"ladder_step": -1}, ["step_counted"]),
    ("followed_up", {"waiting_and_chased": True}, ["waiting_not_chased"]),
    ("followed_up", {"touched_before_assigned": True}, ["touched_after_assignment"]),
]


def frame(name: GateName, *rows: dict[str, Any]) -> pd.DataFrame:
    """Rows of a gate's frame: clean but for what each of ``rows`` says, ids 101, 102, … under a shuffled index."""
    values = [{"journey_id": 101 + at, **CLEAN[name], **row} for at, row in enumerate(rows)]
    return pd.DataFrame(values, index=[9 - at for at in range(len(rows))])


def playbook(**parts: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "name": "Example",
            "sources": {"website": {}},
            "reps": [{"name": "grace"}],
            "pools": [{"name": "sales", "members": [{"rep": "grace"}]}],
            "routing": [{"name": "all", "to": "pool sales"}],
            **parts,
        }
    )


def expecting(expectation: str, severity: str = "critical", **arguments: Any) -> Playbook:
    added = {"name": "added", "expectation": expectation, "arguments": arguments, "why": "As we agreed"}
    return playbook(gates={"validated": {"expect": [added | {"severity": severity}]}})


@pytest.mark.parametrize("name", PROMISES)
def test_a_clean_batch_passes_and_leaves_evidence_for_every_promise(name: GateName) -> None:
    result = gate.run(name, frame(name, {}, {}, {}), playbook=None)
    assert result.batch_problem is None
    assert result.passed.all()
    assert result.failures.empty
    assert [(e["promise"], e["ok"], e["failed"], e["checked"]) for e in result.evidence] == [
        (promise.name, True, 0, 3) for promise in PROMISES[name]
    ]


def test_each_promise_says_what_is_promised_and_what_is_wrong_when_it_is_broken() -> None:
    for promises in PROMISES.values():
        for promise in promises:
            assert promise.broken, promise.name
            assert promise.broken != promise.words, promise.name
            assert not {promise.words[-1], promise.broken[-1]} & set(".!:"), promise.name


@pytest.mark.parametrize(("name", "fault", "promises"), BROKEN)
@pytest.mark.parametrize("others", [0, 2])
def test_a_broken_row_is_named_with_its_reason_and_the_others_pass(
    name: GateName, fault: dict[str, Any], promises: list[str], others: int
) -> None:
    batch = frame(name, *[{}] * others, fault)
    result = gate.run(name, batch, playbook=None)
    assert result.batch_problem is None
    assert list(result.failures["promise"]) == promises
    assert set(result.failures["journey_id"]) == {101 + others}
    by_name = {promise.name: promise for promise in PROMISES[name]}
    first = by_name[promises[0]]
    assert result.passed.index.equals(batch.index)
    assert list(result.passed) == [True] * others + [first.severity == "warning"]
    assert list(result.stopped["reason"]) == ([first.reason] if first.severity == "critical" else [])
    assert [e["promise"] for e in result.evidence if not e["ok"]] == promises


def test_every_promise_is_broken_by_some_row_above() -> None:
    per_row = {(name, promise) for name, _, promises in BROKEN for promise in promises}
    known = {(name, promise.name) for name, promises in PROMISES.items() for promise in promises}
    assert known - per_row == {("qualified", "one_playbook")}  # about the batch, below


def test_suites_have_five_to_nine_promises_with_names_of_their_own() -> None:
    for promises in PROMISES.values():
        assert 5 <= len(promises) <= 9
        assert len({promise.name for promise in promises}) == len(promises)


def test_a_failure_shows_the_value_and_what_was_found_and_evidence_shows_neither() -> None:
    fault = {"email": "ada@gmial.com", "email_problem": "gmial.com looks like gmail.com"}
    result = gate.run("validated", frame("validated", fault), playbook=None)
    assert result.failures.iloc[0].to_dict() == {
        "journey_id": 101,
        "promise": "email_well_formed",
        "severity": "critical",
        "reason": "email_malformed",
        "broken": "The e-mail address is not well-formed",
        "value": "ada@gmial.com",
        "detail": "gmial.com looks like gmail.com",
    }
    assert "gmial" not in repr(result.evidence)


def test_the_first_critical_promise_is_the_reason_and_all_are_listed() -> None:
    fault = {"is_disposable": True, "phone": "call me", "spam_reason": "casino"}
    result = gate.run("validated", frame("validated", fault), playbook=None)
    assert list(result.failures["reason"]) == ["phone_impossible", "spam", "email_disposable"]
    assert list(result.stopped["reason"]) == ["spam"]  # the first is a warning


def test_an_empty_batch_passes_without_great_expectations() -> None:
    code = (
        "import sys, pandas as pd; from expectations import gate;"
        "r = gate.run('validated', pd.DataFrame(), playbook=None);"
        "assert r.batch_problem is None and r.rows == 0 and r.passed.empty and r.failures.empty;"
        "assert r.stopped.empty and all(e['ok'] and e['checked'] == 0 for e in r.evidence);"
        "assert 'great_expectations' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_share_of_rows_may_break_an_added_promise_when_the_playbook_says_mostly() -> None:
    book = expecting("expect_column_values_to_not_be_null", column="phone", mostly=0.6)
    most = gate.run("validated", frame("validated", {}, {}, {"phone": None}), playbook=book)
    assert most.passed.all()
    assert most.failures.empty
    assert (most.evidence[-1]["ok"], most.evidence[-1]["failed"]) == (True, 1)
    half = gate.run("validated", frame("validated", {}, {"phone": None}), playbook=book)
    assert list(half.passed) == [True, False]


def test_columns_of_one_missing_value_do_not_hold_the_batch() -> None:
    nobody_due = gate.run("assigned", frame("assigned", {"due_at": None}, {"due_at": None}), playbook=None)
    assert nobody_due.batch_problem is None
    assert list(nobody_due.stopped["reason"]) == ["due_missing"] * 2
    no_scores = {"score": None, "contribution_sum": None, "fit": None, "engagement": None}
    unscored = gate.run("qualified", frame("qualified", no_scores, no_scores), playbook=None)
    assert unscored.batch_problem is None
    assert list(unscored.stopped["reason"]) == ["score_missing"] * 2
    phones_only = gate.run("validated", frame("validated", *[{"email": None}] * 2), playbook=None)
    assert phones_only.passed.all()


@pytest.mark.parametrize("dtype", ["object", "str"])
def test_text_columns_of_either_type_are_judged_alike(dtype: str) -> None:
    batch = frame("validated", {}, {"email": "nonsense"}, {"phone": None}, {"country": "Atlantis"})
    text = ["email", "phone", "country", "consent", "message"]
    result = gate.run("validated", batch.astype(dict.fromkeys(text, dtype)), playbook=None)
    assert list(result.passed) == [True, False, True, True]
    assert list(result.failures["reason"]) == ["email_malformed", "country_unknown"]


def test_two_playbooks_in_a_batch_hold_all_of_it() -> None:
    result = gate.run("qualified", frame("qualified", {}, {"playbook_hash": "other"}), playbook=None)
    assert result.batch_problem is not None
    assert (result.batch_problem.promise, result.batch_problem.reason) == ("one_playbook", "playbook_mixed")
    assert not result.passed.any()
    assert result.failures.empty
    assert [e["failed"] for e in result.evidence if not e["ok"]] == [2]


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        (lambda f: f.drop(columns="is_disposable"), "column_missing", "is_disposable"),
        (lambda f: f.drop(columns="phone_problem"), "column_missing", "phone_problem"),
        (lambda f: f.drop(columns="journey_id"), "column_missing", "journey_id"),
        (lambda f: f.assign(journey_id=[101, None]), "id_missing", "1 of 2 rows"),
        (lambda f: f.assign(journey_id=[101, 101]), "id_twice", "101"),
        (lambda f: pd.concat([f, f[["email"]]], axis=1), "column_twice", "email"),
    ],
)
def test_an_unfit_frame_holds_the_batch(change: Any, reason: str, says: str) -> None:
    result = gate.run("validated", change(frame("validated", {}, {})), playbook=None)
    assert result.batch_problem is not None
    assert result.batch_problem.reason == reason
    assert says in result.batch_problem.words
    assert not result.passed.any()
    assert not any(e["ok"] for e in result.evidence)


def test_an_error_inside_great_expectations_holds_the_batch_even_for_a_warning() -> None:
    result = gate.run("enriched", frame("enriched", {}, {"employees": "a few, ask Ada"}), playbook=None)
    assert result.batch_problem is not None
    assert (result.batch_problem.promise, result.batch_problem.reason) == (
        "employees_plausible",
        "check_failed",
    )
    assert "same type" in (result.batch_problem.detail or "")
    assert not result.passed.any()


def test_a_failure_of_the_whole_engine_holds_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(promises: Any) -> Any:
        raise OSError("no space left on device")

    monkeypatch.setattr(gate, "_prepare_suite", broken)
    result = gate.run("captured", frame("captured", {}), playbook=None)
    assert result.batch_problem is not None
    assert "no space left" in (result.batch_problem.detail or "")
    assert not result.passed.any()


#: An addition of each type that a playbook may add, with each of its arguments.
ADDED: dict[str, dict[str, Any]] = {
    "expect_column_values_to_not_be_null": {"column": "phone"},
    "expect_column_values_to_be_null": {"column": "spam_reason", "mostly": 0.5},
    "expect_column_values_to_be_in_set": {"column": "country", "value_set": ["GB", "FR"], "mostly": 0.9},
    "expect_column_values_to_not_be_in_set": {"column": "country", "value_set": ["FR"]},
    "expect_column_values_to_match_regex": {"column": "message", "regex": "please", "mostly": 0.1},
    "expect_column_values_to_not_match_regex": {"column": "message", "regex": "SEO"},
    "expect_column_value_lengths_to_be_between": {"column": "message", "min_value": 3, "max_value": 12},
    "expect_column_values_to_be_between": {"column": "journey_id", "min_value": 102, "strict_min": True},
    "expect_column_values_to_be_unique": {"column": "phone"},
    "expect_column_pair_values_a_to_be_greater_than_b": {
        "column_A": "email", "column_B": "message", "or_equal": True, "ignore_row_if": "either_value_is_missing",
    },
    "expect_column_pair_values_to_be_equal": {"column_A": "email", "column_B": "contact"},
    "expect_compound_columns_to_be_unique": {
        "column_list": ["country", "message"], "ignore_row_if": "any_value_is_missing",
    },
    "expect_table_row_count_to_be_between": {"min_value": 2, "max_value": 3},
}  # fmt: skip


@pytest.mark.parametrize("name", [*PROMISES, "added"])
def test_a_prepared_suite_answers_as_a_plain_validation_does(name: str) -> None:
    from expectations.prepared import PreparedSuite, validate

    if name == "added":
        assert ADDED.keys() == EXPECTATIONS.keys()
        added = [
            {"name": kind, "expectation": kind, "arguments": arguments, "severity": "critical", "why": "As we agreed"}
            for kind, arguments in ADDED.items()
        ]
        book = playbook(gates={"validated": {"expect": added}})
        gate_ = GateName.VALIDATED
        promises = gate.list_promises(gate_, book)
    else:
        gate_ = cast(GateName, name)
        promises = PROMISES[gate_]
    faults = [fault for broken, fault, _ in BROKEN if broken == gate_]
    suite = PreparedSuite(promises)
    for rows in ([{}], [{}, *faults], faults[:1]):
        looked_at = build_view(frame(gate_, *rows), promises)
        for detail in (gate._VERDICT_ONLY, gate._ROW_POSITIONS):
            plain = validate(looked_at, suite.configurations, detail)
            for which in (range(len(promises)), range(1, len(promises), 3)):
                told = [_facts(answer) for answer in suite.ask(looked_at, detail, which)]
                assert told == [_facts(plain[number]) for number in which]


def _facts(answer: Any) -> tuple[Any, ...]:
    found = answer.result.get("unexpected_index_list") if answer.result else None
    kind, meta = answer.expectation_config.type, answer.expectation_config.meta
    return kind, meta, answer.success, found, gate._find_error(answer.exception_info or {})


def test_a_suite_is_planned_once_and_a_plain_validation_is_for_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    from expectations import prepared

    gate.run("enriched", frame("enriched", {}), playbook=None)
    plain: list[Any] = []
    validated = prepared.validate

    def planned(*_: Any) -> Any:
        raise AssertionError("planned again")

    monkeypatch.setattr(prepared, "_plan", planned)
    monkeypatch.setattr(prepared, "validate", lambda *given: plain.append(given) or validated(*given))
    assert gate.run("enriched", frame("enriched", {}, {"employees": 7}), playbook=None).passed.all()
    assert not plain
    assert not gate.run("enriched", frame("enriched", {"employees": "a few"}), playbook=None).passed.any()
    assert plain


def test_the_playbook_decides_on_severity() -> None:
    lenient = playbook(gates={"validated": {"severity": {"email_lasting": "warning"}}})
    batch = frame("validated", {"is_disposable": True})
    assert not gate.run("validated", batch, playbook=None).passed.any()
    result = gate.run("validated", batch, playbook=lenient)
    assert result.passed.all()
    assert list(result.failures["severity"]) == ["warning"]
    assert result.stopped.empty


@pytest.mark.parametrize(
    ("expectation", "arguments", "fault"),
    [
        ("expect_column_values_to_not_be_null", {"column": "phone"}, {"phone": None}),
        ("expect_column_values_to_be_in_set", {"column": "country", "value_set": ["GB"]}, {"country": "FR"}),
        (
            "expect_column_values_to_not_be_in_set",
            {"column": "country", "value_set": ["FR"]},
            {"country": "FR"},
        ),
        (
            "expect_column_values_to_match_regex",
            {"column": "message", "regex": "please"},
            {"message": "now!"},
        ),
        (
            "expect_column_values_to_not_match_regex",
            {"column": "message", "regex": "SEO"},
            {"message": "SEO"},
        ),
        (
            "expect_column_value_lengths_to_be_between",
            {"column": "message", "max_value": 50},
            {"message": "a" * 51},
        ),
    ],
)
def test_the_playbook_adds_promises(expectation: str, arguments: dict[str, Any], fault: dict[str, Any]) -> None:
    book = expecting(expectation, **arguments)
    result = gate.run("validated", frame("validated", {}, fault), playbook=book)
    assert result.batch_problem is None
    assert list(result.passed) == [True, False]
    said = ["added", "added", "This does not hold: As we agreed"]
    assert result.failures[["promise", "reason", "broken"]].to_numpy().tolist() == [said]
    assert result.evidence[-1]["promise"] == "added"


def test_an_added_promise_says_in_words_of_its_own_what_is_wrong() -> None:
    told = {"why": "The phone number is known", "broken": "The phone number is not known", "severity": "critical"}
    added = {"name": "added", "expectation": "expect_column_values_to_not_be_null", "arguments": {"column": "phone"}}
    book = playbook(gates={"validated": {"expect": [added | told]}})
    result = gate.run("validated", frame("validated", {}, {"phone": None}), playbook=book)
    assert list(result.failures["broken"]) == ["The phone number is not known"]
    assert result.evidence[-1]["words"] == "The phone number is not known"


def test_an_added_promise_about_the_batch_holds_it_when_critical_and_is_evidence_when_not() -> None:
    batch = frame("validated", {}, {})
    rows = "expect_table_row_count_to_be_between"
    held = gate.run("validated", batch, playbook=expecting(rows, max_value=1))
    assert held.batch_problem is not None
    assert held.batch_problem.promise == "added"
    warned = gate.run("validated", batch, playbook=expecting(rows, severity="warning", max_value=1))
    assert warned.batch_problem is None
    assert warned.passed.all()
    assert (warned.evidence[-1]["ok"], warned.evidence[-1]["failed"]) == (False, 2)


@pytest.mark.parametrize(
    ("book", "says"),
    [
        (
            expecting("expect_column_values_to_not_be_null", column="phone", row_condition="__import__('os').x"),
            "row_condition",
        ),
        (expecting("expect_column_kl_divergence_to_be_less_than", column="phone"), "kl_divergence"),
        (expecting("expect_column_values_to_match_regex", column="phone", regex=r"(a)\1"), "RE2"),
        (expecting("unexpected_rows_expectation", unexpected_rows_query="select 1"), "unexpected_rows"),
        (playbook(gates={"validated": {"severity": {"email_lastign": "warning"}}}), "email_lastign"),
        (
            playbook(
                gates={
                    "validated": {
                        "expect": [
                            {
                                "name": "not_spam",
                                "expectation": "expect_column_values_to_not_be_null",
                                "arguments": {"column": "phone"},
                                "why": "x",
                            }
                        ]
                    }
                }
            ),
            "not_spam",
        ),
    ],
)
def test_what_gates_do_not_do_is_refused(book: Playbook, says: str) -> None:
    with pytest.raises(gate.RefusedExpectationError, match=says):
        gate.run("validated", frame("validated", {}), playbook=book)


def test_values_are_shown_cut() -> None:
    batch = frame("validated", {"message": "<b>" * 40_000, "spam_reason": "links"})
    assert set(gate.run("validated", batch, playbook=None).failures["value"].str.len()) == {MAX_SHOWN}


@pytest.mark.parametrize(
    ("pattern", "failed"),
    [
        (r"^(?:\+?\d? ?){20}$", [101, 102, 103, 104]),
        (r"^(.*)a(.*)a(.*)b$", [101, 102, 103]),
        (r"(a+)+$", [101, 102, 103, 104]),
        (r"\s+$", [101, 102, 104]),  # of the third, as of every value, the first 1,000 characters are looked at
    ],
)
def test_no_value_holds_a_pattern_up_and_the_rows_are_named(pattern: str, failed: list[int]) -> None:
    book = expecting("expect_column_values_to_match_regex", column="message", regex=pattern)
    hostile = ("1" * 60 + "x", "a" * 900 + "!", " " * 100_000 + "x", "a1a2b", None)
    result = gate.run("validated", frame("validated", *({"message": text} for text in hostile)), playbook=book)
    assert result.batch_problem is None
    assert list(result.failures["journey_id"]) == failed


def test_a_pattern_is_searched_for_and_need_not_be_the_whole_value() -> None:
    batch = frame("validated", {"message": "please CALL me"}, {"message": "nothing"}, {"message": None})
    for expectation, failed in (("match", [102]), ("not_match", [101])):
        book = expecting(f"expect_column_values_to_{expectation}_regex", column="message", regex="(?i)call")
        assert list(gate.run("validated", batch, playbook=book).failures["journey_id"]) == failed


def test_a_gate_past_its_time_holds_the_batch_and_says_at_which_promise() -> None:
    book = expecting("expect_column_values_to_match_regex", column="message", regex="a.*b")
    result = gate.run("validated", frame("validated", {}, {}), playbook=book, seconds=-1)
    assert result.batch_problem is not None
    assert (result.batch_problem.reason, result.batch_problem.promise) == ("check_timed_out", "email_well_formed")
    assert not result.passed.any()


def test_a_gate_that_does_not_come_back_holds_the_batch_and_the_next_one_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go, checked = threading.Event(), gate.run

    def stuck(*arguments: Any, **options: Any) -> Any:
        let_go.wait(60)
        return checked(*arguments, **options)

    monkeypatch.setattr(gate, "run", stuck)
    monkeypatch.setattr(stage_task, "compute_seconds", lambda rows: 0.2)
    batch = frame("validated", {}, {})
    held = asyncio.run(stage_task.gate_task.fn("validated", batch, cast(Any, None)))
    assert held.batch_problem is not None
    assert held.batch_problem.reason == "check_timed_out"
    assert list(held.passed) == [False, False]
    assert len(held.evidence) == len(PROMISES["validated"])
    monkeypatch.undo()
    assert asyncio.run(stage_task.gate_task.fn("validated", batch, cast(Any, None))).passed.all()
    let_go.set()


def test_threads_do_not_disturb_one_another() -> None:
    def judge(size: int) -> bool:
        bad = [at % 3 == size % 3 for at in range(size)]
        batch = frame("validated", *({"email": "nonsense"} if is_bad else {} for is_bad in bad))
        return list(gate.run("validated", batch, playbook=None).passed) == [not is_bad for is_bad in bad]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(judge, range(1, 25)))


def test_expressions_past_their_time_hold_the_batch_and_the_work_item_names_the_rule(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.capture(make_lead(1), make_lead(2))
    monkeypatch.setattr(evaluation, "compute_seconds", lambda rows: 0.0)
    harness.run(kinds=["intake"])
    assert set(harness.count_statuses()) == {"held"}
    ((reason, message, stage),) = harness.rows("SELECT reason, message, stage FROM work_item")
    assert (reason, stage) == ("check_timed_out", "qualification")
    scoring, verdict = harness.loaded.playbook.scoring, harness.loaded.playbook.qualification
    rules = (*scoring.fit, *scoring.engagement, *verdict.disqualify)
    assert [rule.name for rule in rules if rule.name in message], message
    assert harness.find_broken() == []
    monkeypatch.undo()
    harness.capture(make_lead(3))  # the next lead goes on
    harness.run(kinds=["intake"])
    assert harness.count_statuses().keys() > {"held"}
