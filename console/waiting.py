"""``leadgate wait``, ``resume`` and ``touch``: what an owner does while they have a lead.

Belongs here: what was asked for, whether it can be meant, and saying what was done. Does not belong here: doing it
(``ledger.owner_actions``).
"""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from console.command_context import CommandContext, actor, as_of, moment_of
from console.going_on import go_on, tell
from console.lookup import actor_for, as_data, journey_of
from console.redaction import visible
from console.screen import CommandError, moment, out, print_json, program
from console.undo import way_back
from leadgate.ledger import Ledger, lead_history, owner_actions
from leadgate.ledger.clock import time_of
from leadgate.nearest import proposal
from leadgate.playbook import Playbook


def wait(
    context: CommandContext,
    reference: str,
    *,
    until: str,
    reason: str,
    acts_for: str | None,
    as_json: bool,
    now: str | None,
) -> None:
    """The command: the owner waits for the lead."""
    if not reason.strip():
        raise CommandError("--reason needs words: what is waited for")
    playbook = context.playbook().playbook
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        journey = journey_of(ledger, reference, playbook)
        who = actor_for(ledger, journey, playbook, acts_for)
        end = _end(until, ledger, journey, playbook)
        number = owner_actions.wait(ledger, journey, until=end, reason=reason.strip(), by=who, now=at)
    if as_json:
        print_json({"journey_id": journey, "did": "wait", **as_data(who), "until": end, "action": number})
    else:
        out().print(
            f"The clocks of lead J{journey} stand still until {moment(end)} UTC, or until the lead is heard of. "
            f"Next: {program()} explain J{journey}"
        )
        out().print(way_back("wait", number))


def resume(context: CommandContext, reference: str, *, acts_for: str | None, as_json: bool, now: str | None) -> None:
    """The command: the wait is over."""
    playbook = context.playbook().playbook
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        journey = journey_of(ledger, reference, playbook)
        who = actor_for(ledger, journey, playbook, acts_for)
        number = owner_actions.resume(ledger, journey, by=who, now=at)
    if as_json:
        print_json({"journey_id": journey, "did": "resume", **as_data(who), "action": number})
    else:
        out().print(f"The clocks of lead J{journey} run again. Next: {program()} explain J{journey}")
        out().print(way_back("resume", number))


def touch(
    context: CommandContext,
    reference: str,
    *,
    kind: str,
    acts_for: str | None,
    when: str | None,
    seconds: int | None,
    later: bool,
    as_json: bool,
    now: str | None,
) -> None:
    """The command: a rep says what they did. Raises ``CommandError`` for what would never count."""
    said = None if when is None else moment_of(when)
    loaded = context.playbook_to_go_on(later=later)
    playbook = loaded.playbook
    known = [*(each.kind for each in playbook.follow_up.touches), *playbook.follow_up.outcomes]
    if kind not in known:
        raise CommandError(f"{kind!r} is no touch and no outcome of the playbook; {proposal(kind, known)}")
    reps = [rep.name for rep in playbook.reps]
    who = actor(playbook, acts_for)
    rep = who.acts_for or who.rep
    if rep not in reps:
        raise CommandError(
            f"{visible(who.name, 80)} is none of the playbook's reps: --for REP says whose touch it was; both names "
            "are stored"
        )
    with context.ledger() as ledger:
        at = time_of(ledger, as_of(now))
        happened = said or at
        journey = journey_of(ledger, reference, playbook)
        done = owner_actions.touch(ledger, journey, kind=kind, rep=rep, by=who, at=happened, seconds=seconds, now=at)
        standing = go_on(context, ledger, loaded, [journey], as_of(now), later=later)
    if as_json:
        data = {"journey_id": journey, "did": "touch", "kind": kind, "rep": rep, **as_data(who), "at": happened}
        print_json({**data, "new": done.new, "action": done.action, "standing": standing})
    else:
        what = "Logged" if done.new else "Known already"
        out().print(
            f"{what}: {kind} by {visible(rep, 80)}, {moment(happened)} UTC. "
            + (f"`{program()} run` stops the clock if it counts. " if later else "")
            + f"Next: {program()} explain J{journey}"
        )
        tell(standing, 0)
        if done.new:
            out().print(way_back("touch", None))


def _end(until: str, ledger: Ledger, journey: int, playbook: Playbook) -> datetime:
    """A moment as it was written; a date alone begins at midnight in the owner's time zone."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", until.strip()):
        return moment_of(until)
    owner = lead_history.owner_of(ledger, journey)
    zone = next((rep.time_zone for rep in playbook.reps if rep.name == owner), "UTC")
    midnight = moment_of(until.strip()).replace(tzinfo=ZoneInfo(zone))
    return moment_of(midnight.isoformat())
