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
    """The largest of a family that is accepted. Of a family, all that are larger than a refused one are refused."""
    accepted, refused = 1, 400
    assert not _is_accepted(grow(refused)), "never refused"
    while refused - accepted > 1:
        middle = (accepted + refused) // 2
        accepted, refused = (middle, refused) if _is_accepted(grow(middle)) else (accepted, middle)
    return grow(accepted)


def _is_accepted(expression: str) -> bool:
    try:
        parse(expression)
    except RuleError:
        return False
    return True
