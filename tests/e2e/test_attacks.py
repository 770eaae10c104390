"""Every attack of ``make attack``, shorter: its promise holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.attacks import Attack, all_attacks


@pytest.mark.parametrize("attack", all_attacks(), ids=lambda attack: attack.name)
def test_what_is_promised_against_an_attack_holds(attack: Attack, tmp_path: Path) -> None:
    verdict = attack.run(tmp_path, 1.5)
    assert verdict.held, verdict.details
