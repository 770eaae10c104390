"""How soon an owner must react, and what happens when not.

Belongs here: the schema of SLAs and follow-up. Does not belong here: telling what is due (``tasks.follow_up``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from leadgate.playbook.base import Duration, Name, Part


class LadderStep(Part):
    """``after`` is a share of the SLA in percent: 50 is halfway, 100 the due time, 200 twice the SLA."""

    after: int = Field(gt=0, le=10_000)
    do: Literal["remind", "escalate", "reassign"]
    to: str | None = None  # escalate: a rep or a route's name; none means the owner's manager


class Sla(Part):
    name: Name
    first_touch: Duration = Field(gt=timedelta(0))
    clock: Literal["pool", "wall"] = "pool"
    ladder: tuple[LadderStep, ...] = ()
    due_soon: int = Field(default=75, gt=0, lt=100)  # percent of the SLA after which it counts as due soon


class FollowUp(Part):
    touches: tuple[str, ...] = ("call", "email", "meeting")  # kinds of activity by a rep that count
    reject_reasons: tuple[str, ...] = ("not_a_fit", "wrong_territory", "duplicate", "unreachable", "other")
    rejected: Literal["nurture", "reassign"] = "nurture"
