"""Which work items a list of the queue has: those that its visitor may decide, of those that the address asks for.

Belongs here: the filter of an address, and the place in a list. Does not belong here: pages (``pages.queue``), or the
query (``ledger.reports``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Depends, HTTPException, Query

from console.display_names import DisplayNames
from console.web.rendering import build_address
from console.web.sign_in import make_local
from console.web.visitors import Visitor
from leadgate.actors import Actor, find_scope, require
from leadgate.ledger.queue_order import Place, find_place
from leadgate.ledger.reports import OpenWorkItem, WorkItemFilter
from leadgate.ledger.work_queue import QueueGroup
from leadgate.permissions import Permission, Scope
from leadgate.references import parse

LARGEST_ID: Final = 2**63 - 1
_AFTER: Final = re.compile(r"(\d{1,17})-(\d{1,18})(?:-([0-2])-(0|0\.\d{1,25}(?:e-\d{1,3})?|1\.0|\de-\d{1,3}))?")
ShortText = Annotated[str, Query(max_length=1000)]


class DueIn(StrEnum):
    """By when the items of a list are due."""

    OVERDUE = "overdue"
    TODAY = "today"  # within 24 hours


@dataclass(frozen=True)
class QueueFilter:
    """The filter of the list of work items, as in the address of its page."""

    reason: str = ""
    route: str = ""
    source: str = ""
    due: DueIn | None = None
    mine: bool = False

    def list_given(self) -> dict[str, str]:
        """What the address has: the conditions that are asked for."""
        given = {"reason": self.reason, "route": self.route, "source": self.source, "due": self.due or ""}
        return {name: value for name, value in (given | {"mine": "1" if self.mine else ""}).items() if value}

    def build_address(self, path: str = "/queue", **more: Any) -> str:
        return build_address(path, **self.list_given(), **more)


class Chip(NamedTuple):
    """A condition of the filter: in words, how many items meet it, and the address of the list without it."""

    words: str
    items: int
    without: str


def list_chips(asked: QueueFilter, groups: Sequence[QueueGroup], names: DisplayNames) -> list[Chip]:
    """The conditions that are asked for; ``groups`` are the items that the visitor may decide."""
    counted: list[tuple[str, str, QueueFilter, Callable[[QueueGroup], int]]] = [
        (asked.reason, asked.reason.replace("_", " "), replace(asked, reason=""),
         lambda group: group.items * (group.reason == asked.reason)),
        (asked.route, f"{names.name_rep(asked.route)} decides", replace(asked, route=""),
         lambda group: group.items * (group.route == asked.route)),
        (asked.source, f"from {names.name_source(asked.source)}", replace(asked, source=""),
         lambda group: group.items * (group.source == asked.source)),
        (asked.due or "", _DUE_IN_WORDS.get(asked.due, ""), replace(asked, due=None),
         lambda group: group.overdue if asked.due == DueIn.OVERDUE else group.today),
        ("mine" if asked.mine else "", "mine", replace(asked, mine=False), lambda group: group.mine),
    ]  # fmt: skip
    return [
        Chip(words, sum(map(count, groups)), without.build_address())
        for given, words, without, count in counted
        if given
    ]


_DUE_IN_WORDS: Final[dict[DueIn | None, str]] = {DueIn.OVERDUE: "overdue", DueIn.TODAY: "due within a day"}


async def read_filter(
    reason: ShortText = "", route: ShortText = "", source: ShortText = "", due: str = "", mine: bool = False
) -> QueueFilter:
    """The filter of the request. An empty choice of a form is none."""
    try:
        chosen = DueIn(due) if due else None
    except ValueError:
        raise HTTPException(422) from None
    reason, route, source = (each.replace("\x00", "") for each in (reason, route, source))
    return QueueFilter(reason, route, source, chosen, mine)


TheFilter = Annotated[QueueFilter, Depends(read_filter)]


def build_scope(actor: Actor) -> WorkItemFilter:
    """The items that ``actor`` may decide. Raises ``ActorError`` for somebody who decides none."""
    scope = find_scope(actor, Permission.DECIDE_ITEMS)
    if scope is Scope.NO:
        require(actor, Permission.DECIDE_ITEMS)
    if scope is Scope.ALL:
        return WorkItemFilter()
    theirs = actor.reps if scope is Scope.TEAM else {actor.rep} - {None}
    return WorkItemFilter(deciders=sorted(name for name in theirs if name))


def build_filter(asked: QueueFilter, within: WorkItemFilter, visitor: Visitor) -> WorkItemFilter:
    before = {None: None, DueIn.OVERDUE: visitor.now, DueIn.TODAY: visitor.now + timedelta(hours=24)}[asked.due]
    return replace(
        within, reason=asked.reason or None, route=asked.route or None, source=asked.source or None,
        due_before=before, mine=list_names(visitor) if asked.mine else None,
    )  # fmt: skip


def list_names(visitor: Visitor) -> list[str]:
    """By which names items are the visitor's own."""
    return sorted({visitor.actor.name, visitor.actor.rep or visitor.actor.name})


def read_number(reference: str) -> int:
    kind, number = parse(reference) or ("batch", 0)
    if kind not in (None, "work item"):
        raise HTTPException(404)
    return number


def read_ids(did: str) -> list[int]:
    """The work items that an address names as decided, as in ``W12``."""
    kind, number = parse(did) or (None, 0)
    return [number] if kind == "work item" else []


def check_ids(ids: Sequence[int]) -> tuple[int, ...]:
    if any(not 0 < each <= LARGEST_ID for each in ids):
        raise HTTPException(422)
    return tuple(dict.fromkeys(ids))


def read_after(text: str) -> Place | None:
    """The place in the list behind which a page begins: microseconds and an id; by chance also its part and chance."""
    if not text:
        return None
    found = _AFTER.fullmatch(text)
    if found is None:
        raise HTTPException(422)
    try:
        due_at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(found[1]))
    except OverflowError:
        raise HTTPException(422) from None
    return Place(due_at, int(found[2]), int(found[3] or 0), -float(found[4] or 0))


def write_after(item: OpenWorkItem, by_chance_at: datetime | None) -> str:
    place = find_place(item.id, item.due_at, item.chance, by_chance_at)
    written = f"{(place.due_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)}-{place.id}"
    return written if by_chance_at is None else f"{written}-{place.part}-{abs(place.rank)!r}"


def find_way_back(address: str) -> str:
    """The page of ours from which somebody came; the queue where it is none."""
    local = make_local(address) if address else "/queue"
    return local if local.startswith(("/queue", "/leads/")) else "/queue"
