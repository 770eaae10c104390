"""Made-up leads in any number, with the dirt that real forms have, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from leadgate import playbook as playbooks
from leadgate.playbook import Loaded

_FIRST = ("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Fatima", "Gustav", "Hana", "Igor", "Jun", "Kofi", "Lena", "Omar")
_LAST = ("Adeyemi", "Brandt", "Costa", "Dubois", "Eriksen", "García", "Haddad", "Ito", "Kowalski", "Lind", "O'Brien")
_ENDINGS = ("berg", "dorf", "ova", "ini", "sson", "wicz", "ez", "oglu", "moto", "shvili", "quist", "escu", "aldi", "ak")
_TITLES = ("VP of Sales", "Head of Marketing", "CEO", "Account Manager", "Student", "Engineer", "CFO", "Analyst", "")
_SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1,000+", "")
_COUNTRIES = (("Germany", "+4930"), ("France", "+331"), ("United States", "+1212"), ("UK", "+4420"), ("Spain", "+3491"))
_BUDGETS = ("10k-25k", "50k+", "100k-250k", "", "")


def people(count: int, *, seed: int = 7, duplicates: float = 0.05, dirt: float = 0.08) -> Iterator[dict[str, Any]]:
    """``count`` leads as a form's export has them: a share of ``duplicates`` and of ``dirt``."""
    draw = random.Random(seed)
    for number in range(count):
        about = draw.randrange(number) if number and draw.random() < duplicates else number
        yield _lead(about, random.Random(seed * 1_000_003 + about), draw if draw.random() < dirt else None)


def _lead(number: int, draw: random.Random, dirt: random.Random | None) -> dict[str, Any]:
    first = draw.choice(_FIRST)
    # names of a telephone book: with a hundred of them, every large company would have namesakes for people to compare
    last = draw.choice(_LAST) + draw.choice(_ENDINGS) + draw.choice(_ENDINGS) + draw.choice(_ENDINGS)
    country, prefix = draw.choice(_COUNTRIES)
    row = {
        "Email": f"{first}.{last}{number}@{draw.choice(('mail', 'corp', 'team'))}{number % 5000}.example".lower(),
        "First Name": first,
        "Last Name": last,
        "Phone Number": f"{prefix} {draw.randrange(2_000_000, 9_999_999)}",
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


def playbook() -> Loaded:
    """The default playbook without caps and absences, so that every qualified lead finds an owner."""
    loaded = playbooks.default()
    free = {"max_per_day": None, "max_per_week": None, "max_open": None, "absent": ()}
    reps = tuple(rep.model_copy(update=free) for rep in loaded.playbook.reps)
    rules = loaded.playbook.model_copy(update={"reps": reps})
    return playbooks.parse(rules.model_dump_json(), path=loaded.path)


@dataclass(frozen=True)
class Size:
    """How many leads, and how often they are measured: small numbers are noisy."""

    leads: int
    rounds: int
