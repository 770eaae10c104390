"""What is known of a lead, as a playbook may write it to a CRM: its fields, and facts in plain words.

Belongs here: a lead's facts by name. Does not belong here: which field of the CRM gets which of them (``writes``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from leadgate.crm.values import CrmValue
from leadgate.fields import FieldType
from leadgate.json_columns import Proof, ScoreDetails
from leadgate.playbook import CrmConnection
from leadgate.vocabulary import JourneyStatus

#: Statuses in which the last owner is the lead's owner.
_HAS_OWNER: Final = (JourneyStatus.OWNED, JourneyStatus.DONE)


@dataclass(frozen=True)
class LeadFacts:
    """A lead as the ledger has it now: its last journey, with the last score and the last assignment of that."""

    lead_id: int
    journey_id: int
    generation: int
    source: str
    status: JourneyStatus
    captured_at: datetime
    status_reason: str | None
    fit: int | None
    engagement: int | None
    score: int | None
    grade: str | None
    fit_grade: str | None
    engagement_grade: int | None
    qualified_as: str | None
    qualified_at: datetime | None
    contributions: Mapping[str, int] | None
    details: ScoreDetails | None
    reasons: Sequence[str] | None
    evidence: Mapping[str, Proof] | None
    owner: str | None
    owner_since: datetime | None
    owner_reason: str | None
    route: str | None
    pool: str | None
    due_at: datetime | None
    touched_at: datetime | None
    accepted_at: datetime | None
    values: Mapping[str, CrmValue] = field(default_factory=dict, repr=False)  # the lead's own fields

    @property
    def current_owner(self) -> str | None:
        """Who has the lead, or had it when its journey was done."""
        return self.owner if self.status in _HAS_OWNER else None

    @property
    def is_qualified(self) -> bool:
        """Whether the lead is good enough for a record of its own in the CRM."""
        return self.qualified_as is not None or self.current_owner is not None


def build_facts(
    lead: LeadFacts, connection: CrmConnection, labels: Mapping[str, str], types: Mapping[str, FieldType]
) -> dict[str, CrmValue]:
    """Every fact of the lead by name, but for ``owner``, which only the CRM's own ids can tell.

    ``labels``: the names of reps as people read them. ``types``: those of the playbook's own fields, of which the
    ledger keeps days and moments as texts.
    """
    owner = lead.current_owner
    has = owner is not None
    return {
        **{name: _read_typed(value, types.get(name)) for name, value in lead.values.items()},
        "lead_number": lead.lead_id,
        "source": lead.source,
        "captured_at": lead.captured_at,
        "status": lead.status.value,
        "status_reason": lead.status_reason,
        "score": lead.score,
        "fit": lead.fit,
        "engagement": lead.engagement,
        "grade": lead.grade,
        "fit_grade": lead.fit_grade,
        "engagement_grade": lead.engagement_grade,
        "qualified_as": lead.qualified_as,
        "qualified_at": lead.qualified_at,
        "reasons": "; ".join(lead.reasons or ()) or None,
        "evidence": describe_evidence(lead),
        "owner_name": (labels.get(owner) or owner) if owner is not None else None,
        "owner_since": lead.owner_since if has else None,
        "owner_reason": lead.owner_reason if has else None,
        "route": lead.route if has else None,
        "pool": lead.pool if has else None,
        "due_at": lead.due_at if has else None,
        "touched_at": lead.touched_at if has else None,
        "accepted_at": lead.accepted_at if has else None,
        "leadgate_link": connection.link and connection.link.replace("{lead_number}", str(lead.lead_id)),
    }


def _read_typed(value: CrmValue, type_: FieldType | None) -> CrmValue:
    """A value of the type of its field. A moment without a zone is one of UTC."""
    if not isinstance(value, str) or type_ not in ("date", "timestamp"):
        return value
    try:
        if type_ == "date":
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def describe_evidence(lead: LeadFacts) -> str | None:
    """Why the score is what it is, and what is known of budget, authority, need and timeline. None without a score."""
    if lead.score is None:
        return None
    fit_rules = set((lead.details or {}).get("fit", ()))
    points = {"Fit": (lead.fit, fit_rules.__contains__), "Engagement": (lead.engagement, lambda n: n not in fit_rules)}
    grade = f", grade {lead.grade}" if lead.grade else ""
    sentences = [f"Score {lead.score}{grade}."]
    for words, (total, belongs) in points.items():
        named = [f"{name} {value:+d}" for name, value in sorted((lead.contributions or {}).items()) if belongs(name)]
        sentences.append(f"{words} {total}: {', '.join(named) or 'none'}.")
    known = [part for part, proof in (lead.evidence or {}).items() if proof.get("known")]
    if known:
        sentences.append(f"Known: {', '.join(known)}.")
    return " ".join(sentences)
