"""Persons: whose an identity is, which signals joined which lead, and what people said about two leads.

Belongs here: identities, joins, verdicts and match keys. Does not belong here: the values that a lead carries.
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.verify.invariant import Invariant
from leadgate.matching import ASKS

_ASKS: Final = ", ".join(f"'{reason}'" for reason in ASKS)
#: Whether the last word about two leads is that they are different persons.
_PARTED: Final = (
    "coalesce((SELECT NOT v.same FROM lead_verdict v WHERE v.low = least({0}, {1}) AND v.high = greatest({0}, {1}) "
    "ORDER BY v.id DESC LIMIT 1), false)"
)

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "one_lead_per_address",
        "A canonical e-mail address belongs to one lead, unless a person has parted two who share it",
        "SELECT count(*) FROM identity WHERE kind = 'email'",
        "SELECT count(*) FROM lead l JOIN identity i ON i.kind = 'email' AND i.value = l.email_canonical "
        "JOIN journey j ON j.lead_id = l.id AND j.stage NOT IN ('capture', 'validation') WHERE i.lead_id <> l.id "
        f"AND NOT {_PARTED.format('i.lead_id', 'l.id')}",
    ),
    Invariant(
        "joins_say_why",
        "Every joined journey has a record of why it joined, and of the lead that it joined",
        "SELECT count(*) FROM journey WHERE status = 'joined'",
        "SELECT count(*) FROM journey j WHERE j.status = 'joined' AND NOT EXISTS (SELECT 1 FROM lead_join n "
        "WHERE n.journey_id = j.id AND n.generation = j.generation AND n.lead_id = j.lead_id "
        "AND n.joined_to = j.joined_to AND jsonb_array_length(n.because) > 0)",
    ),
    Invariant(
        "parted_stay_apart",
        "A signal that a person parted from a lead is not with that lead",
        "SELECT count(*) FROM lead_verdict WHERE NOT same",
        f"SELECT count(*) FROM journey j WHERE j.lead_id <> j.id AND {_PARTED.format('j.lead_id', 'j.id')}",
    ),
    Invariant(
        "questions_name_leads",
        "A journey that waits because of another lead names one that exists",
        f"SELECT count(*) FROM work_item WHERE closed_at IS NULL AND reason IN ({_ASKS})",
        f"SELECT count(*) FROM journey j JOIN work_item w ON w.id = j.work_item_id AND w.reason IN ({_ASKS}) "
        "WHERE NOT EXISTS (SELECT 1 FROM lookalike k JOIN lead l "
        "ON l.id = k.lead_id WHERE k.journey_id = j.id AND k.generation = j.generation)",
    ),
    Invariant(
        "match_keys_name_leads",
        "Every key that leads are found by names a lead that exists",
        "SELECT count(*) FROM match_key",
        "SELECT count(*) FROM match_key k WHERE NOT EXISTS (SELECT 1 FROM lead l WHERE l.id = k.lead_id)",
    ),
)
