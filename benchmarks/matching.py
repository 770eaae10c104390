"""How well persons and accounts are matched, and how fast.

Persons: ``--labelled FILE`` is a CSV in UTF-8 with a row for each record, in the order in which they arrive, and the
columns ``person`` (the label: equal for two rows about one person), ``email``, ``first_name``, ``last_name``,
``phone``, ``company``, ``website``, ``country``, ``crm_id`` and ``kind`` (any word to report by). Only ``person`` and
one of ``email`` and ``phone`` are needed. Without it a file is made up (``benchmarks.made_up``) and written to
``build/matching-labelled.csv``.

Every row goes through the same code as at validation, with the rules of the playbook in use, or the bundled one. A row
that a person is asked about is answered by its label. So of the rows whose person has come before:

- certain: joined by itself. Precision is the share of joins that were right.
- likely: a person was asked. Precision is the share of questions that named the right lead.
- together: recall is the share that was joined or asked about.

Accounts: 100,000 leads against 10,000 made-up accounts. Writes ``build/bench-matching.json``.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd

from benchmarks import made_up
from benchmarks.made_up import Record
from leadgate import playbook as playbooks
from leadgate.mapping.normalise import normalise
from leadgate.matching.accounts import Account, Directory, Wanted
from leadgate.matching.persons import Person
from leadgate.matching.resolving import Arrival, Ground, build_claims, resolve
from leadgate.playbook import Matching, Playbook

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
SOURCE = "labelled"


@dataclass
class Measured:
    """Rows by what became of them; ``expected`` counts those whose person had come before."""

    expected: int = 0
    right: Counter[str] = field(default_factory=Counter)  # by "certain" and "likely"
    wrong: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def figures(self, *parts: str) -> dict[str, float]:
        right = sum(self.right[part] for part in parts)
        wrong = sum(self.wrong[part] for part in parts)
        precision = right / (right + wrong) if right + wrong else 1.0
        recall = right / self.expected if self.expected else 1.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return {"right": right, "wrong": wrong, "precision": precision, "recall": recall, "f1": f1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labelled", type=Path, help="a labelled CSV of your own")
    parser.add_argument("--playbook", type=Path, help="whose rules; else the bundled one")
    parser.add_argument("--people", type=int, default=2_000, help="made-up persons")
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    asked = parser.parse_args()
    rules = (playbooks.load(asked.playbook) if asked.playbook else playbooks.load_default()).playbook
    Path("build").mkdir(exist_ok=True)
    if asked.labelled is None:
        records = made_up.labelled(asked.people)
        write(records, Path("build/matching-labelled.csv"))
    else:
        records = read(asked.labelled)
    results = {"persons": persons(records, rules), "accounts": accounts(asked.leads, asked.accounts)}
    Path("build/bench-matching.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def persons(records: Sequence[Record], rules: Playbook) -> dict[str, Any]:
    started = time.perf_counter()
    measured = measure(records, rules)
    seconds = time.perf_counter() - started
    print(f"persons: {len(records):,} records, {measured.expected:,} of somebody who came before; {seconds:.1f} s\n")
    print(f"{'':<10} {'right':>7} {'wrong':>7} {'precision':>10} {'recall':>8} {'F1':>7}")
    figures = {
        "certain": measured.figures("certain"),
        "likely": measured.figures("likely"),
        "together": measured.figures("certain", "likely"),
    }
    for part, each in figures.items():
        print(
            f"{part:<10} {each['right']:>7,} {each['wrong']:>7,} {each['precision']:>10.3f} {each['recall']:>8.3f} "
            f"{each['f1']:>7.3f}"
        )
    print(f"\n{'kind of record':<40} {'joined':>7} {'asked':>7} {'new':>7} {'wrong':>7}")
    for kind, counts in measured.by_kind.items():
        shown = " ".join(f"{counts[what]:>7,}" for what in ("certain", "likely", "new", "wrong"))
        print(f"{kind:<40} {shown}")
    return {"records": len(records), "expected": measured.expected, "seconds": seconds, **figures,
            "by_kind": {kind: dict(counts) for kind, counts in measured.by_kind.items()}}  # fmt: skip


def measure(records: Sequence[Record], playbook: Playbook) -> Measured:
    """Every record as an arrival, in order, with what became of it compared with its label."""
    rules = playbook.matching.model_copy(update={"crm_ids": {"crm": (SOURCE,)}})
    ground, measured = Ground(), Measured()
    leads: dict[int, str] = {}  # lead -> whose it is
    seen: set[str] = set()
    for record, arrival in zip(records, _arrivals(records, playbook, rules), strict=True):
        (found,) = resolve([arrival], ground, rules)
        known = record.person in seen
        measured.expected += known
        own = arrival.person.lead_id
        if found.hold is not None:
            right = next((m.lead_id for m in found.matches if leads[m.lead_id] == record.person), None)
            _count(measured, record, "likely", right=right is not None)
            for claim in arrival.claims:  # as a person would say
                ground.owners.setdefault(claim, own if right is None else right)
            if right is None:
                leads[own] = record.person
        elif found.lead_id != own:
            _count(measured, record, "certain", right=leads[found.lead_id] == record.person)
        else:
            leads[own] = record.person
            measured.by_kind[record.kind]["new"] += 1
        seen.add(record.person)
    return measured


def _count(measured: Measured, record: Record, part: str, *, right: bool) -> None:
    (measured.right if right else measured.wrong)[part] += 1
    measured.by_kind[record.kind][part if right else "wrong"] += 1


def _arrivals(records: Sequence[Record], playbook: Playbook, rules: Matching) -> list[Arrival]:
    frame = pd.DataFrame([asdict(record) for record in records], dtype=object)
    frame = frame.where(frame != "", None).rename(columns={"crm_id": "external_id"})
    frame = frame.assign(source=SOURCE, captured_at=NOW, attributes=None)
    clean = normalise(frame, playbook, NOW)
    arrivals = []
    rows = cast(list[dict[str, Any]], clean.where(clean.notna(), None).to_dict("records"))
    for number, row in enumerate(rows, start=1):
        person = Person.of(number, row)
        claims = build_claims(row, person, {SOURCE: "crm"}, rules)
        arrivals.append(Arrival(number, person, person.keys(b"a key that matters to nobody here."), claims))
    return arrivals


def accounts(leads: int, count: int) -> dict[str, Any]:
    named = made_up.companies(count, random.Random(5))
    made = [Account(domain, name, (domain,), None, {"account_owner": None}) for name, domain in named]
    arriving = list(made_up.leads_of(named, leads))
    started = time.perf_counter()
    directory = Directory(made)
    found = [
        directory.find(
            Wanted(domain, None, company or None), threshold=92, shown_from=80, tie_breakers=("alphabetical",)
        )
        for domain, company, _, _ in arriving
    ]
    seconds = time.perf_counter() - started
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for (_, _, kind, truth), candidates in zip(arriving, found, strict=True):
        taken = candidates[0].account.id if candidates and candidates[0].taken else ""
        told[kind]["right" if taken == truth else "wrong" if taken else "missed"] += 1
    print(f"\naccounts: {leads:,} leads against {count:,} in {seconds:.1f} s, {leads / seconds:,.0f} a second\n")
    print(f"{'written':<12} {'right':>8} {'wrong':>8} {'missed':>8}")
    for kind, counts in told.items():
        print(f"{kind:<12} {counts['right']:>8,} {counts['wrong']:>8,} {counts['missed']:>8,}")
    return {"leads": leads, "accounts": count, "seconds": seconds, "cpus": os.cpu_count(),
            "by_kind": {kind: dict(counts) for kind, counts in told.items()}}  # fmt: skip


def read(path: Path) -> list[Record]:
    """A labelled CSV; columns that it does not have are empty. Exits when it has no ``person``."""
    known = {each.name for each in fields(Record)}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if "person" not in (reader.fieldnames or ()):
            raise SystemExit(f"{path} has no column person: the label that rows about one person share")
        rows = [{name: (value or "").strip() for name, value in row.items() if name in known} for row in reader]
    return [Record(**{"kind": "labelled", "country": "", **row}) for row in rows]


def write(records: Sequence[Record], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [each.name for each in fields(Record)])
        writer.writeheader()
        writer.writerows(asdict(record) for record in records)


if __name__ == "__main__":
    main()
