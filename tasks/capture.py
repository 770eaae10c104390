"""Capture: signals are stored first, as received; then each becomes a lead's fields.

Belongs here: keys of signals, and mapping a payload to the lead's fields. Does not belong here: reading
files (``leadgate.connectors.files``), what a header means (``leadgate.mapping.headers``), cleaning values (validation).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.connectors.files import Row
from leadgate.fields import STANDARD, find_contact
from leadgate.ledger import actions, bulk, leads, signals
from leadgate.ledger.signals import NewSignal
from leadgate.limits import MAX_KEY_LENGTH, find_length_problem, find_max_length, shorten_key
from leadgate.mapping.column_notations import find_kind, read_recognised, settle_payload
from leadgate.mapping.contents import find_only_address
from leadgate.mapping.headers import as_text, find_settled, map_headers
from leadgate.mapping.shapes import flatten_webhook, is_nested
from leadgate.mapping.webhooks import read_values
from leadgate.plain_text import NUL_SHOWN, make_storable
from leadgate.playbook import Playbook, Source
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.vocabulary import JourneyKind, Outcome, StageName
from tasks.stage import Decided, Gathered, Stage, Work

_SHOWN: Final = 200  # characters of a value that a person has to mend
_FUTURE_TOLERANCE: Final = pd.Timedelta(days=1)  # a form's clock may be off, and a date has no zone


# --- keys -----------------------------------------------------------------------------------------------


class Keys:
    """Keys of the rows of one file: the source's own id, else a hash of the row and its nth occurrence.

    So a re-import is a no-op, and two real identical rows both survive. Remembers eight bytes a row, so a
    file of a million rows costs 8 MB here. ``volatile`` columns (an export's time stamp) are no part of it.
    """

    def __init__(self, source: Source) -> None:
        self._id_column = source.signal_key
        self._volatile = frozenset(source.volatile)
        self._seen: list[npt.NDArray[np.uint64]] = []  # sorted, each less than half of the one before
        self._again: dict[bytes, int] = {}

    def of(self, rows: Sequence[Row]) -> list[str]:
        """One key a row, in order."""
        digests = [_hash_row(row, self._volatile) for row in rows]
        short = np.frombuffer(b"".join(digest[:8] for digest in digests), dtype=np.uint64)
        known = self._find_known(short)
        keys = []
        for row, digest, before in zip(rows, digests, known.tolist(), strict=True):
            own = None if row.payload is None else _find_own_id(row.payload, self._id_column)
            if own is not None:
                keys.append(own)
                continue
            if digest not in self._again:
                self._again[digest] = 1 if before else 0
            self._again[digest] += 1
            keys.append(f"row:{digest.hex()}:{self._again[digest]}")
        # those seen once need no counter: the short form remembers them
        self._again = {digest: count for digest, count in self._again.items() if count > 1}
        self._remember(short)
        return keys

    def _find_known(self, short: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        known = np.zeros(len(short), dtype=np.bool_)
        for seen in self._seen:
            known |= seen[np.minimum(np.searchsorted(seen, short), len(seen) - 1)] == short
        return known

    def _remember(self, short: npt.NDArray[np.uint64]) -> None:
        """Like the digits of a binary counter: what is of one size is merged, so that no row is sorted often."""
        self._seen.append(np.unique(short))
        while len(self._seen) > 1 and len(self._seen[-2]) < 2 * len(self._seen[-1]):
            last = self._seen.pop()
            self._seen.append(np.union1d(self._seen.pop(), last))


def compute_key(payload: JsonObject, source: Source, given: str | None = None) -> str:
    """The key of a payload that came alone: the source's own id, else the key ``given`` with the request, else a hash
    of its content.

    Without ``given`` it is the key that a file gives to its first row like this, so a file of what was posted adds
    nothing. The same content once more is the same signal: a sender that got no answer sends again, and nothing tells
    that from somebody who means the same thing twice.
    """
    own = _find_own_id(payload, source.signal_key) or given
    return own if own is not None else f"row:{_hash_row(Row(1, dict(payload)), frozenset(source.volatile)).hex()}:1"


def compute_hash(payloads: Sequence[JsonObject], source: Source, *, listed: bool) -> str:
    """A hash of what a request says, whatever the order of columns, without the source's volatile ones. A list of one
    payload is not the same as the payload."""
    found = hashlib.blake2b(digest_size=16, person=b"list" if listed else b"")
    for payload in payloads:
        found.update(_encode_content(payload, source.volatile))
    return found.hexdigest()


def _find_own_id(payload: JsonObject, column: str | None) -> str | None:
    value = None if column is None else payload.get(column)
    return None if value is None else make_own_key(str(value))


def make_own_key(own_id: str) -> str | None:
    """The key of what its source calls ``own_id``; None for an empty one."""
    own = make_storable(own_id.strip())
    if not own:
        return None
    return f"id:{own}" if len(own) <= MAX_KEY_LENGTH else shorten_key(own)


def _hash_row(row: Row, volatile: Collection[str]) -> bytes:
    if row.payload is None:
        content = ("unreadable:" + (row.raw or "")).encode("utf-8", "surrogatepass")
    else:
        content = _encode_content(row.payload, volatile)
    return hashlib.blake2b(content, digest_size=16).digest()


def _encode_content(payload: JsonObject, volatile: Collection[str]) -> bytes:
    """What is the same whenever a payload says the same."""
    if volatile:
        payload = {name: value for name, value in payload.items() if name not in volatile}
    return encode(payload)


def encode(payload: JsonObject) -> bytes:
    """A payload as JSON, its columns in order; a lone surrogate, which no encoding has, as its escape."""
    try:
        return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_escape(payload), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def _escape(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return _escaped_text(value)
    if isinstance(value, Mapping):
        return {_escaped_text(name): _escape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_escape(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)  # JSON has longer integers than orjson writes
    return value


def _escaped_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


# --- storing signals ------------------------------------------------------------------------------------


def chunk_rows(rows: Iterable[Row], size: int = 5_000) -> Iterator[list[Row]]:
    """``rows`` in lists of ``size``: each is one transaction, so memory is bounded and ctrl-C keeps the rest."""
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def build_signal_rows(
    rows: Sequence[Row],
    source: str,
    origin: str,
    keys: Keys,
    recognised: str | None = None,
    kind: JourneyKind = JourneyKind.LEAD,
) -> list[NewSignal]:
    """``recognised``: which columns of the file are known by their values, as JSON. ``kind``: what the rows are
    about."""
    origin = make_storable(origin)  # a file's name is bytes, of any encoding or none
    return [
        NewSignal(
            number,
            source,
            key,
            (encode(row.payload) if row.payload is not None else encode({"raw": row.raw})).decode(),
            None if row.problem is None else make_storable(row.problem),
            f"{origin}:{row.line}",
            recognised,
            kind.value,
        )
        for number, (row, key) in enumerate(zip(rows, keys.of(rows), strict=True))
    ]


# --- the stage ------------------------------------------------------------------------------------------


def gather(connection: Connection, work: Work) -> Gathered[pd.DataFrame]:
    """Beside the signals, the corrections that people gave for them: ``journey_id``, ``field``, ``value``."""
    return Gathered(
        signals.read_captured(connection, work.batch.id),
        actions.read_corrections(connection, work.batch.id, StageName.CAPTURE),
    )


def decide(gathered: Gathered[pd.DataFrame], work: Work) -> Decided:
    """Map each payload's columns to the lead's fields; the rest are attributes. Values stay as they came.

    A value that is too long for its field is taken out of it, whatever the gate then makes of the lead: no later stage
    and no index meets it. The signal has it, as received.
    """
    frame, corrections = gathered.frame, gathered.context
    mapped = map_payloads(frame, work.rules)
    fields = [*STANDARD, *work.rules.fields]
    for journey_id, field, value in corrections.itertuples(index=False):
        mapped.loc[frame["journey_id"] == journey_id, field] = value or None
    frame = pd.concat([frame, mapped], axis=1)
    # a person who gives an unreadable row its values has read it
    frame["unreadable"] = frame["unreadable"].where(~frame["journey_id"].isin(corrections["journey_id"]), None)
    frame = pd.concat([frame, _remove_too_long(frame, fields)], axis=1)
    frame["contact"] = find_contact(frame)
    frame["signal_key"] = frame["key"]
    frame["source_known"] = frame["source"].isin(work.rules.sources)
    stated = pd.to_datetime(frame["occurred_at"], errors="coerce", utc=True, format="ISO8601")
    frame["occurred_in_future"] = (stated > pd.Timestamp(work.now) + _FUTURE_TOLERANCE).fillna(False)
    frame["custom"] = leads.pack_custom(frame, list(work.rules.fields))
    frame["value"] = frame["payload"].where(frame["unreadable"].notna(), None).map(read_raw, na_action="ignore")
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    leads.insert_leads(connection, decided.frame, work.now)
    return decided.frame


def map_payloads(frame: pd.DataFrame, playbook: Playbook) -> pd.DataFrame:
    """Columns for every standard and custom field (text or None) and ``attributes``, aligned with ``frame``.

    ``frame`` has ``source``, ``payload`` (JSON text), ``unreadable`` and, where known, ``posted`` (over HTTP) and
    ``recognised`` (JSON text: what columns of the row's file are by their values). Rows of a source with the same
    columns share one mapping, so a file is mapped once, not row by row. A date or number that may be read in two ways
    is written as its column has it. Of a payload that was posted the only e-mail address is the lead's where no name
    says so: it may have come under any name.
    """
    names = _Names(playbook)
    posted = bulk.list_values(frame["posted"]) if "posted" in frame else [False] * len(frame)
    payloads = [
        {} if unreadable is not None else names.flatten(source, orjson.loads(text))
        for source, text, unreadable in zip(
            *(bulk.list_values(frame[column]) for column in ("source", "payload", "unreadable")), strict=True
        )
    ]
    fields = [*STANDARD, *playbook.fields]
    values: dict[str, list[str | None]] = {name: [None] * len(payloads) for name in fields}
    attributes: list[dict[str, str]] = [{} for _ in payloads]
    by_values = bulk.list_values(frame["recognised"]) if "recognised" in frame else [None] * len(frame)
    types = {name: field.type for name, field in playbook.fields.items()}
    alike: dict[tuple[str, str | None, tuple[str, ...]], list[int]] = defaultdict(list)
    for position, (source, told, payload) in enumerate(
        zip(bulk.list_values(frame["source"]), by_values, payloads, strict=True)
    ):
        alike[source, told, tuple(payload)].append(position)
    for (source, told, headers), positions in alike.items():
        by_value, notations = read_recognised(told)
        mapping = map_lead_headers(headers, source, playbook, by_value)
        declared_by = playbook.sources.get(source)
        declared = list_declared(headers, source, playbook)
        only = {
            position: find_only_address(payloads[position], mapping, declared)
            for position in positions
            if posted[position] and "email" not in mapping.values()
        }
        for header in headers:
            field = mapping.get(header)
            target = values[field] if field is not None else None
            kind = None if field is None else find_kind(field, types.get(field))
            for position in positions:
                value = clean_text(payloads[position][header])
                if kind is not None and value is not None:
                    value = settle_payload(payloads[position][header], value, kind, notations.get(header), declared_by)
                if target is not None:
                    target[position] = value
                elif only and only.get(position) == header:
                    values["email"][position] = value
                elif value is not None:
                    attributes[position][header.replace("\x00", NUL_SHOWN)] = value
    columns = {name: pd.Series(column, index=frame.index, dtype=object) for name, column in values.items()}
    return pd.DataFrame(columns | {"attributes": pd.Series(attributes, index=frame.index, dtype=object)})


def map_lead_headers(
    headers: Sequence[str], source: str, playbook: Playbook, recognised: Mapping[str, str] = {}
) -> dict[str, str]:
    """Which lead field each column of ``source`` fills: the source's mapping, the playbook's, the usual names, and at
    last what columns were ``recognised`` as by their values."""
    custom = {name: (name, *field.headers) for name, field in playbook.fields.items()}
    overrides = _list_overrides(source, playbook)
    return map_headers(headers, overrides=overrides, custom=custom, recognised=recognised)


def list_declared(headers: Sequence[str], source: str, playbook: Playbook) -> Collection[str]:
    """Those of ``headers`` of which the playbook says what they are, attributes too."""
    return find_settled(headers, _list_overrides(source, playbook))


def _list_overrides(source: str, playbook: Playbook) -> dict[str, str]:
    declared = playbook.sources.get(source)
    return {**playbook.headers, **(declared.mapping if declared else {})}


class _Names:
    """Flat payloads of the sources of a playbook. A vendor's webhook is read as its source says."""

    def __init__(self, playbook: Playbook) -> None:
        self._auths = {name: source.http.auth for name, source in playbook.sources.items() if source.http is not None}
        self._find = lru_cache(maxsize=10_000)(
            lambda source, name: map_lead_headers((name,), source, playbook).get(name)
        )
        self._is_declared = lru_cache(maxsize=10_000)(
            lambda source, name: name in list_declared((name,), source, playbook)
        )

    def flatten(self, source: str, payload: JsonObject) -> JsonObject:
        def find_field(name: str) -> str | None:
            return self._find(source, name)

        values = read_values(self._auths.get(source), payload, find_field)
        payload = payload if values is None else values
        if not is_nested(payload):
            return payload
        return flatten_webhook(payload, find_field, lambda name: self._is_declared(source, name))


def clean_text(value: JsonValue) -> str | None:
    """A value as text without the space around it; nothing as None. A NUL becomes its visible sign."""
    if value is None:
        return None
    text = (value if isinstance(value, str) else as_text(value)).strip()
    if "\x00" in text:
        text = text.replace("\x00", NUL_SHOWN)
    return text or None


def _remove_too_long(frame: pd.DataFrame, fields: Sequence[str]) -> pd.DataFrame:
    """Take each value that is too long for its field out of ``frame``, in place.

    Returns what the gate judges: ``longest_value`` in characters, before anything was taken out; ``too_long``, in words
    which fields, or None; and ``too_long_value``, how the first of them begins.
    """
    longest = np.zeros(len(frame), dtype=np.int64)
    words: list[list[str]] = [[] for _ in range(len(frame))]
    begins: list[str | None] = [None] * len(frame)
    for name in fields:
        values = frame[name].to_numpy(dtype=object)
        listed: list[str | None] = values.tolist()
        if listed.count(None) == len(listed):  # most fields are in no row of a form
            continue
        lengths = np.array([len(value) if isinstance(value, str) else 0 for value in listed], dtype=np.int64)
        longest = np.maximum(longest, lengths)
        rows = np.flatnonzero(lengths > find_max_length(name))
        if not len(rows):
            continue
        values = values.copy()
        for row in rows.tolist():
            words[row].append(find_length_problem(name, values[row]) or "")
            begins[row] = begins[row] or values[row][:_SHOWN]
            values[row] = None
        frame[name] = pd.Series(values, index=frame.index, dtype=object)
    found = [("; ".join(each) or None) for each in words]
    judged = {"longest_value": longest, "too_long": pd.Series(found, index=frame.index, dtype=object)}
    return pd.DataFrame(
        judged | {"too_long_value": pd.Series(begins, index=frame.index, dtype=object)}, index=frame.index
    )


def read_raw(payload: str) -> str:
    """What an unreadable row said, for the person who has to mend it."""
    return str(orjson.loads(payload).get("raw"))[:_SHOWN].replace("\x00", NUL_SHOWN)


STAGE: Final = Stage(name=StageName.CAPTURE, gather=gather, decide=decide, store=store)
