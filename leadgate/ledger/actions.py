"""The tables ``action`` and ``correction``: what people did, and the values that they gave. Append-only.

CRMs are told of every action, in its transaction.

Belongs here: every statement that writes the tables, and the error of an action that cannot be taken. Does not belong
here: the actions themselves (``reruns``, ``ownership``, ``notes``, ``reviews``, ``joins`` …).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import Connection, text

from leadgate.actors import Actor
from leadgate.errors import LeadgateError
from leadgate.ledger import bulk, outbox
from leadgate.ledger.database import Ledger
from leadgate.ledger.typed_rows import read_row
from leadgate.vocabulary import ActionKind, ItemResolution, StageName

if TYPE_CHECKING:
    import pandas as pd

    from leadgate.ledger.journeys.locking import HeldJourney


class ActionError(LeadgateError):
    """The action cannot be taken; the message says why, and what can be done instead."""

    http_status = HTTPStatus.CONFLICT


class ActedOn(Protocol):
    """A journey that somebody did something to; ``generation`` is that of before the action."""

    @property
    def id(self) -> int: ...
    @property
    def generation(self) -> int: ...


#: Journeys as rows ``j`` of a statement with the parameters of ``_build_parameters``.
_JOURNEYS: Final = "unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[])) AS j(id, generation)"


def _build_parameters(journeys: Sequence[ActedOn]) -> dict[str, object]:
    return {
        "ids": [journey.id for journey in journeys],
        "generations": [journey.generation for journey in journeys],
    }


def record(
    connection: Connection,
    journeys: Sequence[ActedOn],
    what: ActionKind,
    by: Actor,
    now: datetime,
    work_item_id: int | None = None,
    *,
    note: str | None = None,
    undoes: int | None = None,
    activity_id: int | None = None,
) -> int:
    """Keep who did ``what`` to each journey, once it is done. ``activity_id``: what a touch logged.

    Append-only. Returns the action's number.
    """
    items = [work_item_id] * len(journeys)
    return _keep_actions(connection, journeys, items, what, by, now, note=note, undoes=undoes, activity_id=activity_id)


def record_decided(
    connection: Connection, journeys: Sequence[HeldJourney], what: ItemResolution, by: Actor, now: datetime
) -> int:
    """Keep who decided ``what`` about journeys that were held, each with its work item.

    Returns the action's number.
    """
    return _keep_actions(
        connection, journeys, [journey.work_item_id for journey in journeys], ActionKind(what), by, now
    )


def keep_correction(
    connection: Connection, journeys: Sequence[ActedOn], name: str, value: str, by: str, now: datetime
) -> None:
    """Keep what a person gave for the field ``name`` of journeys that are held, in the generation that follows."""
    connection.execute(
        text(
            "INSERT INTO correction (journey_id, generation, field, value, by, at) "
            "SELECT id, generation + 1, CAST(:field AS text), CAST(:value AS text), CAST(:by AS text), :now "
            f"FROM {_JOURNEYS} ORDER BY id"
        ),
        _build_parameters(journeys) | {"field": name, "value": value, "by": by, "now": now},
    )


#: Actions that may make a lead owned, held, accepted or rejected by themselves. What follows from others, such as a
#: rerun, the stages tell.
_TOLD: Final = frozenset(
    {
        ActionKind.ACCEPT,
        ActionKind.REJECT,
        ActionKind.REASSIGN,
        ActionKind.UNASSIGN,
        ActionKind.TRANSFER,
        ActionKind.UNDO,
        ActionKind.UNJOIN,
        ActionKind.SAME_PERSON,
        ActionKind.DIFFERENT_PERSON,
    }
)


def _keep_actions(
    connection: Connection,
    journeys: Sequence[ActedOn],
    items: Sequence[int | None],
    what: ActionKind,
    by: Actor,
    now: datetime,
    *,
    note: str | None = None,
    undoes: int | None = None,
    activity_id: int | None = None,
) -> int:
    number: int = connection.execute(text("SELECT nextval(pg_get_serial_sequence('action', 'id'))")).scalar_one()
    connection.execute(
        text(
            "INSERT INTO action (journey_id, work_item_id, generation, what, by, acted_for, at, note, version, number, "
            "undoes, activity_id) SELECT j.id, acted.item, acted.generation, CAST(:what AS text), CAST(:by AS text), "
            "CAST(:acted_for AS text), :now, CAST(:note AS text), j.version, :number, CAST(:undoes AS bigint), "
            "CAST(:activity AS bigint) "
            "FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS int[]), CAST(:items AS bigint[])) "
            "AS acted(id, generation, item) JOIN journey j ON j.id = acted.id ORDER BY j.id"
        ),
        _build_parameters(journeys)
        | {
            "items": list(items),
            "what": what,
            "by": by.name,
            "acted_for": by.acts_for,
            "now": now,
            "note": note,
            "number": number,
            "undoes": undoes,
            "activity": activity_id,
        },
    )
    outbox.tell_crms(connection, [journey.id for journey in journeys], now)
    if what in _TOLD:
        outbox.tell_events(connection, [journey.id for journey in journeys], now)
    return number


@dataclass(frozen=True, slots=True)
class DoneAction:
    """An action as it is told to the person who just did it: of several journeys, by the first. ``undone``: another
    action has undone it."""

    number: int
    what: ActionKind
    by: str
    acted_for: str | None
    at: datetime
    note: str | None = field(repr=False)
    undoes: str | None  # what the action was that this one has undone
    journeys: int
    lead_id: int | None
    record_id: int | None
    name: str | None = field(repr=False)
    undone: bool


_DONE: Final = """
    SELECT x.number, x.what, x.by, x.acted_for, x.at, x.note,
        (SELECT u.what FROM action u WHERE u.number = x.undoes ORDER BY u.id LIMIT 1) AS undoes,
        (SELECT count(*) FROM action o WHERE o.number = x.number) AS journeys, j.lead_id, j.record_id,
        coalesce(nullif(concat_ws(' ', l.first_name, l.last_name), ''), l.full_name, l.company, l.email,
            r.name) AS name,
        EXISTS (SELECT FROM action u WHERE u.undoes = x.number) AS undone
    FROM action x JOIN journey j ON j.id = x.journey_id LEFT JOIN lead l ON l.id = j.lead_id
    LEFT JOIN record r ON r.id = j.record_id WHERE x.number = :number ORDER BY x.id LIMIT 1"""


def find_done(ledger: Ledger, number: int) -> DoneAction | None:
    """The action ``number``; None when there is none."""
    with ledger.statement() as connection:
        return read_row(connection, DoneAction, _DONE, number=number)


def read_corrections(connection: Connection, batch_id: int, stage: StageName) -> pd.DataFrame:
    """What people set on reruns of the batch's journeys, oldest first: ``journey_id``, ``field``, ``value``."""
    return bulk.select(
        connection,
        """
        SELECT c.journey_id, c.field, c.value FROM correction c JOIN journey j ON j.id = c.journey_id
        WHERE j.batch_id = :batch AND j.stage = :stage ORDER BY c.id""",
        batch=batch_id,
        stage=stage,
    )
