"""Good leads, and rows with one poisoned value: what is sent, and by which playbooks it is judged.

Belongs here: payloads and playbooks. Does not belong here: sending them (``doors``).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from benchmarks import sample
from benchmarks.fuzz import values
from leadgate import playbook as playbooks
from leadgate.fields import STANDARD
from leadgate.playbook import LoadedPlaybook

#: A file of JSON lines, a CSV file; a body of JSON, a form.
Door = Literal["lines", "csv", "json", "form"]
DOORS: Final[tuple[Door, ...]] = ("lines", "csv", "json", "form")
FILES: Final[tuple[Door, ...]] = ("lines", "csv")
#: The column whose name, and not whose value, is poisoned.
HEADER: Final = "(a column's name)"
_UNMAPPED: Final = "Something else"
_ACTIVITY: Final = (
    "email", "kind", "occurred_at", "rep", "actor", "lead_id", "external_id", "note", "seconds", "milliseconds",
    "automatic",
)  # fmt: skip
_SYLLABLES: Final = [c + v for c in "bdfgklmnprstvw" for v in "aeiou"]


@dataclass(frozen=True)
class Poison:
    """A row that is good but for one column."""

    source: str
    column: str
    kind: str
    length: int
    door: Door
    activity: bool = False

    def payload(self, number: int) -> dict[str, Any]:
        row = activity(number) if self.activity else person(number)
        value = values.make(self.kind, self.length)
        if self.column == HEADER:
            name = value if isinstance(value, str) else str(value)
            return row | {name or " ": "x"}
        if not self.activity and self.column == "full_name":  # the two others would hide it
            row = {name: each for name, each in row.items() if name not in ("first_name", "last_name")}
        return row | {self.column: value}

    def __str__(self) -> str:
        return f"{self.source}.{self.column} = {self.kind}, length {self.length:,}, by {self.door}"


def person(number: int) -> dict[str, Any]:
    """A good lead of whom there is only one: owned by the default playbook, and like nobody else."""
    draw = random.Random(number)
    first, last, company = ("".join(draw.choices(_SYLLABLES, k=k)).capitalize() for k in (4, 5, 5))
    # no two numbers have the same phone, and a company's name is no slip of the pen away from another's
    return {
        "email": f"{first}.{last}{number}@{company}{number}.example".lower(),
        "first_name": first,
        "last_name": last,
        "phone": f"+4930{10_000_000 + number}",
        "company": f"{company} {''.join(draw.choices(_SYLLABLES, k=4))}",
        "job_title": "Head of Marketing",
        "country": "DE",
        "company_size": "201-500",
        "industry": "Software",
        "message": "Please call me back, we need a demo for our team",
        "budget": "50k",
        "timeline": "this quarter",
        "consent": "yes",
    }


def activity(number: int) -> dict[str, Any]:
    """Something that the lead ``number`` did."""
    return {
        "email": person(number)["email"],
        "kind": "email_reply",
        "occurred_at": "2026-03-01T10:00:00Z",
        "note": f"reply {number}",
    }


def targets(loaded: LoadedPlaybook) -> list[tuple[str, str, bool]]:
    """Every source with each of its columns, and whether the source brings activities."""
    found = []
    for name, source in loaded.playbook.sources.items():
        if source.kind == "activities":
            columns: Sequence[str] = (*_ACTIVITY, HEADER)
        else:
            extra = [source.key] if source.key else []
            columns = (*STANDARD, *loaded.playbook.fields, *extra, *source.volatile[:1], _UNMAPPED, HEADER)
        found += [(name, column, source.kind == "activities") for column in columns]
    return found


def poisons(loaded: LoadedPlaybook, draw: random.Random) -> Iterator[Poison]:
    """Without end: every column of every source in turn, with every kind of value in turn, of any length."""
    columns, kinds = targets(loaded), list(values.kinds())
    while True:
        draw.shuffle(columns)
        draw.shuffle(kinds)
        for at, (source, column, is_activity) in enumerate(columns):
            kind = kinds[at % len(kinds)]
            door = draw.choice(DOORS)
            if column == HEADER and door == "csv":
                door = "lines"  # the header of a CSV is everybody's: a file may be refused for it
            yield Poison(source, column, kind, draw.choice(values.LENGTHS), door, is_activity)


# --- playbooks --------------------------------------------------------------------------------------------


def by_default() -> LoadedPlaybook:
    """The default playbook, with owners for every lead, whose every source may post."""
    return _open(sample.playbook())


#: Expressions and expectations that read what people type.
_READS_TEXT: Final[dict[str, Any]] = {
    "fields": {
        "words": {"type": "text"}, "count": {"type": "integer"}, "share": {"type": "number"},
        "agreed": {"type": "boolean"}, "day": {"type": "date"}, "moment": {"type": "timestamp"},
    },
    "fit": [
        {"name": "asks_for_demo", "when": r"regexp_matches(lower(message), '(demo|pricing)\b.*\bteam')", "points": 5},
        {"name": "title_of_usual_length", "when": "length(trim(job_title)) between 3 and 80", "points": 3},
        {"name": "address_of_company", "when": "split_part(email, '@', 2) = company_domain", "points": 2},
        {"name": "budget_in_figures", "when": "cast(budget as double) > 10000", "points": 2},
        {"name": "long_story", "when": "length(concat(message, ' ', words, ' ', use_case)) > 500", "points": 1},
        {"name": "counted", "when": "count * 1000 > 5 and share / count < 3", "points": 1},
        {"name": "soon", "when": "date_diff('day', day, cast(moment as date)) > 3", "points": 1},
        {"name": "accents", "when": "strip_accents(last_name) <> last_name", "points": 1},
        {"name": "like", "when": "company ilike '%g_m%b_h%' or street like '%a%a%a%a%'", "points": 1},
        {"name": "initial", "when": "left(first_name, 1) = upper(substring(last_name, 1, 1))", "points": 1},
    ],
    "validated": [
        {"name": "title_short", "expectation": "expect_column_value_lengths_to_be_between",
         "arguments": {"column": "job_title", "min_value": 2, "max_value": 300}, "severity": "critical",
         "why": "A title is short"},
        {"name": "no_markup", "expectation": "expect_column_values_to_not_match_regex",
         "arguments": {"column": "message", "regex": "<[a-z]+>"}, "severity": "warning", "why": "No markup"},
        {"name": "city_in_letters", "expectation": "expect_column_values_to_match_regex",
         "arguments": {"column": "city", "regex": "^[^0-9<>]*$"}, "severity": "warning", "why": "Letters"},
        {"name": "count_plausible", "expectation": "expect_column_values_to_be_between",
         "arguments": {"column": "count", "min_value": 0, "max_value": 1_000_000}, "severity": "critical",
         "why": "A count is no negative number"},
        {"name": "product_known", "expectation": "expect_column_values_to_be_in_set",
         "arguments": {"column": "product", "value_set": ["crm", "forms"]}, "severity": "warning", "why": "Ours"},
    ],
}  # fmt: skip


def that_reads_text() -> LoadedPlaybook:
    """A playbook whose expressions and expectations read what people type, and custom fields of every type."""
    loaded = sample.playbook()
    document = loaded.playbook.model_dump(mode="json")
    document["fields"] |= _READS_TEXT["fields"]
    document["scoring"]["fit"] += _READS_TEXT["fit"]
    document["gates"]["validated"]["expect"] += _READS_TEXT["validated"]
    rules = type(loaded.playbook).model_validate(document)
    return _open(playbooks.parse(rules.model_dump_json(), path=loaded.path))


def secret_of(source: str) -> str:
    """What ``source`` signs in with."""
    return f"secret-of-{source}-for-the-hunt-alone"


def variable_of(source: str) -> str:
    return f"LEADGATE_SECRET_{source.upper()}"


def _open(loaded: LoadedPlaybook) -> LoadedPlaybook:
    """``loaded`` with a door for every source."""
    document = loaded.playbook.model_dump(mode="json")
    for name, source in document["sources"].items():
        source["http"] = {
            "auth": "bearer", "secret_env": variable_of(name), "max_bytes": 16_777_216, "per_second": 100_000,
            "burst": 1_000_000,
        }  # fmt: skip
    rules = type(loaded.playbook).model_validate(document)
    return playbooks.parse(rules.model_dump_json(), path=loaded.path)
