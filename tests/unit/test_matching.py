"""Who is the same person, and which account a lead belongs to: examples, and properties that hold for all."""

from __future__ import annotations

import doctest
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_persons import ROW, RULES, SECRET, human
from properties import tried

from benchmarks import made_up
from benchmarks.matching import measure, read
from leadgate import playbook as playbooks
from leadgate.matching import CONFLICT, LIKELY
from leadgate.matching.companies import build_company_key, compare_keys, compare_letters, spell_key
from leadgate.matching.match_keys import MatchKeys
from leadgate.matching.names import INITIAL, SAME, build_name, compare_names
from leadgate.matching.persons import Person, compare, decide_certainty, describe_levels, find_proof, may_be_same
from leadgate.matching.ranking import Candidate, rank_candidates
from leadgate.matching.resolving import (
    Arrival,
    Claim,
    Ground,
    Known,
    Resolution,
    Verdict,
    build_claims,
    describe_keys,
    make_pair,
    resolve,
)
from leadgate.playbook import Matching


@pytest.mark.parametrize("name", ["latin", "names", "companies", "mail_names", "persons", "resolving"])
def test_examples_in_docstrings(name: str) -> None:
    found = doctest.testmod(import_module(f"leadgate.matching.{name}"))
    assert found.attempted
    assert not found.failed


# --- names and companies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Gmbh Consulting GmbH", "gmbh consulting", True),
        ("Société Générale S.A.", "societe generale", True),
        ("Ромашка ООО", "OOO Romashka", True),
        ("Ørsted A/S", "Orsted", True),
        ("Johnson & Johnson", "Johnson and Johnson Inc.", True),
        ("Kowalski Sp. z o.o.", "KOWALSKI", True),
        ("Co-op Ltd", "Limited", False),
    ],
)
def test_a_companys_name_without_what_says_nothing(one: str, other: str, expected: bool) -> None:
    assert (build_company_key(one) == build_company_key(other)) is expected


def test_a_name_that_is_all_legal_form_is_kept() -> None:
    assert build_company_key("AG") == "ag"
    assert build_company_key("The Company") == "company"
    assert build_company_key("...") == ""


@given(st.text("abcdé1 &.", max_size=20), st.text("abcdé1 &.", max_size=20))
def test_companies_are_as_alike_one_way_as_the_other(one: str, other: str) -> None:
    first, second = build_company_key(one), build_company_key(other)
    score = compare_keys(first, second)
    assert score == compare_keys(second, first)
    assert 0 <= score <= 100
    assert compare_letters(spell_key(first), spell_key(second)) >= score or first == second


words = st.sampled_from(
    ["Ann", "Anna", "Anne", "Bob", "Robert", "J", "Jörg", "Joerg", "Lee", "Li", "Smith Jr", "van Dyk"]
)


@given(words, words, words, words)
def test_names_are_as_alike_one_way_as_the_other(a: str, b: str, c: str, d: str) -> None:
    one, other = build_name(a, b), build_name(c, d)
    assert one is not None
    assert other is not None
    assert compare_names(one, other) == compare_names(other, one)
    assert compare_names(one, one) == SAME


def finds(one: Person, other: Person) -> bool:
    """Whether the keys of ``one`` lead to ``other``, when those of ``other`` are kept."""
    return bool(keep(Ground(), other.keys(SECRET), 2).find_leads(one.keys(SECRET)))


def keep(ground: Ground, keys: MatchKeys, *leads: int) -> Ground:
    """``ground`` where all these leads have these keys."""
    for lead in leads:
        ground.add_keys(lead, keys)
    return ground


# --- two records --------------------------------------------------------------------------------------------

people = st.builds(
    human,
    st.integers(1, 9),
    email_canonical=st.sampled_from(["ann@acme.example", "ann2@acme.example", "al@gmail.com", "b@other.example", None]),
    phone=st.sampled_from(["+491", "+492", None]),
    first_name=words,
    last_name=st.sampled_from(["Lee", "Ann", "Smith", None]),
    company=st.sampled_from(["Acme GmbH", "ACME", "Acme Cloud", None]),
    website_domain=st.sampled_from(["acme.example", None]),
)


