"""The whole playbook, made of its parts."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from leadgate.playbook.base import Name, Part
from leadgate.playbook.crm import CrmConnection
from leadgate.playbook.enrichment import Enrichment
from leadgate.playbook.events import EventReceiver
from leadgate.playbook.follow_up import FollowUp, Sla
from leadgate.playbook.gates import Breaker, ExceptionRoute, GateRules, Notification, Retention
from leadgate.playbook.matching import Matching
from leadgate.playbook.routing import Hours, Pool, Reassignments, Rep, Route, Territory
from leadgate.playbook.scoring import Qualification, Scoring
from leadgate.playbook.sources import CustomField, Source, Validation
from leadgate.vocabulary import GateName

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
    hours: dict[Name, Hours] = {}
    reps: tuple[Rep, ...] = Field(min_length=1)
    pools: tuple[Pool, ...] = Field(min_length=1)
    territories: dict[Name, Territory] = {}
    routing: tuple[Route, ...] = Field(min_length=1)
    reassignments: Reassignments = Reassignments()
    slas: tuple[Sla, ...] = ()
    follow_up: FollowUp = FollowUp()
    crm: tuple[CrmConnection, ...] = ()
    exceptions: tuple[ExceptionRoute, ...] = (ExceptionRoute(to="revenue_operations"),)
    gates: dict[GateName, GateRules] = {}
    breaker: Breaker = Breaker()
    notifications: tuple[Notification, ...] = ()
    events: tuple[EventReceiver, ...] = ()
    retention: Retention = Retention()
