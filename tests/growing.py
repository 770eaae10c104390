"""Expressions that build more and more text: whatever their size, either refused or harmless."""

from __future__ import annotations

from collections.abc import Callable

from leadgate.expressions.syntax import RuleError, parse

GROWING: dict[str, Callable[[int], str]] = {
    "concat": lambda n: f"concat({', '.join(['message'] * n)}) = 'x'",
    "concat in case": lambda n: f"case when true then concat({', '.join(['message'] * n)}) else '' end = 'x'",
    "joined": lambda n: f"{' || '.join(['message'] * n)} = 'x'",
    "replaced": lambda n: f"replace(message, 'a', '{'b' * n}') = 'x'",
    "replaced in turn": lambda n: "replace(" * n + "message" + ", 'a', 'aaaaaaa')" * n + " = 'x'",
    "changed": lambda n: f"{'lower(strip_accents(upper(' * n}message{')))' * n} = 'x'",
    "several": lambda n: " or ".join(["upper(message) ilike '%b%'"] * n),
    "split": lambda n: f"concat({', '.join(['split_part(message, substr(company, 9), 3)'] * n)}) = 'x'",
}


def grow_to_limit(grow: Callable[[int], str]) -> str:
    """The largest of a family that is accepted."""
    for n in range(1, 400):
        try:
            parse(grow(n + 1))
        except RuleError:
            return grow(n)
    raise AssertionError("never refused")
