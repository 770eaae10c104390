"""Cleaning what a provider says of a company: JSON in, values of a lead's fields out, and what was left out.

Belongs here: which kind of value of an answer fits which field. Does not belong here: how one value is read
(``values``), or asking. What a lead states too is cleaned as if it had been captured (``normalise``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pandas as pd

from leadgate.fields import ENRICHED, FieldType, list_enrichable
from leadgate.limits import find_max_length
from leadgate.mapping.normalise import as_received, normalise
from leadgate.playbook import Playbook
from leadgate.values.domains import find_website_domain
from leadgate.values.figures import MOST_EMPLOYEES, read_amount, read_employees
from leadgate.values.json_types import JsonValue
from leadgate.values.text import clean_line

#: Characters of a text that a service may give, where the field itself allows more.
_LONGEST: Final = 1_000
_NO_TEXT: Final = "a list, an object or a yes or no, where a text or a number is expected"
#: Columns of ``normalise`` that say that a value of the field could not be read.
_PROBLEM_OF: Final = {"country": "country_problem", "website": "website_problem"}


@dataclass
class CleanAnswer:
    """The ``values`` that can be used, and for each that cannot ``field: what is wrong``, without the value."""

    values: dict[str, JsonValue] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def clean_answers(found: Sequence[Mapping[str, JsonValue]], playbook: Playbook, now: datetime) -> list[CleanAnswer]:
    """Each answer cleaned. Fields that no provider may fill are left out. Raises for no value."""
    kinds = list_enrichable({name: declared.type for name, declared in playbook.fields.items()})
    answers = [CleanAnswer() for _ in found]
    stated: list[dict[str, str | None]] = []  # what ``normalise`` cleans
    for answer, values in zip(answers, found, strict=True):
        texts: dict[str, str | None] = {}
        for name, value in values.items():
            if name not in kinds or value is None or value == "":
                continue
            text = _read_text(value, kinds[name])
            if text is None:
                answer.problems.append(f"{name}: {_NO_TEXT}")
            elif len(text) > (most := min(_LONGEST, find_max_length(name))):
                answer.problems.append(f"{name}: {len(text):,} characters, at most {most:,}")
            elif name in ENRICHED:
                _clean_enriched(answer, name, value, text)
            else:
                texts[name] = text
        stated.append(texts)
    if any(stated):
        _clean_stated(answers, stated, playbook, now)
    return answers


def _read_text(value: JsonValue, kind: FieldType) -> str | None:
    if isinstance(value, bool):
        return ("true" if value else "false") if kind == "boolean" else None
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else None
    if isinstance(value, float):
        return None if not math.isfinite(value) else str(int(value)) if value.is_integer() else repr(value)
    return None


def _clean_enriched(answer: CleanAnswer, name: str, value: JsonValue, text: str) -> None:
    cleaned = clean_line(text)
    if cleaned is None:
        return
    read: JsonValue
    if name == "employees":
        read = read_employees(cleaned) if isinstance(value, str) else _read_count(value)
    elif name == "revenue":
        read = read_amount(cleaned) if isinstance(value, str) else _read_sum(value)
    else:
        read = find_website_domain(cleaned) if name == "company_domain" else cleaned
    if read is None:
        answer.problems.append(f"{name}: a value that cannot be read")
    else:
        answer.values[name] = read


def _read_count(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, (int, float)) and 1 <= value <= MOST_EMPLOYEES else None


def _read_sum(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < 1e18 else None


def _clean_stated(
    answers: Sequence[CleanAnswer], stated: Sequence[Mapping[str, str | None]], playbook: Playbook, now: datetime
) -> None:
    names = sorted({name for texts in stated for name in texts})
    frame = pd.DataFrame(
        {name: [texts.get(name) for texts in stated] for name in names} | {"attributes": [None] * len(stated)},
        dtype=object,
    )
    cleaned = normalise(frame, playbook, now)
    for name in names:
        problems = cleaned[_PROBLEM_OF[name]].tolist() if name in _PROBLEM_OF else [None] * len(stated)
        rows = zip(answers, stated, cleaned[name].tolist(), problems, cleaned["attributes"].tolist(), strict=True)
        for answer, texts, value, problem, attributes in rows:
            if texts.get(name) is None:
                continue
            unread = isinstance(attributes, dict) and as_received(name) in attributes
            if problem is not None or unread:
                answer.problems.append(f"{name}: a value that cannot be read")
            elif value is not None:
                answer.values[name] = value
