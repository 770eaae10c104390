"""Made-up leads in any number, with the dirt that real forms have, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leadgate import playbook as playbooks
from leadgate.playbook import Band, LoadedPlaybook

_FIRST = ("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Fatima", "Gustav", "Hana", "Igor", "Jun", "Kofi", "Lena", "Omar")
_LAST = ("Adeyemi", "Brandt", "Costa", "Dubois", "Eriksen", "García", "Haddad", "Ito", "Kowalski", "Lind", "O'Brien")
_ENDINGS = ("berg", "dorf", "ova", "ini", "sson", "wicz", "ez", "oglu", "moto", "shvili", "quist", "escu", "aldi", "ak")
_TITLES = ("VP of Sales", "Head of Marketing", "CEO", "Account Manager", "Student", "Engineer", "CFO", "Analyst", "")
_SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1,000+", "")
_COUNTRIES = ("Germany", "France", "United States", "UK", "Spain")
#: For each country the beginning of ranges that are in use, and how many digits follow: every number is a valid one.
_NUMBERS = {
    "Germany": ("+49 151 ", 8),
    "France": ("+33 1 ", 8),
    "United States": ("+1 212 ", 7),
    "UK": ("+44 77 ", 8),
    "Spain": ("+34 91 ", 7),
}
_BUDGETS = ("10k-25k", "50k+", "100k-250k", "", "")


def people(count: int, *, seed: int = 7, duplicates: float = 0.05, dirt: float = 0.06) -> Iterator[dict[str, Any]]:
    """``count`` leads as a form's export has them: a share of ``duplicates`` and of ``dirt``."""
    draw = random.Random(seed)
    for number in range(count):
        about = draw.randrange(number) if number and draw.random() < duplicates else number
        dirty = draw if draw.random() < dirt else None
        yield _lead(about, seed * 1_000_003 + about, random.Random(seed * 1_000_003 + about), dirty)


def _lead(number: int, person: int, draw: random.Random, dirt: random.Random | None) -> dict[str, Any]:
    first = draw.choice(_FIRST)
    # names of a telephone book: with a hundred of them, every large company would have namesakes for people to compare
    last = draw.choice(_LAST) + draw.choice(_ENDINGS) + draw.choice(_ENDINGS) + draw.choice(_ENDINGS)
    country = draw.choice(_COUNTRIES)
    row = {
        "Email": f"{first}.{last}{number}@{draw.choice(('mail', 'corp', 'team'))}{number % 5000}.example".lower(),
        "First Name": first,
        "Last Name": last,
        "Phone Number": _phone(country, person),
        "Company": f"Company {number % 5000}",
        "Job Title": draw.choice(_TITLES),
        "Country": country,
        "Company size": draw.choice(_SIZES),
        "Industry": draw.choice(("SaaS", "Retail", "Healthcare", "Finance")),
        "Budget": draw.choice(_BUDGETS),
        "Message": draw.choice(("Please call me back", "We need a demo for our team", "")),
        "utm_campaign": draw.choice(("spring", "autumn")),
    }
    if dirt is not None:
        row |= dirt.choice(
            (
                {"Phone Number": "call me"},
                {"Email": f"{first}.{last}"},
                {"Country": "Atlantis"},
                {"Email": f"{first}{number}@gmial.com".lower()},
                {"Email": "", "Phone Number": ""},
            )
        )
    return row


def _phone(country: str, person: int) -> str:
    """A number of their own for each of millions of persons: a shared one makes two persons look like the same."""
    prefix, digits = _NUMBERS[country]
    first = 2 * 10 ** (digits - 1)  # subscriber numbers do not begin with 0 or 1
    # a prime that divides no range steps through all of its numbers before one comes again
    return f"{prefix}{first + person * 7_919 % (8 * 10 ** (digits - 1)):0{digits}d}"


def playbook() -> LoadedPlaybook:
    """The default playbook without caps and absences, so that every qualified lead finds an owner, and with a narrower
    band for review, so that few leads wait for a person."""
    loaded = playbooks.load_default()
    free = {"max_per_day": None, "max_per_week": None, "max_open": None, "absent": ()}
    reps = tuple(rep.model_copy(update=free) for rep in loaded.playbook.reps)
    enters = loaded.playbook.qualification.marketing_qualified
    review = Band(lowest=enters - 3, below=enters - 1)
    qualification = loaded.playbook.qualification.model_copy(update={"review": review})
    rules = loaded.playbook.model_copy(update={"reps": reps, "qualification": qualification})
    return playbooks.parse(rules.model_dump_json(), path=loaded.path)


@dataclass(frozen=True)
class Size:
    """How many leads, and how often they are measured: small numbers are noisy."""

    leads: int
    rounds: int
