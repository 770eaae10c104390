"""An answer in words: the shape that ``explain`` prints and ``--json`` gives out.

Belongs here: sentences, small tables, and how a value is put into them. Does not belong here: what is told
(``trigger``, ``evidence``), or escaping it (``redaction``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import orjson

from console.screen import format_moment

LAST: Final = 12  # rows of a table about things that can be many


@dataclass(frozen=True)
class Grid:
    """A small table: column names, and rows of text."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass
class Answer:
    """One question with its answer: sentences and tables, in the order they are told."""

    question: str
    parts: list[str | Grid] = field(default_factory=list)

    def say(self, *sentences: str) -> None:
        self.parts += [sentence for sentence in sentences if sentence]

    def show(self, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], more: str = "") -> None:
        if rows:
            self.parts.append(Grid(columns, list(rows[:LAST])))
        if len(rows) > LAST:
            self.parts.append(f"and {len(rows) - LAST} more{more}")


def show_value(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value, default=str).decode()


def format_iso_moment(text: object) -> str:
    try:
        return format_moment(datetime.fromisoformat(str(text)))
    except ValueError:
        return str(text or "")


def build_json_data(answered: Iterable[Answer]) -> list[dict[str, object]]:
    """Answers as plain data for ``--json``."""
    return [
        {
            "question": answer.question,
            "answer": [
                part if isinstance(part, str) else [dict(zip(part.columns, row, strict=True)) for row in part.rows]
                for part in answer.parts
            ],
        }
        for answer in answered
    ]
