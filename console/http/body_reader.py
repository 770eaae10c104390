"""The body of a request as payloads: JSON and forms, within limits.

Belongs here: everything that can be said of a body without a source or the ledger. Does not belong here: who
sent it (``authentication``), keys and storing (``capture_api``), what a field means (``tasks.capture``).

A mistake of the sender is refused with its reason, never repaired: a sender gets the answer, unlike a file. A value is
never part of what is said.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from console.http.responses import RefusedError
from leadgate.values.json_types import JsonObject, JsonValue

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# it warns of each body that is no form, with the byte where that shows
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

DEPTH: Final = 64  # levels of one payload, as in a file
FIELDS: Final = 2_000  # names of one payload, on all levels
ITEMS: Final = 1_000  # payloads of one request

_FILE: Final = re.compile(rb";[ \t]*filename\*", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class Payload(NamedTuple):
    """One object: its values, and itself as JSON text, as received where it came as JSON."""

    values: JsonObject
    text: str


class Body(NamedTuple):
    """``listed`` tells a list of one from one object: their keys differ."""

    payloads: list[Payload]
    listed: bool


def read(body: bytes, content_type: str | None) -> Body:
    """The payloads of ``body``. Raises ``RefusedError``: 400, 413, 415 or 422."""
    kind, options = parse_options_header((content_type or "").encode("latin-1", "replace"))
    if kind == b"application/json" or (kind.startswith(b"application/") and kind.endswith(b"+json")):
        _require_utf8(options)
        return _parse_json(_decode_text(body))
    if kind == b"application/x-www-form-urlencoded":
        _require_utf8(options)
        return _build_form(_parse_urlencoded(_decode_text(body)))
    if kind == b"multipart/form-data":
        boundary = options.get(b"boundary")
        if not boundary:
            raise RefusedError(400, "invalid_form", "multipart/form-data needs a boundary in its Content-Type")
        return _build_form(_parse_multipart(body, boundary))
    raise RefusedError(
        415,
        "content_type",
        "send application/json, application/x-www-form-urlencoded or multipart/form-data as Content-Type",
    )


def _require_utf8(options: Mapping[bytes, bytes]) -> None:
    if options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise RefusedError(415, "charset", "the body must be UTF-8; leave the charset out, or send utf-8")


def _decode_text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(
            400, "invalid_utf8", f"the body is not UTF-8, from byte {error.start} on; send it in UTF-8"
        ) from None


# --- JSON -------------------------------------------------------------------------------------------------


def _parse_json(text: str) -> Body:
    text = text.removeprefix("\ufeff")
    try:
        # a strict parser: it refuses NaN and lone surrogates, with which the stored signal could not be read again
        orjson.loads(text)
        start = _skip_space(text, 0)
        if text[start] != "[":
            return Body([_build_payload(*_scan(text, start), None)], listed=False)
        return Body(_parse_list(text, _skip_space(text, start + 1)), listed=True)
    except RecursionError:
        raise _build_too_deep_error() from None
    except json.JSONDecodeError as error:
        # the message names a line and column, and no value
        raise RefusedError(400, "invalid_json", f"the body is not valid JSON: {error}") from None


def _parse_list(text: str, at: int) -> list[Payload]:
    payloads: list[Payload] = []
    while text[at] != "]":
        if len(payloads) == ITEMS:
            raise RefusedError(413, "too_many", f"a request may hold {ITEMS:,} payloads; send the rest in another one")
        value, raw = _scan(text, at)
        payloads.append(_build_payload(value, raw, len(payloads)))
        at = _skip_space(text, at + len(raw))
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    if not payloads:
        raise RefusedError(422, "empty", "the list is empty; send at least one payload")
    return payloads


def _scan(text: str, at: int) -> tuple[JsonValue, str]:
    value, end = _DECODER.raw_decode(text, at)
    return value, text[at:end]


def _build_payload(value: JsonValue, raw: str, position: int | None) -> Payload:
    where = "the payload" if position is None else f"payload {position} of the list, counted from 0,"
    if not isinstance(value, dict):
        raise RefusedError(422, "not_an_object", f"{where} is not an object, so its fields have no names; send objects")
    if not value:
        raise RefusedError(422, "empty", f"{where} is empty; send at least one field")
    _require_limits(value)
    return Payload(value, raw)


def _skip_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _build_object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise RefusedError(
            400,
            "duplicate_name",
            "an object has the same field name twice, so its value is ambiguous; send each name once",
        )
    return values


def _parse_integer(digits: str) -> int:
    value = int(digits) if len(digits) <= 20 else 2**64
    if not -(2**63) <= value < 2**64:
        raise RefusedError(400, "number_too_large", "a number needs more than 64 bits; send it as text")
    return value


def _parse_number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise RefusedError(400, "number_too_large", "a number is too large for a double; send it as text")
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_build_object, parse_int=_parse_integer, parse_float=_parse_number)


def _require_limits(value: JsonObject) -> None:
    """Level by level, not by recursion."""
    layer: list[Mapping[str, JsonValue] | Sequence[JsonValue]] = [value]
    fields = 0
    for _ in range(DEPTH):
        inner: list[Mapping[str, JsonValue] | Sequence[JsonValue]] = []
        for container in layer:
            inside: Iterable[JsonValue] = container
            if isinstance(container, Mapping):
                fields += len(container)
                inside = container.values()
            inner += [item for item in inside if isinstance(item, (dict, list))]
        if fields > FIELDS:
            raise _build_too_many_fields_error()
        if not inner:
            return
        layer = inner
    raise _build_too_deep_error()


def _build_too_deep_error() -> RefusedError:
    return RefusedError(400, "too_deep", f"a payload may be nested {DEPTH} levels deep")


# --- forms ------------------------------------------------------------------------------------------------


def _build_form(pairs: list[tuple[str, str]]) -> Body:
    """Build one payload. A name that is sent several times, such as ticked boxes, has a list of values."""
    values: dict[str, str | list[str]] = {}
    for name, value in pairs:
        before = values.get(name)
        if before is None:
            values[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            values[name] = [before, value]
    if not values:
        raise RefusedError(422, "empty", "the form is empty; send at least one field")
    return Body([Payload(values, orjson.dumps(values).decode())], listed=False)


def _parse_urlencoded(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except UnicodeDecodeError:
        raise RefusedError(
            400, "invalid_utf8", "a form field is not UTF-8 after its %XX are decoded; send the form in UTF-8"
        ) from None
    except ValueError:
        raise _build_too_many_fields_error() from None


def _parse_multipart(body: bytes, boundary: bytes) -> list[tuple[str, str]]:
    """The fields of a form (RFC 7578)."""
    form = _Parts()
    try:
        MultipartParser(boundary, form.build_callbacks()).write(body)
    except FormParserError:
        raise form.build_no_field_error() from None
    if not form.ended:
        raise RefusedError(400, "invalid_form", "the form does not end with its boundary; was it cut off?")
    return form.fields


class _Parts:
    """Collects the fields of a form from the parser. A file is refused: it is not a field of a lead."""

    def __init__(self) -> None:
        self.fields: list[tuple[str, str]] = []
        self.ended = False
        self._begin()

    def build_callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._described.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": lambda data, start, end: self._content.extend(data[start:end]),
            "on_part_end": self._end,
            "on_end": self._end_form,
        }

    def build_no_field_error(self) -> RefusedError:
        return RefusedError(
            400,
            "invalid_form",
            f"{self._name_part()} has no field name, more than 8 header lines, or a header line of 4 KB; "
            "send named form fields",
        )

    def _name_part(self) -> str:
        return f"part {len(self.fields)} of the form, counted from 0,"

    def _begin(self) -> None:
        if len(self.fields) == FIELDS:
            raise _build_too_many_fields_error()
        self._name: bytes | None = None
        self._header, self._described, self._content = bytearray(), bytearray(), bytearray()

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition" and self._name is None:
            kind, options = parse_options_header(bytes(self._described))
            # the parser passes over ``filename*``, which some senders write for a name that is not ASCII
            if b"filename" in options or _FILE.search(self._described):
                raise RefusedError(415, "file", f"{self._name_part()} is a file; send fields only")
            self._name = options.get(b"name") if kind == b"form-data" else None
        self._header, self._described = bytearray(), bytearray()

    def _begin_content(self) -> None:
        if self._name is None:
            raise self.build_no_field_error()

    def _end(self) -> None:
        # browsers write a quote and a line break in a name as these three, and nothing else so
        name = _decode_text(self._name or b"").replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
        self.fields.append((name, _decode_text(bytes(self._content))))

    def _end_form(self) -> None:
        self.ended = True


def _build_too_many_fields_error() -> RefusedError:
    return RefusedError(
        400, "too_many_fields", f"a payload may have at most {FIELDS:,} fields on all levels; send fewer"
    )
