"""Telling from its first bytes what a file is, and in which encoding its text is.

Belongs here: signatures of formats that are no tables, byte order marks, guessing an encoding.
Does not belong here: what the text then says.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from leadgate.connectors.files.table import FileError
from leadgate.regular_files import UnusableFile, open_regular

_HEAD = 256 * 1024
_CHUNK = 1024 * 1024

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF-", "this is a PDF"),
    (b"\x89PNG\r\n", "this is a PNG image"),
    (b"\xff\xd8\xff", "this is a JPEG image"),
    (b"GIF8", "this is a GIF image"),
    (b"II*\x00", "this is a TIFF image"),
    (b"MM\x00*", "this is a TIFF image"),
    (b"\x1f\x8b", "this is a gzip archive"),
    (b"\xfd7zXZ\x00", "this is an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "this is a 7-Zip archive"),
    (b"Rar!\x1a\x07", "this is a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "this is a Zstandard archive"),
    (b"SQLite format 3\x00", "this is an SQLite database"),
    (b"PAR1", "this is a Parquet file"),
    (b"\x7fELF", "this is a program"),
    (b"{\\rtf", "this is an RTF document"),
    (b"BEGIN:VCARD", "these are contact cards (vCard)"),
)
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml|table|head|body|meta)\b", re.IGNORECASE)
_EXPORT_AS = "export it as CSV, XLSX or JSON"

#: The longer mark first: UTF-32's little-endian one begins like UTF-16's.
_MARKS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r\x1b"))
_HIGH: Final = bytes(range(0x80, 0x100))
#: A run of Western letters in cp1252 where a word could go on or end, or its usual typography.
_WESTERN = re.compile(
    rb"[\x8a\x8c\x8e\x9a\x9c\x9e\x9f\xc0-\xd6\xd8-\xf6\xf8-\xfe]+(?=[A-Za-z0-9\s,;:|\"'&@./!?)\xa0\x91-\x97\xab\xbb-]|$)"
    rb"|[\x80\x82\x84\x85\x91-\x97\x99\xa0\xa1\xa3\xa7\xa9\xaa\xab\xae\xb0\xb4\xb5\xb7\xba\xbb\xbf]"
)

#: Bytes that are no text in the file's encoding are decoded to these, so that their line can be told.
UNDECODABLE = re.compile("[\udc00-\udcff]")
_MARK_ERRORS = "leadgate.mark"


def _replace_bad_byte(error: UnicodeError) -> tuple[str | bytes, int]:
    """Like ``surrogateescape``, which knows no UTF-16: a bad byte becomes a lone low surrogate."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_MARK_ERRORS, _replace_bad_byte)


@dataclass(frozen=True, slots=True)
class Text:
    """A text file's encoding. ``clean`` means every byte of it decodes, so no line needs checking."""

    path: Path
    encoding: str
    clean: bool
    size: int
    head: str  # the first characters, for sniffing
    whole: bool  # the head is all there is

    def open(self, binary: BinaryIO) -> io.TextIOWrapper:
        """``binary`` as text. Line ends stay as they are; bytes that are no text match ``UNDECODABLE``."""
        return io.TextIOWrapper(binary, self.encoding, errors=_MARK_ERRORS, newline=self._newline)

    def open_head(self, head: str) -> io.StringIO:
        return io.StringIO(head, newline=self._newline)

    @property
    def _newline(self) -> str:
        """A lone carriage return ends a line only in a file that has no other line ends."""
        return "\n" if "\n" in self.head else ""

    def skip_line(self, readline: Callable[[int], str], begun: str) -> None:
        """Read the rest of a line, of which ``begun`` is too much already."""
        ends = self._newline or ("\r", "\n")
        while begun and not begun.endswith(ends):
            begun = readline(_CHUNK)

    def show_raw(self, raw: str) -> str:
        """A line as a person can read it and a database can keep it: without its end, bad bytes as ``\\xNN``."""
        raw = raw.rstrip("\r\n")
        return raw if self.clean else UNDECODABLE.sub(lambda bad: f"\\x{ord(bad[0]) & 0xFF:02x}", raw)


