"""The provider ``http``: a service that is asked about each company by GET, as the playbook describes it.

Belongs here: which leads it is asked about, and what its answers mean. Does not belong here: sending
(``service_session``), cleaning values (``mapping.answers``), or many requests at once (``request_pool``).

A lead is asked about when a field that the provider knows is still missing. What was answered before, "not found"
included, is not asked again until it is too old: another lead of the same company costs nothing. What is kept stands
under a keyed hash of the request and the playbook's expressions, so another expression asks anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
import pandas as pd
import requests

from leadgate.connectors.lookup_records import Closing, LookupRecords
from leadgate.connectors.provider import ANSWERED, ASK_AGAIN, PROBLEM
from leadgate.connectors.request_pool import Outcome, RequestPool, find_pace
from leadgate.connectors.service_session import Answer, Policy, ServiceError, ServiceSession
from leadgate.expressions.json_paths import JsonPathError, compile_path
from leadgate.hashing import compute_keyed_hash
from leadgate.mapping.answers import CleanAnswer, clean_answers
from leadgate.playbook import HttpProvider, Playbook
from leadgate.values.json_types import JsonValue
from leadgate.values.url_templates import parse_template

_LARGEST_ANSWER: Final = 256 * 1024  # bytes
_LONGEST_SECRET: Final = 4_096  # characters
_KEPT_TOGETHER: Final = 100  # answers in a transaction: what a killed process has asked in vain
_LONGEST_PAUSE: Final = timedelta(days=1)
#: Answers by which a service says that it will take no request of this account for now.
_REFUSED: Final = {401: "it refuses the key", 402: "its account has no credit left", 403: "it refuses the key"}


@dataclass
class _Known:
    """What is known of one request: an answer, or why there is none."""

    answer: CleanAnswer | None = None
    answered_at: datetime | None = None  # of an answer that was kept
    problem: str | None = None
    again_at: datetime | None = None


@dataclass
class ServiceProvider:
    """Asks one service. ``records`` keep answers and costs, under hashes with ``key``; ``environ`` has its own key."""

    declared: HttpProvider
    rules: Playbook
    records: LookupRecords
    key: bytes = field(repr=False)
    now: datetime
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def name(self) -> str:
        return self.declared.name

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        urls = self._list_requests(frame)
        hashes = {url: self._hash(url) for url in dict.fromkeys(filter(None, urls))}
        known = self._read_kept(hashes)
        waiting = [url for url in hashes if url not in known]
        if waiting:
            known |= self._ask(waiting, hashes)
        rows = [known.get(url, _Known()) if url else _Known() for url in urls]
        values = [row.answer.values if row.answer else {} for row in rows]
        columns: dict[str, list[object]] = {name: [each.get(name) for each in values] for name in self.declared.fields}
        columns[PROBLEM] = [row.problem for row in rows]
        columns[ASK_AGAIN] = [row.again_at for row in rows]
        columns[ANSWERED] = [row.answered_at.isoformat() if row.answered_at else None for row in rows]
        return pd.DataFrame(columns, index=frame.index, dtype=object)

    def _list_requests(self, frame: pd.DataFrame) -> list[str | None]:
        """The URL to ask for each lead; None where nothing is missing, or there is nothing to ask with."""
        template = parse_template(self.declared.url)
        lacks = pd.Series(False, index=frame.index)
        for name in self.declared.fields:
            lacks |= frame[name].isna() if name in frame else True
        columns = [frame[name].tolist() if name in frame else [None] * len(frame) for name in template.fields]
        return [
            template.build(dict(zip(template.fields, values, strict=True))) if lacking else None
            for lacking, *values in zip(lacks.tolist(), *columns, strict=True)
        ]

    def _hash(self, url: str) -> int:
        told = [self.name, url, sorted(self.declared.fields.items()), self.declared.not_found.model_dump()]
        return compute_keyed_hash(self.key, "lookup", orjson.dumps(told).decode())

    def _read_kept(self, hashes: Mapping[str, int]) -> dict[str, _Known]:
        if not hashes:
            return {}
        kept = self.records.read_answers(self.name, list(hashes.values()), self.now)
        return {
            url: _Known(CleanAnswer(dict(kept[hash_].values or {})), kept[hash_].answered_at)
            for url, hash_ in hashes.items()
            if hash_ in kept
        }

    def _ask(self, urls: Sequence[str], hashes: Mapping[str, int]) -> dict[str, _Known]:
        """Ask about ``urls``, within the day's budget. Those that are not asked about have a problem."""
        declared = self.declared
        permit = self.records.reserve(self.name, len(urls) * declared.cost, declared.daily_budget, self.now)
        if permit.closed_until is not None:
            return self._skip(urls, permit.why or "it is left alone", permit.closed_until)
        affordable = urls[: permit.units // declared.cost] if declared.cost else urls
        pool = RequestPool(
            connections=declared.connections,
            seconds=declared.batch_timeout.total_seconds(),
            grace=declared.timeout.total_seconds(),
            pace=find_pace(self.name, declared.per_second),
            stop_after=max(1, declared.stop_after - permit.failures),
        )
        known: dict[str, _Known] = {}
        try:
            secret = self._read_secret()
        except ServiceError as error:
            pool.stop(str(error))
        else:
            with self._open_session(secret) as session:
                self._collect(pool, session, affordable, hashes, known)
        closing = self._find_closing(pool, 0 if pool.answered else permit.pauses)
        if closing is None and len(affordable) < len(urls):
            closing = Closing(_find_next_day(self.now), "the day's budget is spent", is_pause=False)
        self.records.settle(
            self.name,
            unspent=permit.units - pool.sent * declared.cost,
            failures=pool.failures if pool.answered else permit.failures + pool.failures,
            answered=pool.answered,
            closing=closing,
            now=self.now,
        )
        left = [url for url in urls if url not in known]
        if closing is not None:
            for each in known.values():
                if each.again_at is not None:  # it failed, and is asked about no earlier than those left
                    each.again_at = closing.until
            return known | self._skip(left, closing.why, closing.until)
        return known | self._skip(left, "the batch could wait no longer for it", self.now + declared.pause)

    def _collect(
        self,
        pool: RequestPool,
        session: ServiceSession,
        urls: Sequence[str],
        hashes: Mapping[str, int],
        known: dict[str, _Known],
    ) -> None:
        """Put what is answered about ``urls`` into ``known``, and keep it as it comes."""
        fresh: dict[str, Mapping[str, JsonValue] | None] = {}
        for url, outcome in pool.run(urls, lambda url: self._judge(session.send("GET", url))):
            if outcome.found is not None or outcome.not_found:
                fresh[url] = outcome.found
            if outcome.problem is not None:
                again_at = self.now + self.declared.pause if outcome.is_failure else None
                known[url] = _Known(problem=outcome.problem, again_at=again_at)
            if len(fresh) >= _KEPT_TOGETHER:
                self._keep(fresh, hashes, known)
        self._keep(fresh, hashes, known)

    def _keep(
        self,
        fresh: dict[str, Mapping[str, JsonValue] | None],
        hashes: Mapping[str, int],
        known: dict[str, _Known],
    ) -> None:
        if not fresh:
            return
        cleaned = clean_answers([found or {} for found in fresh.values()], self.rules, self.now)
        kept: dict[int, Mapping[str, JsonValue] | None] = {}
        for (url, found), answer in zip(fresh.items(), cleaned, strict=True):
            known[url] = _Known(answer, problem="; ".join(answer.problems) or None)
            kept[hashes[url]] = None if found is None else answer.values
        self.records.keep_answers(self.name, kept, self.now, self.now + self.declared.ttl)
        fresh.clear()

    def _judge(self, answer: Answer) -> Outcome:
        """What an answer means. Raises ``ServiceError`` for one that makes no sense."""
        not_found = self.declared.not_found
        if answer.status in not_found.status:
            return Outcome(not_found=True)
        if answer.status in _REFUSED:
            return Outcome(stop=f"{_REFUSED[answer.status]} ({answer.status})")
        if answer.status == 429 or (answer.status == 503 and answer.retry_after):
            return Outcome(stop=f"its limit is reached ({answer.status})", retry_after=answer.retry_after)
        if not answer.is_ok:
            # a request that is wrong is its lead's: a lead with strange values keeps nobody else from being looked up
            return Outcome(problem=f"it answered {answer.status}", is_failure=not 400 <= answer.status < 500)
        document = answer.parse_json()
        if not_found.where is not None and _holds(not_found.where, document):
            return Outcome(not_found=True)
        found: dict[str, JsonValue] = {}
        for name, path in self.declared.fields.items():
            try:
                found[name] = compile_path(path)(document)
            except JsonPathError:
                continue  # an answer of another shape has no such value
        return Outcome(found=found)

    def _open_session(self, secret: str | None) -> ServiceSession:
        declared = self.declared
        seconds = declared.timeout.total_seconds()
        policy = Policy(
            connect=min(5.0, seconds),
            read=seconds,
            whole=seconds,
            repeats=1,
            first_wait=min(0.25, seconds / 10),
            longest_wait=min(2.0, seconds),
            max_bytes=_LARGEST_ANSWER,
            connections=declared.connections,
            allow_private=declared.allow_private,
        )
        auth = declared.auth
        header = None if auth is None or secret is None else _Header(auth.header, auth.prefix + secret)
        return ServiceSession("the service", auth=header, policy=policy, secrets=filter(None, [secret]))

    def _read_secret(self) -> str | None:
        auth = self.declared.auth
        if auth is None:
            return None
        secret = self.environ.get(auth.secret_env, "").strip()
        if not secret:
            raise ServiceError(f"{auth.secret_env} is not set")
        if len(secret) > _LONGEST_SECRET or not (secret.isascii() and secret.isprintable()):
            raise ServiceError(f"{auth.secret_env} holds what no header can")
        return secret

    def _find_closing(self, pool: RequestPool, pauses: int) -> Closing | None:
        """After failures in a row the provider is left alone, twice as long each time until it answers again."""
        if pool.stopped is None:
            return None
        pause = min(self.declared.pause * 2 ** min(pauses, 20), _LONGEST_PAUSE)
        if pool.retry_after is not None:
            pause = min(timedelta(seconds=pool.retry_after), _LONGEST_PAUSE)
        return Closing(self.now + pause, pool.stopped)

    def _skip(self, urls: Sequence[str], why: str, until: datetime) -> dict[str, _Known]:
        return {url: _Known(problem=why, again_at=until) for url in urls}


@dataclass(frozen=True)
class _Header:
    """Adds the header with the key to a request, so that it is in no argument that could be shown."""

    name: str
    value: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers[self.name] = self.value
        return request


def _holds(path: str, document: JsonValue) -> bool:
    """Whether the expression is true, or finds nothing or nothing in it: that the answer is about nobody."""
    try:
        found = compile_path(path)(document)
    except JsonPathError:
        return False
    return found is True or found is None or (isinstance(found, (str, list, dict)) and not found)


def _find_next_day(now: datetime) -> datetime:
    """When the next day begins, by UTC."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
