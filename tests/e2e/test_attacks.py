"""Every attack of ``make attack``, shorter: its promise holds.

They share one PostgreSQL, which an attack that were alone would start and stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.attacks import Attack, all_attacks
from leadgate.ledger import open_ledger
from leadgate.settings import Settings


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of an installation whose PostgreSQL runs."""
    folder = tmp_path_factory.mktemp("attacked")
    with open_ledger(Settings(home=folder)):
        yield folder


@pytest.mark.parametrize("attack", all_attacks(), ids=lambda attack: attack.name)
def test_what_is_promised_against_an_attack_holds(attack: Attack, attacked: Path) -> None:
    verdict = attack.run(attacked, 1.5)
    assert verdict.held, verdict.details
