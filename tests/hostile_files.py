"""Files that take more from their reader than they have: made by the tests, thrown away by pytest.

Belongs here: generators of such files. Does not belong here: what becomes of them (the tests).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_ROWS: Final = b'<row><c t="inlineStr"><is><t>Email</t></is></c><c t="inlineStr"><is><t>Company</t></is></c></row>' + (
    b'<row><c t="inlineStr"><is><t>a@one.example</t></is></c><c t="inlineStr"><is><t>One</t></is></c></row>'
)


def write_workbook(
    path: Path,
    *,
    strings: bytes = b"",
    styles: bytes = b"",
    count: int = 0,
    rows: Iterable[bytes] = (_ROWS,),
    names: tuple[str, str] = ("sharedStrings.xml", "styles.xml"),
) -> Path:
    """A workbook of one sheet with ``count`` times the element ``strings`` or ``styles``; ``%d`` is its number.

    ``names`` are those of their parts, which a workbook chooses itself.
    """
    kinds = {"sheet1.xml": "worksheet"}
    kinds |= {names[0]: "sharedStrings"} if strings else {}
    kinds |= {names[1]: "styles"} if styles else {}
    parts: dict[str, Iterable[bytes]] = {
        "[Content_Types].xml": [
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
            f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'.encode(),
            *(
                f'<Override PartName="/xl/{name}" ContentType="{_TYPE}.{kinds[name]}+xml"/>'.encode()
                for name in kinds
                if name != "sheet1.xml"
            ),
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'.encode(),
        ],
        "_rels/.rels": [
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{_DOCUMENT}/officeDocument" Target="xl/workbook.xml"/></Relationships>'.encode()
        ],
        "xl/workbook.xml": [
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets><sheet name="Leads" sheetId="1" r:id="r1"/>'
            f"</sheets></workbook>".encode()
        ],
        "xl/_rels/workbook.xml.rels": [
            f'<Relationships xmlns="{_PACKAGE}/relationships">'.encode(),
            *(
                f'<Relationship Id="r{number}" Type="{_DOCUMENT}/{kinds[name]}" Target="'
                f'{"worksheets/" if name == "sheet1.xml" else ""}{name}"/>'.encode()
                for number, name in enumerate(kinds, start=1)
            ),
            b"</Relationships>",
        ],
        "xl/worksheets/sheet1.xml": _wrap("worksheet", "sheetData", rows, before=b'<dimension ref="A1:B2"/>'),
    }
    if strings:
        parts[f"xl/{names[0]}"] = _wrap("sst", None, _repeat(strings, count))
    if styles:
        parts[f"xl/{names[1]}"] = _wrap("styleSheet", "cellXfs", _repeat(styles, count))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, pieces in parts.items():
            with archive.open(name, "w") as part:
                for piece in pieces:
                    part.write(piece)
    return path


def write_cut_workbook(path: Path, *, rows: int) -> Path:
    """A workbook whose sheet is damaged in its last tenth."""
    cell = b'<c t="inlineStr"><is><t>%b</t></is></c>'
    lines = [b"<row>" + cell % b"lead%d@one.example" % n + cell % b"One" + b"</row>" for n in range(rows)]
    lines.insert(rows * 9 // 10, b"</damaged>")
    header = b"<row>" + cell % b"Email" + cell % b"Company" + b"</row>"
    return write_workbook(path, rows=[header, *lines])


def write_json_document(path: Path, megabytes: int) -> Path:
    """A list of objects with many small values: what costs most when it is parsed whole."""
    record = b'{"email": "lead%d@one.example", "answers": [' + b'{"q": 1}, ' * 200 + b'{"q": 2}]},\n'
    with path.open("wb") as file:
        file.write(b"[")
        number = 0
        while file.tell() < megabytes * 1024**2:
            file.write(record % number)
            number += 1
        file.write(b'{"email": "last@one.example"}]')
    return path


def _wrap(root: str, inner: str | None, pieces: Iterable[bytes], before: bytes = b"") -> Iterator[bytes]:
    yield f'<{root} xmlns="{_MAIN}">'.encode() + before + (f"<{inner}>".encode() if inner else b"")
    yield from pieces
    yield (f"</{inner}>".encode() if inner else b"") + f"</{root}>".encode()


def _repeat(element: bytes, count: int) -> Iterator[bytes]:
    at_once = 10_000
    for start in range(0, count, at_once):
        numbers = range(start, min(count, start + at_once))
        yield b"".join(element % number for number in numbers) if b"%d" in element else element * len(numbers)