@given(people, people, st.booleans())
def test_what_agrees_is_the_same_from_either_side(one: Person, other: Person, shared: bool) -> None:
    forth, back = compare(one, other), compare(other, one)
    assert forth == back
    assert 0 <= forth.score <= 100
    judged = decide_certainty(one, other, forth, RULES, phone_shared=shared)
    assert judged == "no" or may_be_same(one, other, RULES)
    assert judged == decide_certainty(other, one, back, RULES, phone_shared=shared)
    # whoever may be the same person is found by a key, unless the name is misspelt at its start
    by_phone = forth.phone == "same"
    by_name = forth.likeness >= INITIAL and forth.company == "same"
    if by_phone or by_name:
        assert finds(one, other)
        assert finds(other, one)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "certain"),
        ({"email_canonical": None}, "certain"),  # phone and name, without an address
        ({"email_canonical": None, "first_name": "Anne"}, "likely"),
        ({"email_canonical": "x@web.de", "phone": None}, "likely"),  # name and company
        ({"email_canonical": "x@web.de", "phone": None, "company": "ACME Ltd."}, "likely"),
        ({"email_canonical": "x@web.de", "phone": None, "company": "Other"}, "no"),
        ({"email_canonical": "x@web.de", "phone": None, "last_name": "Lee Jr."}, "no"),
        ({"email_canonical": "x@web.de", "first_name": "Bob", "last_name": "Roe", "company": None}, "no"),  # a family
        ({"email_canonical": "x@web.de", "first_name": None, "company": None}, "likely"),  # the phone
        ({"email_canonical": "ann.roe@acme.example", "last_name": "Roe"}, "likely"),  # married
        ({"email_canonical": "ann.roe@acme.example", "last_name": "Roe", "phone": None}, "no"),
        ({"email_canonical": "ann.lee@web.de", "phone": None, "company": None}, "likely"),  # the same before the @
        ({"email_canonical": "ann.lee@other.example", "phone": None, "company": None}, "no"),  # two companies' ways
        ({"email_canonical": "alee@web.de", "phone": None, "first_name": None, "last_name": None}, "likely"),
        ({"email_canonical": "x@web.de", "phone": None, "company": "Acme Germany"}, "likely"),
        ({"email_canonical": "x@web.de", "phone": None, "company": "Acme IT GmbH"}, "likely"),
        ({"email_canonical": "bob.roe@acme.example", "first_name": "Bob", "last_name": "Roe"}, "no"),  # colleagues
        ({"email_canonical": "ann.lee2@acme.example", "phone": None}, "no"),  # told apart by a number
        ({"email_canonical": "anne.lee@acme.example", "phone": None, "first_name": "Anne"}, "no"),
        ({"email_canonical": "a.lee@acme.example", "phone": None}, "likely"),  # a second address
        ({"email_canonical": "ann.lee@acme2.example", "phone": "+4930222222"}, "no"),  # a namesake
    ],
)
def test_how_certain_it_is(changes: dict[str, Any], expected: str) -> None:
    one, other = human(1), human(2, **changes)
    assert decide_certainty(one, other, compare(one, other), RULES, phone_shared=False) == expected


JOINT = RULES.model_copy(update={"certain": (*RULES.certain, "joint_evidence")})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"email_canonical": "x@web.de", "company": None}, "number_and_name"),
        ({"email_canonical": "x@web.de", "first_name": "Anne", "last_name": "Lee"}, "number_and_name"),
        ({"email_canonical": "x@web.de", "last_name": "Roe"}, None),
        ({"email_canonical": "ann.lee2@acme.example"}, None),
        ({"email_canonical": "ann.leee@acme.example", "phone": None}, "address_and_name"),
        ({"email_canonical": "ann.leee@acme.example", "phone": None, "first_name": "Anne"}, None),
        ({"email_canonical": "ann.lee@other.example", "phone": None, "company": None}, None),
        ({"email_canonical": "x@web.de", "phone": None}, "name_and_company"),
        ({"email_canonical": "x@web.de", "phone": None, "company": "ACME Germany"}, "name_and_company"),
        ({"email_canonical": "x@web.de", "phone": None, "first_name": "Lee", "last_name": "Ann"}, "name_and_company"),
        ({"email_canonical": "x@web.de", "phone": None, "first_name": "Anne"}, None),
        ({"email_canonical": "x@web.de", "phone": None, "company": "Acne"}, None),
        ({"email_canonical": "x@web.de", "phone": "+492"}, None),
        ({"email_canonical": "a.lee@acme.example", "phone": None}, None),  # may be another Ann Lee of the company
        ({"email_canonical": "annlee@web.de", "phone": None, "first_name": None, "last_name": None}, None),
    ],
)
def test_evidence_that_is_certain_together(changes: dict[str, Any], expected: str | None) -> None:
    one, other = human(1), human(2, **changes)
    assert find_proof(one, other, compare(one, other), JOINT, phone_shared=False) == expected
    assert find_proof(other, one, compare(other, one), JOINT, phone_shared=False) == expected
    assert find_proof(one, other, compare(one, other), RULES, phone_shared=False) is None


