"""How much an expression makes DuckDB build: text of a lead in bytes, and nodes of the tree that DuckDB evaluates.

Belongs here: upper bounds that follow from the syntax tree and from how long the texts of a lead are. DuckDB's own
memory limit does not count the texts that an evaluation builds.
Does not belong here: the limits (``syntax`` at check time, ``rules`` for a batch).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

#: Characters or bytes: of one lead, or of each lead of a batch.
Amount = float | np.ndarray[Any, np.dtype[np.float64]]

#: Bytes of a character in UTF-8, at most.
_BYTES: Final = 4.0
#: Characters of a number, a date or an interval as text, at most.
_PLAIN: Final = 64.0

#: Functions that give their first argument, or a part of it. Changing the case of a character and removing its
#: accents makes one character of it: a test asks DuckDB about every one.
_NO_LONGER: Final = frozenset(
    ("lower", "upper", "trim", "ltrim", "rtrim", "left", "right", "substring", "substr", "split_part",
     "strip_accents", "nullif")
)  # fmt: skip
_LENGTH: Final = {"left": 1, "right": 1, "substring": 2, "substr": 2}  # where they say how long their part is
_ONE_OF_THEM: Final = frozenset({"greatest", "least", "if"})
_JOINED: Final = frozenset({"||", "concat"})
_LOWERED: Final = frozenset({"~~*", "!~~*", "ilike_escape", "not_ilike_escape"})  # they lower both sides first

#: Functions that DuckDB writes out, and how often each argument then occurs: nested, that is exponential.
WRITTEN_OUT: Final = {"split_part": (2, 2, 2), "nullif": (2, 1), "if": (1, 1, 1), "date_add": (1, 1)}
_OF_ITS_OWN: Final = 10  # nodes that writing out adds, at most
_OF_A_PIECE: Final = 16.0  # bytes for each piece that split_part makes, which may be every character


class Size(NamedTuple):
    """What a node gives and needs.

    ``text``: characters of the result; ``built``: bytes of every text on the way to it; ``matched``: characters that
    regular expressions look at; ``nodes``: evaluated.
    """

    text: Amount
    built: Amount
    matched: Amount
    nodes: int


def measure(node: dict[str, Any], length_of: Callable[[str], Amount]) -> Size:
    """The size of ``node`` of a checked tree; ``length_of`` gives the characters of a column by its name."""
    match node["class"]:
        case "CONSTANT":
            literal = node["literal"]
            return Size(float(len(literal["text"])) if literal["kind"] == "STRING" else _PLAIN, 0.0, 0.0, 1)
        case "COLUMN_REF":
            return Size(length_of(node["column_names"][0].lower()), 0.0, 0.0, 1)
        case "CAST":
            child = measure(node["child"], length_of)
            is_text = node["type_expr"]["type_name"].upper() in ("VARCHAR", "TEXT", "STRING")
            return _sum([child], np.maximum(child.text, _PLAIN) if is_text else _PLAIN)
        case "COMPARISON":
            return _sum([measure(node["left"], length_of), measure(node["right"], length_of)], _PLAIN)
        case "BETWEEN":
            parts = [measure(node[part], length_of) for part in ("input", "lower", "upper")]
            return _sum([parts[0], *parts], _PLAIN)  # the input is compared twice
        case "CASE":
            answers = [check["then_expr"] for check in node["case_checks"]] + [node["else_expr"]]
            given = [measure(answer, length_of) for answer in answers]
            asked = [measure(check["when_expr"], length_of) for check in node["case_checks"]]
            return _sum([*given, *asked], _find_longest(given), copied=True)
        case "OPERATOR":
            parts = [measure(child, length_of) for child in node["children"]]
            passes_on = node["type"] in ("OPERATOR_COALESCE", "OPERATOR_TRY")
            return _sum(parts, _find_longest(parts), copied=True) if passes_on else _sum(parts, _PLAIN)
        case "FUNCTION":
            return _measure_function(node, length_of)
    return _sum([measure(child, length_of) for child in node.get("children", ())], _PLAIN)


def _measure_function(node: dict[str, Any], length_of: Callable[[str], Amount]) -> Size:
    name = node["function_name"].lower()
    nodes = [argument["expression"] for argument in node["arguments"]]
    parts = [measure(each, length_of) for each in nodes]
    texts = [part.text for part in parts]
    copies = WRITTEN_OUT.get(name, ())
    repeated = [part for part, times in zip(parts, copies, strict=False) for _ in range(times)] + parts[len(copies) :]
    if name in _NO_LONGER and texts:
        size = _sum(repeated, _measure_part(name, nodes, texts[0]), copied=True)
    elif name in _ONE_OF_THEM and texts:
        size = _sum(repeated, _find_longest(parts), copied=True)
    elif name in _JOINED:
        size = _sum(repeated, sum(texts, start=0.0), copied=True)
    elif name == "replace" and len(texts) == 3:
        size = _sum(repeated, _measure_replace(nodes[1], texts), copied=True)
    elif name in _LOWERED:
        size = _sum(repeated, _PLAIN, extra=_BYTES * sum(texts, start=0.0))
    else:  # a number, a date, true or false
        size = _sum(repeated, _PLAIN)
    if name.startswith("regexp_") and texts:
        size = size._replace(matched=size.matched + texts[0])
    if name == "split_part":
        size = size._replace(built=size.built + (_OF_A_PIECE + _BYTES) * texts[0])
    return size._replace(nodes=size.nodes + _OF_ITS_OWN) if copies else size


def _measure_part(name: str, nodes: list[dict[str, Any]], text: Amount) -> Amount:
    at = _LENGTH.get(name)
    if at is not None and len(nodes) > at and nodes[at]["class"] == "CONSTANT":
        literal = nodes[at]["literal"]
        if literal["kind"] == "INTEGER" and literal["text"].isdecimal():
            return np.minimum(text, float(literal["text"][:9]))
    return text


def _measure_replace(sought: dict[str, Any], texts: list[Amount]) -> Amount:
    """``replace`` puts its third argument for every occurrence of the second, which may be one character."""
    text, _, by = texts
    known = len(sought["literal"]["text"]) if sought["class"] == "CONSTANT" else 1
    return text * np.maximum(1.0, by / max(known, 1))


def _find_longest(parts: list[Size]) -> Amount:
    longest: Amount = 0.0
    for part in parts:
        longest = np.maximum(longest, part.text)
    return longest


def _sum(parts: list[Size], text: Amount, *, copied: bool = False, extra: Amount = 0.0) -> Size:
    built: Amount = extra + _BYTES * text if copied else extra
    matched: Amount = 0.0
    for part in parts:
        built = built + part.built
        matched = matched + part.matched
    return Size(text, built, matched, 1 + sum(part.nodes for part in parts))
