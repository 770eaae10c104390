"""The lead's fields: names, types, and which columns a playbook expression may use.

Belongs here: the one list of standard fields and of the columns derived by each stage.
Does not belong here: how a value is cleaned (``normalise``) or where it is kept (``models``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from leadgate.vocabulary import StageName

if TYPE_CHECKING:
    import pandas as pd

FieldType = Literal["text", "integer", "number", "boolean", "date", "timestamp"]

#: Fields a signal can carry, under the names that everything after capture uses. The type is the
#: one a value has once validation has passed; capture keeps every value as text.
STANDARD: Final[dict[str, FieldType]] = {
    "email": "text",
    "phone": "text",
    "salutation": "text",
    "first_name": "text",
    "last_name": "text",
    "full_name": "text",
    "job_title": "text",
    "company": "text",
    "website": "text",
    "industry": "text",
    "company_size": "text",
    "annual_revenue": "text",
    "street": "text",
    "city": "text",
    "postal_code": "text",
    "state": "text",
    "country": "text",
    "language": "text",
    "product": "text",
    "budget": "text",
    "timeline": "text",
    "message": "text",
    "consent": "text",
    "lead_source": "text",
    "occurred_at": "text",
    "external_id": "text",
}

#: The attribute that says by which country a phone was read where nobody named one, or where it has two readings.
GUESSED_PHONE_COUNTRY: Final = "phone_country_guessed"

#: What validation adds.
VALIDATED: Final[dict[str, FieldType]] = {
    "email_canonical": "text",
    "email_domain": "text",
    "website_domain": "text",
    "is_free_mail": "boolean",
    "is_disposable": "boolean",
    "is_role_address": "boolean",
    "has_consent": "boolean",
}

#: What enrichment adds. ``employees`` and ``revenue`` are numbers: a provider's answer, else the
#: lower bound of what the lead stated ("51-200" is 51).
ENRICHED: Final[dict[str, FieldType]] = {
    "company_domain": "text",
    "employees": "integer",
    "revenue": "number",
    "account_id": "text",
    "account_name": "text",
    "account_owner": "text",
    "account_tier": "text",
}

#: What a lead states, and a provider may fill in where it does not; the playbook's own fields it may fill in, too.
ENRICHABLE: Final = ("company", "industry", "country", "state", "city", "website")

#: What qualification adds. The grades are those of ``scoring.grades``, such as ``A1``; without it they are missing.
QUALIFIED: Final[dict[str, FieldType]] = {
    "fit": "integer",
    "engagement": "integer",
    "score": "integer",
    "grade": "text",
    "fit_grade": "text",
    "engagement_grade": "integer",
    "qualified_as": "text",
}

_FROM_ENRICHMENT: Final = tuple(StageName)[2:]
#: The stages that see what an earlier stage adds, and what that is.
_ADDED_SINCE: Final = {
    _FROM_ENRICHMENT: VALIDATED,
    _FROM_ENRICHMENT[1:]: ENRICHED,
    _FROM_ENRICHMENT[2:]: QUALIFIED,
}

#: Columns of a lead that hold personal values: masked wherever a person did not ask for the lead.
PERSONAL: Final[frozenset[str]] = frozenset(
    {
        "email", "email_canonical", "phone", "salutation", "first_name", "last_name", "full_name",
        "street", "postal_code", "message",
    }
)  # fmt: skip


#: Columns of a stage's frame beside the lead's fields. A playbook's field of such a name would take the place of what
#: a stage decided, and the other way round: what a lead says would be kept as the reason of a handoff.
OF_STAGES: Final[frozenset[str]] = frozenset(
    {
        # the journey, and what becomes of it
        "journey_id", "version", "generation", "lead_id", "captured_at", "waived", "outcome", "reason", "promise",
        "value", "detail", "proposal", "item_message", "work_item_id", "run_after", "waits_for", "playbook_hash",
        # of a lead, more than one value in a column
        "custom", "attributes",
        # capture
        "key", "payload", "unreadable", "contact", "longest_value", "occurred_in_future", "signal_key", "source_known",
        "too_long", "too_long_value", "posted", "recognised",
        # validation
        "email_problem", "phone_problem", "country_problem", "website_problem", "consent_problem", "field_problem",
        "unreadable_problem", "spam_reason", "joined_to", "because", "claimed", "hold", "matches", "provisional",
        "changed_lead",
        # enrichment
        "account_candidates", "provenance", "not_enriched", "provider_problem", "ask_again_at", "answered_at",
        "contact_changed", "unattributed",
        # qualification
        "contributions", "contribution_sum", "details", "was", "engaged_before", "finished", "qualifiable", "reasons",
        "evidence", "changes_at", "reason_missing", "learned_model", "learned_hash",
        "learned_role", "learned_chance",
        # assignment
        "excluded", "earlier_owner", "routes", "priority", "owner", "rule", "pool", "turn", "candidates", "why",
        "inputs", "pointer", "sla", "due_at", "due_soon_at", "assigned_at", "owner_known", "owner_absent", "over_cap",
    }
)  # fmt: skip

#: What a source of activities may map its columns to: who (the lead by e-mail or id, the rep), about which record,
#: what, when, how long.
ACTIVITY_FIELDS: Final = (
    "email", "lead_id", "record", "kind", "actor", "rep", "occurred_at", "external_id", "note", "seconds",
    "milliseconds", "automatic",
)  # fmt: skip

#: What a file of outcomes may map its columns to: which lead, what became of it, why, when, and who said so.
OUTCOME_FIELDS: Final = ("lead", "external_id", "email", "outcome", "reason", "occurred_at", "rep")


def list_enrichable(custom: dict[str, FieldType]) -> dict[str, FieldType]:
    """The fields that a provider may fill, with their types; ``custom`` are those of the playbook."""
    return {**dict.fromkeys(ENRICHABLE, "text"), **custom, **ENRICHED}


def list_askable(custom: dict[str, FieldType]) -> dict[str, FieldType]:
    """The fields by which a service can be asked about a lead, with their types."""
    stated: dict[str, FieldType] = {"email": "text", "phone": "text", **VALIDATED}
    return {**stated, **list_enrichable(custom)}


def find_contact(frame: pd.DataFrame) -> pd.Series:
    """How each lead can be reached: by e-mail, else by phone."""
    return frame["email"].where(frame["email"].notna(), frame["phone"])


def list_columns(stage: StageName, custom: dict[str, FieldType] | None = None) -> dict[str, FieldType]:
    """Columns that an expression may use at ``stage``, with their types.

    ``stage`` is where the rule is applied: ``enrichment`` sees what validation left,
    ``qualification`` what enrichment left, ``assignment`` and ``follow_up`` everything. Every
    stage also sees ``source`` and the playbook's ``custom`` fields.
    """
    known: dict[str, FieldType] = {"source": "text", **STANDARD, **(custom or {})}
    for since, added in _ADDED_SINCE.items():
        if stage in since:
            known |= added
    return known
