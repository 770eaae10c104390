"""Three scores side by side on public leads with their outcome: rules by hand, drafted rules, and a learned score.

``python -m benchmarks.xeducation FOLDER``: the folder has ``leads.csv``, 6,448 leads of an online school that became
customers or not. The file has no dates; its lead numbers are taken to rise with time. The earliest 60 % teach (the
draft, and the weights of the learned score), the next 20 % teach what chance points or log-odds stand for, and the
latest 20 % judge all scores, and teach nothing. Everything goes through what production runs: the file is captured and
its leads are scored, the outcomes are recorded, and the rules are drafted and the score is learned as the commands do.

Some columns were filled in after contact, and so tell the outcome. Their draft and their learned score are shown apart,
with how much better they seem. Exits 1 when one of these columns is not suspected, or a check fails.

Belongs here: what the file's columns mean, the rules by hand, and the tables. Does not belong here: the measures
(``leadgate.learning.quality``), or runs (``benchmarks.record_days``).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.maven import Table, read_table
from benchmarks.record_checks import Check, list_faults, print_checks
from benchmarks.record_days import Days
from expectations import gate
from leadgate import playbook as playbooks
from leadgate.connectors.files import Row, read
from leadgate.learning.discrimination import Flags, Floats, fit_curve
from leadgate.learning.indicators import build_matrix
from leadgate.learning.quality import Measure, Quality, compare_all
from leadgate.learning.scorer import load
from leadgate.learning.training import Sample
from leadgate.ledger import Ledger, open_ledger
from leadgate.ledger.score_samples import read_samples
from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.yaml_text import read as read_yaml
from leadgate.settings import Settings
from tasks.capture import chunk_rows
from tasks.export_reading import Asked
from tasks.measuring import score_decided
from tasks.outcome_rows import Judged, Meaning, OutcomeReader
from tasks.score_training import TrainedModel, list_winning_outcomes, read_values_then, train_score
from tasks.suggesting import Suggestion, suggest

SOURCE: Final = "school"
NOW: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
#: When the first outcome is told; the next one a minute later. They are before the capture, as those of imports are.
FIRST_OUTCOME: Final = datetime(2026, 1, 1, tzinfo=UTC)
TEACHES, CALIBRATES = 0.6, 0.2

#: Columns that are known when a lead comes, by the names of their fields.
KNOWN: Final = {
    "lead_origin": "Lead Origin", "lead_source": "Lead Source", "do_not_email": "Do Not Email",
    "do_not_call": "Do Not Call", "visits": "TotalVisits", "seconds": "Total Time Spent on Website",
    "pages": "Page Views Per Visit", "said_country": "Country", "said_city": "City", "subject": "Specialization",
    "heard_of_us": "How did you hear about X Education", "occupation": "What is your current occupation",
    "wish": "What matters most to you in choosing a course", "by_search": "Search",
    "free_copy": "A free copy of Mastering The Interview", "recommended": "Through Recommendations",
    "advertisement": "Digital Advertisement",
}  # fmt: skip
#: Columns that were filled in after contact, as the data's description says.
CHEATING: Final = {
    "tags": "Tags", "lead_quality": "Lead Quality", "lead_profile": "Lead Profile",
    "activity_index": "Asymmetrique Activity Index", "profile_index": "Asymmetrique Profile Index",
    "activity_points": "Asymmetrique Activity Score", "profile_points": "Asymmetrique Profile Score",
    "notable_activity": "Last Notable Activity",
}  # fmt: skip
NUMBERS: Final = frozenset({"visits", "seconds", "pages", "activity_points", "profile_points"})
#: What somebody would write who knows the school and has counted nothing: condition and points.
BY_HAND: Final = {
    "add_form": ("lower(lead_origin) = 'lead add form'", 25),
    "working": ("lower(occupation) = 'working professional'", 25),
    "long_visit": ("seconds >= 900", 20),
    "referred": ("lower(lead_source) = 'reference'", 20),
    "says_occupation": ("occupation is not null", 10),
    "says_subject": ("subject is not null and lower(subject) <> 'select'", 10),
    "many_visits": ("visits >= 5", 10),
    "many_pages": ("pages >= 4", 10),
    "some_visit": ("seconds >= 120", 5),
    "chatted": ("lower(lead_source) = 'olark chat'", 5),
    "no_email": ("lower(do_not_email) = 'yes'", -20),
}
HAND, DRAFT, LEARNED, WITH_FIELDS = "rules by hand", "draft", "learned from hits", "learned, with fields"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    gate.preload()
    leads = sorted(read_table(arguments.folder / "leads.csv"), key=lambda lead: int(lead["Lead Number"]))
    with tempfile.TemporaryDirectory() as folder, open_ledger(Settings(home=Path(folder) / "home")) as ledger:
        by_hand = write_playbook(Path(folder) / "hand.yaml")
        draft = draft_rules(leads, by_hand, Path(folder), ())
        cheating_draft = draft_rules(leads, by_hand, Path(folder), CHEATING.values())
        days = Days(ledger, by_hand)
        days.tell(SOURCE, ({"Email": f"{lead['Prospect ID']}@lead.example"} | lead for lead in leads), NOW)
        days.work(NOW)
        record_outcomes(ledger, by_hand, leads)
        scores = Scores(ledger, Path(folder))
        chances = {
            HAND: scores.calibrate(by_hand),
            DRAFT: scores.calibrate(write_playbook(Path(folder) / "draft.yaml", draft)),
            LEARNED: scores.learn(()),
            WITH_FIELDS: scores.learn(KNOWN),
        }
        cheats = {
            "draft, cheating": scores.calibrate(write_playbook(Path(folder) / "cheats.yaml", cheating_draft)),
            "learned, cheating": scores.learn({**KNOWN, **CHEATING}),
        }
        checks = [
            Check("nothing failed of itself", days.rows, tuple(list_faults(days))),
            Check("invariants of the ledger hold", 1, tuple(f"{f.name}: {f.broken}" for f in days.find_broken())),
            Check("every lead has its outcome", len(leads), scores.list_differences(leads)),
            *print_suspicions(draft),
        ]
    print_scores(scores, draft, chances)
    print_cheats(scores.won[scores.judges], {name: chances[name] for name in (DRAFT, WITH_FIELDS)} | cheats)
    print(f"\n{days.rows:,} leads, {days.batches:,} batches, {days.seconds:.1f} s in the stages")
    print_checks(checks)
    sys.exit(1 if any(one.broken for one in checks) else 0)


def write_playbook(path: Path, draft: Suggestion | None = None, learned: Sequence[str] | None = None) -> LoadedPlaybook:
    """The playbook with every column as a field, and the rules by hand, else those of ``draft``."""
    rules = [{"name": name, "when": when, "points": points} for name, (when, points) in BY_HAND.items()]
    if draft is not None and draft.text is not None:
        rules = read_yaml(draft.text, "draft").data["scoring"]["fit"]
    document: dict[str, Any] = {
        "version": 1,
        "name": "Leads of a school",
        "sources": {SOURCE: {"mapping": {"Prospect ID": "external_id", "Email": "email"}, "key": "Prospect ID"}},
        "fields": {
            name: {"type": "number" if name in NUMBERS else "text", "headers": [header]}
            for name, header in {**KNOWN, **CHEATING}.items()
        },
        "scoring": {"fit": rules},
        "qualification": {"marketing_qualified": 40, "sales_qualified": 60},
        "reps": [{"name": "rita", "email": "rita@school.example"}],
        "slas": [{"name": "standard", "first_touch": "5d", "clock": "wall"}],
        "pools": [{"name": "advisers", "sla": "standard", "members": [{"rep": "rita"}]}],
        "routing": [{"name": "all", "to": "pool advisers"}],
        "breaker": {"share": 1.0, "window": 1000, "at_least": 1000},
    }
    if learned is not None:
        document["learned"] = {"fields": list(learned)}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return playbooks.parse(path.read_text(encoding="utf-8"), path=path)


def draft_rules(leads: Table, loaded: LoadedPlaybook, folder: Path, including: Any) -> Suggestion:
    """What ``leadgate playbook suggest`` drafts from the leads that teach, and no others."""
    path = folder / "teaches.csv"
    headers = ["Prospect ID", "Converted", *KNOWN.values(), *CHEATING.values()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, headers, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(leads[: round(len(leads) * TEACHES)])
    with read(path) as table:
        return suggest(table, loaded.playbook, Asked("Converted"), NOW, including)


def record_outcomes(ledger: Ledger, loaded: LoadedPlaybook, leads: Table) -> None:
    """What a file says became of the leads, one minute after the other in the order of their numbers."""
    reader = OutcomeReader(loaded.playbook, Meaning(SOURCE, history=True), NOW)
    rows = (
        Row(
            line,
            {
                "Prospect ID": lead["Prospect ID"],
                "Outcome": "won" if lead["Converted"] == "1" else "lost",
                "When": (FIRST_OUTCOME + timedelta(minutes=line)).isoformat(),
            },
        )
        for line, lead in enumerate(leads)
    )
    result = Judged()
    for page in chunk_rows(rows):
        reader.judge(ledger, page, result, by="bench", how="record")
    if result.problems:
        raise SystemExit(f"outcomes that cannot be used: {dict(list(result.problems.items())[:5])}")


class Scores:
    """The leads of the ledger in the order of time, and the chances that scores give those that judge."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self._ledger, self._folder = ledger, folder
        self.learned: dict[str, TrainedModel] = {}
        self.leads = [each.lead_id for each in self._read(())]
        self.won: Flags = np.array([each.won for each in self._read(())], dtype=bool)
        ends = [round(len(self.leads) * share) for share in (TEACHES, TEACHES + CALIBRATES)]
        self.calibrates, self.judges = slice(ends[0], ends[1]), slice(ends[1], len(self.leads))

    def _read(self, fields: Sequence[str]) -> list[Sample]:
        loaded = write_playbook(self._folder / "learned.yaml", learned=fields)
        learned = loaded.playbook.learned
        assert learned is not None  # noqa: S101 - it was just written
        with self._ledger.snapshot() as connection:
            samples = read_samples(
                connection, label=learned.label, outcomes=list_winning_outcomes(loaded.playbook),
                horizon=learned.horizon, history=True, now=NOW + learned.horizon,
                values=read_values_then(connection, fields) if fields else None,
            )  # fmt: skip
        return sorted(samples, key=lambda each: (each.decided_at, each.lead_id))

    def calibrate(self, loaded: LoadedPlaybook) -> Floats:
        """The chances that the points of a playbook stand for: a curve that the leads between teach."""
        scored = score_decided(self._ledger, loaded.playbook, NOW)
        of_lead = dict(zip(scored.leads, scored.scores.tolist(), strict=True))
        points = np.array([of_lead[lead] for lead in self.leads])
        curve = fit_curve(points[self.calibrates], self.won[self.calibrates])
        assert curve is not None  # noqa: S101 - some of them were won, and some were not
        return curve.compute_chances(points[self.judges])

    def learn(self, fields: Mapping[str, str] | Sequence[str]) -> Floats:
        """The chances by the score that ``leadgate score train --history`` learns."""
        names = tuple(fields)
        loaded = write_playbook(self._folder / "learned.yaml", learned=names)
        trained = train_score(self._ledger, loaded, by="bench", now=NOW + timedelta(days=60), history=True)
        self.learned[f"{len(names)} fields" if names else "rule hits alone"] = trained
        score = load(trained.model.parameters)
        decisions = [each.decision for each in self._read(names)[self.judges]]
        return score.compute_chances(build_matrix(decisions, score.indicators))

    def list_differences(self, leads: Table) -> tuple[str, ...]:
        """Where the ledger has other outcomes than the file, or judges by other leads than ``score train`` does."""
        told = [lead["Converted"] == "1" for lead in leads]
        wrong = [] if self.won.tolist() == told else [f"{int(self.won.sum())} won of {len(self.won)}"]
        judges = len(self.leads[self.judges])
        wrong += [
            f"score {each.model.id} was judged by {each.model.periods['judged']['leads']} leads, not {judges}"
            for each in self.learned.values()
            if each.model.periods["judged"]["leads"] != judges
        ]
        return tuple(wrong)


