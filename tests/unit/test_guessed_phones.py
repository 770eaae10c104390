"""Phone numbers of leads that name no country: right, marked as a guess, or refused; never invented."""

from __future__ import annotations

from collections import Counter
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from leadgate.fields import GUESSED_PHONE_COUNTRY
from leadgate.mapping.normalise import normalise
from leadgate.values.phone_countries import list_likely_countries
from leadgate.values.phones import Phone, find_country, guess_phone, read_phone
from tests.unit.test_normalise import NOW, captured, one, playbook


def list_examples() -> list[tuple[str, str, str, str]]:
    """Of every region a mobile and a fixed number: the region, E.164, as written within the country and abroad."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                e164, national, abroad = (
                    phonenumbers.format_number(number, form)
                    for form in (
                        PhoneNumberFormat.E164,
                        PhoneNumberFormat.NATIONAL,
                        PhoneNumberFormat.INTERNATIONAL,
                    )
                )
                found.append((region, e164, national, abroad))
    return found


def judge(found: Phone, number: str) -> str:
    if found.number is None:
        return "refused"
    return ("right" if found.number == number else "wrong") + (", a guess" if found.guessed else "")


def test_numbers_of_every_region_are_right_marked_or_refused() -> None:
    counts: dict[str, Counter[str]] = {}
    for region, number, national, abroad in list_examples():
        readings = {
            "national, country known": read_phone(national, region),
            "abroad, country known": read_phone(abroad, region),
            "abroad": guess_phone(abroad, ["US"]),
            "digits, country known": read_phone(number[1:], region),
            "digits, default": guess_phone(number[1:], ["US"]),
            "national, hint": guess_phone(national, list(dict.fromkeys([region, "US"]))),
            "national, default": guess_phone(national, ["US"]),
        }
        for name, found in readings.items():
            counts.setdefault(name, Counter())[judge(found, number)] += 1
    examples = len(list_examples())
    assert examples > 400
    for name in ("national, country known", "abroad, country known", "abroad"):
        assert counts[name] == {"right": examples}
    assert counts["national, hint"] == {"right, a guess": examples}
    # of nine digits in Sweden either the plus or the zero is missing: that is marked
    assert counts["digits, country known"] == {"right": examples - 1, "right, a guess": 1}
    assert counts["digits, default"].keys() <= {"right, a guess", "wrong, a guess", "refused"}
    assert counts["digits, default"]["wrong, a guess"] <= 25
    # a few plans write numbers that another country's are like: these are marked
    assert counts["national, default"].keys() == {"right, a guess", "wrong, a guess", "refused"}
    assert counts["national, default"]["wrong, a guess"] <= 6


@given(
    st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)),
    st.from_regex(r"[1-9][0-9]{5,11}", fullmatch=True),
)
def test_the_country_of_a_number_is_the_librarys(code: int, national: str) -> None:
    number = phonenumbers.PhoneNumber(country_code=code, national_number=int(national))
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    country = phonenumbers.region_code_for_number(number)
    valid = phonenumbers.is_valid_number(number)
    assert find_country(written, "XX") == (("XX" if country == "001" else country) if valid else None)


@pytest.mark.parametrize(
    ("row", "number", "guessed"),
    [
        ({"phone": "06 12 34 56 78", "email": "a@b.fr"}, "+33612345678", "FR"),
        ({"phone": "06 12 34 56 78", "language": "French"}, "+33612345678", "FR"),
        ({"phone": "0171 2345678", "language": "de-DE"}, "+491712345678", "DE"),
        ({"phone": "06 1234 5678", "company": "Rossi S.r.l."}, "+390612345678", "IT"),
        ({"phone": "(212) 555-0142", "email": "a@b.de"}, "+12125550142", "US"),
        ({"phone": "+33 6 12 34 56 78", "email": "a@b.de"}, "+33612345678", None),
        ({"phone": "0033 6 12 34 56 78"}, "+33612345678", None),
        ({"phone": "06 12 34 56 78", "country": "FR", "email": "a@b.de"}, "+33612345678", None),
    ],
)
def test_what_is_known_of_a_lead_says_its_country(row: dict[str, Any], number: str, guessed: str | None) -> None:
    lead = one(row)
    assert (lead["phone"], lead["phone_problem"]) == (number, None)
    assert (lead["attributes"] or {}).get(GUESSED_PHONE_COUNTRY) == guessed


def test_a_number_of_no_likely_country_is_not_invented() -> None:
    lead = one({"phone": "06 12 34 56 78", "email": "a@b.com"})
    assert lead["phone"] == "06 12 34 56 78"
    assert "US" in lead["phone_problem"]


def test_a_country_code_without_its_plus_is_not_put_before_itself() -> None:
    for written, number in (("4917612345678", "+4917612345678"), ("491712345678", "+491712345678")):
        assert read_phone(written, "DE").number == number
    assert read_phone("04921 123456", "DE").number == "+494921123456"


def test_a_guess_stays_marked_when_the_lead_is_read_again() -> None:
    first = normalise(captured({"phone": "06 12 34 56 78", "email": "a@b.fr"}), playbook(), NOW)
    again = normalise(first, playbook(), NOW)
    assert again["phone"].tolist() == ["+33612345678"]
    assert again["attributes"].tolist() == [{GUESSED_PHONE_COUNTRY: "FR"}]


def test_a_guess_that_is_corrected_to_another_country_is_no_guess() -> None:
    first = normalise(captured({"phone": "06 12 34 56 78", "email": "a@b.fr"}), playbook(), NOW)
    first["phone"] = "+4917612345678"
    again = normalise(first, playbook(), NOW)
    assert again["phone"].tolist() == ["+4917612345678"]
    assert not again["attributes"].tolist()[0]
    assert normalise(again, playbook(), NOW)["attributes"].tolist() == again["attributes"].tolist()


def test_digits_with_two_readings_stay_marked() -> None:
    first = normalise(captured({"phone": "468123456", "country": "SE"}), playbook(), NOW)
    assert first["phone"].tolist() == ["+468123456"]
    assert first["attributes"].tolist() == [{GUESSED_PHONE_COUNTRY: "SE"}]
    assert normalise(first, playbook(), NOW)["attributes"].tolist() == first["attributes"].tolist()


@pytest.mark.parametrize("company", ["", "x" * 10_000, "S.", "GmbH", "\u202eHbmG emcA"])
def test_any_company_says_a_country_or_none(company: str) -> None:
    assert list_likely_countries("acme.zz", "xx-", company) == ()
