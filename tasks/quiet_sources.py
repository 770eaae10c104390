"""Sources that went quiet: one work item for each of which less came than the playbook expects.

Belongs here: the check that follow-up makes beside the owned leads. Does not belong here: a source whose rows break
promises (``source_breaker``), or a CRM that cannot be read (``tasks.crm.reading``).

Working hours: with ``hours`` only working time counts, so that a weekend is no silence.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.counting import format_count
from leadgate.ledger import Ledger, quiet_sources, work_items
from leadgate.ledger.captured_rows import lock_source
from leadgate.ledger.clock import read_time
from leadgate.ledger.quiet_sources import SOURCE_QUIET
from leadgate.ledger.work_items import NewWorkItem
from leadgate.playbook import ExpectedSignals, LoadedPlaybook, Playbook
from leadgate.sla.hours import Clock, make_clock
from leadgate.vocabulary import StageName
from tasks.work_items import build_work_item

#: The furthest that is looked back for working time.
FURTHEST: Final = timedelta(days=90)
_PRECISION: Final = timedelta(minutes=1)


def check_quiet_sources(ledger: Ledger, loaded: LoadedPlaybook, now: datetime | None = None) -> int:
    """Open a work item for each source that has gone quiet, and close those of sources that have not, or of which
    nothing is expected any more. Returns how many were opened."""
    expected = {name: source.expects for name, source in loaded.playbook.sources.items() if source.expects is not None}
    opened = 0
    with ledger.transaction() as connection:
        asked = quiet_sources.list_sources_in_question(connection)
        at = read_time(connection, now)
        for source in sorted(asked - expected.keys()):
            _close(connection, source, at)
    for source, expects in expected.items():
        with ledger.transaction() as connection:
            opened += _check(connection, loaded, source, expects, at)
    return opened


def _check(connection: Connection, loaded: LoadedPlaybook, source: str, expects: ExpectedSignals, now: datetime) -> int:
    hours = loaded.playbook.hours[expects.hours] if expects.hours is not None else None
    since = find_window_start(make_clock(hours), expects.within, now)
    count = quiet_sources.count_signals_since(connection, source, since)
    if count >= expects.at_least:
        _close(connection, source, now)
        return 0
    first = quiet_sources.find_expectation_start(connection, source, loaded.hash)
    if first is None or first > since:
        return 0
    lock_source(connection, source)  # of two that check at once, one opens the work item
    if work_items.is_open(connection, SOURCE_QUIET, _name_promise(source)):
        return 0
    item = _build_item(loaded.playbook, source, expects, count, since, now)
    work_items.open_work_items(connection, pd.DataFrame([item]))
    return 1


def find_window_start(clock: Clock, within: timedelta, now: datetime) -> datetime:
    """The moment since which ``within`` has passed on ``clock``, to the minute."""
    earliest, latest = now - max(FURTHEST, within), now
    if clock.measure_between(earliest, now) <= within:
        return earliest
    while latest - earliest > _PRECISION:
        middle = earliest + (latest - earliest) / 2
        if clock.measure_between(middle, now) >= within:
            earliest = middle
        else:
            latest = middle
    return earliest


def _close(connection: Connection, source: str, now: datetime) -> None:
    work_items.close_general(connection, (SOURCE_QUIET,), _name_promise(source), now)


def _name_promise(source: str) -> str:
    return f"source:{source}"[:63]


def _build_item(
    playbook: Playbook, source: str, expects: ExpectedSignals, count: int, since: datetime, now: datetime
) -> NewWorkItem:
    came = format_count(count, "signal of {} has", "signals of {} have").format(source)
    return build_work_item(
        playbook,
        StageName.CAPTURE,
        now,
        reason=SOURCE_QUIET,
        promise=_name_promise(source),
        source=source,
        message=(
            f"{came} come since {since:%Y-%m-%d %H:%M} UTC, and at least {expects.at_least:,} are expected in that "
            "time. See whether the sender still sends, and whether it is refused"
        ),
    )
