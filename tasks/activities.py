"""Activities as they come in: which column says what, and rows as the ledger takes them.

Belongs here: mapping an export's columns to an activity and reading its values. Does not belong here:
reading the file (``leadgate.connectors.files``), or finding the lead (``ledger.activities.match_activities``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from leadgate.connectors.files import Row
from leadgate.fields import ACTIVITY_FIELDS
from leadgate.ledger.activities import NewActivity
from leadgate.ledger.signals import NewSignal
from leadgate.limits import find_length_problem
from leadgate.mapping.column_notations import settle_value, writes_day_first
from leadgate.mapping.headers import flatten, map_headers
from leadgate.plain_text import make_storable
from leadgate.playbook import Playbook, Source
from leadgate.playbook.kinds import SOURCE_KINDS
from leadgate.values.addresses import Kinds, read_address
from leadgate.values.answers import read_yes_or_no
from leadgate.values.json_types import JsonObject
from leadgate.values.moments import read_moment
from leadgate.values.notations import Notation
from leadgate.vocabulary import ActivityActor, JourneyKind
from tasks.capture import Keys, encode

#: Further names of an activity's columns in the usual exports, besides those ``headers`` knows for a lead.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "kind": (
        "type", "activity", "activity type", "engagement type", "event", "event type", "event name", "action",
        "task type", "aktivität", "art", "activité", "type d'activité", "actividad", "tipo",
    ),
    "rep": (
        "owner", "user", "sales rep", "rep email", "rep name", "owner email", "owner name", "assigned to",
        "activity assigned to", "agent", "seller", "performed by", "vertriebler", "commercial", "comercial",
    ),
    "actor": ("who", "actor type"),
    "occurred_at": (
        "date", "activity date", "timestamp", "time", "at", "when", "event time", "datum", "fecha",
    ),
    "lead_id": ("lead",),
    "record": (
        "opportunity id", "deal id", "contract id", "associated deal id", "associated deal ids", "associated deals ids",
        "related to id", "what id",
    ),
    "seconds": (
        "duration", "call duration", "call length", "talk time", "duration seconds", "call duration seconds",
        "call duration in seconds", "duration in seconds", "dauer", "gesprächsdauer", "durée", "duración",
    ),
    "milliseconds": ("hs call duration", "call duration ms", "duration ms"),  # HubSpot counts in thousandths
    "automatic": (
        "automated", "is automated", "is automatic", "auto", "sent automatically", "automatisch", "automatique",
        "automático",
    ),
    "note": ("notes", "comment", "comments", "body", "description", "subject"),
}  # fmt: skip
#: Without these columns no row of a file is an activity; one about a record needs no e-mail address.
REQUIRED: Final = ("kind", "email", "occurred_at")
_SEPARATORS: Final = re.compile(r"[;,\s]+")  # of ids in a cell
_IN_THE_FUTURE: Final = timedelta(days=1)  # a date has no zone, and clocks are off


class _Read(NamedTuple):
    """What a row says of an activity."""

    kind: str
    actor: str
    rep: str | None
    email: str | None
    at: datetime
    seconds: int | None
    automatic: bool | None
    record: str | None


@dataclass
class Sorted:
    """Rows of a chunk: ``held`` are signals for a person to look at."""

    activities: list[NewActivity] = field(default_factory=list)
    held: list[NewSignal] = field(default_factory=list)
    held_lines: list[int] = field(default_factory=list)


def map_activity_headers(headers: Sequence[str], source: Source) -> dict[str, str]:
    """Which field of an activity each column is: the source's mapping first, then the usual names."""
    mapped = map_headers(headers, overrides=source.mapping, custom=_NAMES)
    return {header: name for header, name in mapped.items() if name in ACTIVITY_FIELDS}


def list_missing_fields(headers: Sequence[str], source: Source) -> list[str]:
    """The fields without which there is no activity, that no column of a file gives."""
    given = set(map_activity_headers(headers, source).values())
    return [name for name in REQUIRED if name not in given and not (name == "email" and "record" in given)]


