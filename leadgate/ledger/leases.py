"""Leases: who holds a batch and until when; taking over what a dead run left, and giving up.

Belongs here: holding a batch from the outside. Does not belong here: the fence of an apply (``batches``).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from leadgate.ledger.batches import Batch, LeaseLost, extend, give_up, remember, take_next
from leadgate.ledger.database import Ledger
from leadgate.ledger.faults import is_ours
from leadgate.ledger.frozen import end_frozen
from leadgate.vocabulary import BatchKind, JourneyKind


def take_over(
    ledger: Ledger,
    *,
    holder: str,
    lease_seconds: float,
    kind: BatchKind | None = None,
    batch_id: int | None = None,
    as_of: datetime | None = None,
) -> Batch | None:
    """The oldest open batch whose lease has run out, or that ``holder`` itself left, with a higher epoch.

    ``batch_id`` asks for this one only. ``as_of`` is what time it is for the batch from now on, in place of
    the ledger's clock. A process that is frozen in a transaction, and so locks its batch after its lease, loses its
    session first.
    """
    asked = {"holder": holder, "lease": lease_seconds, "kind": kind, "id": batch_id, "as_of": as_of}
    batch = _take_over(ledger, asked)
    if batch is None and end_frozen(ledger, lease_seconds):
        batch = _take_over(ledger, asked)
    return batch


def _take_over(ledger: Ledger, asked: Mapping[str, Any]) -> Batch | None:
    with ledger.transaction() as connection:
        row = take_next(connection, asked)
        if row is None:
            return None
        remember(connection, row.id, row.epoch, asked["holder"])
    return Batch(
        row.id,
        row.epoch,
        asked["holder"],
        row.playbook_hash,
        row.size,
        row.claimed_at,
        BatchKind(row.kind),
        row.failures,
        JourneyKind(row.journey_kind),
    )


@dataclass(frozen=True)
class Standing:
    """How a batch stands: who holds or last held it, until when, and whether it is finished."""

    batch_id: int
    holder: str
    closed: bool
    lease_remaining: float  # seconds


def find_standing(ledger: Ledger, batch_id: int) -> Standing | None:
    """How the batch stands; ``None`` when there is no such batch."""
    with ledger.transaction() as connection:
        row = connection.execute(
            text(
                "SELECT holder, closed_at IS NOT NULL AS closed, "
                "greatest(0, extract(epoch FROM lease_until - clock_timestamp())) AS remaining "
                "FROM batch WHERE id = :id"
            ),
            {"id": batch_id},
        ).first()
    return None if row is None else Standing(batch_id, row.holder, row.closed, float(row.remaining))


def find_last_held_batch(ledger: Ledger, holder: str) -> int | None:
    """The batch that ``holder`` claimed or took over last: what a flow run that is retried was working on."""
    with ledger.transaction() as connection:
        found: int | None = connection.execute(
            text("SELECT batch_id FROM batch_holder WHERE holder = :holder ORDER BY id DESC LIMIT 1"),
            {"holder": holder},
        ).scalar()
    return found


def read_lease_remaining(ledger: Ledger, kind: BatchKind, failures_below: int | None = None) -> float | None:
    """Seconds until the next lease of an open batch runs out; ``None`` when no batch is open.

    ``failures_below`` leaves out those that failed so often that nobody waits for them.
    """
    with ledger.transaction() as connection:
        seconds = connection.execute(
            text(
                "SELECT extract(epoch FROM min(lease_until) - clock_timestamp()) FROM batch "
                "WHERE closed_at IS NULL AND kind = :kind "
                "AND (CAST(:most AS int) IS NULL OR failures < :most)"
            ),
            {"kind": kind, "most": failures_below},
        ).scalar()
    return None if seconds is None else max(0.0, float(seconds))


@contextmanager
def lease(
    ledger: Ledger,
    batch: Batch,
    lease_seconds: float,
    *,
    failed: Callable[[BaseException], bool] = is_ours,
    retry_delay: Callable[[BaseException], float] = lambda error: 0.0,
) -> Iterator[None]:
    """Renew the batch's lease from a thread while the block runs; give it up if the block fails.

    Giving up lets the next run continue after ``retry_delay(error)`` seconds instead of when the lease runs out.
    ``failed(error)`` says whether that counts as a failure of the batch.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease_seconds / 3):
            try:
                with ledger.transaction() as connection:
                    extend(connection, batch, lease_seconds)
            except LeaseLost:
                return  # the next apply finds out by itself: it is fenced
            except DBAPIError:
                continue  # PostgreSQL may be back before the lease runs out

    thread = threading.Thread(target=renew, name=f"lease-{batch.id}", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        done.set()
        thread.join()
        release(ledger, batch, retry_in=retry_delay(error), failed=failed(error))
        raise
    finally:
        done.set()
        thread.join()


def release(
    ledger: Ledger, batch: Batch, *, retry_in: float = 0.0, failed: bool = False, to_anybody: bool = False
) -> None:
    """Let the lease run out ``retry_in`` seconds from now, and count a failure. Never raises: it is called
    while another error is on its way.

    ``to_anybody``: this holder, too, takes it over no earlier than that.
    """
    try:
        with ledger.transaction() as connection:
            give_up(connection, batch, retry_in=retry_in, failed=failed, to_anybody=to_anybody)
    except DBAPIError:
        return
