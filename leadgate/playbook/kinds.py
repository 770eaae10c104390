"""The kinds of records that go through the stages beside leads: opportunities, renewals, expansions.

Belongs here: the schema of the section ``kinds``, and which word of a source means which kind. Does not belong here:
the playbook as it is for one kind (``kind_views``), or what an update of a record means (``leadgate.records``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from leadgate.playbook.base import Duration, Expression, Name, Part
from leadgate.playbook.follow_up import FollowUp, RejectReason, Sla, read_as
from leadgate.playbook.gates import ExceptionRoute, GateRules
from leadgate.playbook.routing import Route
from leadgate.playbook.scoring import Qualification, Scoring
from leadgate.playbook.sources import CustomField, SourceKind
from leadgate.vocabulary import ForecastCategory, GateName, JourneyKind

#: The kind of journeys that a source's payloads start. Activities start none.
SOURCE_KINDS: Final[Mapping[SourceKind, JourneyKind]] = {
    "leads": JourneyKind.LEAD,
    "opportunities": JourneyKind.OPPORTUNITY,
    "renewals": JourneyKind.RENEWAL,
    "expansions": JourneyKind.EXPANSION,
}

#: A score that no rules come to: a record is not nurtured for want of points unless the playbook says so.
ANY_SCORE: Final = -1_000_000

_Positive = Annotated[Duration, Field(gt=timedelta(0))]
StageWord = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
OtherWord = Annotated[str, Field(min_length=1, max_length=200)]


class RecordQualification(Qualification):
    """As of a lead, but whatever its score, a record goes on."""

    marketing_qualified: int = ANY_SCORE
    sales_qualified: int = ANY_SCORE


class RecordFollowUp(FollowUp):
    """As of a lead, but what its owner gives back goes to another owner: a customer is behind it."""

    reject_reasons: tuple[Annotated[RejectReason, read_as("name")], ...] = tuple(
        RejectReason(name=name) for name in ("not_mine", "wrong_territory", "duplicate", "other")
    )
    rejected: Literal["nurture", "reassign"] = "reassign"


class KindSection(Part):
    """What holds for records of one kind. Reps, pools, hours, territories and notifications are those of leads."""

    fields: dict[Name, CustomField] = {}
    headers: dict[str, str] = {}  # column name -> field of the kind, for every source of it
    required: tuple[str, ...] = ()  # fields that an update must carry
    scoring: Scoring = Scoring()
    qualification: RecordQualification = RecordQualification()
    routing: tuple[Route, ...] = ()  # none: the record's owner, else the account's, else the first pool
    slas: tuple[Sla, ...] = ()  # before those of leads, which may be named, too
    follow_up: RecordFollowUp = RecordFollowUp()
    exceptions: tuple[ExceptionRoute, ...] = ()  # before those of leads
    gates: dict[GateName, GateRules] = {}


class SalesStage(Part):
    """A step of the seller's in an opportunity."""

    name: StageWord
    also: tuple[OtherWord, ...] = ()  # other words for it; case, spaces and signs do not matter
    category: ForecastCategory | None = None  # none: pipeline; of a won one closed, of a lost one omitted
    probability: int | None = Field(default=None, ge=0, le=100)  # percent
    requires: tuple[str, ...] = ()  # fields that must be known from this sales stage on
    next_step_within: _Positive | None = None  # the owner's next touch, from each update on
    stale_after: _Positive | None = None  # no update for so long
    closed: Literal["won", "lost"] | None = None

    @model_validator(mode="after")
    def _check_category(self) -> Self:
        """What is closed in the forecast is won, so nothing else may be."""
        if self.category is not None and (self.category is ForecastCategory.CLOSED) != (self.closed == "won"):
            raise ValueError(
                "the category closed is that of a won sales stage, and of no other; correct one of the two"
            )
        return self

    @property
    def forecast(self) -> ForecastCategory:
        """Where an opportunity in this sales stage counts unless its update says so itself."""
        if self.category is not None:
            return self.category
        by_end = {"won": ForecastCategory.CLOSED, "lost": ForecastCategory.OMITTED}
        return by_end.get(self.closed or "", ForecastCategory.PIPELINE)


def _build_usual_stages() -> tuple[SalesStage, ...]:
    """The sales stages of a team that has changed nothing in its CRM, with the words of two of them."""
    week = timedelta(days=7)
    open_for = {"next_step_within": 2 * week, "stale_after": 3 * week}
    return (
        SalesStage(name="prospecting", probability=10, **open_for),
        SalesStage(
            name="qualification",
            also=("Qualified", "Appointment scheduled", "Qualified to buy"),
            probability=20,
            **open_for,
        ),
        SalesStage(
            name="needs_analysis",
            also=("Discovery", "Value Proposition", "Presentation scheduled"),
            probability=40,
            **open_for,
        ),
        SalesStage(
            name="proposal",
            also=("Proposal/Price Quote", "Id. Decision Makers", "Perception Analysis", "Decision maker bought-in"),
            category=ForecastCategory.BEST_CASE,
            probability=60,
            requires=("amount", "close_date"),
            **open_for,
        ),
        SalesStage(
            name="negotiation",
            also=("Negotiation/Review", "Contract sent"),
            category=ForecastCategory.COMMIT,
            probability=90,
            next_step_within=week,
            stale_after=2 * week,
        ),
        SalesStage(name="closed_won", also=("Won",), probability=100, closed="won"),
        SalesStage(name="closed_lost", also=("Lost",), probability=0, closed="lost"),
    )


