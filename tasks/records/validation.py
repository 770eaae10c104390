"""Validation of records: clean values, the record that each update is about, and the version that it makes.

Belongs here: what this stage loads, decides and stores. Does not belong here: cleaning a value
(``leadgate.records.reading``), or what an update changes (``leadgate.records.versions``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import actions, bulk, records, signals
from leadgate.ledger.journeys import record_moves
from leadgate.ledger.records import CurrentRecord
from leadgate.playbook import Playbook
from leadgate.playbook.rep_names import RepNames
from leadgate.records.reading import Reading, list_field_types, read_values
from leadgate.records.standing import Standing, make_account_key, read_words
from leadgate.records.versions import (
    Known,
    Update,
    Version,
    chain_versions,
    group_updates,
)
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.vocabulary import NothingNew, Outcome, StageName
from tasks.records.updates import read_updates
from tasks.stage import Decided, Gathered, Stage, Work


def gather(connection: Connection, work: Work) -> Gathered[pd.DataFrame]:
    batch = work.batch.id
    return Gathered(
        signals.read_captured(connection, batch, StageName.VALIDATION),
        actions.read_corrections(connection, batch, StageName.VALIDATION),
    )


def decide(gathered: Gathered[pd.DataFrame], work: Work) -> Decided:
    """The values of each update by type, and what is wrong with those that cannot be read: the gate reads the
    problems."""
    frame = read_updates(gathered.frame, gathered.context, work.rules)
    types, required = list_field_types(work.rules), work.rules.validation.required
    readings = {source: Reading.of(source, work.rules) for source in frame["source"].unique()}
    words = read_words(work.rules)
    read: list[dict[str, JsonValue]] = []
    unreadable: list[str | None] = []
    for told, source, at in zip(
        *(bulk.list_values(frame[name]) for name in ("told", "source", "captured_at")), strict=True
    ):
        values, problems = read_values(told, types, readings[source], at)
        words.use_own(values)
        read.append(values)
        unreadable.append("; ".join(f"{name}: {problem}" for name, problem in problems.items()) or None)
    frame["update"] = pd.Series(read, index=frame.index, dtype=object)
    frame["unreadable_problem"] = pd.Series(unreadable, index=frame.index, dtype=object)
    keys = [values.get("external_id") for values in read]
    frame["record_key"] = pd.Series(keys, index=frame.index, dtype=object)
    missing = [[name for name in required if values.get(name) is None] for values in read]
    frame["field_problem"] = pd.Series(
        ["; ".join(f"{name}: required, and missing" for name in names) or None for names in missing],
        index=frame.index,
        dtype=object,
    )
    frame["amount_told"] = pd.to_numeric(pd.Series([values.get("amount") for values in read], index=frame.index))
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    """Find or make the record of each update, and store the versions; updates that change nothing end here.

    What an update changes is looked at here and not in ``decide``: the gate may have held one that came before it, and
    only within this transaction the record cannot change.
    """
    frame = decided.frame.reset_index(drop=True)
    if frame.empty:
        return frame
    kind = work.batch.journey_kind
    keys = list(zip(bulk.list_values(frame["source"]), bulk.list_values(frame["record_key"]), strict=True))
    distinct = sorted(set(keys))
    found = records.read_by_key(connection, kind, distinct)
    known = {(each.source, each.key): _build_known(each) for each in found}
    deleted = {(each.source, each.key): each.deleted_at for each in found if each.deleted_at is not None}
    ids = {(each.source, each.key): each.id for each in found}
    if new := [key for key in distinct if key not in ids]:
        ids |= records.insert_new(connection, kind, new, work.now)
    rows: list[Any] = list(frame.itertuples())
    updates = [_build_update(row) for row in rows]
    gone = {row for row, key in enumerate(keys) if key in deleted and rows[row].captured_at <= deleted[key]}
    made: dict[int, Version | None] = {}
    told = [(key, update) for row, (key, update) in enumerate(zip(keys, updates, strict=True)) if row not in gone]
    for key, of_record in group_updates([key for key, _ in told], [update for _, update in told]).items():
        made |= chain_versions(of_record, known.get(key, Known()))
    frame["record_id"] = [ids[key] for key in keys]
    record_moves.set_records(connection, bulk.list_values(frame["journey_id"]), bulk.list_values(frame["record_id"]))
    versions = _build_versions(frame, updates, made, work.rules)
    current = versions[~versions["late"].astype(bool)].drop_duplicates("record_id", keep="last")
    records.insert_versions(connection, versions, current, work.now)
    own = {each.journey_id for each in found}  # a corrected journey goes on with the version that it made before
    ends = [
        NothingNew.RECORD_DELETED if row in gone else _find_end(made[row], journey in own)
        for row, journey in enumerate(bulk.list_values(frame["journey_id"]))
    ]
    ended = pd.Series([end is not None for end in ends], index=frame.index)
    frame.loc[ended, "outcome"] = Outcome.SUPERSEDED
    frame.loc[ended, "reason"] = pd.Series(ends, index=frame.index, dtype=object)[ended]
    return frame


def _build_known(record: CurrentRecord) -> Known:
    """Of one that was deleted nothing is known any more: an update tells all of it anew."""
    values = record.values if record.deleted_at is None else {}
    return Known(record.version, values, record.changed_at, record.journey_id)


def _find_end(version: Version | None, is_current: bool) -> str | None:
    """Why an update goes no further; None for one that goes on."""
    if version is None:
        return None if is_current else NothingNew.NOTHING_CHANGED
    return NothingNew.TOLD_LATE if version.late else None


def _build_update(row: Any) -> Update:
    told: JsonObject = row.update
    stated = told.get("occurred_at")
    captured: datetime = row.captured_at
    # a clock that is ahead must not make every later update a late one
    at = min(datetime.fromisoformat(str(stated)), captured) if stated else captured
    return Update(row.Index, row.journey_id, told, at)


def _build_versions(
    frame: pd.DataFrame, updates: list[Update], made: dict[int, Version | None], playbook: Playbook
) -> pd.DataFrame:
    """A row for each version, in the order of their numbers: what ``records.insert_versions`` takes, both tables'."""
    words, reps = read_words(playbook), RepNames(playbook.reps)
    rows = []
    record_ids, received = bulk.list_values(frame["record_id"]), bulk.list_values(frame["captured_at"])
    for version in sorted(filter(None, made.values()), key=lambda each: (record_ids[each.row], each.number)):
        values, update = version.values, updates[version.row]
        standing = words.find_standing(values)
        rows.append(
            {
                "record_id": record_ids[version.row],
                "number": version.number,
                "journey_id": update.journey_id,
                "changed_at": update.changed_at,
                "changed_by": _as_text(update.told.get("changed_by")),
                "received_at": received[version.row],
                "values": orjson.dumps(values).decode(),
                "changes": orjson.dumps(version.changes).decode(),
                "late": version.late,
                **_build_figures(values, standing),
                "owner": reps.find(values.get("owner")),
                "name": _as_text(values.get("name")),
                "account": _as_text(values.get("account")),
                "account_key": make_account_key(str(values["account"])) if values.get("account") else None,
            }
        )
    columns = [
        "record_id", "number", "journey_id", "changed_at", "changed_by", "received_at", "values", "changes", "late",
        "sales_stage", "amount", "close_date", "category", "is_open", "outcome", "owner", "name", "account",
        "account_key",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _build_figures(values: JsonObject, standing: Standing) -> dict[str, object]:
    amount = values.get("amount")
    return {
        "sales_stage": _as_text(values.get("sales_stage")),
        "amount": None if amount is None else f"{float(str(amount)):.2f}",
        "close_date": standing.close_date,
        "category": standing.category,
        "is_open": standing.is_open,
        "outcome": standing.outcome,
    }


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


STAGE: Final = Stage(name=StageName.VALIDATION, gather=gather, decide=decide, store=store)
