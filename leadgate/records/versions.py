"""The versions of a record: what an update changes, in which order updates follow one another.

Belongs here: comparing an update with what was known; pure. Does not belong here: reading an update (``reading``),
what a version means for figures (``standing``), or storing it (``ledger.records``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from leadgate.values.json_types import JsonObject, JsonValue

#: Fields that say when and by whom a record was changed: a record in which nothing else is different is unchanged.
OF_THE_UPDATE: Final = frozenset({"external_id", "occurred_at", "changed_by"})


@dataclass(frozen=True, slots=True)
class Update:
    """An update of one record: what it says of each field that it names, and when that was changed."""

    row: int
    journey_id: int
    told: JsonObject
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """A record as it is known: its number of versions, its values, when they were changed, by which journey."""

    number: int = 0
    values: JsonObject = field(default_factory=dict)
    changed_at: datetime | None = None
    journey_id: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version that an update makes. ``changes``: field -> [before, after]."""

    row: int
    number: int
    values: JsonObject
    changes: JsonObject
    late: bool


def chain_versions(updates: Sequence[Update], known: Known) -> dict[int, Version | None]:
    """The version that each update of one record makes, by row; None for one that changes nothing.

    Updates follow one another by ``changed_at``, then by journey. One that was changed before what is known already is
    ``late``: it is kept, and is compared with nothing. A journey that made the version which is known, and is
    corrected, changes that version, or goes on with it: then it has None, too.
    """
    made: dict[int, Version | None] = {}
    number, values, last_at = known.number, known.values, known.changed_at
    for update in sorted(updates, key=lambda each: (each.changed_at, each.journey_id)):
        late = last_at is not None and update.changed_at < last_at and update.journey_id != known.journey_id
        if late:
            number += 1
            told = {name: value for name, value in update.told.items() if value is not None}
            made[update.row] = Version(update.row, number, told, {}, late=True)
            continue
        after = merge(values, update.told)
        changes = compare(values, after)
        if not changes and number:
            made[update.row] = None
            continue
        number += 1
        made[update.row] = Version(update.row, number, after, changes, late=False)
        values, last_at = after, update.changed_at
    return made


def merge(before: JsonObject, told: JsonObject) -> JsonObject:
    """The values after an update: those that it names are as it says, and the others stay."""
    merged = {**before, **told}
    return {name: value for name, value in merged.items() if value is not None}


def compare(before: Mapping[str, JsonValue], after: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Field -> [before, after] of each field that differs, in the order of the fields' names."""
    names = sorted((before.keys() | after.keys()) - OF_THE_UPDATE)
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}


def group_updates(keys: Sequence[tuple[str, str]], updates: Sequence[Update]) -> dict[tuple[str, str], list[Update]]:
    """The updates of each record, by its source and key."""
    grouped: dict[tuple[str, str], list[Update]] = defaultdict(list)
    for key, update in zip(keys, updates, strict=True):
        grouped[key].append(update)
    return dict(grouped)
