"""XLSX workbooks: the first sheet with data.

Belongs here: what makes a zip archive a workbook, what one may cost, and cells as text.
Does not belong here: old .xls files (``recognise`` refuses them).
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time
from itertools import islice
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from leadgate.connectors.files.table import (
    FileError,
    Format,
    Limits,
    Row,
    Table,
    build_column_names,
    check_headers,
)
from leadgate.regular_files import open_regular

_CHUNK = 1024 * 1024
_XML_OUT_OF_MEMORY: Final = 1  # expat's XML_ERROR_NO_MEMORY
_LAST_ROW = 1_048_576  # the last that Excel has
_OTHERS: Final = {
    "xl/workbook.bin": "this is a binary workbook (.xlsb); save it as .xlsx",
    "word/document.xml": "this is a Word document, not a table; export it as CSV, XLSX or JSON",
    "ppt/presentation.xml": "this is a presentation, not a table; export it as CSV, XLSX or JSON",
    "content.xml": "this is an OpenDocument file; save it as .xlsx or CSV",
    "Index/Document.iwa": "this is an Apple Numbers or Pages file; export it as CSV or XLSX",
}
#: Parts of which ``openpyxl`` makes an object for each XML element, before it gives any row.
_READ_WHOLE: Final = ("[Content_Types].xml", "docProps/", "xl/workbook.xml", "xl/styles", "xl/chartsheets/")

_Cells = tuple[object, ...]


def open_table(path: Path, limits: Limits) -> Table:
    """Check the archive, then take the first visible sheet that has rows below its headers."""
    with _as_file_errors(path):
        rows, formulas = _weigh(path, limits)
        headers_only = ""
        with _open_workbook(path) as book:
            visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            heads = {sheet.title: _read_head(path, sheet) for sheet in visible}
        for name, first in heads.items():
            # A title stands alone in its row; the headers are the first row with more than one cell.
            named = [(n, row) for n, row in first if sum(map(_is_filled, row)) > 1]
            number, cells = named[0] if named else first[0] if first else (0, ())
            if not cells:
                continue
            if first[-1][0] == number:
                headers_only = headers_only or name
                continue
            width = max(i for i, cell in enumerate(cells, start=1) if _is_filled(cell))
            headers = build_column_names(map(_format_cell, cells[:width]))
            check_headers(path, f"row {number} of sheet {name!r}", headers, limits)
            return SheetTable(path, name, headers, number, rows, formulas, limits)
    if headers_only:
        raise FileError(path, f"there are only headers, and no rows below them, in sheet {headers_only!r}")
    raise FileError(path, "no sheet of this workbook holds anything")


class SheetTable(Table):
    """``rows`` is how many the workbook has, for the position; ``formulas`` is whether it has any."""

    format: Format = "xlsx"

    def __init__(
        self,
        path: Path,
        sheet: str,
        headers: tuple[str, ...],
        headers_at: int,
        rows: int,
        formulas: bool,
        limits: Limits,
    ) -> None:
        super().__init__(path, headers, path.stat().st_size)
        self.sheet = self._name = sheet
        self._headers_at, self._rows, self._formulas, self._given = headers_at, rows, formulas, 0
        self._limits = limits

    def __iter__(self) -> Iterator[Row]:
        headers, width, self.blank = self.headers, len(self.headers), 0
        longest, left = self._limits.row_chars, self._limits.text_chars
        with _as_file_errors(self.path):
            for number, cells in self._read_cells():
                self._given = number
                if number <= self._headers_at:
                    continue
                values = [cell if type(cell) is str else _format_cell(cell) for cell in cells]
                if not any(values):
                    self.blank += 1
                    continue
                chars = sum(map(len, values)) + len(values)
                left -= min(chars, longest)
                if left < 0:
                    raise FileError(
                        self.path,
                        f"its values are more than {self._limits.text_chars:,} characters together, however small "
                        "the file is; split it, or export CSV",
                    )
                if chars > longest:
                    raw = "\t".join(value[: longest // len(values)] for value in values)
                    problem = f"longer than the {longest:,} characters allowed; its values are cut"
                    yield Row(number, None, raw, f"row {number}: {problem}")
                elif len(values) > width and any(values[width:]):
                    count = max(i for i, value in enumerate(values, start=1) if value)
                    problem = f"row {number}: {count} cells, the header has {width}"
                    yield Row(number, None, "\t".join(values[:count]), problem)
                else:
                    values += [""] * (width - len(values))
                    yield Row(number, dict(zip(headers, values, strict=False)))
        self._given = self._rows

    def _read_cells(self) -> Iterator[tuple[int, _Cells]]:
        stored = _read_rows(self.path, self._name)
        if not self._formulas:
            yield from stored
            return
        # A program that writes formulas without calculating them stores no value: show the formula then.
        written = _read_rows(self.path, self._name, formulas=True)
        for (number, values), (_, sources) in zip(stored, written, strict=True):
            pairs = zip(values, sources, strict=True)
            yield number, tuple(source if value is None else value for value, source in pairs)

    def position(self) -> int:
        return min(self.bytes_total, self.bytes_total * self._given // max(1, self._rows))


def _weigh(path: Path, limits: Limits) -> tuple[int, bool]:
    """Refuse what is no workbook or costs too much to unpack; return its rows, and if it has formulas.

    What a part unpacks to is what its directory entry says: ``zipfile`` stops reading there.
    """
    rows = cells = 0
    formulas = False
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        parts = {part.filename: part for part in archive.infolist()}
        if "xl/workbook.xml" not in parts:
            known = next((reason for name, reason in _OTHERS.items() if name in parts), None)
            raise FileError(path, known or "this is a zip archive, not a workbook; unpack it first")
        if any(part.flag_bits & 1 for part in parts.values()):
            raise FileError(path, "this workbook is protected by a password; save it without one")
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > limits.unpacked_bytes:
            raise FileError(
                path,
                f"it unpacks to {unpacked:,} bytes, more than the {limits.unpacked_bytes:,} allowed; split it",
            )
        for part in parts.values():
            if part.file_size > limits.ratio_from and part.file_size > limits.ratio * part.compress_size:
                raise FileError(
                    path,
                    f"{part.filename} in it unpacks to more than {limits.ratio} times its size, as a bomb does",
                )
        _weigh_parts_read_whole(path, archive, limits)
        for name in parts:
            if name.startswith("xl/worksheets/") and name.endswith(".xml"):
                for piece in _read_pieces(archive, name):
                    rows += sum(map(piece.count, (b"<row ", b"<row>", b":row ", b":row>")))
                    cells += sum(map(piece.count, (b"<c ", b"<c>", b":c ", b":c>")))
                    formulas = formulas or any(mark in piece for mark in (b"<f>", b"<f ", b":f>", b":f "))
                    if rows > limits.rows or cells > limits.cells:
                        raise FileError(
                            path,
                            f"more than {limits.rows:,} rows or {limits.cells:,} cells are not allowed; split it",
                        )
    return rows, formulas


def _weigh_parts_read_whole(path: Path, archive: zipfile.ZipFile, limits: Limits) -> None:
    """Refuse more XML elements than ``openpyxl`` can turn into objects in a few seconds and a few hundred MB."""
    elements = 0
    for name in archive.namelist():
        if name.startswith("xl/sharedStrings"):
            strings = _count_elements(archive, name)
            if strings > limits.strings:
                raise FileError(
                    path,
                    f"{name} in it holds {strings:,} elements (different texts), more than the {limits.strings:,} "
                    "allowed; split it, or export CSV",
                )
        elif name.startswith(_READ_WHOLE) or name.endswith(".rels"):
            here = _count_elements(archive, name)
            elements += here
            if elements > limits.elements:
                raise FileError(
                    path,
                    f"{name} in it holds {here:,} elements (formats, names or links), more than the "
                    f"{limits.elements:,} allowed; copy the values into a new workbook, or export CSV",
                )


def _count_elements(archive: zipfile.ZipFile, name: str) -> int:
    return sum(piece.count(b"<") - piece.count(b"</") for piece in _read_pieces(archive, name))


def _read_pieces(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """A part's bytes, cut before a tag rather than inside one."""
    rest = b""
    with archive.open(name) as part:
        while chunk := part.read(_CHUNK):
            chunk = rest + chunk
            cut = chunk.rfind(b"<")
            cut = cut if cut > 0 else len(chunk)
            rest = chunk[cut:]
            yield chunk[:cut]
    yield rest


