"""The playbook as it is for one kind of record: the parts of its section in place of those of leads.

Belongs here: which part of a view comes from where, and what a section stands for that says nothing about it. Does
not belong here: the schema of a section (``kinds``), or what an update of a record means (``leadgate.records``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from leadgate.playbook.follow_up import LadderStep, Priority, Sla
from leadgate.playbook.kinds import (
    WITHOUT_SECTION,
    ExpansionKind,
    KindSection,
    OpportunityKind,
    RenewalKind,
)
from leadgate.playbook.routing import Pool, Route
from leadgate.vocabulary import JourneyKind

if TYPE_CHECKING:
    from leadgate.playbook.schema import Playbook

#: Names of what a view adds by itself.
RECORD_OWNER: Final = "record_owner"
ACCOUNT_OWNER: Final = "account_owner"
FIRST_POOL: Final = "first_pool"
CONTACT: Final = "contact"
NEXT_STEP: Final = "next_step"


def build_view_parts(playbook: Playbook, kind: JourneyKind) -> dict[str, Any]:
    """The parts of ``playbook`` that are others for records of ``kind``, by name."""
    section = playbook.kinds.find(kind) or WITHOUT_SECTION[kind]
    added = list(_ADD_SLAS[kind](section))
    follow_up = section.follow_up
    named = {priority.name for priority in follow_up.priorities}
    priorities = (*follow_up.priorities, *(each for _, each in added if each.name not in named))
    own = {sla.name for sla in section.slas}
    shared = [*(sla for sla, _ in added), *playbook.slas]
    return {
        "fields": section.fields,
        "headers": section.headers,
        "validation": playbook.validation.model_copy(update={"required": section.required}),
        "scoring": section.scoring,
        "qualification": section.qualification,
        "routing": section.routing or build_usual_routes(playbook.pools),
        "slas": (*section.slas, *(sla for sla in shared if sla.name not in own)),
        "follow_up": follow_up.model_copy(update={"priorities": priorities}),
        "exceptions": (*section.exceptions, *playbook.exceptions),
        "gates": section.gates,
    }


def build_usual_routes(pools: tuple[Pool, ...]) -> tuple[Route, ...]:
    """Who has a record of which nothing is said: its own owner, else the account's, else the first pool."""
    return (
        Route(name=RECORD_OWNER, to="record_owner", why="whoever has the record has its updates"),
        Route(name=ACCOUNT_OWNER, to="account_owner", why="whoever has the account has its records"),
        *(Route(name=FIRST_POOL, to=f"pool {pool.name}") for pool in pools[:1]),
    )


def is_every_stage_due(playbook: Playbook) -> bool:
    """Whether every open sales stage says when the owner's next touch is due, so that no pool has to."""
    section = playbook.kinds.find(playbook.kind)
    return isinstance(section, OpportunityKind) and all(
        stage.closed is not None or stage.next_step_within is not None for stage in section.sales_stages
    )


def _build_sla(name: str, within: timedelta) -> Sla:
    """Days of the calendar: nobody counts fourteen days in working hours."""
    ladder = (LadderStep(after=80, do="remind"), LadderStep(after=100, do="escalate"))
    return Sla(name=name, first_touch=within, clock="wall", ladder=ladder)


def _add_contact(section: KindSection) -> Iterator[tuple[Sla, Priority]]:
    within = section.contact_within if isinstance(section, (RenewalKind, ExpansionKind)) else None
    if within is not None:
        yield _build_sla(CONTACT, within), Priority(name=CONTACT, when="true", sla=CONTACT)


def _add_next_steps(section: KindSection) -> Iterator[tuple[Sla, Priority]]:
    for stage in section.sales_stages if isinstance(section, OpportunityKind) else ():
        if stage.next_step_within is not None and stage.closed is None:
            name = f"{NEXT_STEP}_{stage.name}"
            when = f"sales_stage = '{stage.name}'"  # a name has letters, digits and underscores alone
            yield _build_sla(name, stage.next_step_within), Priority(name=name, when=when, sla=name)


#: The SLAs that follow from other keys of a section, each with the priority that gives it to records; after those that
#: the section names itself.
_ADD_SLAS: Final[Mapping[JourneyKind, Callable[[KindSection], Iterator[tuple[Sla, Priority]]]]] = {
    JourneyKind.OPPORTUNITY: _add_next_steps,
    JourneyKind.RENEWAL: _add_contact,
    JourneyKind.EXPANSION: _add_contact,
}
