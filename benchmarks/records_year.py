"""A made-up year of 2,000 accounts through the stages, day by day, and whether all became of it that had to.

Each evening the exports of the day are captured, and the stages run until nothing waits, by that evening's clock. In
the end: the ledger's invariants hold; every renewal that was told in time had an owner before its window opened; every
close date that passed while the record was open is known and told once; every record has the versions that were told,
in order; the forecast's movements between any two days sum exactly. Prints a table; exits 1 when anything is missing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.made_up_records import CONTRACTS, FIRST_DAY, OPPORTUNITIES, SIGNALS, midnight
from benchmarks.made_up_year import Year, make_year
from benchmarks.record_checks import Check, check_year, print_checks
from benchmarks.record_days import Days
from benchmarks.records_playbook import write_playbook
from expectations import gate
from leadgate.ledger import open_ledger
from leadgate.settings import Settings

#: When of a day the runs look: the day's exports are in by then.
EVENING = timedelta(hours=18)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--every", type=int, default=1, metavar="DAYS", help="how many days a run looks at at once")
    parser.add_argument("--seed", type=int, default=21)
    arguments = parser.parse_args()
    gate.preload()
    year = make_year(arguments.accounts, seed=arguments.seed, days=arguments.days)
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder) / "home")) as ledger:
        days = Days(ledger, write_playbook(year, Path(folder)))
        for evening in list_evenings(arguments.days, arguments.every):
            live_until(days, year, evening)
            if evening.day <= arguments.every:
                print(f"  {evening:%Y-%m}: {days.rows} rows so far, {days.seconds:.0f} s in the stages", flush=True)
        checks = check_year(days, year)
    print_table(days, checks)
    sys.exit(1 if any(check.broken for check in checks) else 0)


def list_evenings(days: int, every: int) -> list[datetime]:
    """The moments at which runs look; the last one is the last day's evening."""
    numbers = sorted({*range(every - 1, days, every), days - 1})
    return [midnight(FIRST_DAY + timedelta(days=number)) + EVENING for number in numbers]


def live_until(days: Days, year: Year, evening: datetime) -> None:
    """Tell what the exports bring since the last look, of each day and source a file of its own, and run."""
    first = midnight(FIRST_DAY)
    before = days.looked[-1] if days.looked else first
    while before < evening:
        until = min(before + timedelta(days=1), evening)
        for source in (OPPORTUNITIES, CONTRACTS, SIGNALS):
            if rows := year.told(source, before, until):
                days.tell(source, rows, evening)
        before = until
    days.work(evening)


def print_table(days: Days, checks: Sequence[Check]) -> None:
    rate = days.journeys / days.seconds if days.seconds else 0.0
    print(f"\n{'rows told':<58}{days.rows:>9,}")
    print(f"{'  of them new (the others were told before)':<58}{days.new:>9,}")
    print(f"{'journeys through batches, follow-up included':<58}{days.journeys:>9,}")
    print(f"{'batches':<58}{days.batches:>9,}")
    print(f"{'seconds in the stages':<58}{days.seconds:>9.1f}   {rate:,.0f} journeys a second\n")
    print_checks(checks)


if __name__ == "__main__":
    main()