def test_joint_evidence_for_one_of_two_leads_that_are_alike_is_a_question() -> None:
    new = arrival(9, email_canonical="x@web.de", phone=None)
    persons = {1: Known(human(1)), 2: Known(human(2, email_canonical="ann.lee2@acme.example", phone="+492"))}
    ground = keep(Ground(persons=persons), new.keys, 1)
    assert resolve([new], ground, JOINT) == [Resolution(1, ("name_and_company",))]
    ground = keep(Ground(persons=persons), new.keys, 1, 2)
    assert resolve([new], ground, JOINT)[0].hold == LIKELY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bob", "Robert"),
        ("Ted", "Edward"),
        ("Rob", "Bob"),
        ("Sasha", "Alexander"),
        ("Liz", "Elizabeth"),
        ("Hans", "Johannes"),
    ],
)
def test_a_nickname_is_found_by_a_key(one: str, other: str) -> None:
    first, second = (
        human(1, first_name=one, phone=None),
        human(2, first_name=other, phone=None, email_canonical="x@web.de"),
    )
    assert finds(first, second)
    assert decide_certainty(first, second, compare(first, second), JOINT, phone_shared=False) == "likely"


def test_a_playbook_without_matching_asks_nobody() -> None:
    one, other = human(1), human(2, email_canonical="x@web.de")
    assert decide_certainty(one, other, compare(one, other), Matching(), phone_shared=False) == "no"


def test_levels_are_told_without_values() -> None:
    found = compare(human(1), human(2, email_canonical="x@web.de", first_name="Anne"))
    assert describe_levels(found.levels) == (
        "the phone number is the same, the company is the same, the names are alike; the e-mail address differs"
    )


# --- a batch ------------------------------------------------------------------------------------------------


def arrival(number: int, *claims: Claim, known: bool = False, **values: Any) -> Arrival:
    person = human(number, **values)
    return Arrival(number, person, person.keys(SECRET), claims, known)


def mail(value: str) -> Claim:
    return ("email", value)


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=2, unique=True), max_size=8))
def test_whoever_shares_an_identity_is_one_lead_or_a_question(batch: list[list[str]]) -> None:
    arrivals = [arrival(n, *map(mail, claims), phone=None, first_name=None) for n, claims in enumerate(batch, start=1)]
    ground = Ground()
    found = resolve(arrivals, ground, RULES)
    assert found == resolve(arrivals, Ground(), RULES)
    for each, resolution in zip(arrivals, found, strict=True):
        owners = {ground.owners.get(claim) for claim in each.claims}
        if resolution.hold is None:
            assert owners <= {resolution.lead_id}
        else:
            assert resolution.hold == CONFLICT
            assert {match.lead_id for match in resolution.matches} <= owners
            assert len(resolution.matches) > 1


@settings(max_examples=tried(40))
@given(st.lists(people, min_size=1, max_size=6, unique_by=lambda person: person.lead_id), people, st.randoms())
def test_the_order_in_which_candidates_are_found_changes_nothing(
    known: list[Person], new: Person, chance: random.Random
) -> None:
    asking = Arrival(100, new._replace(lead_id=100), new.keys(SECRET))

    def found(persons: list[Person]) -> Resolution:
        ground = Ground(persons={each.lead_id: Known(each) for each in persons})
        for each in persons:
            ground.add_keys(each.lead_id, each.keys(SECRET))
        return resolve([asking], ground, RULES)[0]

    shuffled = known.copy()
    chance.shuffle(shuffled)
    assert found(known) == found(shuffled)


