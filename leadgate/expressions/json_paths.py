"""JMESPath expressions that find a value in the answer of a service, within limits.

Belongs here: compiling and applying them. Does not belong here: what a value means for a lead (``mapping.answers``).

The library is the vendors' reference (jmespath.org). The expression is the playbook's and the answer a stranger's:

- a compiled expression has at most ``LONGEST_PATH`` characters and one list or hash of its own (``[a, b]``): each
  further one could double what the one before it made;
- whatever goes wrong inside (a wrong type, a document nested deeply) is a ``JsonPathError``, and quotes no value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

from leadgate.values.json_types import JsonValue

LONGEST_PATH: Final = 500  # characters
_MOST_OWN_LISTS: Final = 1
_OWN_LISTS: Final = frozenset({"multi_select_list", "multi_select_dict"})


class JsonPathError(ValueError):
    """The expression cannot be used, or could not be applied."""


@lru_cache(maxsize=256)
def compile_path(path: str) -> Callable[[JsonValue], JsonValue]:
    """What finds the value of ``path`` in a document. Raises ``JsonPathError``.

    >>> compile_path("organization.size || '?'")({"organization": {"size": 12}})
    12
    """
    if len(path) > LONGEST_PATH:
        raise JsonPathError(f"has {len(path)} characters; an expression has at most {LONGEST_PATH}")
    import jmespath  # slow to import, and most playbooks ask nobody
    from jmespath.exceptions import JMESPathError

    try:
        parsed = jmespath.compile(path)
        own = _count_own_lists(parsed.parsed)
    except (JMESPathError, RecursionError, ValueError, TypeError):
        raise JsonPathError(f"{path!r} is no JMESPath expression (https://jmespath.org)") from None
    if own > _MOST_OWN_LISTS:
        raise JsonPathError(f"{path!r} makes {own} lists or hashes; an expression makes at most {_MOST_OWN_LISTS}")

    def find(document: JsonValue) -> JsonValue:
        try:
            return cast("JsonValue", parsed.search(document))
        except Exception as error:  # the library raises its own errors and, for what it did not foresee, any other
            raise JsonPathError(f"the expression does not fit the answer ({type(error).__name__})") from None

    return find


def _count_own_lists(node: dict[str, Any]) -> int:
    found, waiting = 0, [node]
    while waiting:
        each = waiting.pop()
        found += each["type"] in _OWN_LISTS
        waiting += [child for child in each["children"] if isinstance(child, dict) and "children" in child]
    return found
