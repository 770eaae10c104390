"""A shadow decides a large batch in parts: the same as whole, and from where it stopped when it is killed."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from tasks import shadow
from tasks.shadow import find_shadow, run_shadow, start_shadow

PATH = Path("tests.yaml")


def parse(changed: str) -> LoadedPlaybook:
    return playbooks.parse(changed, path=PATH)


def decide(harness: Harness, **more: Any) -> shadow.Progress:
    return run_shadow(harness.ledger, PATH, limited=False, **more)


def read_found(harness: Harness) -> list[tuple[Any, ...]]:
    return harness.rows(
        "SELECT journey_id, kind, owned_both, other_owner, uncertain, before, after FROM shadow_journey ORDER BY 1"
    )


@pytest.fixture
def large(harness: Harness) -> Harness:
    """A batch in which each lead has a turn of its pool, one rep has no more room after two, some are held, and some
    have no owner as recorded but get one under the draft. Decided whole, and then begun anew."""
    caps = PLAYBOOK.replace("{name: ana,", "{name: ana, max_per_day: 2,")
    harness.loaded = parse(caps.replace("points: 30", "points: 10"))
    draft = caps.replace("{rep: bob, weight: 2}", "{rep: bob}").replace("points: 30", "points: 35")

    def work() -> None:
        start_shadow(harness.ledger, parse(draft), "fairer turns", by=make_actor("ops"), now=NOW)
        leads = [make_lead(number, **({"Title": "Chief"} if number % 3 else {})) for number in range(1, 12)]
        harness.capture(*(make_lead(number, Title="Chief") for number in (20, 21)))
        harness.run(NOW)
        harness.capture(*leads, make_lead(12, Email="x"), now=NOW + timedelta(hours=1))
        harness.run(NOW + timedelta(hours=1))

    harness.begin_with("a large batch for a shadow", work)
    return harness


def begin_anew(harness: Harness) -> None:
    with harness.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE shadow_pass DISABLE TRIGGER USER"))
        connection.execute(text("DELETE FROM shadow_pass"))
        connection.execute(text("DELETE FROM shadow_journey"))
        connection.execute(text("UPDATE shadow SET passes = 0, position = 0, pools = '{}', part = NULL"))


def test_a_large_batch_is_decided_in_parts_as_it_would_be_whole(large: Harness) -> None:
    assert decide(large).passes == 1
    whole = read_found(large)
    first = find_shadow(large.ledger)
    assert {row[1] for row in whole} >= {"other_owner", "newly_owned"}
    begin_anew(large)
    assert decide(large, portion=12).passes == 5  # the small batch, and parts of three leads
    assert read_found(large) == whole
    found = find_shadow(large.ledger)
    assert first is not None
    assert found is not None
    assert (found.totals.decisions, found.totals.different) == (first.totals.decisions, 0)
    assert found.shadow.part is None
    assert large.find_broken() == []


def test_a_pass_over_a_part_that_is_killed_goes_on_with_that_part(large: Harness) -> None:
    decide(large)
    whole = read_found(large)
    begin_anew(large)
    for done in range(1, 4):
        child = os.fork()
        if child == 0:
            os.environ["LEADGATE_FAILPOINT"] = "shadow.pass.after"
            large.ledger.engine.dispose(close=False)
            decide(large, portion=12)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        assert large.one("SELECT count(*) FROM shadow_pass") == done - 1
        decide_once(large)
        assert large.find_broken() == []
    decide(large, portion=12)
    assert read_found(large) == whole
    assert large.one("SELECT count(*) FROM shadow_pass") == 5


def decide_once(harness: Harness) -> None:
    """One pass over a part, as a schedule whose time is over after it."""
    with pytest.MonkeyPatch.context() as patched:
        ticks = iter((0.0, 0.0))  # a run begins, and begins a portion
        patched.setattr(shadow, "perf_counter", lambda: next(ticks, 1e6))
        run_shadow(harness.ledger, PATH, limited=True, portion=12)
