"""The words of the vocabulary: each enumeration and what is read from it, and the words within statements."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import orjson

from leadgate import vocabulary
from leadgate.ledger.journeys.paths import PAIRS, Step
from leadgate.ledger.journeys.transitions import TRANSITIONS
from leadgate.vocabulary import (
    ActionKind,
    ActivityActor,
    AssignmentMethod,
    BatchKind,
    GateName,
    HandoffOutcome,
    ItemResolution,
    JourneyStatus,
    QualifiedAs,
    StageName,
    Trigger,
    WorkItemKind,
)

ROOT = Path(__file__).parents[2]
#: Columns that hold a word of one enumeration, whatever table they are in.
COLUMNS: dict[str, type[StrEnum]] = {
    "status": JourneyStatus,
    "stage": StageName,
    "start_stage": StageName,
    "trigger": Trigger,
    "actor": ActivityActor,
    "method": AssignmentMethod,
    "what": ActionKind,
    "resolution": ItemResolution,
    "qualified_as": QualifiedAs,
}
#: A column of that name is in several tables: what it holds in the statements of one module.
KINDS: dict[str, type[StrEnum]] = {"work_items.py": WorkItemKind, "batches.py": BatchKind, "leases.py": BatchKind}
NAMES = (*COLUMNS, "kind")
COMPARED = re.compile(rf"\b({'|'.join(NAMES)}) (?:=|<>) '(\w+)'")
LISTED = re.compile(rf"\b({'|'.join(NAMES)}) (?:NOT )?IN \(((?:'\w+'(?:, )?)+)\)")


def words_of_statements() -> Iterator[tuple[Path, str, str]]:
    """Each word that a statement compares a column of such a name with."""
    for path in sorted((ROOT / "leadgate" / "ledger").rglob("*.py")):
        source = path.read_text()
        for found in COMPARED.finditer(source):
            yield path, found[1], found[2]
        for found in LISTED.finditer(source):
            yield from ((path, found[1], word) for word in re.findall(r"\w+", found[2]))


def test_a_statement_names_no_word_that_its_column_cannot_hold() -> None:
    held = [
        (path, column, word, COLUMNS.get(column) or KINDS.get(path.name))
        for path, column, word in words_of_statements()
    ]
    known = [(path.name, column, word, words) for path, column, word, words in held if words is not None]
    assert len(known) > 60, "fewer than there are: they are not found any more"
    assert {words for *_, words in known} > {JourneyStatus, StageName, Trigger, WorkItemKind}
    assert [each[:3] for each in known if each[2] not in list(each[3])] == []


def test_every_stage_has_the_gate_at_its_place() -> None:
    assert [stage.gate for stage in StageName] == list(GateName)
    assert StageName.FOLLOW_UP.gate == "followed_up"


def test_members_are_their_words_in_json_and_sql() -> None:
    assert orjson.dumps({"did": ActionKind.TOUCH}) == b'{"did":"touch"}'
    assert doctest.testmod(vocabulary).failed == 0


def test_what_closes_a_work_item_by_a_persons_word_is_an_action() -> None:
    of_persons = list(ItemResolution)[:6]
    assert [ActionKind(resolution) for resolution in of_persons] == of_persons


def test_a_journey_goes_through_its_stages_one_by_one() -> None:
    stages = list(StageName)
    for before, after, rerun in PAIRS:
        if before is not None and not rerun:
            assert before.outcome == HandoffOutcome.CONTINUED
            assert stages.index(after.stage) == stages.index(before.stage) + 1


def test_what_is_over_goes_on_by_a_rerun_alone() -> None:
    joined = Step(StageName.VALIDATION, HandoffOutcome.JOINED)
    after = {(pair.after.stage, pair.rerun) for pair in PAIRS if pair.before == joined}
    assert after == {(StageName.CAPTURE, True)}


def test_every_transition_that_leaves_a_stage_is_on_some_path() -> None:
    reached = {pair.after for pair in PAIRS}
    leaving = {
        Step(before[1], transition.handoff)
        for transition in TRANSITIONS
        if transition.handoff is not None
        for before, _ in transition.moves
        if before is not None
    }
    assert leaving == reached