def print_suspicions(draft: Suggestion) -> Iterator[Check]:
    """What ``suggest`` says of the columns that were filled in after contact."""
    columns = {each.header: each for each in draft.columns}
    print("Filled in after contact, and what `suggest` says of it")
    for header in CHEATING.values():
        print(f"  {header:<30}{'; '.join(each.sign for each in columns[header].suspicions) or 'NOTHING'}")
    missed = tuple(header for header in CHEATING.values() if columns[header].left_out is None)
    yield Check("every column that cheats is suspected, and left out", len(CHEATING), missed)
    other = [header for header in KNOWN.values() if columns[header].suspicions]
    print(f"  suspected beside them: {', '.join(other) or 'none'}\n")


def print_scores(scores: Scores, draft: Suggestion, chances: Mapping[str, Floats]) -> None:
    won = scores.won[scores.judges]
    print(f"{len(scores.leads):,} leads; the latest {len(won):,} judge, {int(won.sum()):,} of them won")
    print(f"{len(BY_HAND)} rules by hand; {len(draft.rules)} drafted")
    for name, trained in scores.learned.items():
        low, gain, high = trained.model.quality["boosting_gain"]
        print(
            f"learned from {name}: {trained.model.parameters['kind']}; the AUC of boosting is higher by {gain:+.3f} "
            f"({low:+.3f} to {high:+.3f})"
        )
    compared = compare_all(chances, won)
    _print_table(compared.qualities)
    print("\nAUC higher by, with its 95 % interval")
    for first, second in combinations(chances, 2):
        print(f"  {f'{second} than {first}':<48}{_format(compared.auc_gains[second, first], '+.3f')}")


def print_cheats(won: Flags, chances: Mapping[str, Floats]) -> None:
    print("\nWith the columns that were filled in after contact")
    compared = compare_all(chances, won)
    _print_table(compared.qualities)
    honest, cheating = list(chances)[:2], list(chances)[2:]
    for first, second in zip(honest, cheating, strict=True):
        print(f"  AUC of {second} higher than of {first} by {_format(compared.auc_gains[second, first], '+.3f')}")


def _print_table(qualities: Mapping[str, Quality]) -> None:
    print(f"{'measure, with its 95 % interval':<33}" + "".join(f"{name:<26}" for name in qualities))
    for measure in ("auc", "brier", "calibration_error", "top_lift"):
        digits = ".2f" if measure == "top_lift" else ".3f"
        cells = (_format(getattr(each, measure), digits) for each in qualities.values())
        print(f"{measure.replace('_', ' '):<33}" + "".join(f"{cell:<26}" for cell in cells))


def _format(measure: Measure, digits: str) -> str:
    low, high = measure.interval
    return f"{measure.value:{digits}} ({low:{digits}} to {high:{digits}})"


if __name__ == "__main__":
    main()
