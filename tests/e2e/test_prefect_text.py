"""What leads say never reaches the Prefect UI as more than text: artifacts, names of runs, states, logs, events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from harness import NOW, PLAYBOOK, Harness, make_lead
from markdown_it import MarkdownIt
from prefect_api import ask

from flows.run import Runner
from leadgate.settings import Settings

#: A link, a picture, markup of HTML and of tables, and what moves a cursor or turns the direction of writing.
EVIL = (
    "zz ![](https://evil.example/x.png) [now](https://evil.example) <img src=x onerror=alert(1)> |a|b| `c` "
    "https://evil.example www.evil.example \x1b[31m\u202eZZ"
)
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def worked(
    harness: Harness, runner: Runner, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Harness:
    """Hostile leads have been through the stages, and people have decided about them in the UI's forms."""
    from flows.review import review
    from flows.transfer import transfer

    playbook = tmp_path / "playbook.yaml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.setenv("LEADGATE_DATABASE_URL", settings.database_url or "")
    monkeypatch.setenv("LEADGATE_HOME", str(settings.home))
    monkeypatch.setenv("LEADGATE_KEY", settings.key or "")
    monkeypatch.setenv("LEADGATE_PLAYBOOK", str(playbook))
    said = {"Job title": f"Head {EVIL}", "Company": f"Company {EVIL}", "City": EVIL, "Last name": EVIL}
    harness.capture(
        make_lead(1, **said, Message=EVIL),
        make_lead(2, **{"Job title": "student", "Last name": EVIL}),  # to be reviewed
        make_lead(3, Email=f"x@<https://evil.example|{EVIL}>", Phone=EVIL),
        make_lead(4, Email=EVIL),
        make_lead(5, Country=EVIL),
        {EVIL: EVIL},
        None,
    )
    runner.run(now=NOW)
    items = [
        row[0] for row in harness.rows("SELECT id FROM work_item WHERE closed_at IS NULL AND blocking ORDER BY id")
    ]
    assert len(items) >= 4
    # a name is short and has no sign that nobody sees
    typed = {"reason": f"because {EVIL}", "by": "mia [now](https://evil.example) <img src=x> |a| `c` www.evil.example"}
    asyncio.run(cast(Any, review)(work_items=items[:2], decision="reject", **typed))
    asyncio.run(cast(Any, review)(work_items=items[2:3], decision="correct", corrections={"city": EVIL}, run_now=False))
    owner = harness.rows("SELECT owner FROM assignment WHERE ended_at IS NULL LIMIT 1")
    asyncio.run(cast(Any, transfer)(rep=owner[0][0] if owner else "ana", dry_run=False, **typed))
    return harness


def everything() -> Iterator[tuple[str, str]]:
    """Where a text is shown, and the text: of all artifacts, runs, logs and events that this test has left."""
    for artifact in ask(lambda client: client.read_artifacts(limit=200)):
        yield f"artifact {artifact.key} {artifact.type}", str(artifact.data)
        yield "description", artifact.description or ""
    for run in ask(lambda client: client.read_flow_runs(limit=200)):
        yield "state of a flow run", run.state.message or "" if run.state else ""
        yield "name of a flow run", run.name
    for run in ask(lambda client: client.read_task_runs(limit=200)):
        yield "name of a task run", run.name
        yield "state of a task run", run.state.message or "" if run.state else ""
    for log in ask(lambda client: client.read_logs(limit=200)):
        yield "log", log.message
    answer = ask(lambda client: client.request("POST", "/events/filter", json={"limit": 50}))
    for event in answer.json()["events"]:
        if str(event["event"]).startswith("leadgate."):
            yield "event", json.dumps(event, ensure_ascii=False)


_GFM = MarkdownIt("commonmark").enable("table")
#: A link to the form that reruns a work item.
_OURS = re.compile(r'<a href="\.\./\.\./deployments/deployment/[0-9a-f-]{36}/run\?parameters=[\w%]+">(?=W\d+</a>)|</a>')


def test_no_text_of_a_lead_is_a_link_a_picture_or_markup_in_prefect(worked: Harness) -> None:
    seen: dict[str, int] = {}
    for where, text in everything():
        seen[where] = seen.get(where, 0) + 1
        assert not UNSAFE.search(text), (where, UNSAFE.search(text))
        if where.endswith("markdown") or where == "description":
            page = _OURS.sub("", _GFM.render(text))
            assert not re.search(r"<(?!/?(p|h\d|ul|ol|li|strong|em|table|thead|tbody|tr|th|td|br|hr|code)\b)", page), (
                page
            )
            bare = re.sub(r"\\.", "", text)  # what a page would make a link of without being told to
            assert not re.search(r"https?://|www\.", bare), (where, text)
        elif not where.startswith("name"):  # a person's own words are in the name of their run, which is plain text
            assert not re.search(r"\]\(|https?://evil|<img|\|URGENT", text), (where, text)
    assert {
        "artifact intake-batch markdown",
        "artifact review markdown",
        "artifact transfer markdown",
        "artifact gate-validated table",
        "log",
    } <= set(seen)
    assert worked.find_broken() == []
