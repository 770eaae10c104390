"""What JSON can say: the type of payloads, of corrections, and of columns of JSON, where code only carries them.

Belongs here: the types, and telling an object from the rest. Does not belong here: reading or writing JSON.

Pydantic's type of the same name, which the tables use, holds lists and dictionaries; these cannot be changed by code
that carries them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = "Mapping[str, JsonValue]"


def as_object(value: JsonValue) -> JsonObject:
    """``value`` where it is an object, else an empty one.

    >>> as_object({"city": "Leeds"}), as_object("Leeds")
    ({'city': 'Leeds'}, {})
    """
    return value if isinstance(value, Mapping) else {}
