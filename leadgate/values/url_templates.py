"""URLs with places for values: where a service is asked about one lead.

Belongs here: reading such a template, and putting values into it. Does not belong here: sending anything.

Scheme, host and port are fixed: a value can neither lead a request to another host nor out of the path that the
template gives, for it is percent-encoded as a whole, and a step of the path that would be ``.`` or ``..`` is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

LONGEST_TEMPLATE: Final = 2_000
#: Characters of a value that is sent. No domain and no name of a company is longer.
LONGEST_VALUE: Final = 300

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
#: What may stand between places: visible ASCII, without what no URL has as it is (RFC 3986, 2).
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")


class UrlTemplateError(ValueError):
    """The template cannot be used; the message says why."""


@dataclass(frozen=True)
class UrlTemplate:
    """``parts`` in order: text as it is, and each field that a value is taken from."""

    text: str
    host: str
    is_encrypted: bool
    fields: tuple[str, ...]

    def build(self, values: Mapping[str, object]) -> str | None:
        """The URL for ``values``; None when one is missing, or is none that can be sent."""
        for field in self.fields:
            value = values.get(field)
            if value is None or value != value or not 0 < len(str(value)) <= LONGEST_VALUE:
                return None
        try:
            url = _PLACE.sub(lambda place: quote(str(values[place[1]]), safe=""), self.text)
        except UnicodeEncodeError:  # half a surrogate pair
            return None
        steps = url.partition("#")[0].partition("?")[0].split("/")[3:]
        return None if any(step in (".", "..") for step in steps) else url


@lru_cache(maxsize=64)
def parse_template(text: str) -> UrlTemplate:
    """Raises ``UrlTemplateError``.

    >>> parse_template("https://api.example/v1/find?domain={company_domain}").fields
    ('company_domain',)
    """
    fields = tuple(place[1] for place in _PLACE.finditer(text))
    if wrong := [field for field in fields if not _FIELD.fullmatch(field)]:
        raise UrlTemplateError(f"{{{wrong[0]}}} is no field of a lead; write one in braces, such as {{company_domain}}")
    if not _PLAIN.fullmatch(_PLACE.sub("", text)):
        raise UrlTemplateError("has characters that a URL has percent-encoded, or a brace without its other one")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UrlTemplateError("is no URL; write it like https://host/path?domain={company_domain}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise UrlTemplateError("is no URL; write it like https://host/path?domain={company_domain}")
    if "{" in parts.netloc or "{" in parts.scheme:
        raise UrlTemplateError("has a field in its host, which is fixed; put fields into the path or the query")
    if "@" in parts.netloc:
        raise UrlTemplateError("has a user or a password in it; a key comes from the environment (`auth`)")
    if parts.fragment or "#" in text:
        raise UrlTemplateError("has a fragment (#), which is never sent; leave it out")
    if not fields:
        raise UrlTemplateError("asks the same of every lead; put a field into it, such as {company_domain}")
    return UrlTemplate(text, host, parts.scheme == "https", fields)
