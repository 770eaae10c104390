"""A draft decides beside the playbook in use: on live leads, each once, and without any effect."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import event, text

from leadgate import playbook as playbooks
from leadgate.ledger import reruns, shadows
from leadgate.ledger.actions import ActionError
from leadgate.playbook import LoadedPlaybook, PlaybookError
from leadgate.replay.comparison import End, Kind
from leadgate.vocabulary import BatchKind
from tasks import playbook_in_use, shadow
from tasks.shadow import ShadowFindings, find_shadow, run_shadow, start_kept, start_shadow, stop_shadow

Cli = Callable[..., Any]
PATH = Path("tests.yaml")


def parse(changed: str) -> LoadedPlaybook:
    return playbooks.parse(changed, path=PATH)


STRICT = parse(PLAYBOOK.replace("points: 30", "points: 10"))  # nobody gets an owner any more
EVEN = parse(PLAYBOOK.replace("{rep: bob, weight: 2}", "{rep: bob}"))


def start(harness: Harness, draft: LoadedPlaybook = STRICT) -> int:
    return start_shadow(harness.ledger, draft, "fewer leads", by=make_actor("ops"), now=NOW)


def decide(harness: Harness, **more: Any) -> shadow.Progress:
    return run_shadow(harness.ledger, PATH, limited=False, **more)


def find(harness: Harness) -> ShadowFindings:
    found = find_shadow(harness.ledger)
    assert found is not None
    return found


def capture_and_run(harness: Harness, *numbers: int, hour: int = 0, **values: str) -> None:
    at = NOW + timedelta(hours=hour)
    harness.capture(*(make_lead(number, **values) for number in numbers), now=at)
    harness.run(at)


def record_statements(harness: Harness, number: int, hour: int) -> list[str]:
    """What live leads ask the ledger."""
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        if not statement.startswith("UPDATE batch SET lease_until"):  # a thread renews leases when it is time
            said.append(statement)

    event.listen(harness.ledger.engine, "before_cursor_execute", note)
    at = NOW + timedelta(hours=hour)
    try:
        harness.capture(make_lead(number), now=at)
        harness.run(at, kinds=(BatchKind.INTAKE,))
    finally:
        event.remove(harness.ledger.engine, "before_cursor_execute", note)
    return said


def read_everything(harness: Harness) -> dict[str, list[tuple[Any, ...]]]:
    tables = [name for (name,) in harness.rows("SELECT relname FROM pg_stat_user_tables ORDER BY 1")]
    return {table: harness.rows(f"SELECT md5(t::text) FROM {table} t ORDER BY 1") for table in tables}


def test_what_the_draft_decides_otherwise_is_counted_and_told(harness: Harness) -> None:
    harness.begin(make_lead(1))
    start(harness)
    capture_and_run(harness, 2, 3, 4, hour=1)
    assert decide(harness).decisions == 12
    found = find(harness)
    assert (found.journeys, found.kinds) == (3, {Kind.DROPPED: 3})  # what was decided before it does not count
    assert (found.totals.different, found.differences) == (0, [])
    assert {(each.before.end, each.after.end) for each in found.told} == {(End.OWNED, End.NURTURE)}
    assert all(each.before.owner for each in found.told)
    assert found.waiting == 0


def test_live_leads_ask_and_get_the_same_with_and_without_a_shadow(harness: Harness) -> None:
    harness.begin(make_lead(1))
    capture_and_run(harness, 2, hour=1)
    without = record_statements(harness, 3, hour=2)
    start(harness, EVEN)
    assert record_statements(harness, 4, hour=3) == without
    decide(harness)
    assert record_statements(harness, 5, hour=4) == without
    owners = [owner for (owner,) in harness.rows("SELECT owner FROM assignment ORDER BY id")]
    assert sorted(owners[:4]) == ["ana", "bob", "bob", "cyn"]  # the weights in use, and not the draft's


def test_a_pass_writes_nothing_but_what_it_found(harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2, Phone="+49 1"))
    start(harness)
    capture_and_run(harness, 3, 4, hour=1)
    before = read_everything(harness)
    decide(harness)
    after = read_everything(harness)
    assert {name for name in after if after[name] != before[name]} == {"shadow", "shadow_pass", "shadow_journey"}
    assert harness.find_broken() == []


def test_a_batch_that_took_long_is_decided_later_and_none_twice(harness: Harness) -> None:
    start(harness)
    for hour in range(1, 4):
        capture_and_run(harness, hour, hour=hour)
    slow = harness.one(
        "SELECT min(id) FROM batch WHERE EXISTS (SELECT FROM decision_input i WHERE i.batch_id = batch.id)"
    )
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE batch SET closed_at = NULL WHERE id = :id"), {"id": slow})
        connection.execute(
            text("UPDATE batch SET opened_at = opened_at - interval '1 day' WHERE id = :id"), {"id": slow}
        )
    assert decide(harness).decisions == 8
    assert decide(harness).decisions == 0
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow_pass SET at = at - interval '2 hours'"))
        connection.execute(text("UPDATE batch SET closed_at = opened_at WHERE id = :id"), {"id": slow})
    assert decide(harness).decisions == 4
    assert decide(harness).passes == 0
    handled = [batch for (batches,) in harness.rows("SELECT batches FROM shadow_pass") for batch in batches]
    assert len(handled) == len(set(handled)) == 3
    assert find(harness).journeys == 3


def test_the_position_stays_below_batches_that_may_still_appear(harness: Harness) -> None:
    start(harness)
    capture_and_run(harness, 1, hour=1)
    decide(harness)
    before = harness.one("SELECT position FROM shadow")
    with harness.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE shadow_pass DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE shadow_pass SET at = at - interval '2 hours'"))
    capture_and_run(harness, 2, hour=2)
    decide(harness)
    position = harness.one("SELECT position FROM shadow")
    first, second = (last for (last,) in harness.rows("SELECT last_batch FROM shadow_pass ORDER BY id"))
    assert before < first <= position < second
    assert decide(harness).passes == 0


def test_a_pass_that_is_killed_is_done_again_once(harness: Harness) -> None:
    start(harness)
    capture_and_run(harness, 1, 2, hour=1)
    for place in ("shadow.decided", "shadow.pass.after"):
        child = os.fork()
        if child == 0:
            os.environ["LEADGATE_FAILPOINT"] = place
            harness.ledger.engine.dispose(close=False)
            decide(harness)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
        assert harness.one("SELECT count(*) FROM shadow_pass") == 0
    assert decide(harness).decisions == 8
    assert harness.one("SELECT count(*) FROM shadow_pass") == 1
    assert harness.find_broken() == []


def test_a_draft_that_is_not_sound_any_more_rests_and_no_lead_waits(harness: Harness, cli: Cli) -> None:
    start(harness)
    capture_and_run(harness, 1, hour=1)
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow SET content = replace(content, 'pool everybody', 'pool nobody')"))
    with pytest.raises(PlaybookError):
        decide(harness)
    found = find(harness)
    assert "nobody" in str(found.shadow.problem)
    assert (found.shadow.passes, found.waiting) == (0, 1)
    assert "nobody" in join_lines(cli("status", code=0))
    assert "nobody" in join_lines(cli("shadow", "show"))
    assert harness.one("SELECT status FROM journey") == "owned"
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow SET content = replace(content, 'pool nobody', 'pool everybody')"))
    assert decide(harness).decisions == 4
    assert find(harness).shadow.problem is None


def test_what_was_found_long_ago_is_deleted_and_counted(harness: Harness) -> None:
    start(harness)
    for hour in (1, 2, 3):
        capture_and_run(harness, hour, hour=hour)
    decide(harness)
    before = NOW + timedelta(hours=2, minutes=30)
    assert shadows.forget_journeys(harness.ledger, before, 1) == 1
    assert shadows.forget_journeys(harness.ledger, before, 10) == 1
    found = find(harness)
    assert (found.journeys, found.shadow.forgotten, found.totals.decisions) == (1, 2, 12)
    assert harness.find_broken() == []


def test_a_shadow_keeps_no_value_of_a_lead(harness: Harness) -> None:
    start(harness)
    said = {"Last name": "Zyxwmark", "Company": "Zyxwmark GmbH", "Title": "Zyxwmark", "Phone": "zyxwmark"}
    capture_and_run(harness, 1, hour=1, **said)
    decide(harness)
    for table in ("shadow", "shadow_pass", "shadow_journey"):
        assert harness.rows(f"SELECT 1 FROM {table}"), table
        assert not harness.rows(f"SELECT 1 FROM {table} t WHERE t::text ILIKE '%zyxwmark%'"), table
        assert not harness.rows(f"SELECT 1 FROM {table} t WHERE t::text ILIKE '%company1%'"), table


def test_a_playbook_that_was_in_use_can_be_the_draft(harness: Harness) -> None:
    harness.begin(make_lead(1))
    for draft in (STRICT, harness.loaded):
        playbook_in_use.activate(harness.ledger, draft, "agreed", by=make_actor("ops"), now=NOW)
    with pytest.raises(ActionError, match="in use"):
        start_kept(harness.ledger, harness.loaded.hash, "why", by=make_actor("ops"), now=NOW, read_as=PATH)
    start_kept(harness.ledger, STRICT.hash[:12], "was it better?", by=make_actor("ops"), now=NOW, read_as=PATH)
    assert find(harness).shadow.playbook_hash == STRICT.hash
    stop_shadow(harness.ledger, "seen enough", by=make_actor("olga"), now=NOW)
    found = find(harness).shadow
    assert (found.stopped_by, found.stop_reason) == ("olga", "seen enough")


def test_of_two_passes_at_once_one_counts(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    start(harness)
    capture_and_run(harness, 1, hour=1)
    with monkeypatch.context() as patched:
        patched.setattr(shadow, "failpoint", lambda _: (patched.undo(), decide(harness)))
        assert decide(harness).decisions == 0
    assert harness.one("SELECT count(*) FROM shadow_pass") == 1


def test_portions_are_passes_of_their_own(harness: Harness) -> None:
    start(harness)
    for hour in range(1, 4):
        capture_and_run(harness, hour, hour=hour)
    assert decide(harness, portion=8).passes == 2
    assert find(harness).journeys == 3
    assert harness.find_broken() == []


def test_the_schedule_rests_when_the_hour_has_cost_its_share(harness: Harness) -> None:
    start(harness)
    capture_and_run(harness, 1, hour=1)
    assert run_shadow(harness.ledger, PATH, limited=True).passes == 1
    with harness.ledger.transaction() as connection:
        connection.execute(text("ALTER TABLE shadow_pass DISABLE TRIGGER USER"))
        connection.execute(text("UPDATE shadow_pass SET seconds = 361"))
    capture_and_run(harness, 2, hour=2)
    rests = run_shadow(harness.ledger, PATH, limited=True)
    assert (rests.passes, rests.waiting) == (0, 1)
    with harness.ledger.transaction() as connection:
        connection.execute(text("UPDATE shadow_pass SET at = at - interval '61 minutes'"))
    assert run_shadow(harness.ledger, PATH, limited=True).passes == 1


def test_a_lead_of_an_earlier_pass_goes_on_with_what_the_draft_made_of_it(harness: Harness) -> None:
    """It waits for a person at qualification; under the draft it would never have come there."""
    harness.loaded = parse(PLAYBOOK.replace("points: 30", "points: 25"))  # within the review band
    harness.begin(make_lead(1))
    start(harness, parse(PLAYBOOK.replace("points: 30", "points: 5")))
    capture_and_run(harness, 2, hour=1)
    decide(harness)
    assert find(harness).kinds == {Kind.OTHER_END: 1}
    items = [item for (item,) in harness.rows("SELECT id FROM work_item WHERE journey_id = 2")]
    reruns.mark_done_by_hand(harness.ledger, items, by=make_actor("ops"), now=NOW, evidence="a good one")
    harness.run(NOW + timedelta(hours=2))
    decide(harness)
    found = find(harness)
    assert (found.journeys, found.totals.different) == (1, 0)
    (told,) = found.told
    assert (told.kind, told.before.end, told.after.end) == (Kind.DROPPED, End.OWNED, End.NURTURE)


def test_turns_of_a_pool_that_only_the_draft_has_run_on_from_pass_to_pass(harness: Harness) -> None:
    draft = PLAYBOOK.replace("name: everybody", "name: another").replace("pool everybody", "pool another")
    start(harness, parse(draft))
    for hour in range(1, 5):
        capture_and_run(harness, hour, hour=hour)
        decide(harness)
    owners = [after["owner"] for (after,) in harness.rows("SELECT after FROM shadow_journey ORDER BY journey_id")]
    assert {owner: owners.count(owner) for owner in owners} == {"bob": 2, "ana": 1, "cyn": 1}


def test_one_shadow_at_a_time_and_only_a_sound_draft_that_is_not_in_use(harness: Harness) -> None:
    harness.begin(make_lead(1))
    with pytest.raises(PlaybookError):
        start(harness, parse(PLAYBOOK.replace("pool everybody", "pool nobody")))
    with pytest.raises(ActionError, match="in use"):
        start(harness, harness.loaded)
    start(harness)
    with pytest.raises(ActionError, match="runs already"):
        start(harness, EVEN)
    stop_shadow(harness.ledger, by=make_actor("ops"), now=NOW)
    start(harness, EVEN)


def test_a_shadow_ends_when_its_draft_is_activated_and_goes_on_when_another_is(harness: Harness) -> None:
    harness.begin(make_lead(1))
    start(harness)
    for draft, runs in ((EVEN, True), (STRICT, False)):
        playbook_in_use.activate(harness.ledger, draft, "agreed", by=make_actor("ops"), now=NOW)
        with harness.ledger.transaction() as connection:
            assert (shadows.find_running(connection) is not None) is runs
    assert find(harness).shadow.stopped_by == "ops"


def test_a_draft_is_no_playbook_that_was_in_use(harness: Harness) -> None:
    harness.begin(make_lead(1))
    start(harness)
    assert harness.one("SELECT count(*) FROM playbook_version") == 1
    assert playbook_in_use.settle(harness.ledger, STRICT).hash == STRICT.hash  # its file is new all the same


def test_the_commands(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    harness.begin(make_lead(1))
    assert read_json(cli("shadow", "show", "--json")) == {"shadow": None}
    cli("shadow", "stop", code=2)
    draft = tmp_path / "draft.yaml"
    draft.write_text(STRICT.text, encoding="utf-8")
    assert read_json(cli("shadow", "start", draft, "--reason", "fewer leads", "--json"))["playbook"] == STRICT.hash
    assert "decides beside" in join_lines(cli("status", code=0))
    capture_and_run(harness, 2, 3, hour=1)
    assert read_json(cli("shadow", "run", "--json"))["decisions"] == 8
    words = join_lines(cli("shadow", "show"))
    assert "2 of 2 journeys differ" in words
    assert "all came out the same" in words
    assert "J2: was" in words
    found = read_json(cli("shadow", "show", "--json"))
    assert (found["kinds"], found["shadow"]["reason"]) == ({"dropped": 2}, "fewer leads")
    assert "has ended" in join_lines(cli("shadow", "stop"))
    assert read_json(cli("shadow", "run", "--json"))["is_running"] is False
