"""The stages, and where a journey can stand, as the tables spell them.

Belongs here: these names alone, because commands that only read need them and not the tables (``models`` takes 0.4 s
to import).
"""

from __future__ import annotations

from typing import Final

STAGES: Final = ("capture", "validation", "enrichment", "qualification", "assignment", "follow_up")
#: A lead has at most one journey in one of these.
OPEN: Final = ("ready", "held", "owned")
STATUSES: Final = (*OPEN, "joined", "nurture", "disqualified", "done", "discarded")