def test_two_known_leads_are_a_question_until_a_person_has_said_which() -> None:
    both = arrival(3, mail("a"), ("crm_id:crm", "1"))
    owners = {mail("a"): 1, ("crm_id:crm", "1"): 2}
    (asked,) = resolve([both], Ground(dict(owners)), RULES)
    assert (asked.hold, [match.lead_id for match in asked.matches]) == (CONFLICT, [1, 2])
    verdicts = {make_pair(2, 1): Verdict(True, keep=2)}
    assert resolve([both], Ground(dict(owners), verdicts), RULES) == [Resolution(2, ("a_person",))]


def test_a_lead_that_is_known_is_never_merged_into_another() -> None:
    known = arrival(1, mail("b"), known=True)
    (asked,) = resolve([known], Ground({mail("b"): 2}), RULES)
    assert (asked.lead_id, asked.hold, asked.matches[0].lead_id) == (1, CONFLICT, 2)


def test_who_was_parted_is_not_joined_by_the_same_evidence() -> None:
    verdicts = {(1, 9): Verdict(False)}
    alone = arrival(9, mail("a"))
    assert resolve([alone], Ground({mail("a"): 1}, verdicts), RULES) == [Resolution(9)]
    ground = keep(Ground(verdicts=verdicts, persons={1: Known(human(1))}), alone.keys, 1)
    assert resolve([alone._replace(claims=())], ground, RULES) == [Resolution(9)]


def test_a_number_that_many_leads_have_proves_nothing() -> None:
    new = arrival(9, email_canonical="x@web.de", first_name=None, last_name=None, company=None)
    tenants = {n: Known(human(n, email_canonical=f"t@tenant{n}.example", company=f"Tenant {n}")) for n in range(1, 6)}
    for count, hold in ((RULES.shared_phone, LIKELY), (RULES.shared_phone + 1, None)):
        ground = keep(Ground(persons=tenants), MatchKeys(new.keys.exact), *[*tenants][:count])
        assert resolve([new], ground, RULES)[0].hold == hold


def test_identities_that_a_signal_carries() -> None:
    row = ROW | {"source": "partner", "external_id": " 7 "}
    assert build_claims(row, human(1), {"partner": "crm"}, RULES) == (
        ("email", "ann.lee@acme.example"),
        ("crm_id:crm", "7"),
    )
    bare = human(1, email_canonical=None)
    assert build_claims(row, bare, {}, RULES) == (("phone_and_name", "+4930111111 ann lee"),)
    assert build_claims(row, bare, {}, Matching()) == ()
    assert describe_keys(["email", "crm_id:crm"]) == "the same e-mail address, the same id in crm"


# --- ranking ------------------------------------------------------------------------------------------------

candidates = st.builds(
    Candidate,
    st.integers(1, 99),
    st.integers(0, 3),
    st.sampled_from(["a", "B"]),
    st.booleans(),
    st.none() | st.integers(1, 3),
)


@given(st.lists(candidates, unique_by=lambda each: each.id), st.randoms())
def test_the_order_of_candidates_depends_on_nothing_else(found: list[Candidate], chance: random.Random) -> None:
    shuffled = found.copy()
    chance.shuffle(shuffled)
    for rules in ((), ("has_owner", "larger", "alphabetical"), ("alphabetical",)):
        assert rank_candidates(found, rules) == rank_candidates(shuffled, rules)  # type: ignore[arg-type]


# --- how good it is -----------------------------------------------------------------------------------------


def test_on_made_up_people_it_is_as_good_as_measured() -> None:
    """Lower than ``make bench-matching`` reports of many more, and higher than any coarse mistake would leave."""
    found = measure(made_up.labelled(200), playbooks.load_default().playbook)
    assert found.figures("certain")["precision"] == 1.0
    assert found.figures("certain")["recall"] >= 0.5
    assert found.figures("certain", "likely")["f1"] >= 0.88
    assert found.questions <= 280


def test_a_labelled_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("person,email,first_name\n1,ann@acme.example,Ann\n1,ANN@acme.example,\n2,bob@acme.example,Bob\n")
    found = measure(read(file), playbooks.load_default().playbook)
    assert (found.expected, found.figures("certain")["f1"]) == (1, 1.0)
    file.write_text("email\nann@acme.example\n")
    with pytest.raises(SystemExit, match="no column person"):
        read(file)
