"""``leadgate rerun``, ``accept`` and ``reject``: what a person decides about a lead.

Belongs here: what was asked for, whether it is safe to do, and saying what was done. Does not belong here:
doing it (``ledger.actions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from console.lookup import journey_of
from console.place import Place, moment_of, person
from console.queue import blocking, changes, require_known
from console.safe import mask_item, visible
from console.screen import CommandError, out, print_json, program, say
from console.telling import counted
from leadgate.fields import STANDARD
from leadgate.ledger import Ledger, actions, open_ledger, reports
from leadgate.ledger.actions import RerunReport
from leadgate.ledger.reports import Wanted
from leadgate.nearest import proposal
from leadgate.playbook import Playbook


@dataclass(frozen=True)
class How:
    """What to do with the work items. At most one of ``proposed``, ``done_by_hand`` and ``discard``."""

    corrections: Mapping[str, str]
    proposed: bool = False
    done_by_hand: str | None = None
    discard: str | None = None

    @property
    def words(self) -> str:
        if self.discard is not None:
            return "discard"
        if self.done_by_hand is not None:
            return "pass as done by hand"
        return "correct" if self.corrections or self.proposed else "rerun"


def fields_of(assignments: Sequence[str]) -> dict[str, str]:
    """``["email=a@b.example"]`` as a mapping. Raises ``CommandError`` for what is no assignment."""
    fields: dict[str, str] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise CommandError(
                f"--set {visible(text, 80)!r} is no correction; write it like --set email=jane@acme.example"
            )
        if name in fields:
            raise CommandError(f"--set gives {name!r} twice; give it once")
        fields[name] = value.strip().replace("\x00", "")
    return fields


def rerun(place: Place, asked: Wanted, how: How, *, by: str | None, yes: bool, as_json: bool, now: str | None) -> None:
    """The command. Refuses to run without any filter, and to change several leads without ``--yes``."""
    if asked == Wanted():
        raise CommandError(
            "say which: --work-item N, --reason, --stage, --source or --batch; `leadgate queue` shows them"
        )
    _consistent(how)
    who, at = person(by), moment_of(now)
    playbook = place.playbook().playbook
    _require_fields(how.corrections, playbook)
    with open_ledger(place.settings) as ledger:
        items = reports.work_items(ledger, blocking(asked))
        named = list(asked.ids) if asked.ids and asked == Wanted(ids=asked.ids) else []
        if not items and not named:
            require_known(ledger, asked)
        if how.proposed:
            items = [item for item in items if item["proposal"]]
        if len(items) > 1 and how.words != "rerun" and not yes:
            raise CommandError(f"this would {how.words} {len(items):,} work items; add --yes to do it")
        done = _do(ledger, items, named, how, who, at, playbook)
    _tell(done, items, how, named, as_json=as_json)


def _consistent(how: How) -> None:
    given = {
        "--set": bool(how.corrections),
        "--proposed": how.proposed,
        "--done-by-hand": how.done_by_hand is not None,
        "--discard": how.discard is not None,
    }
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        raise CommandError(f"{' and '.join(used)} exclude one another; give one")
    for name, text in (("--done-by-hand", how.done_by_hand), ("--discard", how.discard)):
        if text is not None and not text.strip():
            raise CommandError(f"{name} needs words: what was done and what proves it, or why")


def _require_fields(corrections: Mapping[str, str], playbook: Playbook) -> None:
    known = [*STANDARD, *playbook.fields]
    for name in corrections:
        if name not in known:
            raise CommandError(f"a lead has no field {name!r} to set; {proposal(name, known)}")


def _do(
    ledger: Ledger,
    items: Sequence[Mapping[str, Any]],
    named: Sequence[int],
    how: How,
    who: str,
    at: datetime,
    playbook: Playbook,
) -> RerunReport:
    # of those named one by one the ledger says why it leaves one alone
    ids = list(dict.fromkeys([*(item["id"] for item in items), *([] if how.proposed else named)]))
    if how.discard is not None:
        return actions.discard(ledger, ids, by=who, now=at, reason=how.discard)
    if how.done_by_hand is not None:
        return actions.done_by_hand(ledger, ids, by=who, now=at, evidence=how.done_by_hand)
    if not how.proposed:
        return actions.rerun(ledger, ids, by=who, now=at, playbook=playbook, corrections=how.corrections)
    total = RerunReport()
    for item in items:
        proposed = {field: str(value) for field, value in item["proposal"].items()}
        done = actions.rerun(ledger, [item["id"]], by=who, now=at, playbook=playbook, corrections=proposed)
        total.work_items += done.work_items
        total.released += done.released
        total.skipped += done.skipped
    missing = set(named) - {item["id"] for item in items}
    total.skipped += [f"work item {each} proposes nothing, or is not open" for each in sorted(missing)]
    return total


def _tell(
    done: RerunReport, items: Sequence[Mapping[str, Any]], how: How, named: Sequence[int], *, as_json: bool
) -> None:
    if as_json:
        print_json(asdict(done) | {"did": how.words, "items": [item["id"] for item in items]})
    for skipped in done.skipped:
        say(f"left alone: {skipped}")
    if done.work_items == 0:
        if named:
            raise CommandError("Nothing was changed.")
        if not as_json:
            out().print("No open work item matches; nothing was changed.")
        return
    if as_json:
        return
    console = out()
    past = {
        "discard": "discarded",
        "pass as done by hand": "passed as done by hand",
        "correct": "corrected",
        "rerun": "released",
    }
    for item in items[:20]:
        shown = mask_item(item)
        change = f" with {changes(shown['proposal'])}" if how.proposed else ""
        held = "" if item["journeys"] == 1 else f", {item['journeys']:,} journeys"
        told = f"W{item['id']} {visible(item['reason'], 40)} at {item['stage']}{held}: {past[how.words]}"
        console.print(told + visible(change, 80))
    if len(items) > 20:
        console.print(f"and {len(items) - 20:,} more")
    if how.discard is not None:
        console.print(f"\n{counted(done.released, 'journey', 'journeys')} ended. What was captured stays.")
    elif done.released == 0:  # what was decided holds no lead: a message that could not be delivered
        due = f"{counted(done.work_items, 'message is', 'messages are')} due again. Next: {program()} deliver"
        console.print(f"\n{due}" if how.words == "rerun" else "\nNo lead waited for it.")
    else:
        waits = counted(done.released, "journey waits", "journeys wait")
        console.print(f"\n{waits} again. Next: {program()} run")


def accept(place: Place, reference: str, *, by: str | None, as_json: bool, now: str | None) -> None:
    """The command: the owner takes the lead."""
    who, at = person(by), moment_of(now)
    playbook = place.playbook().playbook
    with open_ledger(place.settings) as ledger:
        journey = journey_of(ledger, reference, playbook)
        actions.accept(ledger, journey, by=who, now=at)
    if as_json:
        print_json({"journey_id": journey, "did": "accept", "by": who})
    else:
        out().print(f"Accepted by {visible(who, 80)}. Next: {program()} explain J{journey}")


def reject(place: Place, reference: str, *, reason: str, by: str | None, as_json: bool, now: str | None) -> None:
    """The command: the owner gives the lead back, for one of the playbook's reasons."""
    who, at = person(by), moment_of(now)
    playbook = place.playbook().playbook
    known = playbook.follow_up.reject_reasons
    if reason not in known:
        raise CommandError(f"{reason!r} is no reason to reject a lead; {proposal(reason, known)}")
    with open_ledger(place.settings) as ledger:
        journey = journey_of(ledger, reference, playbook)
        goes_to = actions.reject(ledger, journey, by=who, now=at, reason=reason, playbook=playbook)
    if as_json:
        print_json({"journey_id": journey, "did": "reject", "by": who, "reason": reason, "goes_to": goes_to})
    else:
        again = "; `leadgate run` finds one" if playbook.follow_up.rejected == "reassign" else ""
        out().print(f"Rejected by {visible(who, 80)} ({reason}): the lead goes to {goes_to}{again}.")
