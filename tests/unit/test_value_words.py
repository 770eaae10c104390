"""What is wrong with a value of a playbook: no sentence is pydantic's, and each says what would do."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from leadgate.playbook import Playbook
from leadgate.playbook.value_words import explain
from leadgate.vocabulary import GateName

#: Of each kind of type, values that are none.
WRONG: dict[str, list[Any]] = {
    "bool": ["maybe", [], 7, None], "date": ["soon", [], 1.5, "2026-03-02T09:00"], "dict": ["x", 1],
    "enum": ["x", 1, []],
    "float": ["x", [], None], "int": ["x", 2.5, [], None], "literal": ["x", 1], "model": ["x", 1],
    "str": [1, True, [], {}, None], "time": ["noon", []], "timedelta": [[], {}], "tuple": ["x", 1],
}  # fmt: skip
#: Types whose errors come from what they hold, or whose words are our own.
OTHERS = {
    "any", "chain", "default", "definition-ref", "definitions", "function-after", "function-before", "function-plain",
    "function-wrap", "model-field", "model-fields", "no-info", "nullable", "tagged-union",
    "json-or-python", "list", "none", "union",  # what they hold is explained by the type that it comes nearest to
}  # fmt: skip


def found(schema: Any, kinds: dict[str, Any]) -> dict[str, Any]:
    """Every kind of type in a schema, with an example of it."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            kinds.setdefault(schema["type"], schema)
        for part in schema.values():
            found(part, kinds)
    elif isinstance(schema, list | tuple):
        for part in schema:
            found(part, kinds)
    return kinds


def test_the_kinds_of_types_in_a_playbook_are_those_that_are_tried_here() -> None:
    assert set(found(Playbook.__pydantic_core_schema__, {})) == {*WRONG, *OTHERS}


def errors(kind: Any, value: Any) -> list[ErrorDetails]:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(kind).validate_python(value)
    return raised.value.errors(include_url=False)


@pytest.mark.parametrize("kind", [kind for kind in WRONG if kind != "model"])
def test_no_error_of_a_type_is_left_in_the_words_of_pydantic(kind: str) -> None:
    import datetime
    from typing import Literal

    kinds = {
        "bool": bool, "date": datetime.date, "dict": dict[str, int], "float": float, "int": int,
        "enum": GateName, "literal": Literal["one", "two"], "str": str, "time": datetime.time, "timedelta": datetime.timedelta,
        "tuple": tuple[int, ...],
    }  # fmt: skip
    for value in WRONG[kind]:
        for detail in errors(kinds[kind], value):
            told = explain(detail["type"], detail["input"], detail.get("ctx", {}))
            assert "should" not in told, told
            assert "cannot be used here" not in told, (detail["type"], told)
            assert any(word in told for word in ("write", "put it in quotes", "did you mean", "known are")), told


@pytest.mark.parametrize(
    ("value", "told"), [("yes", "write true"), ("No", "write false"), ("perhaps", "write true or false")]
)
def test_the_nearest_answer_is_named(value: str, told: str) -> None:
    assert explain("bool_parsing", value, {}).endswith(told)


def test_an_error_that_nobody_knows_is_still_a_sentence() -> None:
    assert explain("of_a_later_version", {"a": 1}, {}) == "a group of keys cannot be used here; see docs/playbook.md"