class Reader:
    """Reads rows of one source. ``now`` is what a relative date ("yesterday") is relative to.

    A row is called by its ``unit`` and number in what is said of it: the line of a file, the item of a list.
    """

    def __init__(self, name: str, origin: str, playbook: Playbook, now: datetime, *, unit: str = "line") -> None:
        self._name, self._origin, self._unit = name, make_storable(origin), unit
        self._now = now
        self._source = playbook.sources[name]
        self._keys = Keys(self._source)
        self._kinds = Kinds.of(playbook.validation)
        self._has_records = any(
            SOURCE_KINDS.get(each.kind, JourneyKind.LEAD) is not JourneyKind.LEAD for each in playbook.sources.values()
        )
        self._day_first = writes_day_first(self._source, playbook)
        self._reps = {
            spelling.casefold(): rep.name
            for rep in playbook.reps
            for spelling in (rep.name, rep.email, rep.label)
            if spelling
        }
        self._mapping = lru_cache(maxsize=256)(lambda headers: map_activity_headers(headers, self._source))
        self._address = lru_cache(maxsize=10_000)(lambda text: read_address(text, self._kinds).canonical)

    def sort(
        self,
        rows: Sequence[Row],
        keys: Sequence[str] | None = None,
        now: datetime | None = None,
        texts: Sequence[str] | None = None,
        notations: Mapping[str, Notation] = MappingProxyType({}),
    ) -> Sorted:
        """Split ``rows`` into activities and those that tell too little, which a person has to look at.

        A row without a readable kind, e-mail address or time is held like any other unreadable row, with
        the reason; it is never dropped. Without ``keys`` the rows are those of one file. With ``now``, a
        reader may serve for as long as a process lives. ``texts`` are the rows as they came, where the rows do not say
        all of it; ``notations`` says how columns of their file write their dates.
        """
        result = Sorted()
        at = self._now if now is None else now
        for place, (row, key) in enumerate(zip(rows, self._keys.of(rows) if keys is None else keys, strict=True)):
            activity, problem = (None, row.problem) if row.payload is None else self._read(row.payload, at, notations)
            text = None if texts is None else texts[place]
            if activity is not None:
                payload = encode(row.payload or {}).decode() if text is None else text
                result.activities.append(
                    NewActivity(
                        self._name, key, activity.kind, activity.actor, activity.rep, activity.email, activity.at,
                        payload, activity.seconds, activity.automatic, activity.record,
                    )
                )  # fmt: skip
            else:
                result.held.append(self._build_held_row(len(result.held), row, key, problem, text))
                result.held_lines.append(row.line)
        return result

    def _build_held_row(self, number: int, row: Row, key: str, problem: str | None, text: str | None) -> NewSignal:
        if row.payload is None:
            raw, words = row.raw, problem or f"{self._unit} {row.line}: cannot be read"
        else:
            raw, words = text or encode(row.payload).decode(), f"{self._unit} {row.line}: the activity {problem}"
        payload = encode({"raw": raw}).decode()
        unreadable = make_storable(words)
        return NewSignal(number, self._name, key, payload, unreadable, f"{self._origin}:{row.line}")

    def _read(
        self, payload: JsonObject, now: datetime, notations: Mapping[str, Notation]
    ) -> tuple[_Read | None, str | None]:
        flat = flatten(payload)
        mapping = self._mapping(tuple(flat))
        values = {name: _clean_text(flat[header]) for header, name in mapping.items()}
        kind = normalise_kind(values.get("kind") or "")
        if not kind:
            return None, "does not say what happened: the kind of activity is empty"
        written = values.get("email") or ""
        email = None if not written or find_length_problem("email", written) else self._address(written)
        record = self._read_record(values.get("record"))
        if email is None and record is None:
            return None, "names nobody: the e-mail address is " + ("malformed" if written else "empty")
        stated = values.get("occurred_at") or ""
        if notations:
            dated = next((header for header, name in mapping.items() if name == "occurred_at"), "")
            stated = settle_value(stated, "date", notations.get(dated), self._source)
        at = read_moment(stated, day_first=self._day_first, relative_to=now) if stated else None
        if at is None:
            return None, "does not say when it happened: the time is " + ("not a date" if stated else "empty")
        if at > now + _IN_THE_FUTURE:
            return None, "has not happened yet: its time is in the future"
        rep = self._resolve_rep(values.get("rep"))
        # a call by somebody the playbook does not know is no owner's touch, and not the lead's doing either
        by_rep = rep is not None or normalise_kind(values.get("actor") or "") == ActivityActor.REP
        actor = ActivityActor.REP if by_rep else ActivityActor.LEAD
        length = (
            _parse_duration(values.get("seconds"), 1)
            if values.get("seconds")
            else _parse_duration(values.get("milliseconds"), 1000)
        )
        return _Read(kind, actor, rep, email, at, length, read_yes_or_no(values.get("automatic") or ""), record), None

    def _read_record(self, written: str | None) -> str | None:
        """The id of the record; of several the first one. None where the playbook has no records."""
        if not written or not self._has_records:
            return None
        first = next(filter(None, _SEPARATORS.split(written)), None)
        return None if first is None or find_length_problem("external_id", first) else first

    def _resolve_rep(self, written: str | None) -> str | None:
        return None if written is None else self._reps.get(written.casefold(), written)


_CLOCK: Final = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,]\d+)?")
_COUNT: Final = re.compile(r"(\d{1,9})(?:[.,]\d+)?\s*(ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?)?", re.IGNORECASE)
_LONGEST: Final = 2**31 - 1  # what the ledger's column holds
_LONG: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def _parse_duration(written: str | None, parts: int) -> int | None:
    """How long an activity took, in whole seconds; None when it is not said, or not understood.

    A bare number counts ``parts`` of a second.

    >>> [_parse_duration(t, 1) for t in ("0", "95", "1:35", "00:01:35", "2 min", "300 ms", "long")]
    [0, 95, 95, 95, 120, 0, None]
    """
    if written and (clock := _CLOCK.fullmatch(written)):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    if written and (count := _COUNT.fullmatch(written)):
        unit = (count[2] or "").lower()
        of_one = 1 / parts if not unit else 0.001 if unit == "ms" else _LONG[unit[0]]
        seconds = int(int(count[1]) * of_one)
        return seconds if seconds <= _LONGEST else None
    return None


def normalise_kind(words: str) -> str:
    """A kind of activity as the playbook writes it.

    >>> (normalise_kind("Pricing-Page View"), normalise_kind("DEMO_REQUEST"), normalise_kind("Réunion"),
    ... normalise_kind("?"))
    ('pricing_page_view', 'demo_request', 'reunion', '')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", words[:200])
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:63].strip("_")


def _clean_text(value: object) -> str | None:
    if value is None:
        return None
    return make_storable(str(value).strip()) or None
