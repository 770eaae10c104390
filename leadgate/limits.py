"""How long a value may be, and what stands for a longer one where rows are found by it.

Belongs here: the longest value of each field of a lead, and keys that fit an index. Does not belong here: what
happens to a lead with a longer value (capture takes the value out of its field, the ``captured`` gate holds the lead),
or how large a file or a request may be (the doors).

A btree of PostgreSQL refuses a row of more than 2,704 bytes, a third of a page (SQLSTATE 54000), and a character has up
to four bytes. So no indexed text may have more than about 600 characters, and comparing names takes time
quadratic in their length.
"""

from __future__ import annotations

import hashlib
from typing import Final

#: What a btree's row can hold, in bytes.
INDEX_ROW: Final = 2_704
#: Characters of a key that is kept as it is.
LONGEST_KEY: Final = 500
#: Characters of a route's name in the playbook's ``exceptions``.
LONGEST_ROUTE: Final = 200
#: Characters of a column's name that can say which field the column is.
LONGEST_HEADER: Final = 500
#: Characters of a field that is not in ``LONGEST``, custom ones too.
LONGEST_TEXT: Final = 100_000

#: The longest value of a lead's field, in characters, as a source may send it, with whatever cleaning takes off later.
#: These fields are indexed, make identities, are compared with those of other leads, or are kept in memory.
LONGEST: Final[dict[str, int]] = {
    "email": 320,  # 64 before the @ and 255 after it (RFC 5321, 4.5.3.1); validation refuses more than 254 in all
    "phone": 100,  # two numbers, with labels and extensions
    "external_id": LONGEST_KEY,
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
    """How many characters a value of ``field`` may have."""
    return LONGEST.get(field, LONGEST_TEXT)


def find_length_problem(field: str, value: str) -> str | None:
    """What is wrong with the length of ``value``, in words without the value; None when it fits.

    >>> find_length_problem("email", "a" * 8000)
    'email: 8,000 characters, at most 320'
    """
    most = find_max_length(field)
    return f"{field}: {len(value):,} characters, at most {most:,}" if len(value) > most else None


def shorten_key(value: str) -> str:
    """``value``, or its digest when it has more characters than an index holds: equal for equal values only.

    >>> shorten_key("0035g00000XyZ"), len(shorten_key("x" * 8000))
    ('0035g00000XyZ', 40)
    """
    if len(value) <= LONGEST_KEY:
        return value
    return f"long-id:{hashlib.blake2b(value.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
