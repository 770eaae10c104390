"""Kinds of journeys: each has its entry in every table of kinds, and the protocol asks for none of them by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from console import kind_sentences
from expectations import PROMISES_OF
from leadgate.playbook import kind_views
from leadgate.playbook.kinds import SOURCE_KINDS, WITHOUT_SECTION, Kinds
from leadgate.records import fields, standing
from leadgate.vocabulary import GateName, JourneyKind, StageName
from tasks.batches import STAGES
from tasks.records.qualification import JUDGES
from tasks.replay.results import PATHS

ROOT = Path(__file__).parents[2]
RECORDS = {kind for kind in JourneyKind if kind is not JourneyKind.LEAD}
#: What every kind of record is looked up in.
TABLES: dict[str, Mapping[JourneyKind, Any]] = {
    "fields": fields.STANDARD,
    "sections": WITHOUT_SECTION,
    "SLAs of sections": kind_views._ADD_SLAS,
    "words": standing._WORDS,
    "judges": JUDGES,
    "sentences": kind_sentences._TELL,
}
#: Where journeys of every kind are treated alike.
PROTOCOL = ("tasks/handoff.py", "tasks/stage.py", "tasks/stage_task.py", "tasks/bisecting.py", "tasks/claiming.py",
            "leadgate/ledger/batches.py", "leadgate/ledger/journeys", "flows")  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_each_kind_of_record_has_its_entry(name: str) -> None:
    assert set(TABLES[name]) == RECORDS


def test_every_kind_has_a_source_a_section_and_six_stages_with_their_gates() -> None:
    assert set(SOURCE_KINDS.values()) == set(JourneyKind)
    assert set(Kinds.model_fields) == {kind.value for kind in RECORDS}
    for kind in JourneyKind:
        assert [stage.name for stage in STAGES[kind]] == list(StageName)
        assert list(PROMISES_OF[kind]) == list(GateName)
    assert set(PATHS) == set(JourneyKind)


def test_the_protocol_and_the_flows_name_no_kind_of_record() -> None:
    named = re.compile(rf"JourneyKind\.({'|'.join(kind.name for kind in RECORDS)})\b|kind (==|is|!=) JourneyKind")
    looked_at = 0
    for place in PROTOCOL:
        path = ROOT / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            assert named.search(file.read_text(encoding="utf-8")) is None, file.name
            looked_at += 1
    assert looked_at > 40
