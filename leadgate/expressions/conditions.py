"""What a route asks of a lead, taken apart: ``when:`` and territories as conditions that can be reasoned about.

Belongs here: conditions, and reading them off an expression's tree. Does not belong here: which condition follows
from which (``implication``), or evaluating one (``rules``, ``route_matching``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

from leadgate.assignment.route_matching import TERRITORY_FIELDS, list_place_values
from leadgate.expressions.syntax import Expression, Node, format_canonical, parse
from leadgate.fields import FieldType
from leadgate.playbook import Territory

#: Text functions that give an answer for any text, and none for a missing one.
_TEXT: Final = frozenset({"lower", "upper", "trim", "ltrim", "rtrim", "strip_accents"})
_TESTS: Final = _TEXT | {
    "length", "contains", "starts_with", "ends_with", "prefix", "suffix", "regexp_matches", "regexp_full_match",
    "~~", "!~~", "~~*", "!~~*",
}  # fmt: skip
_FLIPPED: Final = {
    "COMPARE_LESSTHAN": "COMPARE_GREATERTHAN",
    "COMPARE_GREATERTHAN": "COMPARE_LESSTHAN",
    "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO",
    "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}
_BOUNDS: Final[dict[str, tuple[Literal["low", "high"], bool]]] = {
    "COMPARE_GREATERTHAN": ("low", True),
    "COMPARE_GREATERTHANOREQUALTO": ("low", False),
    "COMPARE_LESSTHAN": ("high", True),
    "COMPARE_LESSTHANOREQUALTO": ("high", False),
}

Value = str | Fraction


@dataclass(frozen=True)
class Atom:
    """A part without ``and`` and ``or``. ``text`` is equal for parts that mean the same.

    ``kind`` says what is known of ``term`` (the text of what is compared): that it is one of ``values``, none of
    them, begins with one of them, is at least or at most ``bound`` (``strict``: but not equal to it), or is given.
    ``given`` are the terms that are not missing when the atom holds; ``total``: it never raises an error.
    """

    text: str
    kind: Literal["in", "not_in", "prefix", "low", "high", "given", "other"] = "other"
    term: str = ""
    values: frozenset[Value] = frozenset()
    bound: Fraction = Fraction(0)
    strict: bool = False
    given: frozenset[str] = frozenset()
    total: bool = False


@dataclass(frozen=True)
class All:
    """Each of ``parts`` holds; without any, it always does."""

    parts: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Some:
    """At least one of ``parts`` holds."""

    parts: tuple[Condition, ...]


Condition = Atom | All | Some
ALWAYS: Final = All()


def build_condition(when: str, columns: Mapping[str, FieldType], territory: Territory | None = None) -> Condition:
    """What a route asks of a lead. Raises ``RuleError`` for an expression that is refused."""
    expression = _read(parse(when).tree, columns)
    return expression if territory is None else All((*_build_place_atoms(territory), expression))


def _build_place_atoms(territory: Territory) -> Iterator[Atom]:
    for key, name in TERRITORY_FIELDS.items():
        if values := list_place_values(territory, key):
            column = _format_column(name)
            term = column if name == "country" else f"place of {name}"
            kind: Literal["in", "prefix"] = "prefix" if name == "postal_code" else "in"
            text = f"{term} {kind} {sorted(values)}"
            yield Atom(text, kind, term, frozenset(values), given=frozenset({column}), total=True)


def _read(node: Node, columns: Mapping[str, FieldType]) -> Condition:
    match node["class"], node["type"]:
        case "CONJUNCTION", "CONJUNCTION_AND":
            return All(tuple(_read(child, columns) for child in node["children"]))
        case "CONJUNCTION", "CONJUNCTION_OR":
            return Some(tuple(_read(child, columns) for child in node["children"]))
        case "BETWEEN", _:
            lower = _build_comparison(node, "COMPARE_GREATERTHANOREQUALTO", node["input"], [node["lower"]], columns)
            upper = _build_comparison(node, "COMPARE_LESSTHANOREQUALTO", node["input"], [node["upper"]], columns)
            return All((lower, upper)) if lower.kind == "low" and upper.kind == "high" else _build_other(node, columns)
        case "CONSTANT", _ if node["literal"] == {"kind": "BOOLEAN", "text": "true"}:
            return ALWAYS
        case "COMPARISON", type_:
            left, right = node["left"], node["right"]
            if left["class"] == "CONSTANT":
                left, right, type_ = right, left, _FLIPPED.get(type_, type_)
            return _build_comparison(node, type_, left, [right], columns)
        case "OPERATOR", "COMPARE_IN":
            first, *others = node["children"]
            return _build_comparison(node, "COMPARE_EQUAL", first, others, columns)
        case "OPERATOR", "OPERATOR_NOT":
            inner = _read(node["children"][0], columns)
            if isinstance(inner, Atom) and inner.kind == "in":
                return Atom(
                    _format_node(node), "not_in", inner.term, inner.values, given=inner.given, total=inner.total
                )
        case "OPERATOR", "OPERATOR_IS_NOT_NULL":
            term = _format_node(node["children"][0])
            total = _is_total(node["children"][0])
            return Atom(
                _format_node(node),
                "given",
                term,
                given=frozenset({term}) | _list_given(node["children"][0]),
                total=total,
            )
        case "FUNCTION", _ if node["function_name"] in ("starts_with", "prefix"):
            first, second = (argument["expression"] for argument in node["arguments"])
            if second["class"] == "CONSTANT" and second["literal"]["kind"] == "STRING" and _is_text(first, columns):
                values = frozenset({second["literal"]["text"]})
                return Atom(
                    _format_node(node),
                    "prefix",
                    _format_node(first),
                    values,
                    given=_list_given(node),
                    total=_is_total(node),
                )
    return _build_other(node, columns)


def _build_comparison(
    node: Node, type_: str, term: Node, constants: Sequence[Node], columns: Mapping[str, FieldType]
) -> Atom:
    """``term`` compared with constants; an atom of kind ``other`` where that tells nothing of its values."""
    values = [_read_value(term, constant, columns) for constant in constants]
    if None in values or not values:
        return _build_other(node, columns)
    known: frozenset[Value] = frozenset(value for value in values if value is not None)
    facts: dict[str, Any] = {"given": _list_given(term), "total": _is_total(term)}
    if type_ == "COMPARE_EQUAL":
        return Atom(_format_node(node), "in", _format_node(term), known, **facts)
    if type_ == "COMPARE_NOTEQUAL":
        return Atom(_format_node(node), "not_in", _format_node(term), known, **facts)
    (bound,) = known
    if type_ in _BOUNDS and isinstance(bound, Fraction):
        kind, strict = _BOUNDS[type_]
        # the halves of one ``between`` are two atoms
        return Atom(
            f"{_format_node(term)} {kind} {bound} {strict}",
            kind,
            _format_node(term),
            bound=bound,
            strict=strict,
            **facts,
        )
    return _build_other(node, columns)


def _read_value(term: Node, constant: Node, columns: Mapping[str, FieldType]) -> Value | None:
    """A constant as ``term`` is compared with it: texts as they are, numbers as numbers; None for anything else."""
    if constant["class"] != "CONSTANT":
        return None
    kind, text = constant["literal"]["kind"], constant["literal"]["text"]
    if kind == "STRING" and _is_text(term, columns):
        return str(text)
    if kind in ("INTEGER", "NUMERIC") and term["class"] == "COLUMN_REF":
        type_ = columns.get(term["column_names"][0].lower())
        if type_ == "integer":
            return Fraction(text)
        if type_ == "number":  # which DuckDB compares as floating point
            return Fraction(float(text))
    return None


def _is_text(term: Node, columns: Mapping[str, FieldType]) -> bool:
    if term["class"] == "COLUMN_REF":
        return columns.get(term["column_names"][0].lower()) == "text"
    return term["class"] == "FUNCTION" and term["function_name"] in _TEXT


def _build_other(node: Node, columns: Mapping[str, FieldType]) -> Atom:
    return Atom(_format_node(node), given=_list_given(node), total=_is_total(node))


def _list_given(node: Node) -> frozenset[str]:
    """The columns, as terms, without which ``node`` would be unknown. ``is not null`` is false without its column."""
    match node["class"], node["type"]:
        case "COLUMN_REF", _:
            return frozenset({_format_node(node)})
        case "COMPARISON", type_ if "DISTINCT" not in type_:
            return _list_given(node["left"]) | _list_given(node["right"])
        case "BETWEEN", _:
            return _list_given(node["input"])
        case "OPERATOR", "COMPARE_IN" | "OPERATOR_NOT":
            return _list_given(node["children"][0])
        case "FUNCTION", _ if node["function_name"] in _TESTS:
            return frozenset().union(*(_list_given(argument["expression"]) for argument in node["arguments"]))
    return frozenset()


def _is_total(node: Node) -> bool:
    """Whether ``node`` gives an answer, or unknown, for every lead, and never an error."""
    match node["class"], node["type"]:
        case "COLUMN_REF" | "CONSTANT", _:
            return True
        case "COMPARISON", _:
            # two columns of different types would be cast, which may fail; a constant was tried when it was checked
            sides = (node["left"], node["right"])
            return any(side["class"] == "CONSTANT" for side in sides) and all(map(_is_total, sides))
        case "OPERATOR", "COMPARE_IN":
            first, *others = node["children"]
            return _is_total(first) and all(each["class"] == "CONSTANT" for each in others)
        case "OPERATOR", "OPERATOR_NOT" | "OPERATOR_IS_NULL" | "OPERATOR_IS_NOT_NULL":
            return _is_total(node["children"][0])
        case "CONJUNCTION", _:
            return all(map(_is_total, node["children"]))
        case "BETWEEN", _:
            return _is_total(node["input"]) and node["lower"]["class"] == node["upper"]["class"] == "CONSTANT"
        case "FUNCTION", _ if node["function_name"] in _TESTS:
            return all(_is_total(argument["expression"]) for argument in node["arguments"])
    return False


def _format_node(node: Node) -> str:
    return format_canonical(Expression("", node, frozenset()))


def _format_column(name: str) -> str:
    return _format_node(parse(name).tree)
