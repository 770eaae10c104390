"""The list of leads: whose they are, which is due next, what a search finds, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from commands import Cli, read_json
from harness import NOW, Harness, make_lead
from stub_gates import pass_all

from leadgate.vocabulary import BatchKind
from tasks.batches import run_waiting

LATER = NOW + timedelta(minutes=90)
NURTURED = {
    "Email": "ben@corp.example",
    "Company": "Corp & <b>Sons</b>",
    "First name": "Ben",
    "Last name": "Åberg",
    "Job title": "Student",
}


@pytest.fixture
def owned(harness: Harness) -> Harness:
    """Six leads with an owner: the first three since NOW, the others since LATER; and one without."""

    def take() -> None:
        for numbers, now in (((1, 2, 3), NOW), ((4, 5, 6), LATER)):
            harness.capture(*(make_lead(number) for number in numbers), NURTURED, now=now)
            run_waiting(harness.worker(), lambda now=now: now, check=pass_all)

    harness.begin_with("six leads", take)
    return harness


@pytest.fixture
def list_them(cli: Cli) -> Callable[..., list[dict[str, Any]]]:
    def ask(*options: str, now: datetime = LATER, **kwargs: Any) -> list[dict[str, Any]]:
        return list(read_json(cli("leads", "--json", "--now", now, *options, **kwargs))["leads"])

    return ask


List = Callable[..., list[dict[str, Any]]]


def test_leads_with_an_owner_are_listed_the_next_due_first(owned: Harness, list_them: List) -> None:
    found = list_them()
    assert len(found) == 6
    assert [each["due_at"] for each in found] == sorted(each["due_at"] for each in found)
    assert {each["status"] for each in found} == {"owned"}
    assert list_them("--limit", "2") == found[:2]


def test_what_is_waited_for_is_due_last_and_what_was_followed_up_is_gone(
    owned: Harness, list_them: List, cli: Cli
) -> None:
    (first, owner), (second, another), *_ = ((each["lead_id"], each["owner"]) for each in list_them())
    cli("touch", first, "--kind", "call", "--for", owner, "--later", "--now", LATER)
    until = (LATER + timedelta(days=2)).isoformat()
    cli("wait", second, "--until", until, "--reason", "on holiday", "--for", another, "--now", LATER)
    run_waiting(owned.worker(), lambda: LATER, kinds=(BatchKind.FOLLOW_UP,), check=pass_all)
    listed = [each["lead_id"] for each in list_them()]
    assert first not in listed
    assert listed[-1] == second
    late = NOW + timedelta(hours=10)
    assert len(list_them("--overdue", now=late)) == 4
    assert "is waited for" in cli("leads", "--now", late).stdout


def test_due_is_near_or_past_and_overdue_is_past(owned: Harness, list_them: List) -> None:
    due_at = datetime.fromisoformat(list_them()[0]["due_at"])
    assert list_them("--due", now=NOW) == []
    near = due_at - timedelta(minutes=5)
    assert len(list_them("--due", now=near)) == 3
    assert list_them("--overdue", now=near) == []
    assert len(list_them("--overdue", now=due_at)) == 3
    assert {each["due"] for each in list_them("--due", now=due_at)} == {"overdue"}


def test_a_rep_lists_their_own_and_a_manager_their_teams(
    owned: Harness, list_them: List, cli: Cli, log_in: Callable[[str], None]
) -> None:
    of = {rep: {each["lead_id"] for each in list_them("--rep", rep)} for rep in ("ana", "bob", "cyn")}
    assert sum(map(len, of.values())) == 6
    log_in("ana")
    assert {each["lead_id"] for each in list_them("--mine")} == of["ana"]
    log_in("mia")
    assert len(list_them("--mine")) == 6
    log_in("stranger")
    assert "no rep" in cli("leads", "--mine", code=2).stderr
    assert "'ana'" in cli("leads", "--rep", "anna", code=2).stderr
    cli("leads", "--mine", "--rep", "ana", code=2)


def test_names_are_shown_to_the_owner_and_to_who_asks(
    owned: Harness, list_them: List, cli: Cli, log_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (row,) = list_them("--search", make_lead(1)["Email"])
    assert make_lead(1)["Email"] not in str(row)
    assert make_lead(1)["Email"] not in cli("leads", "--search", "lead1").stdout
    (row,) = list_them("--search", make_lead(1)["Email"], "--show-personal")
    assert row["email"] == make_lead(1)["Email"]
    assert "--for" in cli("leads", "--now", LATER).stdout  # whoever asks is not the owner
    log_in(row["owner"])
    assert "--for" not in cli("leads", "--mine", "--now", LATER).stdout
    assert make_lead(1)["Email"] in cli("leads", "--mine", "--now", LATER).stdout


def test_a_search_finds_what_was_typed_and_interprets_nothing(owned: Harness, list_them: List) -> None:
    for typed, emails in {
        "åberg": {"ben@corp.example"},
        "Ben corp": {"ben@corp.example"},
        "BEN@CORP.EXAMPLE": {"ben@corp.example"},
        "<b>sons": {"ben@corp.example"},
        "lead2@": {"lead2@company2.example"},
        "%": set(),
        "_____": set(),
        "'; DROP TABLE lead; --": set(),
        "\x00": set(),
        "x" * 8_000: set(),
    }.items():
        assert {each["email"] for each in list_them("--show-personal", "--search", typed)} == emails, typed


def test_a_number_is_found_as_people_write_it(owned: Harness, list_them: List) -> None:
    owned.capture({**make_lead(7), "Phone": "+44 20 7946 0958"}, now=LATER)
    run_waiting(owned.worker(), lambda: LATER, check=pass_all)
    for typed in ("+44 20 7946 0958", "020 7946 0958", "7946-0958", "0958"):
        assert [each["email"] for each in list_them("--show-personal", "--search", typed)] == [make_lead(7)["Email"]]
    for other in ("7946 0959", "0000", "+0 00-0"):
        assert list_them("--search", other) == []


def test_a_search_without_words_is_an_error_that_helps(owned: Harness, cli: Cli) -> None:
    assert "--search" in cli("leads", "--search", "  ", code=2).stderr


def test_a_lead_without_an_owner_is_found_with_where_it_stands(owned: Harness, list_them: List, cli: Cli) -> None:
    (row,) = list_them("--search", "åberg")
    assert (row["owner"], row["status"]) == (None, "nurture")
    assert "nurture" in cli("leads", "--search", "åberg").stdout
    assert list_them("--search", "åberg", "--rep", "ana") == []
    assert "No lead matches" in cli("leads", "--search", "nobody").stdout
