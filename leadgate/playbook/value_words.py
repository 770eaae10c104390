"""What is wrong with one value of a playbook, in words: pydantic's kinds of errors as sentences.

Belongs here: a sentence for each kind, with the nearest value that would do. Does not belong here: where the value
stands (``playbook.yaml_text``), or errors of Leadgate's own validators, which have their words already.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from leadgate.nearest import propose

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_TRUE, _FALSE = frozenset({"yes", "y", "on", "ja", "oui", "si"}), frozenset({"no", "n", "off", "nein", "non"})
_NAME: Final = "^[a-z][a-z0-9_]"
#: The start of a pattern of the playbook's schema, and what it asks for.
_FORMS: Final = {
    "^(pool ": "write pool NAME, rep NAME, account_owner or earlier_owner; for a record record_owner, too",
    "^[A-Z][A-Z0-9_]": "write the name of an environment variable: capital letters, digits and _, like NOTIFY_ANNA",
    "^[a-z]{2,3}$": "write a language's code of two or three letters, like en",
    r"^[^\x00-": "write it on one line, without control characters",
    "^[A-D][1-4]$": "write a grade from A1 to D4",
}


def explain(kind: str, value: Any, context: Mapping[str, Any]) -> str:
    """One sentence about ``value``, for pydantic's error type ``kind`` with its context."""
    told = _BOUNDS.get(kind)
    if told is not None:
        return _explain_bound(*told, value, context)
    sentence = _SENTENCES.get(kind)
    return (
        f"{show_value(value)} cannot be used here; see docs/playbook.md"
        if sentence is None
        else sentence(value, context)
    )


def show_value(value: Any) -> str:
    """``value`` as it was written, or what it is where that is long."""
    if isinstance(value, dict):
        return "a group of keys"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    if isinstance(value, timedelta):
        text = format_duration(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def format_duration(length: timedelta) -> str:
    """As a playbook writes it: ``90s``, ``4h``."""
    seconds = length.total_seconds()
    fitting = (f"{seconds / size:g}{unit}" for unit, size in _UNITS if seconds and seconds % size == 0)
    return next(fitting, f"{seconds:g}s")


def _parse_length(limit: Any) -> Any:
    """pydantic tells a length of time as its ``repr``."""
    if not str(limit).startswith("datetime.timedelta("):
        return limit
    return timedelta(**{unit: int(number) for unit, number in re.findall(r"(days|seconds)=(\d+)", str(limit))})


def _explain_bound(words: str, name: str, nearest: str, value: Any, context: Mapping[str, Any]) -> str:
    limit = _parse_length(context[name])
    text = (
        format_duration(limit)
        if isinstance(limit, timedelta)
        else f"{limit:g}"
        if isinstance(limit, float)
        else str(limit)
    )
    return f"{show_value(value)} is {words}; {nearest.format(text)}"


#: Kind to: what the value is, the limit's name in the context, and what would do.
_BOUNDS: Final[dict[str, tuple[str, str, str]]] = {
    "greater_than": ("too little", "gt", "give more than {}"),
    "greater_than_equal": ("too little", "ge", "the least is {}"),
    "less_than": ("too much", "lt", "give less than {}"),
    "less_than_equal": ("too much", "le", "the most is {}"),
    "string_too_long": ("too long", "max_length", "{} characters are the most"),
    "multiple_of": ("between the steps", "multiple_of", "give a multiple of {}"),
}


def _explain_whole(value: Any, _: Mapping[str, Any]) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:g} is no whole number; write {math.floor(value)} or {math.ceil(value)}"
    return f"{show_value(value)} is no whole number; write digits, like 10"


def _explain_text(value: Any, _: Mapping[str, Any]) -> str:
    if isinstance(value, list | dict) or value is None:
        return f"this is {show_value(value)}; write one text"
    return f'{show_value(value)} is no text; put it in quotes: "{show_value(value)}"'


def _explain_truth(value: Any, _: Mapping[str, Any]) -> str:
    known = str(value).strip().casefold()
    nearest = "write true" if known in _TRUE else "write false" if known in _FALSE else "write true or false"
    return f"{show_value(value)} is neither true nor false; {nearest}"


def _explain_length(_: Any, context: Mapping[str, Any]) -> str:
    return f"has {context['actual_length']} entries; the most is {context['max_length']}"


def _explain_unknown(value: Any, context: Mapping[str, Any]) -> str:
    known = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
    return f"{show_value(value)} is not possible here; {propose(str(value), known)}"


def _explain_form(value: Any, context: Mapping[str, Any]) -> str:
    if context["pattern"].startswith(_NAME):
        return f"{show_value(value)} is not a name: lower-case letters, digits and _ only, a letter first"
    for start, asks in _FORMS.items():
        if context["pattern"].startswith(start):
            return f"{show_value(value)} does not have the form it needs: {asks}"
    return f"{show_value(value)} does not have the form it needs: {context['pattern']}"


def _make_statement(words: str) -> Callable[[Any, Mapping[str, Any]], str]:
    return lambda value, _: f"{show_value(value)} {words}"


def _make_advice(words: str) -> Callable[[Any, Mapping[str, Any]], str]:
    return lambda value, _: f"this is {show_value(value)}; {words}"


_GROUP: Final = _make_advice("write a group of keys, each on a line of its own, as KEY: VALUE")
_LIST: Final = _make_advice("write a list: [ONE, TWO], or a line with - for each")
_NUMBER: Final = _make_statement("is no number; write digits, like 10 or 0.5")
_DATE: Final = _make_statement("is no date; write it like 2026-03-02")
_TIME: Final = _make_statement("is no time of day; write it like 09:30")
_DURATION: Final = _make_statement("is no duration; write a number and s, m, h or d, like 30m or 4h")

_SENTENCES: Final[dict[str, Callable[[Any, Mapping[str, Any]], str]]] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _explain_whole),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _explain_truth),
    **dict.fromkeys(("string_type", "string_sub_type", "string_unicode"), _explain_text),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), _GROUP),
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type", "iterable_type"), _LIST),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE
    ),
    **dict.fromkeys(("time_type", "time_parsing"), _TIME),
    **dict.fromkeys(("time_delta_type", "time_delta_parsing"), _DURATION),
    "string_too_short": lambda _, __: "is empty; write at least one character",
    "too_short": lambda _, context: (
        "is empty; add at least one" if context["min_length"] == 1
        else f"has {context['actual_length']} entries; it needs {context['min_length']}"
    ),
    "too_long": _explain_length,
    "literal_error": _explain_unknown,
    "enum": _explain_unknown,
    "string_pattern_mismatch": _explain_form,
    "value_error": lambda _, context: str(context["error"]),
    "assertion_error": lambda _, context: str(context["error"]),
}  # fmt: skip
