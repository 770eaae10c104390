"""JSON text as values, a whole text or one value after another from a stream that is too long for memory.

Belongs here: how JSON is decoded without losing anything, and finding where a value ends. Does not belong here:
which values are records (``records``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TextIO

from leadgate.mapping.headers import make_distinct
from leadgate.values.json_types import JsonValue

_CHUNK: Final = 256 * 1024
_LONGEST_TOKEN: Final = 16  # characters of a JSON token other than a string or a number: ``-Infinity``, ``\\uXXXX``
_SPACE = re.compile(r"[ \t\r\n]*")
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONG_INTEGER = re.compile(r"[0-9]{19}")
_PLAIN = re.compile(r'[^"\[\]{},]*')


def decode(source: str) -> JsonValue:
    """The value of a whole JSON text. Raises ``ValueError`` or ``RecursionError``."""
    at = _end_of_space(source, 0)
    value, end = _decode_raw(source, at)
    if _end_of_space(source, end) < len(source):
        raise json.JSONDecodeError("Extra data", source, end)
    return value


class Element(NamedTuple):
    """A value and its text. ``fits`` is false for a value longer than allowed: then ``raw`` is its beginning only."""

    value: JsonValue
    raw: str
    fits: bool


class Values:
    """A JSON text that is read value by value. Memory is bounded by ``longest``, the characters of one value."""

    def __init__(self, stream: TextIO, longest: int) -> None:
        self._stream, self._longest = stream, longest
        self._buffer, self._at, self._ended = "", 0, False
        self._chars_before = self._lines_before = self._column_before = 0  # of the text above the buffer

    @property
    def chars(self) -> int:
        """The characters read so far."""
        return self._chars_before + self._at

    def peek_sign(self) -> str:
        """The next character that is not white space, which stays; empty at the end."""
        while True:
            self._at = _end_of_space(self._buffer, self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill():
                return ""

    def take(self, sign: str) -> bool:
        """Whether the next sign is ``sign``; if so, it is read."""
        if self.peek_sign() != sign:
            return False
        self._at += 1
        return True

    def require(self, sign: str) -> None:
        """Read ``sign``. Raises ``ValueError`` when something else stands there."""
        if not self.take(sign):
            raise self._build_error(f"Expecting {sign!r} delimiter", self._at)

    def require_end(self) -> None:
        """Raises ``ValueError`` when anything but white space follows."""
        if self.peek_sign():
            raise self._build_error("Extra data", self._at)

    def read_value(self) -> Element:
        """The next value. Raises ``ValueError`` when there is none, ``RecursionError`` when it is too deep."""
        self.peek_sign()
        while True:
            try:
                value, end = _decode_raw(self._buffer, self._at)
            except json.JSONDecodeError as error:
                cut_off = error.pos >= len(self._buffer) - _LONGEST_TOKEN or error.msg.startswith("Unterminated")
                if self._ended or not cut_off:
                    raise self._build_error(error.msg, error.pos) from None
            else:
                if self._ended or self._buffer[end : end + 3].strip(".eE+-"):  # else a number could go on
                    if end - self._at > self._longest:
                        return self._skip_too_long()
                    raw = self._buffer[self._at : end]
                    self._at = end
                    return Element(value, raw, True)
            if len(self._buffer) - self._at > self._longest:
                return self._skip_too_long()
            self._fill()

    def items(self) -> Iterator[Element]:
        """The values of the list that begins here. Raises as ``next_value``."""
        self.require("[")
        if self.take("]"):
            return
        while True:
            yield self.read_value()
            if self.take("]"):
                return
            self.require(",")

    def read_keys(self) -> Iterator[str]:
        """The keys of the object that begins here. After each, the caller reads its value."""
        self.require("{")
        if self.take("}"):
            return
        while True:
            if self.peek_sign() != '"':
                raise self._build_error("Expecting property name enclosed in double quotes", self._at)
            key = self.read_value()
            self.require(":")
            yield str(key.value)
            if self.take("}"):
                return
            self.require(",")

    def _skip_too_long(self) -> Element:
        raw = self._buffer[self._at : self._at + self._longest]
        self._skip_value()
        return Element(None, raw, False)

    def _skip_value(self) -> None:
        """Pass over one value by its brackets and quotes alone."""
        depth = 0
        while True:
            self._at = _PLAIN.match(self._buffer, self._at).end()  # type: ignore[union-attr] # matches nothing, too
            if self._at == len(self._buffer):
                if self._fill():
                    continue
                if depth:
                    raise self._build_error("Unterminated value", self._at)
                return
            sign = self._buffer[self._at]
            if depth == 0 and sign in ",]}":
                return
            self._at += 1
            if sign == '"':
                self._skip_string()
            elif sign in "[{":
                depth += 1
            elif sign in "]}":
                depth -= 1
            if depth == 0:
                return

    def _skip_string(self) -> None:
        """Pass over the rest of a string and its closing quote, before which the backslashes are even in number."""
        while True:
            quote = self._buffer.find('"', self._at)
            end = quote if quote >= 0 else len(self._buffer)
            text_end = end
            while text_end > self._at and self._buffer[text_end - 1] == "\\":
                text_end -= 1
            if quote >= 0:
                self._at = quote + 1
                if (end - text_end) % 2 == 0:
                    return
                continue
            self._at = text_end
            if not self._fill():
                raise self._build_error("Unterminated string", self._at)

    def _fill(self) -> bool:
        """Read on; what was read as values is forgotten. False at the end of the text."""
        if self._ended:
            return False
        passed = self._buffer[: self._at]
        lines = passed.count("\n")
        self._lines_before += lines
        last = passed.rfind("\n")
        self._column_before = len(passed) - last - 1 if lines else self._column_before + len(passed)
        self._chars_before += len(passed)
        rest = self._buffer[self._at :]
        more = self._stream.read(max(_CHUNK, len(rest)))
        self._buffer, self._at, self._ended = rest + more, 0, not more
        return bool(more)

    def _build_error(self, message: str, at: int) -> ValueError:
        above = self._buffer[:at]
        line = self._lines_before + above.count("\n") + 1
        last = above.rfind("\n")
        column = at - last if last >= 0 else self._column_before + at + 1
        return ValueError(f"{message}: line {line} column {column} (char {self._chars_before + at})")


def _end_of_space(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()  # type: ignore[union-attr] # it matches nothing, too


def _decode_raw(text: str, at: int) -> tuple[JsonValue, int]:
    """The value that begins at ``at``, and where it ends. Raises ``ValueError`` or ``RecursionError``."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of thousands of digits
        value, end = _LONG_INTEGERS_DECODER.raw_decode(text, at)
    else:
        if _LONG_INTEGER.search(text, at, end):
            value, end = _LONG_INTEGERS_DECODER.raw_decode(text, at)
    return (_escape_surrogates(value) if _LONE_SURROGATE.search(text, at, end) else value), end


