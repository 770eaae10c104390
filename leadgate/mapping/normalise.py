"""Cleaning a batch: captured text in, normalised values and the problems that the gate judges out.

Belongs here: which kind of value each field holds, what a source or the playbook adds, and the frame.
Does not belong here: how one value is read (``values``), what follows from a problem (the validated
gate), and what somebody else knows about the company (enrichment).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeVar

import pandas as pd

from leadgate.fields import GUESSED_PHONE_COUNTRY, STANDARD, VALIDATED, FieldType
from leadgate.mapping.column_notations import find_stated_decimals, holds_amounts, settle_value, writes_day_first
from leadgate.playbook import Playbook, Source
from leadgate.values.addresses import Kinds, read_address
from leadgate.values.answers import judge_consent, read_yes_or_no
from leadgate.values.countries import clean_postal_code, read_country
from leadgate.values.domains import find_domain_owner, find_website_host
from leadgate.values.figures import read_integer, read_number
from leadgate.values.moments import read_date, read_moment
from leadgate.values.names import capitalise_name, find_rest_of_name, split_name
from leadgate.values.phone_countries import list_likely_countries
from leadgate.values.phones import find_country, guess_phone, read_phone
from leadgate.values.spam import find_spam_reason
from leadgate.values.text import as_text, clean_line, clean_lines, is_no_value

#: Columns that say what is wrong with a row, ``None`` when nothing is; the validated gate reads them.
PROBLEMS: Final = (
    "email_problem",
    "phone_problem",
    "country_problem",
    "website_problem",
    "consent_problem",
    "spam_reason",
    "field_problem",
    "unreadable_problem",
)

_NAMES: Final = ("first_name", "last_name", "full_name")
_SEVERAL_LINES: Final = frozenset({"message", "street"})

#: Fields in which "unknown" or "none" is no value. In the others it may be one: a surname, a budget.
NOTHING_IN_WORDS: Final = frozenset(
    {"email", "phone", "website", "country", "company", "job_title", "industry", "company_size",
     "annual_revenue", "language", "lead_source", "occurred_at"}
)  # fmt: skip

_OF_AN_ADDRESS: Final = {
    "email_canonical": "canonical",
    "email_domain": "domain",
    "is_free_mail": "is_free",
    "is_disposable": "is_disposable",
    "is_role_address": "is_role",
}

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")
_Texts = list[str | None]


def normalise(frame: pd.DataFrame, playbook: Playbook, now: datetime) -> pd.DataFrame:
    """A captured batch with normalised values, index and other columns unchanged.

    Replaced: the standard fields (text or ``None``), the playbook's custom fields (typed: ``int``,
    ``float``, ``bool``, dates as ISO text; ``None`` when missing or unreadable) and ``attributes``. Added:
    ``fields.VALIDATED`` (booleans are ``None`` without an address), ``PROBLEMS`` and ``proposal`` (field ->
    suggested value, or ``None``). A value that cannot be read stays as it came, so that a person sees it, until
    ``leave_out_unreadable``; of a typed custom field and of ``occurred_at`` the original is kept in ``attributes``
    under the name of ``as_received``.

    ``now`` (aware, UTC) stands in for a missing ``captured_at``. Pure and idempotent: normalising a
    normalised frame gives the same values.
    """
    batch = _Batch(frame, playbook, now)
    batch.read_countries()
    batch.read_addresses()
    batch.read_phones()
    batch.read_names()
    batch.read_websites()
    batch.read_consent()
    batch.read_moments()
    batch.read_custom_fields()
    batch.look_for_spam()
    batch.require_fields()
    return batch.build_frame()


def as_received(field: str) -> str:
    """The attribute that keeps what a lead said where the value of ``field`` could not be read."""
    return f"{field} (as received)"


def leave_out_unreadable(frame: pd.DataFrame, fields: Iterable[str]) -> pd.DataFrame:
    """A normalised batch in which a value of ``fields`` that has a problem is missing, and kept as an attribute.

    ``fields`` are those of which a problem does not stop a lead: no later stage meets their unreadable values. The
    problem stays in its column, so that the gate warns of it. What is derived from the value is missing with it.
    """
    frame = frame.copy()
    for name in fields:
        unreadable = frame[f"{name}_problem"].notna()
        if not unreadable.any():
            continue
        kept = zip(frame.loc[unreadable, "attributes"], frame.loc[unreadable, name], strict=True)
        frame.loc[unreadable, "attributes"] = pd.Series(
            [
                (attributes if isinstance(attributes, dict) else {}) | ({as_received(name): value} if value else {})
                for attributes, value in kept
            ],
            index=frame.index[unreadable],
            dtype=object,
        )
        derived = _OF_AN_ADDRESS if name == "email" else ()
        for column in (name, *derived):
            frame[column] = frame[column].astype(object).mask(unreadable, None)
    return frame


class _Batch:
    """The columns of a batch as lists, worked on one kind of value after the other.

    A distinct value is read once. The order matters where one kind needs another: a phone its country.
    """

    def __init__(self, frame: pd.DataFrame, playbook: Playbook, now: datetime) -> None:
        self._frame = frame
        self._rows = len(frame)
        self._playbook = playbook
        self._source = [playbook.sources.get(name) or Source() for name in self._read_column("source")]
        self._text = {name: self._clean(name) for name in STANDARD}
        self._custom: dict[str, list[Any]] = {}
        self._validated: dict[str, list[Any]] = {name: [None] * self._rows for name in VALIDATED}
        self._problems: dict[str, _Texts] = {name: [None] * self._rows for name in PROBLEMS}
        self._field_problems: dict[int, dict[str, str]] = {}  # row -> field -> problem
        self._unreadable: dict[int, dict[str, str]] = {}  # the same, of fields that are left out
        self._proposals: dict[int, dict[str, str]] = {}
        self._attributes = self._read_column("attributes")
        captured_at = self._read_column("captured_at")
        self._captured_at = [at if isinstance(at, datetime) and at == at else now for at in captured_at]

    def read_countries(self) -> None:
        texts = self._text["country"]
        read = _read_distinct(texts, read_country)
        for row, text in enumerate(texts):
            if text is None:
                texts[row] = self._source[row].default_country
                continue
            country = read[text]
            if country.code is not None:
                texts[row] = country.code
            else:
                self._set_problem(row, "country", country.problem, country.proposal)
        codes = self._text["postal_code"]
        codes[:] = [None if code is None else clean_postal_code(code) for code in codes]

    def read_addresses(self) -> None:
        kinds = Kinds.of(self._playbook.validation)
        texts = self._text["email"]
        read = _read_distinct(texts, lambda text: read_address(text, kinds))
        addresses = [None if text is None else read[text] for text in texts]
        texts[:] = [None if address is None else address.email for address in addresses]
        for name, attribute in _OF_AN_ADDRESS.items():
            value_of = attrgetter(attribute)
            self._validated[name] = [None if found is None else value_of(found) for found in addresses]
        for row, address in enumerate(addresses):
            if address is not None and address.problem is not None:
                self._set_problem(row, "email", address.problem, address.proposal)

    def read_phones(self) -> None:
        """By the country of the lead or its source; else by those that may be its own, and then it is marked so."""
        texts = self._text["phone"]
        regions = [
            (None if self._problems["country_problem"][row] else country) or self._source[row].default_country
            for row, country in enumerate(self._text["country"])
        ]
        keys = [
            None if text is None else (text, region, () if region else self._list_likely_countries(row))
            for row, (text, region) in enumerate(zip(texts, regions, strict=True))
        ]
        read = _read_distinct(keys, lambda key: read_phone(*key[:2]) if key[1] else guess_phone(key[0], key[2]))
        for row, key in enumerate(keys):
            if key is None:
                continue
            phone = read[key]
            if phone.number is None:
                self._set_problem(row, "phone", phone.problem, phone.proposal)
            else:
                texts[row] = phone.number
            if phone.extension:
                self._keep(row, "phone_extension", phone.extension)
            if key[0] != phone.number or self._is_of_another_country(row, phone.number):  # else an earlier pass read it
                self._keep(row, GUESSED_PHONE_COUNTRY, phone.guessed)

    def _is_of_another_country(self, row: int, number: str | None) -> bool:
        """Whether the number is not the one that an earlier pass has marked as a guess: somebody has corrected it."""
        attributes = self._attributes[row]
        marked = attributes.get(GUESSED_PHONE_COUNTRY) if isinstance(attributes, dict) else None
        return isinstance(marked, str) and number is not None and find_country(number, marked) != marked

    def _list_likely_countries(self, row: int) -> tuple[str, ...]:
        found = list_likely_countries(
            self._validated["email_domain"][row], self._text["language"][row], self._text["company"][row]
        )
        default = self._playbook.validation.default_country
        return found if default in found else (*found, default)

    def read_names(self) -> None:
        for name in _NAMES:
            texts = self._text[name]
            read = _read_distinct(texts, capitalise_name)
            texts[:] = [None if text is None else read[text] for text in texts]
        salutations, firsts, lasts, fulls = (self._text[name] for name in ("salutation", *_NAMES))
        for row, (first, last, full) in enumerate(zip(firsts, lasts, fulls, strict=True)):
            if full is None:
                if first is not None and last is not None:
                    fulls[row] = _clean_person(f"{first} {last}")
            elif first is None and last is None:
                salutation, first, last = split_name(full)
                firsts[row], lasts[row] = _clean_person(first), _clean_person(last)
                salutations[row] = salutations[row] or salutation
            elif last is None and first is not None:
                lasts[row] = _clean_person(find_rest_of_name(full, first, known_is_first=True))
            elif first is None and last is not None:
                firsts[row] = _clean_person(find_rest_of_name(full, last, known_is_first=False))

    def read_websites(self) -> None:
        texts = self._text["website"]
        hosts = _read_distinct(texts, find_website_host)
        owners = _read_distinct(hosts.values(), find_domain_owner)
        for row, text in enumerate(texts):
            if text is None:
                continue
            if (host := hosts[text]) is None:
                self._set_problem(row, "website", "not a web address")
            else:
                self._validated["website_domain"][row] = owners[host]

    def read_consent(self) -> None:
        keys = [(text, self._source[row].consent) for row, text in enumerate(self._text["consent"])]
        read = _read_distinct(keys, lambda key: judge_consent(*key))
        consents = [read[key] for key in keys]
        self._validated["has_consent"] = [consent.given for consent in consents]
        self._problems["consent_problem"] = [consent.problem for consent in consents]

    def read_moments(self) -> None:
        """``occurred_at``: one that cannot be read stops no lead, and moves to ``attributes``."""
        texts = self._text["occurred_at"]
        for row, text in enumerate(texts):
            raw = text if text is not None else self._read_kept(row, "occurred_at")
            if raw is None:
                continue
            at = read_moment(raw, day_first=self._is_day_first(row), relative_to=self._captured_at[row])
            texts[row] = None if at is None else at.isoformat()
            self._keep(row, as_received("occurred_at"), raw if at is None else None)
            if at is None:
                self._unreadable.setdefault(row, {})["occurred_at"] = f"not {_A_TYPE['timestamp']}"

    def read_custom_fields(self) -> None:
        for name, custom in self._playbook.fields.items():
            if name in STANDARD:
                continue
            texts = self._clean(name)
            values: list[Any] = list(texts)
            self._custom[name] = values
            if custom.type == "text":
                continue
            of_amounts = holds_amounts(name, custom)
            read_before = self._read_column(name)
            for row, text in enumerate(texts):
                raw = text if text is not None else self._read_kept(row, name)
                if raw is None:
                    continue
                if custom.type == "number" and isinstance(read_before[row], float):  # no text, of which 12.125 is one
                    values[row] = read_number(raw)
                else:
                    values[row] = self._parse_value(raw, custom.type, row, of_amounts=of_amounts)
                self._keep(row, as_received(name), raw if values[row] is None else None)
                if values[row] is None:
                    self._unreadable.setdefault(row, {})[name] = f"not {_A_TYPE[custom.type]}"

    def look_for_spam(self) -> None:
        validation = self._playbook.validation
        patterns = tuple(pattern.lower() for pattern in validation.spam_patterns)
        names = zip(*(self._text[name] for name in _NAMES), strict=True)
        self._problems["spam_reason"] = [
            find_spam_reason(
                name,
                company,
                message,
                patterns=patterns,
                max_links=validation.max_links_in_message,
            )
            for name, company, message in zip(names, self._text["company"], self._text["message"], strict=True)
        ]

    def require_fields(self) -> None:
        for name in self._playbook.validation.required:
            values = self._text.get(name) or self._custom.get(name) or self._validated.get(name)
            for row in range(self._rows):
                if values is None or values[row] is None:
                    unreadable = self._unreadable.get(row, {}).get(name)
                    self._field_problems.setdefault(row, {})[name] = unreadable or "required, and missing"

    def build_frame(self) -> pd.DataFrame:
        for column, found in (("field_problem", self._field_problems), ("unreadable_problem", self._unreadable)):
            for row, problems in found.items():
                self._problems[column][row] = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        columns: dict[str, list[Any]] = self._text | self._custom | self._validated | self._problems
        columns["attributes"] = self._attributes
        columns["proposal"] = [self._proposals.get(row) for row in range(self._rows)]
        new = pd.DataFrame(columns, index=self._frame.index, dtype=object)
        kept = {name: self._frame[name] for name in self._frame.columns if name not in columns}
        order = [*self._frame.columns, *(name for name in columns if name not in self._frame.columns)]
        return pd.concat([pd.DataFrame(kept, index=self._frame.index), new], axis=1)[order]

    def _read_column(self, name: str) -> list[Any]:
        if name not in self._frame.columns:
            return [None] * self._rows
        return self._frame[name].tolist()

    def _clean(self, name: str) -> _Texts:
        clean = clean_lines if name in _SEVERAL_LINES else clean_line
        nothing = is_no_value if name in NOTHING_IN_WORDS else _is_never
        raw = [
            value if value is None or isinstance(value, str) else as_text(value) for value in self._read_column(name)
        ]
        known: dict[str | None, str | None] = {None: None}
        for text in dict.fromkeys(raw):
            cleaned = clean(text) if text else None
            known[text] = None if cleaned is None or nothing(cleaned) else cleaned
        return [known[text] for text in raw]

    def _parse_value(self, text: str, kind: FieldType, row: int, *, of_amounts: bool) -> Any:
        if kind in ("integer", "number"):
            source = self._source[row]
            text = settle_value(text, "number", None, source)
            grouped = of_amounts and find_stated_decimals(source) is None
            return read_integer(text) if kind == "integer" else read_number(text, grouped=grouped)
        if kind == "boolean":
            return read_yes_or_no(text)
        read = read_date if kind == "date" else read_moment
        found = read(text, day_first=self._is_day_first(row), relative_to=self._captured_at[row])
        return None if found is None else found.isoformat()

    def _is_day_first(self, row: int) -> bool:
        return writes_day_first(self._source[row], self._playbook)

    def _set_problem(self, row: int, field: str, problem: str | None, proposal: str | None = None) -> None:
        self._problems[f"{field}_problem"][row] = problem
        if proposal is not None:
            self._proposals.setdefault(row, {})[field] = proposal

    def _read_kept(self, row: int, name: str) -> str | None:
        """What an earlier pass could not read and kept: read again, so that its problem does not vanish."""
        attributes = self._attributes[row]
        return as_text(attributes.get(as_received(name))) if isinstance(attributes, dict) else None

    def _keep(self, row: int, name: str, value: str | None) -> None:
        """Put ``value`` among the row's attributes, or take out what an earlier pass put there."""
        attributes = self._attributes[row]
        attributes = attributes if isinstance(attributes, dict) else {}
        if value is not None:
            self._attributes[row] = attributes | {name: value}
        elif name in attributes:
            self._attributes[row] = {key: kept for key, kept in attributes.items() if key != name}


_A_TYPE: Final[dict[FieldType, str]] = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "a yes or a no",
    "date": "a date",
    "timestamp": "a date and time",
}


def _clean_person(name: str | None) -> str | None:
    return None if name is None else capitalise_name(name)


def _is_never(_: str) -> bool:
    return False


def _read_distinct(keys: Iterable[_Key | None], read: Callable[[_Key], _Value]) -> dict[_Key, _Value]:
    """``read`` applied to every distinct key once."""
    return {key: read(key) for key in dict.fromkeys(keys) if key is not None}
