"""What became of leads, as rows of a file say it: which column says what, and rows as the ledger takes them.

Belongs here: mapping a file's columns to an outcome, reading its values, and the transactions that store them. Does not
belong here: reading the file (``leadgate.connectors.files``), or finding the lead (``ledger.recorded_outcomes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from leadgate import references
from leadgate.connectors.files import Row
from leadgate.fields import OUTCOME_FIELDS
from leadgate.ledger import Ledger, recorded_outcomes
from leadgate.ledger.recorded_outcomes import FoundJourney, NewOutcome, StatedOutcome
from leadgate.limits import find_length_problem
from leadgate.mapping.column_notations import writes_day_first
from leadgate.mapping.headers import as_text, flatten, map_headers
from leadgate.matching.resolving import CRM_ID, list_crm_sources
from leadgate.nearest import propose
from leadgate.plain_text import make_storable
from leadgate.playbook import Playbook, Source
from leadgate.values.addresses import Kinds, read_address
from leadgate.values.json_types import JsonObject
from leadgate.values.moments import read_moment
from leadgate.vocabulary import RecordedVerdict
from tasks.activities import normalise_kind

#: Further names of the columns in the usual exports, besides those ``headers`` knows for a lead.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "lead": ("leadgate lead", "leadgate id", "lead number in leadgate", "journey", "journey id"),
    "outcome": (
        "verdict", "result", "what happened", "converted", "conversion", "won", "is won", "lead status", "deal stage",
        "stage", "status", "kind", "event", "ergebnis", "résultat", "resultado",
    ),
    "reason": (
        "reject reason", "rejection reason", "lost reason", "loss reason", "closed lost reason", "grund", "motif",
        "motivo",
    ),
    "occurred_at": (
        "when", "at", "date", "outcome date", "close date", "closed date", "closed at", "converted date",
        "converted at", "decided at", "timestamp", "datum", "fecha",
    ),
    "rep": ("by", "who", "owner", "rep name", "sales rep", "decided by", "user", "agent", "seller"),
}  # fmt: skip
#: Columns that are Leadgate's own numbers, in a file that is not of a source whose ids they could be.
_OWN_NUMBERS: Final = ("lead id", "lead number", "id")
#: What files write in place of a verdict.
_WORDS: Final[dict[str, RecordedVerdict]] = {
    **dict.fromkeys(("accept", "sales_accepted"), RecordedVerdict.ACCEPTED),
    **dict.fromkeys(("reject", "given_back"), RecordedVerdict.REJECTED),
    **dict.fromkeys(("1", "1_0", "true", "yes", "y", "converted", "closed_won", "customer"), RecordedVerdict.WON),
    **dict.fromkeys(("0", "0_0", "false", "no", "n", "not_converted", "closed_lost"), RecordedVerdict.LOST),
}
_IN_THE_FUTURE: Final = timedelta(days=1)  # a date has no zone, and clocks are off
_LONGEST_NAME: Final = 200
#: By what a row names its lead, the surest first.
_WAYS: Final = ("lead", "external_id", "email")


@dataclass(frozen=True)
class Meaning:
    """How a file is meant: ``source`` whose ids it has, ``at`` when what it says happened where a row does not say, and
    whether it is ``history``, which may be older than the capture of its leads."""

    source: str | None = None
    at: datetime | None = None
    history: bool = False


@dataclass
class Judged:
    """What came of rows. ``problems`` are those of rows that cannot be used, by line."""

    rows: int = 0
    new: int = 0
    known: int = 0
    still_owned: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def map_outcome_headers(headers: Sequence[str], source: Source | None) -> dict[str, str]:
    """Which part of an outcome each column is: the source's mapping first, then the usual names."""
    names, overrides = _NAMES, {}
    if source is None:
        names = names | {"lead": (*names["lead"], *_OWN_NUMBERS)}
    else:
        overrides = source.mapping
    mapped = map_headers(headers, overrides=overrides, custom=names)
    return {header: name for header, name in mapped.items() if name in OUTCOME_FIELDS}


