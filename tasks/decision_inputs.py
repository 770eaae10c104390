"""The data that a stage decided from, as the ledger keeps them, so that the decision can be made again later.

Belongs here: writing what a stage gathered as bytes, and reading it back as an equal frame and context. Does not belong
here: the table (``leadgate.ledger.decision_inputs``), or making a decision again.

The bytes are JSON, a list for each column, compressed by zlib: columns of few distinct values become small. Nothing in
them is ever run.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import pandas as pd

from leadgate.assignment.absences import SaidAbsence
from leadgate.assignment.availability import Load
from leadgate.ledger.pools import StoredTurns
from leadgate.vocabulary import StageName
from tasks.assignment import Capacity
from tasks.enrichment import Said
from tasks.stage import Gathered

#: The stages whose decisions can be made again. Capture decides nothing of a lead, and follow-up is about what people
#: did.
RECORDED_STAGES: Final = (StageName.VALIDATION, StageName.ENRICHMENT, StageName.QUALIFICATION, StageName.ASSIGNMENT)

_LEVEL: Final = 1  # the fastest: a higher one makes the bytes a tenth smaller and takes three times as long
_DTYPES: Final = {"b": "bool", "i": "int64", "f": "float64"}  # by the kind of a numpy dtype


def encode(gathered: Gathered[Any]) -> bytes:
    """Frames of any columns whose cells are JSON values or moments, beside a context of a stage of ``RECORDED_STAGES``.

    Raises ``TypeError`` for a cell or a context of another type.
    """
    content = {"frame": _encode_frame(gathered.frame), **_encode_context(gathered.context)}
    return zlib.compress(orjson.dumps(content, default=_encode_cell), _LEVEL)


def decode(content: bytes) -> Gathered[Any]:
    """What ``encode`` was given."""
    read = read_content(content)
    return Gathered(build_frame(read.frame), read.context if read.beside is None else build_frame(read.beside))


@dataclass(frozen=True)
class FrameContent:
    """A frame as it is kept: a list for each column, and the types of those that are no plain objects."""

    columns: dict[str, list[Any]]
    types: dict[str, str]


@dataclass(frozen=True)
class StageContent:
    """What a stage decided from as it is kept: its ``frame``, and ``beside`` it another frame or a ``context``."""

    frame: FrameContent
    beside: FrameContent | None
    context: Said | Capacity | None


def read_content(content: bytes) -> StageContent:
    """What ``encode`` wrote, before any frame is built: a thousand small frames are joined first."""
    read = orjson.loads(zlib.decompress(content))
    beside = read.get("beside")
    return StageContent(_read_frame(read["frame"]), beside and _read_frame(beside), _decode_context(read))


def _read_frame(content: Mapping[str, Any]) -> FrameContent:
    rows = content["rows"]
    columns = {name: [None] * rows if cells is None else cells for name, cells in content["columns"].items()}
    return FrameContent(columns, content["types"])


def join_contents(contents: Sequence[FrameContent]) -> FrameContent:
    """Frames under one another; a column that one of them does not have is empty there. Where they have a column of
    different types of numbers, its cells are plain objects."""
    columns: dict[str, list[Any]] = {}
    types: dict[str, set[str]] = {}
    rows = 0
    for each in contents:
        count = len(next(iter(each.columns.values()), ()))
        for name in each.columns.keys() - columns.keys():
            columns[name] = [None] * rows
        for name, cells in columns.items():
            cells += each.columns.get(name, [None] * count)
        for name in each.columns:
            types.setdefault(name, set()).add(each.types.get(name, "object"))
        rows += count
    return FrameContent(columns, {name: kind for name in columns if (kind := _join_types(types[name])) != "object"})


def _join_types(types: set[str]) -> str:
    found = types - {"object"}
    if found == {"moments"} or types == found == {next(iter(found), "")}:
        return found.pop()
    return "object"


def build_frame(content: FrameContent) -> pd.DataFrame:
    """The frame that was kept."""
    columns = {}
    for name, values in content.columns.items():
        match content.types.get(name, "object"):
            case "moment":
                columns[name] = pd.Series(pd.to_datetime(values, utc=True, format="ISO8601"))
            case "moments":
                known = {value: value and datetime.fromisoformat(value) for value in set(values)}
                columns[name] = pd.Series([known[value] for value in values], dtype=object)
            case dtype:
                columns[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(columns)


def _encode_cell(value: object) -> object:
    if value is pd.NaT:
        return None
    if isinstance(value, datetime):  # a Timestamp; orjson knows the class itself
        return value.isoformat()
    raise TypeError(f"a cell of type {type(value).__name__} cannot be kept")


def _encode_frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns: dict[str, list[Any] | None] = {}
    types = {}
    for name in frame.columns:
        values = frame[name]
        cells = columns[name] = values.tolist()
        if (kind := values.dtype.kind) != "O":
            types[name] = "moment" if kind == "M" else _DTYPES.get(kind, "object")
        elif (first := next((value for value in cells if value is not None), None)) is None:
            columns[name] = None  # most forms ask for half of the fields
        elif isinstance(first, datetime):
            types[name] = "moments"
    types = {name: kind for name, kind in types.items() if kind != "object"}
    return {"rows": len(frame), "columns": columns, "types": types}


def _encode_context(context: object) -> dict[str, Any]:
    match context:
        case None:
            return {}
        case pd.DataFrame():
            return {"beside": _encode_frame(context)}
        case Said():
            return {
                "said": {name: getattr(context, name) for name in ("provenance", "problems", "accounts", "contacts")}
            }
        case Capacity():
            return {
                "capacity": {
                    "pools": {name: [stored.state, stored.version] for name, stored in context.pools.items()},
                    "loads": {rep: list(load) for rep, load in context.loads.items()},
                    "away": [asdict(each) for each in context.away],
                }
            }
    raise TypeError(f"a context of type {type(context).__name__} cannot be kept")


def _decode_context(content: Mapping[str, Any]) -> Said | Capacity | None:
    if (said := content.get("said")) is not None:
        return Said(**said)
    if (capacity := content.get("capacity")) is not None:
        return Capacity(
            {name: StoredTurns(state, version) for name, (state, version) in capacity["pools"].items()},
            {rep: Load(*load) for rep, load in capacity["loads"].items()},
            [
                SaidAbsence(each["rep"], datetime.fromisoformat(each["since"]), _read_moment(each["until"]))
                for each in capacity["away"]
            ],
        )
    return None


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
