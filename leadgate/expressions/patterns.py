"""Regular expressions of a playbook over values that anybody may have sent: matched by RE2, in linear time.

Belongs here: why a pattern is refused, and which values it is found in. Does not belong here: patterns of our own,
which are Python's ``re`` and are tested for linear time, and ``when:`` expressions, which DuckDB's RE2 matches.

RE2 never goes back over a value, so the time is at most the length of the value times the size of the compiled
pattern; RE2 itself refuses a pattern that compiles to more than ``_MEMORY``. No pattern is judged by how it looks.
google-re2 and not DuckDB: DuckDB needs a millisecond a pattern even for one lead, and cannot be stopped within a batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import re2

from leadgate.deadlines import DeadlinePassed

#: Characters of a pattern.
MAX_PATTERN: Final = 200

#: Bytes of a compiled pattern. With it, the worst pattern known needs some 20 ms for a value of 1,000 characters.
_MEMORY: Final = 1 << 19

_AT_A_TIME: Final = 100  # values between two looks at the clock

_LACKS: Final = r"; RE2 has no look-arounds, no back-references, and writes \z for \Z"


def find_pattern_problem(pattern: Any) -> str | None:
    """Why a regular expression cannot be used, in RE2's words where they are RE2's; ``None`` when it can.

    >>> find_pattern_problem(r"^[A-Z]{2}-\\d+$") is None
    True
    >>> find_pattern_problem("(?=x)y")
    "'(?=x)y' is refused by RE2: invalid perl operator: (?=; RE2 has no look-arounds, no back-references, \
and writes \\\\z for \\\\Z"
    """
    if not isinstance(pattern, str):
        return f"needs a regular expression as text, not {pattern!r}"
    if len(pattern) > MAX_PATTERN:
        return f"the pattern has {len(pattern)} characters; {MAX_PATTERN} is the most"
    try:
        re2.compile(pattern, _build_options())
    except UnicodeEncodeError:
        return f"{pattern!r} is not text: it has half a character"
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        lacks = _LACKS if reason.startswith(("invalid perl operator", "invalid escape sequence")) else ""
        return f"{pattern!r} is refused by RE2: {reason}{lacks}"
    try:
        _compile(pattern)
    except re2.error:
        return f"{pattern!r} is refused by RE2: pattern too large - compile failed"
    return None


def find_matches(pattern: str, values: Sequence[Any], *, until: float | None = None) -> list[bool]:
    """In which of ``values`` (as text) ``pattern`` is found, anywhere unless it is anchored.

    ``until`` is a moment of ``time.monotonic``; raises ``DeadlinePassed`` when it passes meanwhile.
    """
    texts = [value if isinstance(value, str) else str(value) for value in values]
    distinct = dict.fromkeys(texts)
    if len(distinct) > len(texts) // 2:
        return _search(pattern, texts, until)
    verdicts = dict(zip(distinct, _search(pattern, list(distinct), until), strict=True))
    return [verdicts[text] for text in texts]


def _search(pattern: str, texts: list[str], until: float | None) -> list[bool]:
    match = _compile(pattern).Match
    found: list[bool] = []
    for start in range(0, len(texts), _AT_A_TIME):
        if until is not None and time.monotonic() > until:
            raise DeadlinePassed(f"the pattern {pattern!r} was not done with {len(texts) - start:,} values")
        part = texts[start : start + _AT_A_TIME]
        try:
            found += [match(text.encode()) is not None for text in part]
        except UnicodeEncodeError:  # half a character, which counts as one
            found += [match(text.encode(errors="replace")) is not None for text in part]
    return found


@lru_cache(maxsize=256)
def _compile(pattern: str) -> Any:
    # a set of one: it answers "found or not" alone, which takes half the time of telling where
    compiled = re2.Set.SearchSet(_build_options())
    compiled.Add(pattern)
    compiled.Compile()
    return compiled


def _build_options() -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    options.never_capture = True
    options.log_errors = False
    return options
