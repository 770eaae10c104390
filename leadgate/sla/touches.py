"""What counts as a rep's touch, and what does not.

Belongs here: judging what a rep did about a lead against the playbook. Does not belong here: reading activities
from an export (``tasks.activities``), or what a touch stops (``sla_targets``).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from leadgate.playbook import FollowUp
from leadgate.vocabulary import ActivityActor


class Done(Protocol):
    """What a rep or the lead did.

    ``rep`` is None when the export names nobody: then it is taken for the owner's. ``occurred_at`` counts, not when it
    was synced. ``seconds`` and ``automatic`` are None where they are not known.
    """

    @property
    def actor(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def rep(self) -> str | None: ...
    @property
    def occurred_at(self) -> datetime: ...
    @property
    def seconds(self) -> int | None: ...
    @property
    def automatic(self) -> bool | None: ...


def find_touches(
    activities: Iterable[Done],
    rules: FollowUp,
    owner: str,
    assigned_at: datetime,
    recorded: Iterable[datetime | None],
) -> tuple[datetime, ...]:
    """When a lead was touched that ``owner`` has had since ``assigned_at``, in order.

    Of the ``activities`` those of the lead itself are no touches.
    ``recorded``: what counted once is not taken back.
    """
    found = {at for at in recorded if at is not None}
    for activity in activities:
        by_rep = activity.actor == ActivityActor.REP
        if by_rep and explain_no_touch(activity, rules, owner, assigned_at) is None:
            found.add(activity.occurred_at)
    return tuple(sorted(found))


def explain_no_touch(activity: Done, rules: FollowUp, owner: str, assigned_at: datetime) -> str | None:
    """Why a rep's activity is no touch of a lead that ``owner`` has had since ``assigned_at``; None: it is one."""
    kind, seconds = activity.kind, activity.seconds
    rule = next((touch for touch in rules.touches if touch.kind == kind), None)
    if rule is None:
        return f"{kind} is no kind of touch"
    if activity.occurred_at < assigned_at:
        return "it was before the assignment"
    if rules.touched_by == "owner" and activity.rep not in (None, owner):
        return f"{activity.rep} did it, not the owner"
    if activity.automatic and not rule.automatic:
        return "it was sent automatically"
    if seconds is not None and seconds < rule.min_seconds:
        return f"it took {seconds} s, and a {kind} counts from {rule.min_seconds} s on"
    return None
