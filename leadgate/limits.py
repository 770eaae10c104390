"""Length limits of values, and digests in place of keys that are too long for an index.

Belongs here: the longest value of each field of a lead, and keys that fit an index. Does not belong here: what
happens to a lead with a longer value (capture takes the value out of its field, the ``captured`` gate holds the lead),
or the limits of files and requests (``connectors.files``, ``console.http``).

A btree of PostgreSQL refuses a row of more than 2,704 bytes, a third of a page (SQLSTATE 54000), and a character has up
to four bytes. So no indexed text may have more than about 600 characters, and comparing names takes time
quadratic in their length.
"""

from __future__ import annotations

import hashlib
from typing import Final

#: The most bytes of a row in a btree index.
MAX_INDEX_ROW_BYTES: Final = 2_704
#: The most characters of a key that is stored as it is; a longer one is stored as its digest.
MAX_KEY_LENGTH: Final = 500
#: The most characters of a route's name in the playbook's ``exceptions``.
MAX_ROUTE_LENGTH: Final = 200
#: Characters of an account's name in the form in which accounts are compared.
MAX_ACCOUNT_KEY_LENGTH: Final = 200
#: The most characters of a server that signs people in, and of whom it calls somebody (OpenID Connect Core, 2: 255).
LONGEST_ISSUER: Final = 400
LONGEST_SUBJECT: Final = 255
#: The most characters of the name of a saved view of the report.
LONGEST_VIEW_NAME: Final = 80
#: The most characters of a column's header that is mapped to a field.
MAX_HEADER_LENGTH: Final = 500
#: The most characters of a field that is not in ``MAX_LENGTHS``, also of the playbook's own fields.
MAX_TEXT_LENGTH: Final = 100_000

#: The most characters of a lead's field as a source sends it, before any cleaning. These fields are indexed, serve as
#: identities, are compared with those of other leads, or are kept in memory.
MAX_LENGTHS: Final[dict[str, int]] = {
    "email": 320,  # 64 before the @ and 255 after it (RFC 5321, 4.5.3.1); validation refuses more than 254 in all
    "phone": 100,  # two numbers, with labels and extensions
    "external_id": MAX_KEY_LENGTH,
    "salutation": 200,
    "first_name": 200,
    "last_name": 200,
    "full_name": 400,
    "company": 500,
    "job_title": 1_000,
    "language": 200,
    "product": 2_000,
    "website": 8_000,  # what servers accept as a request line (RFC 9112, 3)
}


def find_max_length(field: str) -> int:
    """The most characters that a value of ``field`` may have."""
    return MAX_LENGTHS.get(field, MAX_TEXT_LENGTH)


def find_length_problem(field: str, value: str) -> str | None:
    """A text that says how long ``value`` is and may be, without the value itself; None when the value is in order.

    >>> find_length_problem("email", "a" * 8000)
    'email: 8,000 characters, at most 320'
    """
    limit = find_max_length(field)
    return f"{field}: {len(value):,} characters, at most {limit:,}" if len(value) > limit else None


def shorten_key(value: str) -> str:
    """``value``, or its digest when it is too long for an index. Different values give different results.

    >>> shorten_key("0035g00000XyZ"), len(shorten_key("x" * 8000))
    ('0035g00000XyZ', 40)
    """
    if len(value) <= MAX_KEY_LENGTH:
        return value
    return f"long-id:{hashlib.blake2b(value.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
