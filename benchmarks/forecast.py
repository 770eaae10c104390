"""How long a forecast takes on many opportunities: from the versions, from a snapshot, and all of what a page needs.

Each of ``--opportunities`` has ``--versions`` updates over ninety days, made up with a seed, put into an embedded
ledger by COPY. Prints seconds; the best and the median of ``--times`` reads.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median

from opportunities import Told, tell
from sqlalchemy import text

from console.forecast.reading import read_forecast
from console.forecast.request import ForecastOptions, ask_forecast
from leadgate.ledger import Ledger, forecasts, open_ledger
from leadgate.settings import Settings

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"
DAYS = 90
_CATEGORIES = ("pipeline", "best_case", "commit", "omitted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opportunities", type=int, default=10_000)
    parser.add_argument("--versions", type=int, default=10, help="of each opportunity")
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder))) as ledger:
        tell(ledger, *make_up(given.opportunities, given.versions, random.Random(4)))
        with ledger.transaction() as connection:
            connection.execute(text("ANALYZE record, record_version"))
        measure("the states of a moment, from versions", lambda: _read(ledger, NOW), given.times)
        taken = time.perf_counter()
        forecasts.take_snapshots(ledger, ZONE, NOW)
        print(f"{'taking the snapshot of a day':<56}{time.perf_counter() - taken:6.2f} s")
        midnight = datetime(2026, 3, 3, 23, tzinfo=UTC)
        measure("the states of a moment, from a snapshot", lambda: _read(ledger, midnight), given.times)
        for words, since in (("since Monday, computed", "monday"), ("since today began, from a snapshot", "today")):
            asked = ask_forecast(ForecastOptions(since=since), NOW, ZONE, None)
            measure(f"the whole forecast, {words}", partial(read_forecast, ledger, asked), given.times)


def make_up(opportunities: int, versions: int, chance: random.Random) -> Iterator[Told]:
    for number in range(opportunities):
        closes = date(2026, 1, 1) + timedelta(days=chance.randrange(180))
        amount = chance.randrange(1_000, 200_000)
        moments = sorted(NOW - timedelta(seconds=chance.randrange(DAYS * 86_400)) for _ in range(versions))
        for place, at in enumerate(moments):
            ended = place == versions - 1 and chance.random() < 0.4
            won = chance.random() < 0.5
            closes += timedelta(days=chance.choice((0, 0, 0, 14)))
            amount = max(1_000, amount + chance.choice((0, 0, 2_000, -1_000)))
            yield Told(
                key=f"opportunity {number}",
                at=at,
                owner=f"rep{number % 35}",
                amount=amount,
                close_date=closes,
                category=("closed" if won else "omitted") if ended else chance.choice(_CATEGORIES),
                is_open=not ended,
                outcome=("won" if won else "lost") if ended else None,
            )


def measure(words: str, read: Callable[[], object], times: int) -> None:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        read()
        took.append(time.perf_counter() - started)
    print(f"{words:<56}{min(took):6.2f} s, median {median(took):.2f} s")


def _read(ledger: Ledger, at: datetime) -> object:
    with ledger.snapshot() as connection:
        return forecasts.read_states(connection, at)


if __name__ == "__main__":
    main()
