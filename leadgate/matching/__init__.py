"""Matching: which records are about the same person, and which account a lead belongs to.

Belongs here: pure decisions over values, and what they are called. Does not belong here: looking candidates up
or storing what was decided (``ledger.identities``, ``ledger.joins``), or cleaning values (``normalise``), which has
been done before anything is compared.
"""

from __future__ import annotations

from typing import Final

#: Why a journey waits at validation for somebody to compare two records.
LIKELY: Final = "likely_duplicate"
CONFLICT: Final = "two_leads_one_person"
ASKS: Final = (LIKELY, CONFLICT)

#: Why a journey joined, besides the kinds of identities: a person said so.
BY_A_PERSON: Final = "a_person"
