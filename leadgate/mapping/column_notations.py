"""How the columns of a source write dates and numbers: what the playbook states, and what a file's own values settle.

Belongs here: which fields are dates and numbers, what a source states, and a value by what is known of its column. Does
not belong here: what one value tells (``leadgate.values.notations``), or looking through a file (``tasks.notations``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from leadgate.fields import FieldType
from leadgate.mapping.headers import split_words
from leadgate.playbook import CustomField, Playbook, Source
from leadgate.values.json_types import JsonValue
from leadgate.values.notations import Kind, Notation, tell_notation, write_in_one_way

#: Countries that write the month before the day.
_MONTH_FIRST: Final = frozenset({"US"})
_KINDS: Final[Mapping[FieldType, Kind]] = {
    "date": "date",
    "timestamp": "date",
    "integer": "number",
    "number": "number",
}
#: Standard fields of a lead that are texts until a later stage reads them.
_OF_TEXTS: Final[Mapping[str, Kind]] = {"occurred_at": "date", "annual_revenue": "number"}
#: Words of fields of money and of heads, in which three digits after a sign are thousands.
_AMOUNTS: Final = frozenset(
    {
        "amount", "amounts", "budget", "revenue", "turnover", "price", "prices", "value", "spend", "cost", "costs",
        "salary", "fee", "arr", "mrr", "acv", "tcv", "employees", "headcount", "staff", "seats", "users", "umsatz",
        "betrag", "preis", "kosten", "volumen", "mitarbeiter", "montant", "prix", "ca", "effectif", "effectifs",
        "salaries", "importe", "presupuesto", "precio", "ingresos", "empleados",
    }
)  # fmt: skip
_NOTATIONS: Final = frozenset(Notation)
_STATED: Final = {"comma": Notation.DECIMAL_COMMA, "point": Notation.DECIMAL_POINT}


def writes_day_first(source: Source | None, playbook: Playbook) -> bool:
    """Whether ``source`` writes 3/4 for the third of April, by what it states, else by its country."""
    if source is not None and source.dates is not None:
        return source.dates == "day_first"
    country = (source.default_country if source is not None else None) or playbook.validation.default_country
    return country not in _MONTH_FIRST


def find_stated_decimals(source: Source | None) -> Notation | None:
    """The notation of numbers that ``source`` states."""
    return None if source is None or source.decimals is None else _STATED[source.decimals]


def find_kind(field: str, type_: FieldType | None) -> Kind | None:
    """Whether the values of a field are dates or numbers; None for any other."""
    return _OF_TEXTS.get(field) or (None if type_ is None else _KINDS.get(type_))


def holds_amounts(field: str, own: CustomField | None = None) -> bool:
    """Whether a field is of money or heads by its names: "12.500" is twelve thousand five hundred there.

    >>> holds_amounts("annual_revenue"), holds_amounts("weight")
    (True, False)
    """
    names = [field] if own is None else [field, own.label, *own.headers]
    return any(not _AMOUNTS.isdisjoint(split_words(name)) for name in names)


def read_recognised(told: str | None) -> tuple[dict[str, str], dict[str, Notation]]:
    """What a signal keeps of its file's columns: header -> field, and header -> how it writes dates or numbers."""
    if not told:
        return {}, {}
    fields: dict[str, str] = {}
    notations: dict[str, Notation] = {}
    for header, meaning in orjson.loads(told).items():
        if meaning in _NOTATIONS:
            notations[header] = Notation(meaning)
        else:
            fields[header] = meaning
    return fields, notations


def settle_payload(value: JsonValue, text: str, kind: Kind, found: Notation | None, source: Source | None) -> str:
    """``text``, which is ``value`` of a payload, as ``settle_value`` has it; a number of JSON stays that number."""
    if isinstance(value, str):
        return settle_value(text, kind, found, source)
    # with a fourth digit nobody takes it for a group of thousands
    return f"{text}0" if isinstance(value, float) and tell_notation(text, "number") == "either" else text


def settle_value(text: str, kind: Kind, found: Notation | None, source: Source | None) -> str:
    """``text`` so that it is read as its column writes it: by what its file settles (``found``), else by what its
    source states, else for amounts as thousands. It stays as it came where nothing tells."""
    stated = find_stated_decimals(source) if kind == "number" else None
    notation = stated or found if found is Notation.THOUSANDS else found or stated
    return text if notation is None else write_in_one_way(text, notation)
