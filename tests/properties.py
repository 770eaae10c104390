"""How many examples a property is tried with: a third of them by ``make test``, which CI runs, a tenth by ``make unit``,
all with ``--hypothesis-profile=thorough``.

Belongs here: the profiles of Hypothesis, and the share of examples. Does not belong here: any strategy.

Each run draws other examples, so a third of them in each of many runs finds what all of them in one would.
"""

from __future__ import annotations

from typing import Final

from hypothesis import settings

_ALL: Final = 100  # examples of a property that says nothing else
_LEAST: Final = 5

# an example may take long on a busy machine; how long is for the benchmarks to tell
settings.register_profile("thorough", deadline=None, max_examples=_ALL)
settings.register_profile("everyday", deadline=None, max_examples=30)
settings.register_profile("quick", deadline=None, max_examples=10)


def tried(examples: int) -> int:
    """``examples`` in thorough runs, and the profile's share of them in others."""
    return max(min(examples, _LEAST), examples * settings.default.max_examples // _ALL)
