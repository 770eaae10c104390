"""What the process that reads a file tells the one that stores its rows: framed JSON over a pipe.

Belongs here: the messages, as bytes and back. Does not belong here: either process. The reader is untrusted, so nothing
here makes more of a message than plain data, and a message has a largest size.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple, get_args

import orjson

from leadgate.connectors.files.table import Format, Row, Table

#: Kinds of messages: the table was opened; rows, or none when there are no more; the file is refused; a fault of ours.
OPENED, PAGE, REFUSED, FAULT = b"O", b"P", b"R", b"F"

HEAD: Final = struct.Struct(">cI")  # kind, and bytes of the body
MOST_BYTES: Final = 64 * 1024**2  # of a body: a page and one row more, in JSON's longest spelling

#: Exit code of a reader that ran out of memory, when there may be none left for a message.
OUT_OF_MEMORY: Final = 77


@dataclass(frozen=True, slots=True)
class Opened:
    """A table's properties."""

    format: Format
    headers: tuple[str, ...]
    bytes_total: int
    encoding: str | None
    delimiter: str | None
    sheet: str | None


class Page(NamedTuple):
    """Rows, and how far the table is read with them."""

    rows: list[Row]
    position: int
    blank: int


def encode_message(kind: bytes, content: object) -> bytes:
    body = _dump(content)
    return HEAD.pack(kind, len(body)) + body


def encode_opened(table: Table) -> dict[str, object]:
    return asdict(Opened(table.format, table.headers, table.bytes_total, table.encoding, table.delimiter, table.sheet))


def decode_opened(content: Any) -> Opened:
    """Raises ``TypeError`` or ``ValueError`` for anything else."""
    opened = Opened(**content)
    if opened.format not in get_args(Format):
        raise ValueError("a format that nobody knows")
    return replace(opened, headers=tuple(map(str, opened.headers)), bytes_total=int(opened.bytes_total))


def encode_page(table: Table, rows: Sequence[Row]) -> dict[str, object]:
    """Rows as lists; of a grid the values alone, because the columns were told once."""
    grid = table.is_grid
    content = [
        (row.line, None, row.raw, row.problem)
        if row.payload is None
        else (row.line, list(row.payload.values()) if grid else row.payload)
        for row in rows
    ]
    return {"rows": content, "position": table.position(), "blank": table.blank}


def decode_page(content: Any, headers: Sequence[str] | None) -> Page:
    """A page; ``headers`` for one of a grid. Raises ``TypeError``, ``KeyError`` or ``ValueError`` for anything else."""
    if headers is None:
        rows = [Row(*each) for each in content["rows"]]
    else:
        rows = [
            Row(*each) if each[1] is None else Row(each[0], dict(zip(headers, each[1], strict=True)))
            for each in content["rows"]
        ]
    return Page(rows, int(content["position"]), int(content["blank"]))


def load(body: bytes | bytearray) -> Any:
    return orjson.loads(body)


def _dump(content: object) -> bytes:
    try:
        return orjson.dumps(content)
    except orjson.JSONEncodeError:  # half a surrogate pair, which no encoding has
        return orjson.dumps(_escape(content))


def _escape(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_escape(name): _escape(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_escape(each) for each in value]
    return value