class Approval(Part):
    """Updates that the manager of the owner decides about."""

    name: Name
    when: Expression
    why: str = ""


class Tell(Part):
    """Updates of which somebody hears."""

    name: Name
    when: Expression
    to: Annotated[str, Field(pattern=r"^(manager|rep [a-z][a-z0-9_]*)$")] = "manager"
    why: str = ""


class OpportunityKind(KindSection):
    """What holds for opportunities. ``when`` of approvals and tell sees ``amount_change``, ``pushed_days`` and
    ``pushes`` (how often the close date was pushed, this time included), too."""

    sales_stages: Annotated[tuple[SalesStage, ...], Field(min_length=1)] = _build_usual_stages()
    moves: Literal["any", "forward"] | dict[Name, tuple[Name, ...]] = "any"  # or per sales stage those that may follow
    max_close_in: _Positive = timedelta(days=730)  # a close date further away is no plan
    fiscal_year_start: int = Field(default=1, ge=1, le=12)  # the month that quarters and years of a forecast begin with
    approvals: tuple[Approval, ...] = ()
    tell: tuple[Tell, ...] = ()


RenewalEnd = Literal["won", "lost", "churned"]
_USUAL_ENDS: Final[dict[RenewalEnd, tuple[str, ...]]] = {
    "won": ("renewed", "won", "closed won"),
    "lost": ("lost", "closed lost", "not renewed"),
    "churned": ("churned", "cancelled", "canceled", "terminated"),
}


class RenewalKind(KindSection):
    """What holds for contracts that end."""

    window: _Positive = timedelta(days=90)  # before the contract's end: the renewal is worked on
    prepare: Annotated[Duration, Field(ge=timedelta(0))] = timedelta(days=7)  # before the window: an owner is sought
    contact_within: _Positive | None = timedelta(days=14)  # the owner's first touch
    closed: dict[RenewalEnd, tuple[OtherWord, ...]] = _USUAL_ENDS  # words of the field status that end a renewal


TriggerWord = Literal["usage", "seats", "department", "product_interest", "new_lead"]
TRIGGER_WORDS: Final[tuple[TriggerWord, ...]] = get_args(TriggerWord)
#: The trigger of an expansion that a lead started.
NEW_LEAD: Final[TriggerWord] = "new_lead"


class ExpansionTrigger(Part):
    """A sign that a customer may buy more. ``when``: only if this holds."""

    when: Expression | None = None
    also: tuple[OtherWord, ...] = ()  # other words for it


def _read_triggers(value: Any) -> Any:
    """A list stands for triggers that count whatever the values; a trigger may be left empty."""
    if isinstance(value, list):
        return {word: {} for word in value} if all(isinstance(word, str) for word in value) else value
    return {word: rule or {} for word, rule in value.items()} if isinstance(value, Mapping) else value


_USUAL_TRIGGERS: Final[dict[TriggerWord, ExpansionTrigger]] = {
    "usage": ExpansionTrigger(when="usage >= 1.2"),
    "seats": ExpansionTrigger(when="seats_used >= 0.9 * seats"),
    "department": ExpansionTrigger(),
    "product_interest": ExpansionTrigger(),
    "new_lead": ExpansionTrigger(),
}


class NewLeads(Part):
    """Leads that start an expansion by themselves: those at the account of a customer."""

    when: Expression  # which leads; over the fields of a lead that gets an owner
    source: Name  # of kind expansions; whose updates these are


class ExpansionKind(KindSection):
    """What holds for signs that a customer may buy more."""

    triggers: Annotated[dict[TriggerWord, ExpansionTrigger], BeforeValidator(_read_triggers)] = _USUAL_TRIGGERS
    new_leads: NewLeads | None = None  # none: a lead starts no expansion
    conflict: Literal["review", "join"] = "review"  # what an open opportunity at the same account does
    contact_within: _Positive | None = timedelta(days=5)  # the owner's first touch


class Kinds(Part):
    """The kinds of records that the team works on. One that is left out has no section, and takes no source."""

    opportunity: OpportunityKind | None = None
    renewal: RenewalKind | None = None
    expansion: ExpansionKind | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_empty(cls, value: Any) -> Any:
        """``opportunity:`` with nothing behind it is a section whose every key has its default."""
        if isinstance(value, Mapping):
            return {kind: {} if section is None else section for kind, section in value.items()}
        return value

    @model_serializer(mode="wrap")
    def _leave_out_missing(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Written as nothing, a kind without a section would be read back as one with an empty section."""
        return {kind: section for kind, section in dump(self).items() if section is not None}

    def find(self, kind: JourneyKind) -> KindSection | None:
        """The section of ``kind``. None where the playbook has none, and for leads, which are the playbook itself."""
        section: KindSection | None = getattr(self, kind.value, None)
        return section


#: What a section is where the playbook has none: journeys that an earlier playbook started go on.
WITHOUT_SECTION: Final[Mapping[JourneyKind, KindSection]] = {
    JourneyKind.OPPORTUNITY: OpportunityKind(),
    JourneyKind.RENEWAL: RenewalKind(),
    JourneyKind.EXPANSION: ExpansionKind(),
}
