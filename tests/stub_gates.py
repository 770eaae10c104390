"""A gate that everybody passes, for tests about what happens between and behind the gates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from expectations.findings import GateResult
from leadgate.playbook import Playbook

Check = Callable[[str, pd.DataFrame, Playbook], GateResult]


def pass_all(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
    """What a gate says of rows that keep every promise. Great Expectations takes seconds to import, this does not."""
    columns = ["journey_id", "promise", "severity", "reason", "broken", "value", "detail"]
    passed = pd.Series(data=True, index=frame.index)
    return GateResult(name, passed, pd.DataFrame(columns=columns), None, [], 0.0)  # type: ignore[arg-type]


def act_at_gate(gate: str, action: Callable[[], Any], check: Check = pass_all) -> Check:
    """A gate that lets ``action`` happen the first time it is asked at ``gate``: after the decision, before the apply."""
    left = [action]

    def ask(name: str, frame: pd.DataFrame, playbook: Playbook) -> GateResult:
        if name == gate and left:
            left.pop()()
        return check(name, frame, playbook)

    return ask