def _build_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Of two equal keys ``json`` would keep the last only; here the second is ``key (2)``."""
    record = dict(pairs)
    if len(record) < len(pairs):
        taken: dict[str, int] = {}
        record = {make_distinct(key, taken): value for key, value in pairs}
    return record


def _parse_float(digits: str) -> float | str:
    """Neither a database nor JSON itself knows infinity: ``1e999`` stays as it was written."""
    number = float(digits)
    return number if math.isfinite(number) else digits


def _parse_int(digits: str) -> int | str:
    """A longer integer than 64 bits hold stays as it was written: few programs that read JSON keep its digits."""
    if len(digits) < 19:
        return int(digits)
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else digits


#: ``NaN`` and ``Infinity`` are no JSON, yet some exporters write them: kept as text.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_build_object, parse_float=_parse_float, parse_constant=str)
#: A function called for each integer costs as much as all else, so the few texts that need one are decoded again.
_LONG_INTEGERS_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_build_object, parse_float=_parse_float, parse_int=_parse_int, parse_constant=str
)


def _escape_surrogates(value: JsonValue) -> JsonValue:
    r"""Half a surrogate pair (``\ud800``) cannot be stored as UTF-8: written out as text again."""
    if isinstance(value, str):
        return _without_surrogates_in(value)
    if isinstance(value, list):
        return [_escape_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates_in(key): _escape_surrogates(item) for key, item in value.items()}
    return value


def _without_surrogates_in(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
