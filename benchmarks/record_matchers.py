"""What a matcher makes of labelled records in the order in which they arrive, and two matchers to compare with.

Belongs here: counting, exact e-mail addresses, and Splink on the same columns. Does not belong here: Leadgate's own
matching (``benchmarks.matching``), or the records (``benchmarks.made_up``).

A record joins an earlier one, is asked about, or is new. A question is answered by the label.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pandas as pd

from benchmarks.made_up import Record

#: Records that a person is shown, as in Leadgate.
_SHOWN: Final = 5
#: The precision that is asked of what joins by itself.
AIM: Final = 0.999


@dataclass
class Measured:
    """Rows by what became of them; ``expected`` counts those whose person had come before."""

    records: int = 0
    expected: int = 0
    right: Counter[str] = field(default_factory=Counter)  # by "certain" and "likely"
    wrong: Counter[str] = field(default_factory=Counter)
    by_kind: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def count(self, record: Record, part: str, *, right: bool) -> None:
        (self.right if right else self.wrong)[part] += 1
        self.by_kind[record.kind][part if right else f"{part}, wrong"] += 1

    def figures(self, *parts: str) -> dict[str, float]:
        right = sum(self.right[part] for part in parts)
        wrong = sum(self.wrong[part] for part in parts)
        precision = right / (right + wrong) if right + wrong else 1.0
        recall = right / self.expected if self.expected else 1.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return {"right": right, "wrong": wrong, "precision": precision, "recall": recall, "f1": f1}

    @property
    def questions(self) -> float:
        """Per 1,000 records."""
        return 1000 * (self.right["likely"] + self.wrong["likely"]) / max(self.records, 1)


class Link(NamedTuple):
    """An earlier record that may be about the same person, with how probable that is."""

    earlier: int
    probability: float


def measure_links(
    records: Sequence[Record], links: Mapping[int, Sequence[Link]], *, certain: float, likely: float
) -> Measured:
    """What becomes of each record when links of at least these probabilities join it, or are asked about."""
    measured = Measured(len(records))
    leads: dict[int, int] = {}  # record -> the first record of its lead
    seen: set[str] = set()
    for number, record in enumerate(records):
        measured.expected += record.person in seen
        seen.add(record.person)
        found: dict[int, float] = {}
        for earlier, probability in links.get(number, ()):
            if probability >= likely:
                found[leads[earlier]] = max(found.get(leads[earlier], 0.0), probability)
        order = sorted(found, key=lambda lead: (-found[lead], lead))[:_SHOWN]
        leads[number] = number
        if order and found[order[0]] >= certain:
            measured.count(record, "certain", right=records[order[0]].person == record.person)
            leads[number] = order[0]
        elif order:
            right = next((lead for lead in order if records[lead].person == record.person), None)
            measured.count(record, "likely", right=right is not None)
            leads[number] = number if right is None else right
        else:
            measured.by_kind[record.kind]["new"] += 1
    return measured


def match_by_email(records: Sequence[Record], clean: Sequence[Mapping[str, Any]]) -> Measured:
    """The same canonical e-mail address joins, nothing else does."""
    first: dict[str, int] = {}
    links: dict[int, list[Link]] = {}
    for number, row in enumerate(clean):
        if email := row["email_canonical"]:
            links[number] = [Link(first[email], 1.0)] if email in first else []
            first.setdefault(email, number)
    return measure_links(records, links, certain=1.0, likely=1.0)


def match_by_splink(records: Sequence[Record], columns: pd.DataFrame) -> tuple[Measured, dict[str, float]]:
    """Splink, trained on these records without their labels, with the thresholds that suit it best.

    ``columns`` has ``email``, ``local``, ``first_name``, ``last_name``, ``phone``, ``company`` and ``domain``, as
    Leadgate compares them. The thresholds are chosen with the labels, in Splink's favour: for what joins, the lowest
    that reaches ``AIM``; for what is asked, the one with the best F1.
    """
    links = _predict(columns)
    tried = sorted({1 - 10**-power for power in (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9)} | {0.3, 0.5, 0.8})
    certain = _choose(tried, lambda least: measure_links(records, links, certain=least, likely=least))
    likely = max(
        (each for each in tried if each <= certain),
        key=lambda least: measure_links(records, links, certain=certain, likely=least).figures("certain", "likely")[
            "f1"
        ],
        default=certain,
    )
    found = measure_links(records, links, certain=certain, likely=likely)
    return found, {"certain_from": certain, "likely_from": likely}


def _choose(tried: Sequence[float], measure: Callable[[float], Measured]) -> float:
    for least in tried:
        if measure(least).figures("certain")["precision"] >= AIM:
            return least
    return 2.0  # nothing joins by itself


def _predict(columns: pd.DataFrame) -> dict[int, list[Link]]:
    import splink.comparison_library as compared
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    rules = [
        block_on("email"), block_on("local"), block_on("phone"), block_on("first_name", "last_name"),
        block_on("last_name", "company"), block_on("first_name", "company"), block_on("last_name", "domain"),
        block_on("first_name", "domain"), block_on("substr(first_name, 1, 1)", "substr(last_name, 1, 1)", "company"),
        block_on("last_name", "substr(company, 1, 4)"),
    ]  # fmt: skip
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="number",
        comparisons=[
            compared.EmailComparison("email"),
            compared.ForenameSurnameComparison("first_name", "last_name"),
            compared.ExactMatch("phone"),
            compared.JaroWinklerAtThresholds("company", [0.92, 0.8]),
        ],
        blocking_rules_to_generate_predictions=rules,
    )
    api = DuckDBAPI()
    linker = Linker(api.register(columns, table_name="records"), settings, log_level=logging.ERROR)
    linker.training.estimate_probability_two_random_records_match([block_on("email"), block_on("phone")], recall=0.6)
    linker.training.estimate_u_using_random_sampling(max_pairs=2_000_000, seed=1)
    for rule in (block_on("first_name", "last_name"), block_on("phone"), block_on("email")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=0.2).as_pandas_dataframe()
    links: dict[int, list[Link]] = defaultdict(list)
    for one, other, probability in zip(pairs["number_l"], pairs["number_r"], pairs["match_probability"], strict=True):
        links[max(one, other)].append(Link(min(one, other), probability))
    return links