@contextmanager
def _open_workbook(path: Path, *, formulas: bool = False) -> Iterator[Any]:
    import openpyxl  # 0.3 s: only for those who read a workbook

    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("openpyxl does not use defusedxml: install it, and leave OPENPYXL_DEFUSEDXML alone")
    warnings.filterwarnings("ignore", module="openpyxl")  # on styles and extensions: nobody here can act on them
    with open_regular(path) as file:  # given a name, openpyxl would refuse by its suffix
        yield openpyxl.load_workbook(file, read_only=True, data_only=not formulas, keep_links=False)


def _read_head(path: Path, sheet: Any) -> list[tuple[int, _Cells]]:
    """The first rows that are not blank."""
    return list(islice(((number, row) for number, row in _number_rows(path, sheet) if any(map(_is_filled, row))), 10))


def _read_rows(path: Path, name: str, *, formulas: bool = False) -> Iterator[tuple[int, _Cells]]:
    with _open_workbook(path, formulas=formulas) as book:
        yield from _number_rows(path, book[name])


def _number_rows(path: Path, sheet: Any) -> Iterator[tuple[int, _Cells]]:
    sheet.reset_dimensions()  # what the file states may be wrong, or the whole grid
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > _LAST_ROW:  # openpyxl fills gaps, up to any row number that a file makes up
            raise FileError(path, f"row {number:,} of sheet {sheet.title!r} is more than a workbook can have")
        yield number, row


@contextmanager
def _as_file_errors(path: Path) -> Iterator[None]:
    """``zipfile`` and ``openpyxl`` raise errors of every kind for a damaged workbook."""
    try:
        yield
    except (FileError, MemoryError):
        raise
    except ParseError as error:
        if error.code == _XML_OUT_OF_MEMORY:
            raise MemoryError from error
        raise FileError(path, "this workbook is damaged; save or download it again") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise FileError(path, "this workbook is damaged; save or download it again") from error
    except Exception as error:
        raise FileError(path, f"this workbook cannot be read ({error}); save it again, or export CSV") from error


def _is_filled(cell: object) -> bool:
    return cell is not None and cell != ""


def _format_cell(cell: object) -> str:
    """A cell as people write it: no ``.0`` on whole numbers, ISO dates, no midnight on a plain date."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, time):
        return cell.isoformat()
    return str(getattr(cell, "text", cell))  # an array formula keeps its source in ``text``
