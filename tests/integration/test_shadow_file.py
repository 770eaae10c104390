"""A draft decides beside the playbook in use from an activation on, or because a setting names its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, shadows
from leadgate.process_user import find_login
from tasks.shadow import stop_shadow
from tasks.shadow_file import follow_shadow_file

Cli = Callable[..., Any]
STRICT = PLAYBOOK.replace("points: 30", "points: 10")
EVEN = PLAYBOOK.replace("{rep: bob, weight: 2}", "{rep: bob}")
UNSOUND = PLAYBOOK.replace("pool everybody", "pool nobody")
PATH = Path("tests.yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "draft.yaml"


def hash_(content: str) -> str:
    return playbooks.parse(content, path=PATH).hash


def follow(ledger: Ledger, file: Path, content: str) -> str | None:
    file.write_text(content, encoding="utf-8")
    return follow_shadow_file(ledger, file, PATH, NOW)


def find_running(harness: Harness) -> str | None:
    with harness.ledger.transaction() as connection:
        running = shadows.find_running(connection)
    return None if running is None else running.playbook_hash


def test_an_activation_starts_a_shadow_in_place_of_another(
    harness: Harness, cli: Cli, file: Path, tmp_path: Path
) -> None:
    harness.begin(make_lead(1))
    other = tmp_path / "other.yaml"
    other.write_text(STRICT, encoding="utf-8")
    file.write_text(EVEN, encoding="utf-8")
    cli("shadow", "start", other, "--reason", "a look")
    assert read_json(cli("playbook", "activate", other, "--shadow", file, "--reason", "agreed", "--json"))["new"]
    assert find_running(harness) == hash_(EVEN)
    assert harness.rows("SELECT playbook_hash, stop_reason, reason FROM shadow ORDER BY id") == [
        (hash_(STRICT), "the draft came into use", "a look"),
        (hash_(EVEN), None, "agreed"),
    ]
    other.write_text(PLAYBOOK, encoding="utf-8")
    assert "decides beside it" in join_lines(
        cli("playbook", "activate", other, "--shadow", file, "--reason", "back again")
    )
    assert harness.one("SELECT count(*) FROM shadow") == 2  # it goes on


@pytest.mark.parametrize("content", [UNSOUND, STRICT], ids=["not sound", "the same"])
def test_nothing_is_activated_where_the_draft_is_refused(
    harness: Harness, cli: Cli, file: Path, tmp_path: Path, content: str
) -> None:
    harness.begin(make_lead(1))
    new = tmp_path / "new.yaml"
    new.write_text(STRICT, encoding="utf-8")
    file.write_text(content, encoding="utf-8")
    cli("playbook", "activate", new, "--shadow", file, "--reason", "agreed", code=2)
    assert harness.one("SELECT count(*) FROM playbook_activation") == 1
    assert find_running(harness) is None


def test_the_file_of_the_setting_is_the_shadow_and_a_new_content_takes_its_place(harness: Harness, file: Path) -> None:
    harness.begin(make_lead(1))
    assert follow(harness.ledger, file, PLAYBOOK) is None  # the one in use
    assert find_running(harness) is None
    for content in (STRICT, EVEN, EVEN):
        assert follow(harness.ledger, file, content) is None
        assert find_running(harness) == hash_(content)
    assert harness.rows("SELECT started_by FROM shadow") == [(find_login(),)] * 2
    assert harness.find_broken() == []


def test_a_shadow_that_somebody_ended_is_not_started_again_by_its_file(harness: Harness, file: Path) -> None:
    harness.begin(make_lead(1))
    follow(harness.ledger, file, STRICT)
    stop_shadow(harness.ledger, "seen enough", by=make_actor("ops"), now=NOW)
    follow(harness.ledger, file, STRICT)
    assert find_running(harness) is None


def test_a_file_that_is_gone_or_not_sound_changes_nothing_and_is_told(
    harness: Harness, cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.begin(make_lead(1))
    monkeypatch.setenv("LEADGATE_SHADOW", str(file))
    follow(harness.ledger, file, STRICT)
    assert "nobody" in str(follow(harness.ledger, file, UNSOUND))
    assert "nobody" in join_lines(cli("status", code=0))
    file.unlink()
    assert "does not exist" in str(follow_shadow_file(harness.ledger, file, PATH, NOW))
    assert "does not exist" in join_lines(cli("status", code=0))
    assert find_running(harness) == hash_(STRICT)
    harness.capture(make_lead(2))
    harness.run(NOW)
    assert read_json(cli("shadow", "run", "--json"))["decisions"] == 4
    file.write_text(EVEN, encoding="utf-8")
    cli("shadow", "run", "--json")
    assert find_running(harness) == hash_(EVEN)
