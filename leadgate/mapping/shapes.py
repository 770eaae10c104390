"""Webhooks of no vendor in particular: the usual shapes of nested answers as flat columns.

Belongs here: where such payloads keep a question, its type and its answer. Does not belong here: what one vendor
documents (``webhooks``, a file for each), which field a name means (``headers``), or rows of files, whose flat names
are part of their keys and stay as they are (``headers.flatten``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import orjson

from leadgate.mapping.contents import names_somebody_else
from leadgate.mapping.headers import as_text
from leadgate.mapping.webhooks.reading import Column, name_columns
from leadgate.values.json_types import JsonObject, JsonValue

FindField = Callable[[str], str | None]

#: Levels of one payload that are told apart; what is deeper stays as JSON text.
_DEPTH: Final = 32
#: The longest text that is read as JSON, and the names under which forms send their answers as such a text.
_LONGEST_TEXT: Final = 262_144
_JSON_TEXTS: Final = frozenset({"rawRequest", "data.json", "data_json", "dataJson"})

#: Where an answer keeps the names of its question, the name for programs first.
_NAMES: Final = (
    "name", "column_id", "column_name", "key", "ref", "slug", "field", "question", "questionId", "question_id", "label",
    "title", "heading", "questionText", "question_text", "id",
)  # fmt: skip
_VALUES: Final = ("value", "values", "string_value", "answer", "answers", "response", "text", "prettyAnswer")
#: Where a choice keeps what was chosen.
_CHOSEN: Final = ("value", "label", "answer", "text")
_TYPES: Final = ("type", "field_type", "fieldType", "input_type", "inputType", "kind")
#: What an object has beside its value where it is one answer.
_BESIDE: Final = frozenset(
    {
        "id", "key", "ref", "name", "label", "title", "type", "kind", "field_type", "fieldtype", "inputtype",
        "input_type", "raw_value", "rawvalue", "required", "primary", "isprimary", "options", "ishidden", "hidden",
        "versions", "source", "timestamp", "sourceid", "order", "position", "placeholder", "formattedtype", "metadata",
        "canonicalform", "verified",
    }
)  # fmt: skip
_WHICH_OF_SEVERAL: Final = frozenset({"work", "home", "mobile", "other", "main", "personal", "business", "private"})
#: What the type of a question says of its answer, by a part of the type's name.
_HINTS: Final = (("email", "email"), ("phone", "phone"), ("telephone", "phone"))


def flatten_webhook(
    payload: JsonObject, find_field: FindField, is_declared: Callable[[str], bool]
) -> dict[str, JsonValue]:
    """``payload`` with one level. ``find_field`` says which field a name means, ``is_declared`` whether the
    playbook says so: such a name is used before any other.

    Of the names that an answer goes by the first one that means a field is used. Where none does, its type may say that
    it is an address or a number: of the only one of this type, unless its name speaks of somebody else.
    """
    columns = [_settle(column, is_declared) for column in _list_columns(payload, "", 0)]
    for field in ("email", "phone"):
        hinted = [
            at for at, column in enumerate(columns) if column.field == field and not any(map(find_field, column.names))
        ]
        if len(hinted) > 1:
            for at in hinted:
                columns[at] = columns[at]._replace(field=None)
    return name_columns(columns, find_field)


def _settle(column: Column, is_declared: Callable[[str], bool]) -> Column:
    declared = next(filter(is_declared, column.names), None)
    if declared is not None:
        return Column((declared,), column.value)
    if column.field is not None and any(map(names_somebody_else, column.names)):
        return column._replace(field=None)
    return column


def is_nested(payload: JsonObject) -> bool:
    """Whether a payload has values within values, also within a text that forms send as JSON."""
    for value in payload.values():
        if isinstance(value, (dict, list)):
            return True
    return not _JSON_TEXTS.isdisjoint(payload)


def _list_columns(value: JsonObject, prefix: str, depth: int) -> Iterator[Column]:
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, str) and item[:1] == "{" and name in _JSON_TEXTS:
            item = _read_json_text(item)
        if isinstance(item, Mapping):
            if key == "attributes" and "type" in item and ("url" in item or "referenceId" in item):
                continue  # of a record of Salesforce: its type and address
            if depth >= _DEPTH:
                yield Column((name,), json.dumps(item, ensure_ascii=False))
            elif _is_answer(item):
                yield from _read_answer(item, (name, *_list_names(item, prefix)), depth)
            else:
                yield from _list_columns(item, f"{name}.", depth + 1)
        elif isinstance(item, (list, tuple)):
            yield from _list_of_list(item, name, depth)
        else:
            yield Column((name,), item)


def _list_of_list(items: Sequence[JsonValue], name: str, depth: int) -> Iterator[Column]:
    if not any(isinstance(item, (Mapping, list)) for item in items):
        yield Column((name,), ", ".join(map(as_text, items)))
    elif depth >= _DEPTH:
        yield Column((name,), json.dumps(items, ensure_ascii=False))
    elif (several := _order_several(items)) is not None:
        yield from (Column((name,), item) for item in several)
    elif (answers := _read_answers(items, f"{name}.", depth)) is not None:
        yield from answers
    elif len(items) == 1 and isinstance(items[0], Mapping):
        yield from _list_columns(items[0], f"{name}.", depth + 1)
    else:
        yield Column((name,), json.dumps(items, ensure_ascii=False))


def _order_several(items: Sequence[JsonValue]) -> list[JsonValue] | None:
    """The addresses or numbers of one person, the main one first, as CRMs list them; None for any other list."""
    ranked: list[tuple[bool, JsonValue]] = []
    for item in items:
        if not isinstance(item, Mapping) or isinstance(item.get("value"), (Mapping, list)) or "value" not in item:
            return None
        kind = str(item.get("label") or item.get("type") or "").casefold()
        metadata = item.get("metadata")
        is_main = (
            item.get("primary") or item.get("isPrimary") or (isinstance(metadata, Mapping) and metadata.get("primary"))
        )
        if "primary" not in item and kind not in _WHICH_OF_SEVERAL and metadata is None:
            return None
        if not {each.casefold() for each in item} <= _BESIDE | {"value"}:
            return None
        ranked.append((not is_main, item["value"]))
    return [value for _, value in sorted(ranked, key=lambda each: each[0])]


def _read_answers(items: Sequence[JsonValue], prefix: str, depth: int) -> list[Column] | None:
    """``items`` as answers, or None when any of them is none, or two have the same name: which holds is not said."""
    answers: list[Column] = []
    taken: set[str] = set()
    for item in items:
        if not isinstance(item, Mapping):
            return None
        names = _list_names(item, prefix)
        if not names or names[0] in taken or not any(key in item for key in _VALUES):
            return None
        taken.add(names[0])
        answers += _read_answer(item, names, depth)
    return answers


def _is_answer(item: JsonObject) -> bool:
    """Whether an object is one answer under the name of its question: a value, and what is said about it."""
    return "value" in item and len(item) > 1 and {key.casefold() for key in item} <= _BESIDE | {"value"}


def _list_names(item: JsonObject, prefix: str) -> tuple[str, ...]:
    names: list[str] = []
    for key in _NAMES:
        told = item.get(key)
        if isinstance(told, Mapping):
            names += [told[inner] for inner in _NAMES if isinstance(told.get(inner), str)]  # type: ignore[misc]
        elif isinstance(told, str):
            names.append(told)
    return tuple(dict.fromkeys(prefix + name.strip() for name in names if name.strip()))


def _read_answer(item: JsonObject, names: tuple[str, ...], depth: int) -> Iterator[Column]:
    value: JsonValue = next((item[key] for key in _VALUES if key in item), None)
    if isinstance(value, Mapping) and not any(key in value for key in _CHOSEN) and depth < _DEPTH:
        yield from _list_columns(value, f"{names[0]}.", depth + 1)
        return
    kind = next((told for key in _TYPES if isinstance(told := item.get(key), str)), "")
    hint = next((field for part, field in _HINTS if part in kind.casefold().replace("_", "")), None)
    yield Column(names, _read_value(value), hint)


def _read_value(value: JsonValue) -> JsonValue:
    """A choice by its label; several of them, and anything else that is nested, as text."""
    if isinstance(value, Mapping):
        for key in _CHOSEN:
            if isinstance(value.get(key), (str, int, float)):
                return value[key]
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        told = [_read_value(each) if isinstance(each, Mapping) else each for each in value]
        return ", ".join(as_text(each) if not isinstance(each, list) else json.dumps(each) for each in told)
    return value


def _read_json_text(text: str) -> JsonValue:
    """The object that a text writes, unless it is none, or too large, or too deep."""
    if len(text) > _LONGEST_TEXT:
        return text
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found if isinstance(found, Mapping) and _is_shallow(found, _DEPTH) else text


def _is_shallow(value: JsonValue, levels: int) -> bool:
    if not isinstance(value, (Mapping, list)):
        return True
    inside = value.values() if isinstance(value, Mapping) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inside)
