"""The bundled word lists of ``leadgate/data``, loaded once and only when first asked for.

Belongs here: reading ``*.txt`` lists. Does not belong here: what a list means.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


def _read_lines(name: str) -> list[str]:
    text = (files("leadgate") / "data" / f"{name}.txt").read_text(encoding="utf-8")
    return [line for raw in text.splitlines() if (line := raw.partition("#")[0].strip())]


@cache
def read_words(name: str) -> frozenset[str]:
    """The entries of ``data/NAME.txt``: separated by white space, ``#`` starts a comment."""
    return frozenset(word for line in _read_lines(name) for word in line.split())


@cache
def read_pairs(name: str) -> dict[str, str]:
    """The lines ``key = value`` of ``data/NAME.txt``, in the file's order."""
    split = (line.partition("=") for line in _read_lines(name))
    return {key.strip(): value.strip() for key, _, value in split}


@cache
def read_lists(name: str) -> dict[str, tuple[str, ...]]:
    """The lines ``key = value, value`` of ``data/NAME.txt``; lines of one key follow one another."""
    found: dict[str, list[str]] = {}
    for line in _read_lines(name):
        key, _, values = line.partition("=")
        found.setdefault(key.strip(), []).extend(value.strip() for value in values.split(","))
    return {key: tuple(values) for key, values in found.items()}
