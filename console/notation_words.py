"""What a person has to know of how the columns of a file write dates and numbers, in words.

Belongs here: a line for each column that is read otherwise than expected, with values and lines as examples. Does not
belong here: deciding how it is read (``tasks.notations``), or other news of columns (``console.captured_columns``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from console.redaction import sanitise
from leadgate.counting import format_count
from leadgate.mapping.column_notations import find_stated_decimals, settle_value, writes_day_first
from leadgate.playbook import Playbook, Source
from leadgate.values.figures import read_number
from leadgate.values.notations import Notation, Seen, write_in_one_way
from tasks.notations import FileColumn, FileNotations

NOTATIONS: Final[Mapping[Notation, str]] = {
    Notation.DAY_FIRST: "the day before the month",
    Notation.MONTH_FIRST: "the month before the day",
    Notation.DECIMAL_COMMA: "decimals after a comma",
    Notation.DECIMAL_POINT: "decimals after a point",
    Notation.THOUSANDS: "thousands in three digits",
}
_SETTINGS: Final = {
    Notation.DAY_FIRST: "dates: day_first",
    Notation.MONTH_FIRST: "dates: month_first",
    Notation.DECIMAL_COMMA: "decimals: comma",
    Notation.DECIMAL_POINT: "decimals: point",
}


def describe_notations(file: str, notations: FileNotations, source: str, playbook: Playbook) -> list[str]:
    """A line for each column that the file settles in another way than the playbook, that contradicts itself, or that
    may be read in two ways although neither the file nor the playbook says in which."""
    declared = playbook.sources[source]
    order = Notation.DAY_FIRST if writes_day_first(declared, playbook) else Notation.MONTH_FIRST
    described = []
    for column in notations.columns:
        is_date = column.values.kind == "date"
        lines = _describe_dates(column, order, declared) if is_date else _describe_numbers(column, declared)
        named = f"{sanitise(file)}: the column {sanitise(column.header, 80)!r}"
        # a value that is shown has no brace: it is a date or a number
        described += [f"{named} {line.format(where=f'sources.{source}')}" for line in lines]
    return described


def _describe_dates(column: FileColumn, order: Notation, source: Source) -> Iterator[str]:
    values, settled = column.values, column.values.settled
    if settled is not None:
        if settled != order:
            said = " The playbook says otherwise in {where}.dates." if source.dates is not None else ""
            yield f"writes {_tell(column, settled)}, so {_show_dates(values.examples[:1], settled)}.{said}"
    elif values.telling:
        yield _describe_contradiction(column, _show_dates(values.examples[:1], order))
    elif source.dates is None:
        other = Notation.MONTH_FIRST if order is Notation.DAY_FIRST else Notation.DAY_FIRST
        yield (
            f"does not tell days from months: {_show_dates(values.examples[:1], order)}. "
            f"If it writes {NOTATIONS[other]}, write `{_SETTINGS[other]}` into {{where}} of the playbook."
        )


def _describe_numbers(column: FileColumn, source: Source) -> Iterator[str]:
    values, settled = column.values, column.values.settled
    if settled is not None:
        without = Notation.THOUSANDS if column.has_amounts else None
        if any(
            _read(each, column, settled, source) != _read(each, column, without, source) for each in values.examples
        ):
            said = " The playbook says otherwise in {where}.decimals." if source.decimals is not None else ""
            yield f"writes {_tell(column, settled)}, so {_show_numbers(values.examples, column, source)}.{said}"
    elif values.telling:
        yield _describe_contradiction(column, _show_numbers(values.examples, column, source))
    elif find_stated_decimals(source) is None and any("." in each.text for each in values.examples):
        yield (
            f"does not tell thousands from decimals: {_show_numbers(values.examples, column, source)}. Write "
            f"`{_SETTINGS[Notation.DECIMAL_COMMA]}` or `{_SETTINGS[Notation.DECIMAL_POINT]}` into {{where}} of the "
            "playbook, which says it."
        )


def _describe_contradiction(column: FileColumn, shown: str) -> str:
    told = " and ".join(f"{NOTATIONS[each]} ({_quote(seen)})" for each, seen in column.values.telling.items())
    either = format_count(column.values.either, "value may be either and is", "values may be either and are")
    return f"writes {told}. {either} read as the playbook has it: {shown}. Correct the file where that is wrong."


def _tell(column: FileColumn, settled: Notation) -> str:
    return f"{NOTATIONS[settled]} ({_quote(column.values.telling[settled])})"


def _quote(seen: Seen) -> str:
    return f"{sanitise(seen.text.strip(), 40)!r} in line {seen.line}"


def _show_dates(seen: Sequence[Seen], order: Notation) -> str:
    return " and ".join(f"{_quote(each)} is {write_in_one_way(each.text, order)}" for each in seen)


def _show_numbers(seen: Sequence[Seen], column: FileColumn, source: Source) -> str:
    return " and ".join(f"{_quote(each)} is {_read(each, column, column.found, source)}" for each in seen)


def _read(seen: Seen, column: FileColumn, found: Notation | None, source: Source) -> str:
    """The number that a value is read as."""
    number = read_number(settle_value(seen.text, "number", found, source))
    return "no number" if number is None else f"{number:.15g}"
