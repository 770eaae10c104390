"""A body of HTTP capture as rows for the ledger: its payloads, their keys, and which of them are activities.

Belongs here: what depends on the source that sent the body. Does not belong here: reading a body without one
(``body_reader``), who sent it (``authentication``), storing (``writer``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from console.http import body_reader
from console.http.body_reader import Body
from console.http.responses import RefusedError
from console.http.vendors import read_webhooks
from leadgate.ledger.activities import NewActivity
from leadgate.ledger.crm_changes import NewCrmChange
from leadgate.ledger.signals import NewSignal
from leadgate.mapping.webhooks import find_preset
from leadgate.playbook import HttpCapture, Playbook, Source
from tasks.activities import map_activity_headers
from tasks.capture import compute_hash, compute_key
from tasks.ingestion import Outcome, Payload, SourceReader


class Posted(NamedTuple):
    """What a request holds. ``held`` are the positions of payloads that are signals for a person."""

    payloads: int
    signals: Sequence[NewSignal]
    activities: Sequence[NewActivity]
    changes: Sequence[NewCrmChange]
    held: set[int]
    hash: str | None  # of the content, where the sender gave a key


class PostReader:
    """Reads what sources post. Safe to use from several threads."""

    def __init__(self, playbook: Playbook, now: datetime) -> None:
        self.sources = {name: source for name, source in playbook.sources.items() if source.http is not None}
        self._readers = {name: SourceReader(name, "HTTP", playbook, now, unit="payload") for name in self.sources}
        self._finders = {
            name: _build_finder(source) for name, source in self.sources.items() if source.kind == "activities"
        }

    def read(
        self, name: str, body: bytes, content_type: str | None, encoding: str, key: str | None, now: datetime
    ) -> Posted:
        """The payloads of ``body``. ``key`` is the id that the sender gave, signed or as a bearer; a payload's own id
        wins over it. Raises ``RefusedError``."""
        source = self.sources[name]
        http = require_http(source)
        _require_size(http, body, encoding)
        if (preset := find_preset(http.auth)) is not None:
            hashed = None  # no vendor signs an id of its request
            payloads = read_webhooks(preset, body, self._finders.get(name), reads_answers=http.answers is not None)
            arrivals = self._readers[name].read_payloads(payloads, now, listed=len(payloads) > 1, is_webhook=True)
        else:
            read = body_reader.read(body, content_type)
            keys = _compute_keys(read, key, source)
            payloads = [Payload(k, each.text, each.values) for k, each in zip(keys, read.payloads, strict=True)]
            hashed = (
                None if key is None else compute_hash([p.values for p in read.payloads], source, listed=read.listed)
            )
            arrivals = self._readers[name].read_payloads(payloads, now, listed=read.listed)
        if len(payloads) > http.burst:
            words = f"the source may send {http.burst:,} payloads at once; send fewer in a request"
            raise RefusedError(413, "too_many", words)
        held = {line - 1 for line in arrivals.held_lines}
        return Posted(len(payloads), arrivals.signals, arrivals.activities, arrivals.changes, held, hashed)


def _build_finder(source: Source) -> Callable[[str], str | None]:
    """Which field of an activity a name means that a vendor gives to a value."""
    return lru_cache(maxsize=10_000)(lambda name: map_activity_headers((name,), source).get(name))


def require_http(source: Source) -> HttpCapture:
    if source.http is None:
        raise LookupError("a source that may not post")
    return source.http


def _require_size(http: HttpCapture, body: bytes, encoding: str) -> None:
    if len(body) > http.max_bytes:
        words = f"the body has {len(body):,} bytes; the source may send {http.max_bytes:,}"
        raise RefusedError(413, "too_large", words)
    if encoding.lower() != "identity":
        raise RefusedError(415, "content_encoding", "send the body as it is, not compressed")


def _compute_keys(body: Body, given: str | None, source: Source) -> list[str]:
    """Each payload's own id; else the key that was given, by position in a list; else the payload's content."""
    if given is None:
        return [compute_key(payload.values, source) for payload in body.payloads]
    if not body.listed:
        return [compute_key(body.payloads[0].values, source, f"once:{given}")]
    return [compute_key(payload.values, source, f"once[{at}]:{given}") for at, payload in enumerate(body.payloads)]


def build_json_data(source: Source, outcome: Outcome, posted: Posted) -> dict[str, list[dict[str, int | bool]]]:
    """The answer: an entry for each payload, in their order."""
    http = require_http(source)
    names_records = http.auth == "hubspot" or http.answers is not None
    if source.kind != "activities" and not names_records:
        return {"signals": [{"id": id_, "new": new} for id_, new in outcome.signals]}
    signals, happened = iter(outcome.signals), iter(outcome.changes if names_records else outcome.activities)
    entries = []
    for at in range(posted.payloads):
        each = next(signals if at in posted.held else happened)
        entries.append({"held_as_signal" if at in posted.held else "id": each.id, "new": each.new})
    return {"changes" if names_records else "activities": entries}
