"""Typeform's webhooks: the answers of one response, called by the reference or the title of their question.

The format: https://www.typeform.com/developers/webhooks/example-payload/. Belongs here: that format alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from leadgate.mapping.webhooks.reading import (
    Column,
    Item,
    Lead,
    UnreadableWebhookError,
    as_name,
    require_id,
    require_list,
    require_object,
)
from leadgate.values.json_types import JsonObject, JsonValue, as_object

#: The field of a lead that a type of answer tells, where the question's name tells none.
_FIELDS: Final = {"email": "email", "phone_number": "phone", "url": "website"}
_AROUND_VALUE: Final = frozenset({"type", "field"})


def recognises(payload: JsonObject) -> bool:
    return "form_response" in payload


def remove_secret(text: str) -> str:
    return text


def read(payload: JsonObject) -> list[Item]:
    """The response, by its token: a repeat has the same one, and so has the export of responses."""
    if payload.get("event_type") != "form_response":
        raise UnreadableWebhookError("event_type is not form_response: this is no whole response to a form")
    response = require_object(payload.get("form_response"), "form_response")
    token = require_id(response.get("token"), "form_response.token")
    definition = as_object(response.get("definition"))
    columns = [
        *_read_answers(response, definition),
        *_read_variables(response),
        *(Column((as_name(name),), value) for name, value in as_object(response.get("hidden")).items()),
        Column(("form",), definition.get("title")),
        *(Column((name,), response.get(name)) for name in ("form_id", "submitted_at", "token")),
    ]
    return [Lead(token, [column for column in columns if column.value is not None])]


def _read_answers(response: JsonObject, definition: JsonObject) -> list[Column]:
    titles = _read_titles(definition)
    columns: list[Column] = []
    answered: set[str] = set()
    for number, each in enumerate(require_list(response.get("answers"), "form_response.answers"), start=1):
        answer = require_object(each, f"answer {number}")
        field = require_object(answer.get("field"), f"the field of answer {number}")
        identity = require_id(field.get("id", field.get("ref")), f"the id of the field of answer {number}")
        if identity in answered:
            raise UnreadableWebhookError(
                f"answer {number} is a second one to the same question; which holds is not said"
            )
        answered.add(identity)
        reference, title = as_name(field.get("ref")), titles.get(identity, "")
        kind = as_name(answer.get("type"))
        names = tuple(name for name in (reference, title) if name) or (identity,)
        columns.append(Column(names, _read_value(answer, kind, number), _FIELDS.get(kind)))
    return columns


def _read_titles(definition: JsonObject) -> dict[str, str]:
    """The titles of the questions by their id, and by their reference."""
    fields = definition.get("fields")
    titles: dict[str, str] = {}
    for field in fields if isinstance(fields, Sequence) and not isinstance(fields, str) else ():
        if isinstance(field, Mapping) and (title := as_name(field.get("title"))):
            for key in ("id", "ref"):
                if name := as_name(field.get(key)):
                    titles[name] = title
    return titles


def _read_value(answer: JsonObject, kind: str, number: int) -> JsonValue:
    """The value is under the name of its type. A choice is called by its label, or is another one in free text."""
    if kind in answer:
        value = answer[kind]
    else:
        others = [name for name in answer if name not in _AROUND_VALUE]
        if len(others) != 1:
            raise UnreadableWebhookError(f"answer {number} has no value of its type")
        value = answer[others[0]]
    if not isinstance(value, Mapping):
        return value
    labels = value.get("labels")
    if isinstance(labels, Sequence) and not isinstance(labels, str):
        other = value.get("other")
        return [*labels, *([] if other is None else [other])]
    for name in ("label", "other", "labels", "amount"):
        if value.get(name) is not None:
            return value[name]
    return value


def _read_variables(response: JsonObject) -> list[Column]:
    """Scores, prices and texts that the form computed."""
    variables = response.get("variables")
    columns: list[Column] = []
    for variable in variables if isinstance(variables, Sequence) and not isinstance(variables, str) else ():
        found = as_object(variable)
        columns.append(Column((as_name(found.get("key")),), found.get(as_name(found.get("type")))))
    if not any("score" in column.names for column in columns):
        columns.append(Column(("score",), as_object(response.get("calculated")).get("score")))
    return columns
