"""How well persons and accounts are matched, beside Splink and exact e-mail addresses, and how fast.

Persons: ``--labelled FILE`` is a CSV in UTF-8 with a row for each record, in the order in which they arrive, and the
columns ``person`` (the label: equal for two rows about one person), ``email``, ``first_name``, ``last_name``,
``phone``, ``company``, ``website``, ``country``, ``crm_id`` and ``kind`` (any word to report by). Only ``person`` and
one of ``email`` and ``phone`` are needed. Without it a file is made up (``benchmarks.made_up``) and written to
``build/matching-labelled.csv``; ``--seed`` makes another one.

Every row goes through the same code as at validation, with the rules of the playbook in use, or the bundled one. A row
that a person is asked about is answered by its label. So of the rows whose person has come before:

- certain: joined by itself. Precision is the share of joins that were right.
- likely: a person was asked. Precision is the share of questions that named the right lead.
- together: recall is the share that was joined or asked about.

Splink (``pip install 'leadgate[bench]'``) is trained on the same cleaned columns, and its thresholds are chosen with
the labels, in its favour (``benchmarks.record_matchers``). Ids of CRMs are left to Leadgate.

Accounts: 100,000 leads against 10,000 made-up accounts. Writes ``build/bench-matching.json``.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd

from benchmarks import made_up
from benchmarks.made_up import Record
from benchmarks.record_matchers import Measured, match_by_email, match_by_splink
from leadgate import playbook as playbooks
from leadgate.mapping.normalise import normalise
from leadgate.matching import BY_A_PERSON
from leadgate.matching.accounts import Account, Directory, Wanted
from leadgate.matching.latin import latinise
from leadgate.matching.persons import Person
from leadgate.matching.resolving import Arrival, Ground, Known, Resolution, build_claims, choose_kept_keys, resolve
from leadgate.playbook import Matching, Playbook

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
SOURCE = "labelled"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labelled", type=Path, help="a labelled CSV of your own")
    parser.add_argument("--playbook", type=Path, help="whose rules; else the bundled one")
    parser.add_argument("--seed", type=int, default=11, help="of the made-up persons")
    parser.add_argument("--people", type=int, default=2_000, help="made-up persons")
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    asked = parser.parse_args()
    rules = (playbooks.load(asked.playbook) if asked.playbook else playbooks.load_default()).playbook
    Path("build").mkdir(exist_ok=True)
    if asked.labelled is None:
        records = made_up.labelled(asked.people, asked.seed)
        write(records, Path("build/matching-labelled.csv"))
    else:
        records = read(asked.labelled)
    results = {"persons": persons(records, rules), "accounts": accounts(asked.leads, asked.accounts)}
    Path("build/bench-matching.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def persons(records: Sequence[Record], rules: Playbook) -> dict[str, Any]:
    started = time.perf_counter()
    measured = measure(records, rules)
    seconds = time.perf_counter() - started
    clean = clean_records(records, rules)
    found: dict[str, Measured] = {"Leadgate": measured, "exact e-mail": match_by_email(records, clean)}
    thresholds: dict[str, float] = {}
    if importlib.util.find_spec("splink") is None:
        print("Splink is not installed: pip install 'leadgate[bench]'\n")
    else:
        found["Splink"], thresholds = match_by_splink(records, build_columns(clean))
    print(f"persons: {len(records):,} records, {measured.expected:,} of somebody who came before; {seconds:.1f} s\n")
    print(f"{'':<13} {'':<9} {'right':>6} {'wrong':>6} {'precision':>10} {'recall':>7} {'F1':>6}  questions per 1,000")
    figures = {name: list_figures(each) for name, each in found.items()}
    for name, parts in figures.items():
        for part in ("certain", "likely", "together"):
            each = parts[part]
            asks = f"{found[name].questions:>8.0f}" if part == "likely" else ""
            print(
                f"{name:<13} {part:<9} {each['right']:>6,} {each['wrong']:>6,} {each['precision']:>10.4f} "
                f"{each['recall']:>7.3f} {each['f1']:>6.3f}  {asks}"
            )
    columns = ("certain", "likely", "new", "certain, wrong", "likely, wrong")  # the last two beside what is right
    print(f"\n{'Leadgate, by kind of record':<38}  joined   asked     new  wrong:  asked")
    for kind, counts in measured.by_kind.items():
        print(f"{kind:<38} " + " ".join(f"{counts[what]:>7,}" for what in columns))
    return {"records": len(records), "expected": measured.expected, "seconds": seconds, "matchers": figures,
            "splink_thresholds": thresholds,
            "by_kind": {kind: dict(counts) for kind, counts in measured.by_kind.items()}}  # fmt: skip


def list_figures(measured: Measured) -> dict[str, Any]:
    parts = {"certain": ("certain",), "likely": ("likely",), "together": ("certain", "likely")}
    return {part: measured.figures(*of) for part, of in parts.items()} | {"questions_per_1000": measured.questions}


def measure(records: Sequence[Record], playbook: Playbook) -> Measured:
    """Every record as an arrival, in order, with what became of it compared with its label.

    What is known is kept as the ledger keeps it: a lead is found by the keys of all of its records, and a record that
    joins fills what its lead lacks.
    """
    rules = playbook.matching.model_copy(update={"crm_ids": {"crm": (SOURCE,)}})
    ground, measured = Ground(), Measured(len(records))
    leads: dict[int, str] = {}  # lead -> whose it is
    seen: set[str] = set()
    rows = clean_records(records, playbook)
    for record, row, arrival in zip(records, rows, build_arrivals(rows, rules), strict=True):
        (found,) = resolve([arrival], ground, rules)
        measured.expected += record.person in seen
        seen.add(record.person)
        own = lead = arrival.person.lead_id
        if found.hold is not None:
            right = next((m.lead_id for m in found.matches if leads[m.lead_id] == record.person), None)
            measured.count(record, "likely", right=right is not None)
            lead = own if right is None else right
            _answer(arrival, lead, ground)
        elif found.lead_id != own:
            lead = found.lead_id
            measured.count(record, "certain", right=leads[lead] == record.person)
            ground.add_keys(lead, choose_kept_keys(arrival, found, ground.owners))
        else:
            measured.by_kind[record.kind]["new"] += 1
        if lead == own:
            leads[own] = record.person
        else:
            lacking = {name: value for name, value in rows[lead - 1].items() if value is None}
            rows[lead - 1].update({name: row[name] for name in lacking})
            known = ground.persons[lead]
            ground.persons[lead] = known._replace(person=Person.of(lead, rows[lead - 1]))
    return measured


def _answer(arrival: Arrival, lead: int, ground: Ground) -> None:
    """A person says that the arrival is about ``lead``, which may be its own."""
    for claim in arrival.claims:
        ground.owners.setdefault(claim, lead)
    ground.persons.setdefault(lead, Known(arrival.person))
    because = () if lead == arrival.person.lead_id else (BY_A_PERSON,)
    ground.add_keys(lead, choose_kept_keys(arrival, Resolution(lead, because), ground.owners))


def clean_records(records: Sequence[Record], playbook: Playbook) -> list[dict[str, Any]]:
    """The records as validation leaves them."""
    frame = pd.DataFrame([asdict(record) for record in records], dtype=object)
    frame = frame.where(frame != "", None).rename(columns={"crm_id": "external_id"})
    frame = frame.assign(source=SOURCE, captured_at=NOW, attributes=None)
    clean = normalise(frame, playbook, NOW)
    return cast(list[dict[str, Any]], clean.where(clean.notna(), None).to_dict("records"))


def build_arrivals(rows: Sequence[dict[str, Any]], rules: Matching) -> list[Arrival]:
    secret = b"a key that matters to nobody here."
    arrivals = []
    for number, row in enumerate(rows, start=1):
        person = Person.of(number, row)
        claims = build_claims(row, person, {SOURCE: "crm"}, rules)
        arrivals.append(Arrival(number, person, person.keys(secret), claims, secret=secret))
    return arrivals


def build_columns(clean: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The cleaned records as Splink gets them: names without accents, companies without legal forms."""
    rows = []
    for number, row in enumerate(clean):
        person = Person.of(number, row)
        rows.append(
            {
                "number": number,
                "email": person.email,
                "local": person.email.partition("@")[0] if person.email else None,
                "first_name": latinise(row["first_name"]) if row["first_name"] else None,
                "last_name": latinise(row["last_name"]) if row["last_name"] else None,
                "phone": person.phone,
                "company": person.company or None,
                "domain": person.domain,
            }
        )
    frame = pd.DataFrame(rows)
    return frame.astype({name: "string" for name in frame.columns if name != "number"})


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
