"""The leads that benchmarks are measured with: a benchmark of leads that are held measures the queue, not the stages."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import phonenumbers
import pytest

from benchmarks import sample
from leadgate.mapping.normalise import PROBLEMS, normalise
from tasks import capture


@pytest.fixture(scope="module")
def people() -> list[dict[str, str]]:
    return list(sample.people(5_000, seed=3))


def test_every_number_of_the_sample_is_valid_and_a_person_has_one_alone(people: list[dict[str, str]]) -> None:
    numbers: dict[str, set[str]] = {}
    for person in people:
        if (text := person["Phone Number"]) in ("", "call me"):
            continue
        assert phonenumbers.is_valid_number(phonenumbers.parse(text)), text
        numbers.setdefault(text, set()).add(person["Last Name"])
    assert len(numbers) > 4_000
    assert all(len(names) == 1 for names in numbers.values())


def test_a_tenth_of_the_sample_at_most_has_anything_that_validation_holds(people: list[dict[str, str]]) -> None:
    playbook = sample.playbook().playbook
    received = pd.DataFrame(
        {"source": "website", "payload": [capture.encode(person).decode() for person in people], "unreadable": None}
    )
    frame = pd.concat([received, capture.map_payloads(received, playbook)], axis=1)
    frame = normalise(frame, playbook, datetime(2026, 3, 4, tzinfo=UTC))
    unreachable = frame["email"].isna() & frame["phone"].isna()
    held = frame[[*PROBLEMS]].notna().any(axis=1) | unreachable
    assert 0.02 < held.mean() < 0.1
