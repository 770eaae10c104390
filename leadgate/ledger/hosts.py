"""Hosts, and how far the clock of each is off the ledger's.

Belongs here: measuring this host's clock, and what all hosts measured. Does not belong here: what a wrong clock stops
(``flows``), nor the time itself (``clock``).

Nothing is decided by a host's clock. One that is wrong shows in what other programs do on that host: a Prefect worker
starts what is scheduled at another time, a flow run's signs of life look older than they are, the lines of logs
cannot be compared, certificates are valid too early or too late.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from leadgate.ledger.clock import read_time
from leadgate.ledger.database import Ledger
from leadgate.ledger.errors import LedgerError


class ClockError(LedgerError):
    """This host's clock is too far off for it to work."""


@dataclass(frozen=True)
class Skew:
    """How many ``seconds`` a host's clock is ahead of the ledger's (negative: behind), to within ``uncertainty``."""

    seconds: float
    uncertainty: float = 0.0

    def is_beyond(self, limit: float) -> bool:
        """Whether it is more than ``limit`` seconds for certain: a slow answer of PostgreSQL is no wrong clock."""
        return abs(self.seconds) - self.uncertainty > limit

    @property
    def words(self) -> str:
        """``ahead of the ledger's by 1200 s``."""
        return f"{'ahead of' if self.seconds > 0 else 'behind'} the ledger's by {abs(self.seconds):.0f} s"


@dataclass(frozen=True)
class Reading:
    """The ledger's time, what ``time.monotonic()`` was then, and how far this host's clock is off."""

    moment: datetime
    counted: float
    skew: Skew


@dataclass(frozen=True)
class Host:
    """A host, its clock, and how many seconds ago that was measured."""

    name: str
    skew: Skew
    seconds_ago: float


def measure(connection: Connection) -> Reading:
    """Read the ledger's time. PostgreSQL is taken to have answered in the middle of the round trip."""
    started, before = time.monotonic(), time.time()
    moment = read_time(connection)
    half = (time.monotonic() - started) / 2
    return Reading(moment, started + half, Skew(before + half - moment.timestamp(), half))


def note(ledger: Ledger) -> Reading:
    """Measure this host's clock, and keep that for ``leadgate status``."""
    with ledger.transaction(flushed=False) as connection:
        reading = measure(connection)
        connection.execute(
            text(
                "INSERT INTO host (name, skew, uncertainty, measured_at) "
                "VALUES (:name, :skew, :uncertainty, clock_timestamp()) ON CONFLICT (name) DO UPDATE "
                "SET skew = excluded.skew, uncertainty = excluded.uncertainty, measured_at = excluded.measured_at"
            ),
            {
                "name": socket.gethostname(),
                "skew": reading.skew.seconds,
                "uncertainty": reading.skew.uncertainty,
            },
        )
    return reading


def require_right_clock(ledger: Ledger, limit: float) -> None:
    """Measure this host's clock. Raises ``ClockError`` when it is more than ``limit`` seconds off."""
    skew = note(ledger).skew
    if skew.is_beyond(limit):
        raise ClockError(
            f"the clock of this host ({socket.gethostname()}) is {skew.words}, and the limit is {limit:g} s "
            "(LEADGATE_CLOCK_SKEW_LIMIT), so nothing was taken; set the clock, or let NTP do it"
        )


def list_measured(ledger: Ledger, seconds: float) -> list[Host]:
    """The hosts whose clocks were measured in the last ``seconds``, by name."""
    with ledger.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT name, skew, uncertainty, extract(epoch FROM clock_timestamp() - measured_at)::float AS ago "
                "FROM host WHERE measured_at > clock_timestamp() - make_interval(secs => :within) ORDER BY name"
            ),
            {"within": seconds},
        ).all()
    return [Host(row.name, Skew(row.skew, row.uncertainty), row.ago) for row in rows]


def forget(ledger: Ledger, since: float) -> None:
    """Remove the hosts whose clocks were not measured for ``since`` seconds."""
    with ledger.transaction() as connection:
        connection.execute(
            text("DELETE FROM host WHERE measured_at < clock_timestamp() - make_interval(secs => :since)"),
            {"since": since},
        )
