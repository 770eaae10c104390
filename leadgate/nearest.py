"""The nearest right name for a misspelt one.

Belongs here: how an error message finds the name that was probably meant.
Does not belong here: which names exist; the caller brings them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rapidfuzz import fuzz, process

#: Similarity in percent from which a name is worth proposing. Below it a proposal is a guess that
#: misleads more often than it helps, and the list of known names is shown instead.
_CUTOFF: Final = 60.0
_SHOWN: Final = 12


def find_nearest(name: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` most like ``name``, ignoring case, or None when nothing is like it."""
    found = process.extractOne(name, list(known), scorer=fuzz.ratio, processor=str.casefold, score_cutoff=_CUTOFF)
    return None if found is None else str(found[0])


def propose(name: str, known: Iterable[str]) -> str:
    """What to do about ``name``, to end an error message with: the nearest name, else the known ones.

    >>> propose("mappnig", ["mapping", "key"])
    "did you mean 'mapping'?"
    >>> propose("x", ["mapping", "key"])
    'known are: key, mapping'
    >>> propose("x", [])
    'none is defined'
    """
    names = sorted(known)
    if not names:
        return "none is defined"
    if (found := find_nearest(name, names)) is not None:
        return f"did you mean {found!r}?"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "known are: " + ", ".join(names[:_SHOWN]) + more