def read_head(path: Path) -> bytes:
    """The file's first bytes; ``FileError`` when there are none to have."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
    except FileNotFoundError as error:
        raise FileError(path, "there is no such file") from error
    except PermissionError as error:
        raise FileError(path, "no permission to read it; ask its owner, or use chmod") from error
    except UnusableFile as error:
        raise FileError(path, f"this {error.strerror}") from error
    except OSError as error:
        raise FileError(path, f"it cannot be read: {error.strerror or error}") from error
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise FileError(path, "the file is empty")
    return head


def is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))


def refuse_other_formats(path: Path, head: bytes) -> None:
    """``FileError`` for what is known to be something else than text."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(_OLE):
        raise FileError(path, _explain_ole(path))
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            raise FileError(path, f"{what}, not a table; {_EXPORT_AS}")
    if _MARKUP.match(start):
        raise FileError(path, f"this is HTML or XML, not a table, whatever its name says; {_EXPORT_AS}")


def _explain_ole(path: Path) -> str:
    """The container of old .xls files is also that of encrypted .xlsx ones."""
    with open_regular(path) as file:
        start = file.read(_CHUNK)
        file.seek(max(0, path.stat().st_size - _CHUNK))
        if "EncryptedPackage".encode("utf-16-le") in start + file.read():
            return "this workbook is protected by a password; save it without one"
    return "this is an old Excel file (.xls); save it as .xlsx or CSV"


def recognise_text(path: Path, head: bytes, encoding: str | None = None) -> Text:
    """How to read ``path`` as text. Reads the file once through, a chunk at a time.

    The head alone would not do: an export in cp1252 may show its first accent after 50,000 rows.
    """
    if encoding is None:
        chosen, clean = _detect_encoding(path, head)
    else:
        marked = head.startswith(codecs.BOM_UTF8) and codecs.lookup(encoding).name == "utf-8"
        chosen = "utf-8-sig" if marked else encoding
        clean = _can_decode(path, chosen)
    size = path.stat().st_size
    text = Text(path, chosen, clean, size, "", size <= len(head))
    try:
        decoded = codecs.getincrementaldecoder(chosen)(_MARK_ERRORS).decode(head, final=text.whole)
    except (UnicodeError, TypeError) as error:
        raise FileError(path, f"it cannot be read as {chosen}: {error}") from error
    _refuse_binary(path, decoded)
    return Text(path, chosen, clean, size, decoded, text.whole)


def _detect_encoding(path: Path, head: bytes) -> tuple[str, bool]:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, _can_decode(path, name)
    if (utf16 := _detect_utf16(head)) is not None:
        return utf16, _can_decode(path, utf16)
    if _can_decode(path, "utf-8"):
        return "utf-8", True
    if _is_western(path):
        return "cp1252", _can_decode(path, "cp1252")
    return "utf-8", False


def _can_decode(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with open_regular(path) as file:
            while chunk := file.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeError:
        return False
    return True


def _detect_utf16(head: bytes) -> str | None:
    """Latin text in UTF-16 has a zero in every other byte, and next to none in the others."""
    pairs = len(head) // 2
    if not pairs:
        return None
    first, second = head[: 2 * pairs : 2].count(0) / pairs, head[1 : 2 * pairs : 2].count(0) / pairs
    if second > 0.3 and first < 0.05:
        return "utf-16-le"
    if first > 0.3 and second < 0.05:
        return "utf-16-be"
    return None


def _is_western(path: Path, enough: int = 10_000) -> bool:
    """Is a file that is not wholly UTF-8 in cp1252 (latin-1 with typography), or UTF-8 with bad lines?

    UTF-8 when at least as many lines with other than ASCII are valid UTF-8 as are not: Western text is
    so by accident almost never. Else cp1252 when its letters stand where letters can stand.
    """
    valid = invalid = high = western = 0
    with open_regular(path) as file:
        while line := file.readline(_CHUNK):
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                valid += 1
            except UnicodeDecodeError:
                invalid += 1
                high += len(line) - len(line.translate(None, _HIGH))
                western += sum(len(found[0]) for found in _WESTERN.finditer(line))
            if valid + invalid >= enough:
                break
    return invalid > valid and western >= 0.8 * high


def _refuse_binary(path: Path, head: str) -> None:
    """A few control characters may be somebody's data; a third of them, or a few among noise, is no text."""
    sample = head[:65536]
    controls = sum(map(sample.count, _CONTROLS.decode("latin-1")))
    bad = len(UNDECODABLE.findall(sample))
    if controls > 0.3 * len(sample) or (bad > 0.1 * len(sample) and controls > 0.02 * len(sample)):
        raise FileError(path, f"this is a binary file, not a table; {_EXPORT_AS}")
