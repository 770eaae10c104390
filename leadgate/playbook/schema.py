"""The whole playbook, made of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Literal, Self

from pydantic import Field, PrivateAttr

from leadgate import fields as lead_fields
from leadgate.fields import FieldType
from leadgate.playbook.base import Name, Part
from leadgate.playbook.crm import CrmConnection
from leadgate.playbook.enrichment import Enrichment
from leadgate.playbook.events import EventReceiver
from leadgate.playbook.follow_up import FollowUp, Sla
from leadgate.playbook.gates import Breaker, ExceptionRoute, GateRules, Notification, Retention
from leadgate.playbook.kind_views import build_view_parts
from leadgate.playbook.kinds import Kinds
from leadgate.playbook.learned import Learned
from leadgate.playbook.matching import Matching
from leadgate.playbook.routing import Hours, Pool, Reassignments, Rep, Route, Territory
from leadgate.playbook.scoring import Qualification, Scoring
from leadgate.playbook.sources import CustomField, Source, Validation
from leadgate.records import fields as record_fields
from leadgate.vocabulary import GateName, JourneyKind, StageName

#: Keys of earlier versions, which are still read.
NEW_NAMES: Final = {"handovers": "reassignments"}


class Playbook(Part):
    """Everything a team has agreed on. See ``leadgate/default_playbook.yaml`` for a worked one."""

    version: Literal[1] = 1
    name: str
    fields: dict[Name, CustomField] = {}
    headers: dict[str, str] = {}  # column name -> lead field, for every source
    sources: dict[Name, Source] = Field(min_length=1)
    validation: Validation = Validation()
    matching: Matching = Matching()
    enrichment: Enrichment = Enrichment()
    scoring: Scoring = Scoring()
    qualification: Qualification = Qualification()
    learned: Learned | None = None
    hours: dict[Name, Hours] = {}
    reps: tuple[Rep, ...] = Field(min_length=1)
    pools: tuple[Pool, ...] = Field(min_length=1)
    territories: dict[Name, Territory] = {}
    routing: tuple[Route, ...] = Field(min_length=1)
    reassignments: Reassignments = Reassignments()
    slas: tuple[Sla, ...] = ()
    follow_up: FollowUp = FollowUp()
    kinds: Kinds = Kinds()
    crm: tuple[CrmConnection, ...] = ()
    exceptions: tuple[ExceptionRoute, ...] = (ExceptionRoute(to="revenue_operations"),)
    gates: dict[GateName, GateRules] = {}
    breaker: Breaker = Breaker()
    notifications: tuple[Notification, ...] = ()
    events: tuple[EventReceiver, ...] = ()
    retention: Retention = Retention()

    #: Of which kind this playbook is a view. Neither part of the schema nor of the hash.
    _kind: JourneyKind = PrivateAttr(JourneyKind.LEAD)

    @property
    def kind(self) -> JourneyKind:
        """The kind of journeys whose rules these are: leads, or that of the view (``for_kind``)."""
        return self._kind

    def for_kind(self, kind: JourneyKind) -> Playbook:
        """The playbook as it is for journeys of ``kind``, each made once: for leads, the playbook itself.

        For records its fields, headers, required fields, scoring, qualification, routing, SLAs, follow-up, exceptions
        and gates are those of the section of the kind, and everything else is shared. A kind without a section has
        the defaults of one. Raises ``ValueError`` when asked of the view of another kind.
        """
        if kind is self._kind:
            return self
        if self._kind is not JourneyKind.LEAD:
            raise ValueError(f"this is the playbook for {self._kind}; ask the whole playbook for {kind}")
        if kind not in self._views:
            view = self.model_copy(update=build_view_parts(self, kind))
            view._kind = kind
            self._views[kind] = view
        return self._views[kind]

    def columns_at(self, stage: StageName) -> dict[str, FieldType]:
        """Columns that an expression may use at ``stage`` about what this playbook is for, with their types."""
        own = {name: field.type for name, field in self.fields.items()}
        if self._kind is JourneyKind.LEAD:
            return lead_fields.list_columns(stage, own)
        return record_fields.list_columns(self._kind, stage, own)

    @property
    def told_fields(self) -> list[str]:
        """The fields that sources tell of what this playbook is for: those that a person may correct."""
        of_leads = self._kind is JourneyKind.LEAD
        return [*(lead_fields.STANDARD if of_leads else record_fields.STANDARD[self._kind]), *self.fields]

    @cached_property
    def _views(self) -> dict[JourneyKind, Playbook]:
        return {}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy. Views of the original are none of the copy's."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("_views", None)
        return copied