class OutcomeReader:
    """Reads rows of one file. ``now`` is what a relative date ("yesterday") is relative to."""

    def __init__(self, playbook: Playbook, meaning: Meaning, now: datetime) -> None:
        self._playbook, self._meaning, self._now = playbook, meaning, now
        self.source = None if meaning.source is None else playbook.sources[meaning.source]
        crm = list_crm_sources(playbook.matching).get(meaning.source or "")
        self._crm_kinds = [f"{CRM_ID}:{crm}"] if crm is not None else []
        self._kinds = Kinds.of(playbook.validation)
        self._day_first = writes_day_first(self.source, playbook)
        self._outcomes = {normalise_kind(name): name for name in playbook.follow_up.outcomes}
        self._reasons = {normalise_kind(each.name): each.name for each in playbook.follow_up.reject_reasons}
        self._reps = {
            spelling.casefold(): rep.name
            for rep in playbook.reps
            for spelling in (rep.name, rep.email, rep.label)
            if spelling
        }
        self._mappings: dict[tuple[str, ...], dict[str, str]] = {}

    def read(self, rows: Sequence[Row]) -> tuple[list[StatedOutcome], dict[int, str]]:
        """What rows say, and by line what is wrong with the others."""
        stated: list[StatedOutcome] = []
        problems: dict[int, str] = {}
        for row in rows:
            found = row.problem or "cannot be read" if row.payload is None else self._read_row(row.line, row.payload)
            if isinstance(found, str):
                problems[row.line] = found
            else:
                stated.append(found)
        return stated, problems

    def _read_row(self, line: int, payload: JsonObject) -> StatedOutcome | str:
        flat = flatten(payload)
        headers = tuple(flat)
        if headers not in self._mappings:
            self._mappings[headers] = map_outcome_headers(headers, self.source)
        values = {
            name: make_storable(as_text(flat[header])).strip() for header, name in self._mappings[headers].items()
        }
        named = self._find_way(values)
        if isinstance(named, str):
            return named
        kind = self._read_kind(values.get("outcome", ""))
        if kind is None:
            known = (*RecordedVerdict, *self._playbook.follow_up.outcomes)
            said = values.get("outcome", "")[:80]
            return f"unknown outcome {said!r}; {propose(said, known)}" if said else "does not say what happened"
        reason = values.get("reason") or None
        if kind == RecordedVerdict.REJECTED and reason is not None:
            known_reason = self._reasons.get(normalise_kind(reason))
            if known_reason is None:
                return f"unknown reason {reason[:80]!r}; {propose(reason[:80], list(self._reasons.values()))}"
            reason = known_reason
        else:
            reason = None  # words of others are no reason of the playbook, and may be personal
        written = values.get("occurred_at", "")
        at = read_moment(written, day_first=self._day_first, relative_to=self._now) if written else self._meaning.at
        if at is None:
            return f"{written[:80]!r} is no date" if written else "does not say when: add a date, or give --at"
        if at > self._now + _IN_THE_FUTURE:
            return "has not happened yet: its time is in the future"
        rep = values.get("rep") or None
        rep = None if rep is None else self._reps.get(rep.casefold(), rep[:_LONGEST_NAME])
        return StatedOutcome(line, *named, kind, reason, at, rep)

    def _find_way(self, values: dict[str, str]) -> tuple[str, str] | str:
        """By what the row names its lead, and the value."""
        for way in _WAYS:
            value = values.get(way, "")
            if not value:
                continue
            if way == "lead":
                found = references.parse(value)
                if found is None or found[0] not in (None, "lead", "journey"):
                    return f"{value[:80]!r} is no lead; give its number, or J12 for a journey"
                return ("journey" if found[0] == "journey" else "lead"), str(found[1])
            if way == "email":
                address = None if find_length_problem("email", value) else read_address(value, self._kinds).canonical
                return "the e-mail address is malformed" if address is None else ("email", address)
            return way, value
        return "names no lead: there is no lead, external id or e-mail address"

    def _read_kind(self, written: str) -> str | None:
        word = normalise_kind(written)
        if word in self._outcomes:
            return self._outcomes[word]
        if word in set(RecordedVerdict):
            return word
        return _WORDS.get(word)

    def judge(self, ledger: Ledger, rows: Sequence[Row], result: Judged, *, by: str, how: str) -> None:
        """Find the leads of a page of a file, and ``how``: record, withdraw, or look without storing anything."""
        stated, problems = self.read(rows)
        with ledger.transaction() as connection:
            found = recorded_outcomes.find_journeys(connection, stated, self._meaning.source, self._crm_kinds)
            new: list[NewOutcome] = []
            known: set[tuple[int, str, datetime]] = set()
            for each in stated:
                journey = found.get(each.line)
                problem = self._find_problem(each, journey)
                if problem is not None or journey is None:
                    problems[each.line] = problem or ""
                    continue
                key = (journey.journey_id, each.kind, each.at)
                if key in known or journey.known is (how != "withdraw"):
                    result.known += 1
                    continue
                known.add(key)
                new.append(NewOutcome(journey.journey_id, journey.lead_id, each.kind, each.reason, each.at, each.rep))
                result.by_kind[each.kind] = result.by_kind.get(each.kind, 0) + 1
                result.still_owned += journey.status == "owned"
            result.new += len(new)
            if new and how == "record":
                recorded_outcomes.record(connection, new, by=by, now=self._now)
            elif new and how == "withdraw":
                recorded_outcomes.withdraw(connection, new, by=by, now=self._now)
        result.rows += len(rows)
        result.problems |= problems

    def _find_problem(self, stated: StatedOutcome, journey: FoundJourney | None) -> str | None:
        if journey is None:
            of = f" of source {self._meaning.source}" if stated.way == "external_id" and self._meaning.source else ""
            return f"no lead{of} has this {_WAY_WORDS[stated.way]}"
        if journey.leads > 1:
            return f"{journey.leads} leads have this {_WAY_WORDS[stated.way]}; name the lead by its number"
        if stated.at < journey.captured_at and not self._meaning.history:
            return (
                f"is dated {stated.at:%Y-%m-%d}, before the lead was captured ({journey.captured_at:%Y-%m-%d}); "
                "--history takes it as what happened then"
            )
        return None


_WAY_WORDS: Final = {
    "lead": "number", "journey": "journey", "email": "e-mail address", "external_id": "external id",
}  # fmt: skip
