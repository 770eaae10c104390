"""Single values: tables of what is read as what, and the properties that hold for any text.

Long as one file: tables of examples, one for each kind of value.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from datetime import UTC, datetime

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from properties import tried

import leadgate.values
from leadgate.playbook import Validation
from leadgate.values.addresses import Kinds, read_address
from leadgate.values.answers import read_yes_or_no
from leadgate.values.countries import read_country
from leadgate.values.domains import find_registered, find_website_domain, find_website_host, read_mail_domain
from leadgate.values.figures import read_amount, read_employees, read_integer, read_number
from leadgate.values.lists import read_words
from leadgate.values.moments import read_date, read_moment
from leadgate.values.names import capitalise_name, split_name
from leadgate.values.phones import read_phone, read_plain_number
from leadgate.values.spam import find_spam_reason
from leadgate.values.text import clean_line, clean_lines
from leadgate.values.typos import find_intended

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
KINDS = Kinds.of(Validation(disposable_domains=("throw.example",), role_addresses=("vertrieb-nord",)))

_any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
_modules = [found.name for found in pkgutil.iter_modules(leadgate.values.__path__, "leadgate.values.")]


@pytest.mark.parametrize("name", _modules)
def test_the_examples_of_the_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


# E-mail addresses


@pytest.mark.parametrize(
    ("text", "email", "canonical"),
    [
        ("ann@acme.com", "ann@acme.com", "ann@acme.com"),
        ("Ann@ACME.com.", "Ann@acme.com", "ann@acme.com"),
        ("mailto:ann@acme.com?subject=Hi", "ann@acme.com", "ann@acme.com"),
        ('"Lee, Ann" <ann@acme.com>', "ann@acme.com", "ann@acme.com"),
        ("'ann@acme.com'", "ann@acme.com", "ann@acme.com"),
        ("E-Mail: ann@acme.com;", "ann@acme.com", "ann@acme.com"),
        ("ａｎｎ＠ａｃｍｅ．ｃｏｍ", "ann@acme.com", "ann@acme.com"),
        ("o'brien+x@acme.com", "o'brien+x@acme.com", "o'brien+x@acme.com"),
        ("a.n.n+x@googlemail.com", "a.n.n+x@googlemail.com", "ann@gmail.com"),
        ("a.nn+x@outlook.com", "a.nn+x@outlook.com", "a.nn@outlook.com"),
        ("ann+x@proton.me", "ann+x@proton.me", "ann@proton.me"),
        ("+x@gmail.com", "+x@gmail.com", "+x@gmail.com"),
        ("ann@Bücher.de", "ann@bücher.de", "ann@xn--bcher-kva.de"),
        ("ann@xn--bcher-kva.de", "ann@bücher.de", "ann@xn--bcher-kva.de"),
        ("Info@acme.com", "info@acme.com", "info@acme.com"),
        ("josé@acme.com", "josé@acme.com", "josé@acme.com"),
    ],
)
def test_an_address_is_read_and_made_canonical(text: str, email: str, canonical: str) -> None:
    address = read_address(text, KINDS)
    assert (address.email, address.canonical, address.problem) == (email, canonical, None)


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("notanemail", None),
        ("@nodomain.com", None),
        ("user@", None),
        ("user@domain", None),
        ("user@.com", None),
        ("user@test.c", None),
        ("user@acme.local", None),
        ("+33612345678", None),
        ("a" * 321, None),
        ("jane doe@acme.com", None),
        (f"{'a' * 65}@acme.com", None),
        ("ann@acme.con", "ann@acme.com"),
        ("ann@acme.c0m", "ann@acme.com"),
        ("ann@acme.cmo", "ann@acme.com"),
        ("Jane Doe jane@acme.com", "jane@acme.com"),
        ("user..double@test.com", "user.double@test.com"),
        ("user @test.com", "user@test.com"),
        ("user@test .com", "user@test.com"),
        ("jean@acme,com", "jean@acme.com"),
        ("jean@@acme.com", "jean@acme.com"),
        ("jean (at) acme (dot) com", "jean@acme.com"),
        ("jean@acme.com / j2@acme.com", "jean@acme.com"),
        ("paul@outlookcom", "paul@outlook.com"),
        ("paul@gmail", "paul@gmail.com"),
        ("paul@gmail.con", "paul@gmail.com"),
        ("paul@hotmial.fr", "paul@hotmail.fr"),
    ],
)
def test_a_bad_address_has_a_problem_and_perhaps_a_proposal(text: str, proposal: str | None) -> None:
    address = read_address(text, KINDS)
    assert address.problem
    assert address.email == text
    assert address.proposal == proposal


@pytest.mark.parametrize(
    "domain", ["acme.com", "acme.example", "acme.test.example", "acme.museum", "acme.newly", "acme.cm"]
)
def test_an_ending_that_exists_or_is_new_is_no_typo(domain: str) -> None:
    assert read_address(f"ann@{domain}", KINDS).problem is None


@pytest.mark.parametrize(
    ("email", "free", "disposable", "role"),
    [
        ("ann@acme.com", False, False, False),
        ("ann@yahoo.co.uk", True, False, False),
        ("ann@mailinator.com", False, True, False),
        ("ann@eu.mailinator.com", False, True, False),
        ("ann@throw.example", False, True, False),
        ("sales2@acme.com", False, False, True),
        ("Support+web@acme.com", False, False, True),
        ("vertrieb-nord@acme.com", False, False, True),
    ],
)
def test_kinds_of_addresses(email: str, free: bool, disposable: bool, role: bool) -> None:
    address = read_address(email, KINDS)
    assert (address.is_free, address.is_disposable, address.is_role) == (free, disposable, role)


@pytest.mark.parametrize(
    "domain",
    ["mail.com", "email.com", "ymail.com", "gmx.com", "grail.com", "cloud.com", "gail.com", "aon.com",
     "love.com", "orange.com", "orange.cm", "free.com", "outlook.example", "gmail.de", "hotmail.ie",
     "acme.con", "live.ca"]
)  # fmt: skip
def test_domains_of_others_are_no_typos(domain: str) -> None:
    assert find_intended(domain) is None


def test_no_bundled_free_mail_domain_is_a_typo_of_another() -> None:
    assert {domain for domain in read_words("free_mail") if find_intended(domain)} == set()
    assert read_words("common_mail_domains") <= read_words("free_mail")


_local = st.from_regex(r"[A-Za-z0-9._+'!-]{1,20}", fullmatch=True)
_label = st.from_regex(r"[a-zA-Z0-9-]{1,12}", fullmatch=True)
_domain = st.lists(_label, min_size=1, max_size=3).map(".".join)
_ending = st.sampled_from(["com", "de", "co.uk", "c", "test", "local", "example", "onion", "1", "xn--p1ai", ""])


@settings(max_examples=tried(80))
@given(_local, _domain, _ending)
@example("a", "x" * 64, "com")
@example("a" * 64, ".".join(["x" * 60] * 3), "com")
@example("a" * 80, ".".join(["x" * 60] * 3), "com")
@example("a", "ab--c", "com")
@example("Sales", "Acme", "com")
def test_the_short_way_agrees_with_email_validator(local: str, domain: str, ending: str) -> None:
    text = f"{local}@{domain}.{ending}"
    assume(text[0] not in "'!." and text[-1] not in ".!")  # what surrounds an address is taken off first
    assume(len(ending) != 1 or ending.isdigit())  # and single letters are refused on top
    address = read_address(text, KINDS)
    try:
        judged = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        assert address.canonical is None
        assert address.problem
    else:
        assert address.email == judged.normalized
        assert address.canonical is not None


@pytest.mark.parametrize(
    ("website", "host", "domain"),
    [
        ("acme.com", "acme.com", "acme.com"),
        ("HTTP://user:pw@www.acme.co.uk:8080/x?y#z", "www.acme.co.uk", "acme.co.uk"),
        ("acme.com:8080", "acme.com", "acme.com"),
        ("//acme.com/", "acme.com", "acme.com"),
        ("acme.com, acme.de", "acme.com", "acme.com"),
        ("https://acme.myshopify.com", "acme.myshopify.com", "acme.myshopify.com"),
        ("https://münchen.de/", "xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("https://www.linkedin.com/company/acme", "www.linkedin.com", None),
        ("http://acme", None, None),
        ("http://localhost:8000", None, None),
        ("127.0.0.1", None, None),
        ("we have none", None, None),
        ("", None, None),
    ],
)
def test_websites(website: str, host: str | None, domain: str | None) -> None:
    assert (find_website_host(website), find_website_domain(website)) == (host, domain)


# Phones


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("0612345678", "FR", "+33612345678"),
        ("06.12.34.56.78", "FR", "+33612345678"),
        ("06-12-34-56-78", "FR", "+33612345678"),
        ("612345678", "FR", "+33612345678"),
        ("t:0612345678", "FR", "+33612345678"),
        ("Tél. : 06 12 34 56 78", "FR", "+33612345678"),
        ("612345678.0", "FR", "+33612345678"),
        ("0033612345678", "US", "+33612345678"),
        ("33612345678", "US", "+33612345678"),
        ("4915112345678", "US", "+4915112345678"),
        ("+44 (0)20 7946 0018", "US", "+442079460018"),
        ("011 44 20 7946 0018", "US", "+442079460018"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("06 698 12345", "IT", "+390669812345"),
        ("011 15 2345-6789", "AR", "+5491123456789"),
        ("٠٦١٢٣٤٥٦٧٨", "FR", "+33612345678"),
        ("+1-555-0101", "US", "+15550101"),  # possible within an area; the issue judges by possible
    ],
)
def test_a_phone_becomes_e164(text: str, region: str, number: str) -> None:
    assert read_phone(text, region).number == number


def test_a_remark_in_brackets_is_no_part_of_a_phone() -> None:
    """Its letters were taken for digits, as on a keypad."""
    for text in ("0170 1234567 (mobil)", "0170-1234567 (privat)", "+49 170 1234567 (Büro)"):
        assert read_phone(text, "DE").number == "+491701234567", text


@pytest.mark.parametrize(
    ("text", "problem", "proposal"),
    [
        ("call me", "not a phone number", None),
        ("ann@acme.com", "not a phone number", None),
        ("12345", "too short for a phone number in FR", None),
        ("012345678901234567890", "too long for a phone number", None),
        ("3.36E+10", "a spreadsheet has shortened this number; it has to be entered again", None),
        ("+999 123 456 789", "the country code does not exist", None),
        ("06 12 34 56 78 ou 01 23 45 67 89", "too long", "+33612345678"),
        ("1" * 1000, "too long for a phone number", None),
    ],
)
def test_an_impossible_phone_says_why(text: str, problem: str, proposal: str | None) -> None:
    phone = read_phone(text, "FR")
    assert phone.number is None
    assert phone.problem is not None
    assert phone.problem.startswith(problem)
    assert phone.proposal == proposal


_regions = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))
_digits = st.from_regex(r"\+?[0-9]{5,15}", fullmatch=True)


@settings(max_examples=tried(120))
@given(_digits, _regions, st.sampled_from(["", " ", "-", ".", "("]))
@example("0015550123", "US", "")
@example("080012345", "IT", "")
def test_the_short_way_agrees_with_phonenumbers(digits: str, region: str, mark: str) -> None:
    text = digits[:4] + mark + digits[4:]
    quick = read_plain_number(text, region)
    if quick is not None:  # most random digits need the long way
        number = phonenumbers.parse(text, region)
        assert phonenumbers.is_possible_number(number)
        assert quick == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert read_phone(quick, None).number == quick


@pytest.mark.parametrize("region", ["US", "CA", "GB", "DE", "FR", "ES", "NL", "IN", "BR", "CH", "AT"])
def test_usual_numbers_go_the_short_way(region: str) -> None:
    for style in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
        written = phonenumbers.format_number(phonenumbers.example_number(region), style)
        expected = phonenumbers.example_number(region)
        assert read_plain_number(written, region) == phonenumbers.format_number(
            expected, phonenumbers.PhoneNumberFormat.E164
        )


@settings(max_examples=tried(60))
@given(_digits | _any_text, _regions)
def test_a_phone_read_again_is_the_same(text: str, region: str) -> None:
    phone = read_phone(text, region)
    assert (phone.number is None) == (phone.problem is not None)
    if phone.number is not None:
        assert read_phone(phone.number, region)[:2] == (phone.number, None)


# Countries


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("fr", "FR"), ("FRA", "FR"), ("U.S.A.", "US"), ("United States of America", "US"), ("England", "GB"),
        ("UK", "GB"), ("The Netherlands", "NL"), ("Allemagne", "DE"), ("Espagne", "ES"), ("España", "ES"),
        ("Vereinigtes Königreich", "GB"), ("ÉTATS-UNIS", "US"), ("Korea", "KR"), ("Korea, Republic of", "KR"),
        ("Czech Republic", "CZ"), ("Türkiye", "TR"), ("Côte d’Ivoire", "CI"), ("日本", "JP"), ("Россия", "RU"),
        ("Österreich", "AT"), ("Suisse", "CH"), ("Kosovo", "XK"), ("France (FR)", "FR"), ("New York, USA", "US"),
        ("en-US", "US"), ("CA", "CA"), ("NA", "NA"), ("UAE", "AE"), ("Hong Kong", "HK"),
    ],
)  # fmt: skip
def test_countries(text: str, code: str) -> None:
    assert read_country(text).code == code
    assert read_country(code).code == code


@pytest.mark.parametrize(
    ("text", "proposal"),
    [("Germny", "DE"), ("Untied States", "US"), ("Narnia", None), ("Georgia, USA", None), ("x" * 90, None)],
)
def test_an_unknown_country_has_a_problem_and_perhaps_a_proposal(text: str, proposal: str | None) -> None:
    country = read_country(text)
    assert country.code is None
    assert country.problem
    assert country.proposal == proposal


# Names


@pytest.mark.parametrize(
    ("name", "cased"),
    [
        ("o'brien", "O'Brien"), ("MCDONALD", "McDonald"), ("Mcdonald", "Mcdonald"), ("MACHADO", "Machado"),
        ("jean-pierre", "Jean-Pierre"), ("GARCÍA-LÓPEZ", "García-López"), ("de la fontaine", "de la Fontaine"),
        ("DE", "De"), ("d'artagnan", "D'Artagnan"), ("JOHN SMITH III", "John Smith III"), ("TJ", "TJ"), ("LI", "Li"),
        ("LeAnn", "LeAnn"), ("ŞAHİN", "Şahin"), ("ΠΑΠΑΔΟΠΟΥΛΟΣ", "Παπαδοπουλος"), ("王小明", "王小明"),
        ("محمد", "محمد"),
    ],
)  # fmt: skip
def test_letter_case_of_names(name: str, cased: str) -> None:
    assert capitalise_name(name) == cased


@settings(max_examples=tried(60))
@given(_any_text)
def test_a_name_is_cased_once(name: str) -> None:
    cased = capitalise_name(name)
    assert capitalise_name(cased) == cased
    # the capital of the Turkish letter without a dot is that of i, and has no way back

    def folded(value: str) -> str:
        return value.casefold().replace("\u0307", "").replace("ı", "i")

    assert folded(cased) == folded(name)


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Alice Anderson", (None, "Alice", "Anderson")),
        ("Mrs Alice Anderson", ("Mrs", "Alice", "Anderson")),
        ("Anderson, Alice", (None, "Alice", "Anderson")),
        ("de la Cruz, Ana María", (None, "Ana María", "de la Cruz")),
        ("John Smith, PhD", (None, "John", "Smith, PhD")),
        ("John Smith Jr.", (None, "John", "Smith Jr.")),
        ("Vincent van Gogh", (None, "Vincent", "van Gogh")),
        ("Van Morrison", (None, "Van", "Morrison")),
        ("Cher", (None, "Cher", None)),
    ],
)
def test_full_names_are_taken_apart(full: str, parts: tuple[str | None, ...]) -> None:
    assert split_name(full) == parts


# Figures, moments, answers


@pytest.mark.parametrize(
    ("text", "employees"),
    [
        ("51-200", 51), ("1,000+", 1000), ("1.001–5.000", 1001), ("10k", 10_000), ("10 001+ employees", 10_001),
        ("<10", 1), ("fewer than 50", 1), ("1-10", 1), ("11 to 50", 11), ("de 10 à 49", 10), ("Self-employed", 1),
        ("over_500", 500), ("250.0", 250), ("0", None), ("Enterprise", None), ("", None), ("9" * 30, None),
        ("12-Oct", 12),
    ],
)  # fmt: skip
def test_company_sizes(text: str, employees: int | None) -> None:
    assert read_employees(text) == employees


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("€1.2M", 1.2e6), ("1,2 Mio. €", 1.2e6), ("50k-100k", 5e4), ("50-100k", 5e4), ("$1,000,000", 1e6),
        ("1.000.000 EUR", 1e6), ("1.000,50 €", 1000.5), ("over_100k", 1e5), ("under_10k", 0.0), ("<10k", 0.0),
        ("2 bn", 2e9), ("CHF 1'500", 1500.0), ("900750000", 900750000.0), ("50%", None), ("tbd", None),
    ],
)  # fmt: skip
def test_amounts(text: str, amount: float | None) -> None:
    assert read_amount(text) == amount


@given(st.integers(-(10**15), 10**15))
@settings(max_examples=tried(30))
def test_whole_numbers_survive_either_thousands_separator(number: int) -> None:
    for separator in ("", ",", " ", "\u202f", "'"):
        assert read_integer(f"{number:,}".replace(",", separator)) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("900 €", 900), ("€900", 900), ("EUR 1.200,50", 1200.5), ("1.200,50 EUR", 1200.5), ("-5 $", -5),
        ("1,5k", 1500), ("2.5 k€", 2500), ("900 kr", 900), ("CHF 1'500.00", 1500),
        ("1.500k", None), ("1,500k", None), ("5m", None), ("about 900 €", None), ("--5 €", None), ("€", None),
    ],
)  # fmt: skip
def test_amounts_are_numbers_where_only_one_reading_is_possible(text: str, number: float | None) -> None:
    assert read_number(text) == number


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
@settings(max_examples=tried(30))
def test_numbers_survive_being_written(number: float) -> None:
    assert read_number(repr(number)) == number


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-03-14T10:30:00Z", "2025-03-14T10:30:00+00:00"), ("2025-03-14 10:30 +02:00", "2025-03-14T08:30:00+00:00"),
        ("05/07/2025", "2025-07-05T00:00:00+00:00"), ("13.02.2025 9:05", "2025-02-13T09:05:00+00:00"),
        ("02/15/2025 3:04 PM", "2025-02-15T15:04:00+00:00"), ("19-Mar-2025", "2025-03-19T00:00:00+00:00"),
        ("March 5, 2025", "2025-03-05T00:00:00+00:00"), ("1705312200000", "2024-01-15T09:50:00+00:00"),
        ("1705312200", "2024-01-15T09:50:00+00:00"), ("Tue, 04 Mar 2025 10:00:00 EST", "2025-03-04T15:00:00+00:00"),
        ("3 hours ago", "2026-03-10T09:00:00+00:00"), ("il y a 2 jours", "2026-03-08T12:00:00+00:00"),
        ("vor 1 Woche", "2026-03-03T12:00:00+00:00"), ("yesterday", "2026-03-09T12:00:00+00:00"),
    ],
)  # fmt: skip
def test_moments(text: str, iso: str) -> None:
    found = read_moment(text, day_first=True, relative_to=NOW)
    assert found is not None
    assert found.isoformat() == iso


@pytest.mark.parametrize(
    "text",
    ["", "soon", "10", "March", "10:30", "March 2025", "2025", "31/02/2025", "45731", "12 days", "99999 weeks ago",
     "0001-01-01", "29/02/2025 10:00", "2025-13-01"],
)  # fmt: skip
def test_what_names_no_moment(text: str) -> None:
    assert read_moment(text, day_first=True, relative_to=NOW) is None


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001 - the zone is what is left out
@settings(max_examples=tried(30))
def test_moments_survive_being_written(at: datetime) -> None:
    at = at.replace(microsecond=0, tzinfo=UTC)
    forms = (
        at.isoformat(),
        f"{at:%d/%m/%Y %H:%M:%S}",
        f"{at:%d %b %Y %I:%M:%S %p}",
        str(int(at.timestamp() * 1000)),
    )
    for text in forms[: 4 if at.year > 2001 else 3]:
        assert read_moment(text, day_first=True, relative_to=NOW) == at, text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Yes", True), ("oui", True), ("JA", True), ("Sí", True), ("1", True), ("true", True), ("Opted-in", True),
        ("J'accepte de recevoir", True), ("Freely given consent from contact", True), ("はい", True),
        ("No", False), ("non", False), ("Não", False), ("0", False), ("I don't agree", False), ("opt out", False),
        ("nein, danke", False), ("", None), ("perhaps", None), ("2025-01-01", None),
    ],
)  # fmt: skip
def test_yes_and_no(text: str, answer: bool | None) -> None:
    assert read_yes_or_no(text) is answer


# Any text at all


@settings(max_examples=tried(30))
@given(_any_text | _any_text.map(lambda text: text * 2_000))
@example("0" * 13)
@example("GMT+99:99 2020")
@example("1999-" * 12)
@example("@" * 320)
@example("a@" + "ａ" * 200 + ".com")
def test_no_text_makes_a_reader_raise(text: str) -> None:
    read_address(text, KINDS)
    read_mail_domain(text[:300])
    find_registered(text[:300])
    find_website_domain(text)
    read_phone(text, "US")
    read_phone(text, None)
    read_country(text)
    split_name(text)
    read_yes_or_no(text)
    find_spam_reason([text], text, text, patterns=("x",), max_links=1)
    read_moment(text, day_first=False, relative_to=NOW)
    read_date(text, day_first=True, relative_to=NOW)
    for read in (read_employees, read_amount, read_integer, read_number):
        read(text)
    for clean in (clean_line, clean_lines):
        cleaned = clean(text)
        assert cleaned is None or clean(cleaned) == cleaned
        assert cleaned is None or "\x00" not in cleaned
