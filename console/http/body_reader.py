"""The body of a request as payloads: JSON and forms, within limits.

Belongs here: everything that can be said of a body without a source or the ledger. Does not belong here: who
sent it (``authentication``), keys and storing (``capture_api``), what a field means (``tasks.capture``).

A mistake of the sender is refused with its reason, never repaired: whoever sends can be told, unlike a file. A value is
never part of what is said.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

from console.http.responses import RefusedError

DEPTH: Final = 64  # levels of one payload, as in a file
FIELDS: Final = 2_000  # names of one payload, on all levels
ITEMS: Final = 1_000  # payloads of one request

_CHARSET: Final = re.compile(r"""charset\s*=\s*"?([^\s;"]*)""", re.IGNORECASE)
_BOUNDARY: Final = re.compile(r"""boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
_DISPOSITION: Final = re.compile(rb"^content-disposition:[ \t]*form-data[ \t]*;(.*)$", re.IGNORECASE | re.MULTILINE)
_NAME: Final = re.compile(rb'(?:^|;)[ \t]*name="([^"]*)"')
_FILE: Final = re.compile(rb"(?:^|;)[ \t]*filename\*?=", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class Payload(NamedTuple):
    """One object: its values, and itself as JSON text, as received where it came as JSON."""

    values: dict[str, Any]
    text: str


class Body(NamedTuple):
    """``listed`` tells a list of one from one object: their keys differ."""

    payloads: list[Payload]
    listed: bool


def read(body: bytes, content_type: str | None) -> Body:
    """The payloads of ``body``. Raises ``RefusedError``: 400, 413, 415 or 422."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        _utf8_only(content_type or "")
        return _json(_text(body))
    if kind == "application/x-www-form-urlencoded":
        _utf8_only(content_type or "")
        return _form(_urlencoded(_text(body)))
    if kind == "multipart/form-data":
        boundary = _BOUNDARY.search(content_type or "")
        if boundary is None:
            raise RefusedError(400, "invalid_form", "multipart/form-data needs a boundary in its Content-Type")
        return _form(_multipart(body, (boundary[1] or boundary[2]).encode("utf-8", "surrogateescape")))
    raise RefusedError(
        415,
        "content_type",
        "send application/json, application/x-www-form-urlencoded or multipart/form-data as Content-Type",
    )


def _utf8_only(content_type: str) -> None:
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
        raise RefusedError(415, "charset", "the body must be UTF-8; leave the charset out, or send utf-8")


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedError(400, "invalid_utf8", f"the body is not UTF-8, from byte {error.start} on") from None


# --- JSON -------------------------------------------------------------------------------------------------


def _json(text: str) -> Body:
    text = text.removeprefix("\ufeff")
    try:
        # the strict one: no NaN, no half surrogates, nothing that reading the signal again would stumble over
        orjson.loads(text)
        start = _after_space(text, 0)
        if text[start] != "[":
            return Body([_payload(*_scan(text, start), None)], listed=False)
        return Body(_list(text, _after_space(text, start + 1)), listed=True)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        # the message names a line and column, and no value
        raise RefusedError(400, "invalid_json", f"the body is not valid JSON: {error}") from None


def _list(text: str, at: int) -> list[Payload]:
    payloads: list[Payload] = []
    while text[at] != "]":
        if len(payloads) == ITEMS:
            raise RefusedError(413, "too_many", f"a request may hold {ITEMS:,} payloads; send the rest in another one")
        value, raw = _scan(text, at)
        payloads.append(_payload(value, raw, len(payloads)))
        at = _after_space(text, at + len(raw))
        if text[at] == ",":
            at = _after_space(text, at + 1)
    if not payloads:
        raise RefusedError(422, "empty", "the list is empty; send at least one payload")
    return payloads


def _scan(text: str, at: int) -> tuple[Any, str]:
    value, end = _DECODER.raw_decode(text, at)
    return value, text[at:end]


def _payload(value: Any, raw: str, position: int | None) -> Payload:
    where = "the payload" if position is None else f"payload {position} of the list, counted from 0,"
    if not isinstance(value, dict):
        raise RefusedError(422, "not_an_object", f"{where} is no object, so its fields have no names; send objects")
    if not value:
        raise RefusedError(422, "empty", f"{where} is empty; send at least one field")
    _measure(value)
    return Payload(value, raw)


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise RefusedError(400, "duplicate_name", "an object names a field twice, so which value holds is not said")
    return values


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) <= 20 else 2**64
    if not -(2**63) <= value < 2**64:
        raise RefusedError(400, "number_too_large", "a number needs more than 64 bits; send it as text")
    return value


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise RefusedError(400, "number_too_large", "a number is larger than any double; send it as text")
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_number)


def _measure(value: dict[str, Any]) -> None:
    """Level by level, not by recursion."""
    layer: list[Any] = [value]
    fields = 0
    for _ in range(DEPTH):
        inner: list[Any] = []
        for container in layer:
            if isinstance(container, dict):
                fields += len(container)
                container = container.values()
            inner += [item for item in container if isinstance(item, (dict, list))]
        if fields > FIELDS:
            raise _too_many_fields()
        if not inner:
            return
        layer = inner
    raise _too_deep()


def _too_deep() -> RefusedError:
    return RefusedError(400, "too_deep", f"a payload may be nested {DEPTH} levels deep")


# --- forms ------------------------------------------------------------------------------------------------


def _form(pairs: list[tuple[str, str]]) -> Body:
    """One payload: a name that is there several times (boxes that are ticked) has a list of values."""
    values: dict[str, Any] = {}
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


def _urlencoded(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS)
    except UnicodeDecodeError:
        raise RefusedError(400, "invalid_utf8", "a form field is not UTF-8 once its %XX are decoded") from None
    except ValueError:
        raise _too_many_fields() from None


def _multipart(body: bytes, boundary: bytes) -> list[tuple[str, str]]:
    """The fields of a form (RFC 7578). A file is refused: what is in it would be no field of a lead."""
    parts = (b"\r\n" + body).split(b"\r\n--" + boundary)
    if len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise RefusedError(400, "invalid_form", "the form does not end with its boundary; was it cut off?")
    if len(parts) - 2 > FIELDS:
        raise _too_many_fields()
    return [_part(part, number) for number, part in enumerate(parts[1:-1])]


def _part(part: bytes, number: int) -> tuple[str, str]:
    head, blank, content = part.partition(b"\r\n\r\n")
    described = _DISPOSITION.search(head.replace(b"\r\n", b"\n"))
    name = None if described is None else _NAME.search(described[1])
    if not blank or head.lstrip(b" \t")[:2] != b"\r\n" or described is None or name is None:
        raise RefusedError(
            400, "invalid_form", f"part {number} of the form, counted from 0, is no form field with a name"
        )
    if _FILE.search(described[1]):
        raise RefusedError(415, "file", f"part {number} of the form, counted from 0, is a file; send fields only")
    # browsers write a quote and a line break in a name as these three, and nothing else so
    plain = _text(name[1]).replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")
    return plain, _text(content)


def _too_many_fields() -> RefusedError:
    return RefusedError(400, "too_many_fields", f"a payload may have {FIELDS:,} fields, on all levels")
