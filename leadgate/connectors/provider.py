"""What enrichment asks of a provider.

Belongs here: the interface, and the columns of answers that are no fields. Does not belong here: any provider (a file
each), or which answer wins (``tasks.enrichment``). This module imports no provider, so every provider can import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import pandas as pd

from leadgate.values.json_types import JsonValue

#: Columns of answers that are no field: the accounts that were considered for each lead;
CANDIDATES: Final = "account_candidates"
#: why the lead was not looked up, or a value of its answer was left out, in words without a value; None: nothing;
PROBLEM: Final = "provider_problem"
#: when it is worth asking again, an aware moment; None: not by itself;
ASK_AGAIN: Final = "ask_again_at"
#: and when the answer was given, as ISO text, where that was before this batch; None: it is new.
ANSWERED: Final = "answered_at"


class ProviderError(Exception):
    """The provider could not answer for this batch; the message says why."""


class Provider(Protocol):
    """What enrichment asks of a provider."""

    @property
    def name(self) -> str: ...

    def look_up(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Answers aligned with ``frame``: a column for each lead field the provider knows, missing where not.

        ``frame`` has the validated fields and what earlier providers have filled in. The columns above may be among
        the answers; of a provider of another package, ``PROBLEM`` and ``ASK_AGAIN`` are read. Raises ``ProviderError``.
        No transaction is open, so it may take a while.
        """
        ...


class ProviderMaker(Protocol):
    """What an entry point of the group ``leadgate.providers`` names."""

    def __call__(self, *, name: str, settings: Mapping[str, JsonValue], folder: Path) -> Provider:
        """``name`` and ``settings`` are the playbook's; paths in them are relative to ``folder``."""
        ...
