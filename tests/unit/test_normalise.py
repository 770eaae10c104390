"""A batch through ``normalise``: what the validated gate will see."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.fields import STANDARD, VALIDATED
from leadgate.mapping.normalise import PROBLEMS, leave_out_unreadable, normalise
from leadgate.playbook import Playbook

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def playbook(**parts: Any) -> Playbook:
    given: dict[str, Any] = {
        "name": "test",
        "sources": {"web": {}, "salon": {"default_country": "FR"}, "list": {"consent": "required"}},
        "reps": [{"name": "ann"}],
        "pools": [{"name": "all", "members": [{"rep": "ann"}]}],
        "routing": [{"name": "rest", "to": "pool all"}],
    }
    return Playbook.model_validate(given | parts)


def captured(*rows: dict[str, Any]) -> pd.DataFrame:
    empty: dict[str, Any] = dict.fromkeys(STANDARD) | {"attributes": None, "unreadable": None}
    frame = pd.DataFrame([empty | {"source": "web", "captured_at": NOW} | row for row in rows])
    frame.insert(0, "journey_id", range(1, len(rows) + 1))
    return frame


def one(row: dict[str, Any], rules: Playbook | None = None) -> dict[str, Any]:
    return dict(normalise(captured(row), rules or playbook(), NOW).iloc[0])


def test_a_lead_is_cleaned_all_over() -> None:
    lead = one(
        {
            "email": " <Ann.Lee+web@GMAIL.com> ",
            "phone": "(212) 555-0142",
            "full_name": "Dr. ANN VAN DER BERG",
            "company": "  Acme\tInc ",
            "website": "https://www.acme.co.uk/about",
            "country": "United States of America",
            "postal_code": "10001.0",
            "consent": "Oui",
            "occurred_at": "12 days ago",
        }
    )
    expected = {
        "email": "Ann.Lee+web@gmail.com",
        "email_canonical": "annlee@gmail.com",
        "email_domain": "gmail.com",
        "is_free_mail": True,
        "is_disposable": False,
        "is_role_address": False,
        "phone": "+12125550142",
        "salutation": "Dr.",
        "first_name": "Ann",
        "last_name": "van der Berg",
        "company": "Acme Inc",
        "website_domain": "acme.co.uk",
        "country": "US",
        "postal_code": "10001",
        "has_consent": True,
        "occurred_at": "2026-02-26T12:00:00+00:00",
        "proposal": None,
    }
    assert {name: lead[name] for name in expected} == expected
    assert {lead[name] for name in PROBLEMS} == {None}


def test_index_order_and_other_columns_stay() -> None:
    frame = captured({"email": "a@acme.com"}, {"email": "b@acme.com"}).assign(extra=[7, 8])
    frame.index = pd.Index([30, 10])
    before = frame.copy(deep=True)
    out = normalise(frame, playbook(), NOW)
    assert out.index.tolist() == [30, 10]
    assert out["extra"].tolist() == [7, 8]
    assert out.columns.tolist()[: len(frame.columns)] == frame.columns.tolist()
    assert set(out.columns) >= set(STANDARD) | set(VALIDATED) | set(PROBLEMS) | {"proposal"}
    pd.testing.assert_frame_equal(frame, before)


def test_an_empty_batch_has_all_columns() -> None:
    out = normalise(captured({}).iloc[:0], playbook(), NOW)
    assert out.empty
    assert set(out.columns) >= set(VALIDATED) | set(PROBLEMS)


@pytest.mark.parametrize("dtype", [object, "str"])
def test_both_kinds_of_text_column_are_read(dtype: Any) -> None:
    frame = captured({"email": "a@acme.com"}, {"email": None})
    frame["email"] = frame["email"].astype(dtype)
    assert normalise(frame, playbook(), NOW)["email"].tolist() == ["a@acme.com", None]


def test_values_that_are_not_text_are_read_as_text() -> None:
    lead = one({"annual_revenue": 900750000.0, "postal_code": 1000, "company": float("nan"), "city": pd.NA})
    assert [lead[n] for n in ("annual_revenue", "postal_code", "company", "city")] == [
        "900750000",
        "1000",
        None,
        None,
    ]


def test_no_address_is_neither_free_nor_business() -> None:
    lead = one({"phone": "+33612345678"})
    assert [lead[n] for n in ("email_canonical", "is_free_mail", "is_disposable", "is_role_address")] == [None] * 4
    assert lead["email_problem"] is None


@pytest.mark.parametrize(
    ("row", "number"),
    [
        ({"phone": "06 12 34 56 78", "country": "France"}, "+33612345678"),
        ({"phone": "06 12 34 56 78", "source": "salon"}, "+33612345678"),
        ({"phone": "0612345678", "source": "salon", "country": "Frnace"}, "+33612345678"),
        ({"phone": "020 7946 0018", "source": "salon", "country": "UK"}, "+442079460018"),
        ({"phone": "(212) 555-0142"}, "+12125550142"),
    ],
)
def test_a_phone_is_read_from_where_the_lead_is(row: dict[str, Any], number: str) -> None:
    assert one(row)["phone"] == number


def test_a_source_gives_its_country_to_leads_without_one() -> None:
    assert one({"source": "salon"})["country"] == "FR"
    assert one({"source": "salon", "country": "Belgique"})["country"] == "BE"
    assert one({})["country"] is None


def test_what_cannot_be_read_stays_and_says_why() -> None:
    lead = one({"email": "ann at home", "phone": "call me", "country": "Frnace", "website": "none yet"})
    assert [lead[n] for n in ("email", "phone", "country", "website")] == [
        "ann at home",
        "call me",
        "Frnace",
        "none yet",
    ]
    assert lead["email_problem"] == "an email address must have an @"
    assert lead["phone_problem"] == "not a phone number"
    assert lead["country_problem"] == "not a country we know; the nearest is France (FR)"
    assert lead["website_problem"] == "not a web address"
    assert lead["proposal"] == {"country": "FR"}


def test_a_typo_of_a_mail_domain_is_proposed_and_not_applied() -> None:
    lead = one({"email": "ann@gmial.com"})
    assert lead["email"] == "ann@gmial.com"
    assert lead["email_problem"] == "the domain gmial.com looks like a typo of gmail.com"
    assert lead["proposal"] == {"email": "ann@gmail.com"}
    trusted = playbook(validation={"free_mail_domains": ["gmial.com"]})
    assert one({"email": "ann@gmial.com"}, trusted)["email_problem"] is None


def test_nothing_said_in_words_is_nothing() -> None:
    lead = one({"phone": "N/A", "country": "unknown", "company": "-", "last_name": "Null", "budget": "none"})
    assert [lead[n] for n in ("phone", "country", "company")] == [None] * 3
    assert lead["phone_problem"] is None
    assert (lead["last_name"], lead["budget"]) == ("Null", "none")


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ({"full_name": "BOB JONES"}, ("Bob", "Jones", "Bob Jones")),
        ({"full_name": "Jean DUPONT"}, ("Jean", "Dupont", "Jean DUPONT")),
        ({"first_name": "ann", "last_name": "LEE"}, ("Ann", "Lee", "Ann Lee")),
        (
            {"first_name": "Ana María", "full_name": "Ana María López"},
            ("Ana María", "López", "Ana María López"),
        ),
        ({"last_name": "López", "full_name": "Ana López"}, ("Ana", "López", "Ana López")),
        ({"full_name": "carol"}, ("Carol", None, "Carol")),
        ({"first_name": "ann"}, ("Ann", None, None)),
    ],
)
def test_names_complete_one_another(row: dict[str, Any], names: tuple[str | None, ...]) -> None:
    lead = one(row)
    assert (lead["first_name"], lead["last_name"], lead["full_name"]) == names


def test_consent_follows_the_source() -> None:
    rules = playbook(sources={"web": {}, "list": {"consent": "required"}, "crm": {"consent": "given"}})
    asked = [
        ("web", None, None, False),
        ("web", "no", False, True),
        ("web", "yes", True, False),
        ("list", None, None, True),
        ("list", "perhaps", None, True),
        ("list", "ja", True, False),
        ("crm", None, True, False),
        ("crm", "opted out", False, True),
    ]
    frame = captured(*({"source": source, "consent": text} for source, text, _, _ in asked))
    out = normalise(frame, rules, NOW)
    assert out["has_consent"].tolist() == [given for _, _, given, _ in asked]
    assert out["consent_problem"].notna().tolist() == [stopped for _, _, _, stopped in asked]


def test_spam_is_explained() -> None:
    rules = playbook(validation={"spam_patterns": ["Cheap SEO"], "max_links_in_message": 1})
    assert one({"message": "we sell cheap seo"}, rules)["spam_reason"] == 'the message says "cheap seo"'
    assert one({"message": "http://a.com https://b.com"}, rules)["spam_reason"].startswith("2 links")
    assert one({"first_name": "win www.prize.ru/now"}, rules)["spam_reason"] == "the name holds a web address"
    assert one({"message": "https://only.example/a"}, rules)["spam_reason"] == "the message is nothing but a link"
    assert one({"message": "our site is https://acme.com", "company": "J.Doe/Sons"}, rules)["spam_reason"] is None


def test_custom_fields_are_typed() -> None:
    kinds = {"seats": "integer", "price": "number", "trial": "boolean", "day": "date", "at": "timestamp"}
    rules = playbook(fields={name: {"type": kind} for name, kind in kinds.items()} | {"note": {}})
    lead = one(
        {
            "seats": "1,200",
            "price": "3,5",
            "trial": "ja",
            "day": "05/07/2025",
            "at": "05/07/2025 10:30",
            "note": " x ",
        },
        rules,
    )
    assert [lead[n] for n in kinds] == [1200, 3.5, True, "2025-05-07", "2025-05-07T10:30:00+00:00"]
    assert lead["note"] == "x"
    french = one({"day": "05/07/2025", "source": "salon"}, rules)
    assert french["day"] == "2025-07-05"


def test_an_unreadable_custom_field_is_kept_and_stays_a_problem_until_corrected() -> None:
    rules = playbook(fields={"seats": {"type": "integer"}}, validation={"required": ["seats"]})
    first = normalise(captured({"seats": "a dozen", "attributes": {"utm": "x"}}), rules, NOW)
    assert first["seats"].tolist() == [None]
    assert first["field_problem"].tolist() == ["seats: not a whole number"]
    assert first["attributes"].tolist() == [{"utm": "x", "seats (as received)": "a dozen"}]
    again = normalise(first, rules, NOW)
    assert again["field_problem"].tolist() == ["seats: not a whole number"]
    corrected = normalise(first.assign(seats=["12"]), rules, NOW)
    assert corrected["seats"].tolist() == [12]
    assert corrected["field_problem"].tolist() == [None]
    assert corrected["attributes"].tolist() == [{"utm": "x"}]


def test_required_fields_are_named_when_missing() -> None:
    rules = playbook(validation={"required": ["company", "job_title"]})
    lead = one({"company": "Acme", "job_title": "n/a"}, rules)
    assert lead["field_problem"] == "job_title: required, and missing"


def test_an_unreadable_value_of_a_field_that_is_not_required_is_left_out_and_kept_as_received() -> None:
    kinds = {"price": "number", "trial": "boolean", "day": "date"}
    rules = playbook(fields={name: {"type": kind} for name, kind in kinds.items()})
    lead = one({"price": "much", "trial": "perhaps", "day": "in spring", "occurred_at": "soon"}, rules)
    assert [lead[name] for name in (*kinds, "occurred_at")] == [None] * 4
    assert {f"{name} (as received)" for name in (*kinds, "occurred_at")} == set(lead["attributes"])
    assert lead["attributes"]["price (as received)"] == "much"
    assert "price: not a number" in lead["unreadable_problem"]
    assert "occurred_at: not a date and time" in lead["unreadable_problem"]
    assert {lead[name] for name in PROBLEMS if name != "unreadable_problem"} == {None}


def test_a_value_of_a_field_that_is_left_out_moves_to_the_attributes_with_its_problem_on_record() -> None:
    rows = [{"phone": "call me", "email": "ann@acme.example"}, {"phone": "+33612345678", "email": "kim@gmial.com"}]
    frame = normalise(captured(*rows), playbook(), NOW)
    kept = leave_out_unreadable(frame, ["phone"])
    assert kept["phone"].tolist() == [None, "+33612345678"]
    assert kept["attributes"].tolist()[0] == {"phone (as received)": "call me"}
    assert kept["phone_problem"].tolist() == ["not a phone number", None]
    assert kept["email"].tolist() == ["ann@acme.example", "kim@gmial.com"]
    assert frame["phone"].tolist()[0] == "call me"  # the frame itself is left as it was
    without = leave_out_unreadable(frame, ["phone", "email"])
    assert without["email"].tolist() == ["ann@acme.example", None]
    assert without["email_domain"].tolist() == ["acme.example", None]


def test_an_extension_is_kept_apart_from_the_number() -> None:
    lead = one({"phone": "+1 212 555 0142 ext. 7"})
    assert (lead["phone"], lead["attributes"]) == ("+12125550142", {"phone_extension": "7"})


def test_control_characters_go_and_formulas_and_markup_stay() -> None:
    lead = one(
        {
            "company": "Ac\x00me\x1b[31m",
            "first_name": "=cmd|' /C calc'!A0",
            "message": "<b>Hi</b>\r\nthere\x07",
        }
    )
    assert lead["company"] == "Acme[31m"
    assert lead["first_name"] == "=cmd|' /C calc'!A0"
    assert lead["message"] == "<b>Hi</b>\nthere"


def test_problems_never_quote_personal_values() -> None:
    marker = "zqxjkvzqxjkv"
    rules = playbook(fields={"seats": {"type": "integer"}})
    lead = one(dict.fromkeys((*STANDARD, "seats"), f"{marker} {marker}@{marker}"), rules)
    told = [lead[name] for name in PROBLEMS if lead[name] is not None]
    assert len(told) >= 4
    assert not [problem for problem in told if marker in problem]


_any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
_likely_text = st.sampled_from(
    ["JP NG", "Y X", "ŉ", "ǆ", "ß", "İ", "ΠΑΣ", "a@gmial.com", "a b@x.com", "0054 11 15 2345 6789",
     "+52 1 55 1234 5678", "+5491123456789", "p: (0)612345678", "USA", "UK", "corée",
     "yesterday", "10/2025", "1e400", "'x'@a.com", "n/a",
     "www.a.com/b", "a@xn--a.com", "Dr. Ann Lee, PhD", "Lee,", "<a@b.com>", "mailto:a@b.com?x", "٠٦١٢٣٤٥٦٧٨"]
)  # fmt: skip
_row = st.fixed_dictionaries({}, optional=dict.fromkeys((*STANDARD, "seats", "on"), _any_text | _likely_text))


@settings(max_examples=tried(20))
@given(st.lists(_row, min_size=1, max_size=6))
def test_any_text_is_taken_and_a_second_pass_changes_nothing(rows: list[dict[str, str]]) -> None:
    rules = playbook(
        fields={"seats": {"type": "integer"}, "on": {"type": "date"}}, validation={"required": ["last_name"]}
    )
    once = normalise(captured(*({"seats": None, "on": None} | row for row in rows)), rules, NOW)
    again = normalise(once, rules, NOW)
    for name in once.columns:
        assert again[name].tolist() == once[name].tolist(), name


@pytest.mark.parametrize(
    "text",
    ["a" * 100_000, "a@" * 50_000, "<" * 100_000, "1" * 100_000, "a\u0301\u0327" * 33_000, "http://" * 14_000,
     "\x00" * 100_000, " a" * 50_000, "=cmd" * 25_000, "<@" * 50_000]
)  # fmt: skip
def test_a_hundred_kilobytes_in_every_field_stall_nothing(text: str) -> None:
    rules = playbook(fields={"seats": {"type": "number"}}, validation={"spam_patterns": ["cheap seo"]})
    row = dict.fromkeys((*STANDARD, "seats"), text)
    began = time.process_time()
    one(row, rules)
    assert time.process_time() - began < 2
