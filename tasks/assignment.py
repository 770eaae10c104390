"""Assignment: an owner for each qualified lead, with the route that led to the owner and every rep considered.

Belongs here: what this stage loads and stores, and taking the pools' turns. Does not belong here: choosing
the owner (``leadgate.assignment.routing``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.assignment.absences import SaidAbsence, add_absences
from leadgate.assignment.availability import (
    Availability,
    Load,
    find_midnights,
    find_mondays,
    find_pools_sharing_reps,
    find_reps_counting_open,
    find_reps_counting_recent,
)
from leadgate.assignment.pool_assignment import describe_candidates
from leadgate.assignment.rotation import PoolState
from leadgate.assignment.route_matching import format_inputs, match_routes
from leadgate.assignment.routing import assign
from leadgate.fields import ENRICHED, STANDARD, VALIDATED
from leadgate.ledger import (
    absences,
    assignments,
    leads,
    outbox,
    owner_messages,
    pools,
    qualifications,
)
from leadgate.ledger.journeys import stage_moves
from leadgate.ledger.pools import StoredTurns
from leadgate.playbook import Playbook, Rep
from leadgate.sla.sla_targets import Due, compute_due_times, list_returnable_reasons
from leadgate.values.json_types import JsonObject
from leadgate.vocabulary import AssignmentMethod, MessageKind, Outcome, StageName
from tasks.records.new_leads import start_expansions
from tasks.stage import Decided, Gathered, Stage, Work


@dataclass(frozen=True)
class Capacity:
    """What reps can take: the stored turns of each pool, the loads of the reps whose loads count, and who has said that
    they are away. ``alone``: each lead finds this, whatever the leads before it took."""

    pools: dict[str, StoredTurns]
    loads: dict[str, Load]
    away: Sequence[SaidAbsence] = ()
    alone: bool = False


@dataclass(frozen=True)
class TurnChanges:
    """The stored turns of all pools before the decision, and the turns after it of the pools that it changed."""

    before: dict[str, StoredTurns]
    changed: dict[str, PoolState]


def gather(connection: Connection, work: Work) -> Gathered[Capacity]:
    batch = work.batch.id
    columns = [*STANDARD, *VALIDATED, *ENRICHED, "custom"]
    frame = qualifications.add_scores(
        leads.read_leads_at(connection, batch, StageName.ASSIGNMENT, columns), connection, batch
    )
    frame = leads.expand_custom(frame, {name: field.type for name, field in work.rules.fields.items()})
    excluded = assignments.list_previous_owners(connection, batch, list_returnable_reasons(work.rules))
    frame["excluded"] = pd.Series([excluded.get(j, ()) for j in frame["journey_id"]], index=frame.index, dtype=object)
    if any(route.to == "earlier_owner" for route in work.rules.routing):
        earlier = assignments.find_earlier_owners(connection, batch)
        frame["earlier_owner"] = pd.Series(
            [earlier.get(j) for j in frame["journey_id"]], index=frame.index, dtype=object
        )
    loads, away = read_loads(connection, work.rules, work.now), absences.read_absences(connection, work.now)
    return Gathered(frame, Capacity(pools.read_stored_turns(connection), loads, away))


def read_loads(connection: Connection, playbook: Playbook, now: datetime) -> dict[str, Load]:
    """The loads of the reps with a cap, or in a pool that goes by open leads. Leads of other reps are not counted."""
    open_leads = assignments.count_open_leads(connection, find_reps_counting_open(playbook))
    since = {rep: at for rep, at in find_midnights(playbook, now).items() if rep in find_reps_counting_recent(playbook)}
    recent_leads = assignments.count_recent_leads(connection, since, find_mondays(playbook, now))
    reps = open_leads.keys() | recent_leads.keys()
    return {rep: Load(open_leads.get(rep, 0), *recent_leads.get(rep, (0, 0))) for rep in reps}


def decide(gathered: Gathered[Capacity], work: Work) -> Decided[TurnChanges]:
    frame = gathered.frame.copy()
    playbook, now = add_absences(work.rules, gathered.context.away), work.now
    frame[["routes", "priority"]] = match_routes(frame, playbook)
    before, loads = gathered.context.pools, gathered.context.loads
    pools = read_states(before)
    assigned = assign(frame, playbook, pools, loads, now, alone=gathered.context.alone)
    frame[list(assigned.frame.columns)] = assigned.frame
    frame["inputs"] = format_inputs(frame, frame["rule"], playbook)
    frame[list(Due._fields)] = compute_due_times(frame, playbook, now)
    frame["assigned_at"] = pd.Timestamp(now)
    _add_gate_facts(frame, playbook, Availability(playbook, loads, now), assigned.loads)
    frame["reason"] = frame["reasons"].map(lambda reasons: reasons[0] if reasons else None)
    held = frame["outcome"] == Outcome.HOLD
    frame["item_message"] = frame["why"].where(held, None)
    frame["detail"] = _describe_considered(frame[held]).reindex(frame.index)
    waits = frame["outcome"] == Outcome.WAIT
    frame["waits_for"] = (frame["why"] + " " + _describe_considered(frame[waits]) + ".").where(waits, None)
    return Decided(frame, TurnChanges(before, find_changed(pools, assigned.pools)))


def read_states(pools: Mapping[str, StoredTurns]) -> dict[str, PoolState]:
    """The turns of each pool as they are stored; a pool that gave none starts from nothing."""
    return {name: PoolState.from_dict(turns.state) if turns.state else PoolState() for name, turns in pools.items()}


def find_changed(before: Mapping[str, PoolState], after: Mapping[str, PoolState]) -> dict[str, PoolState]:
    """The turns of the pools in which one was taken."""
    return {name: state for name, state in after.items() if state != before.get(name)}


def _tell_all(owned: pd.DataFrame) -> list[bool]:
    return [True] * len(owned)


def store(
    connection: Connection,
    work: Work,
    decided: Decided[TurnChanges],
    *,
    told_as: MessageKind = MessageKind.LEAD_ASSIGNED,
    told: Callable[[pd.DataFrame], list[bool]] = _tell_all,
) -> pd.DataFrame:
    """Take the turns and write the assignments. The turn of a lead that the gate held is given back.

    ``told_as``: the message to each owner; ``told``: which of the rows are news to their owners.
    """
    frame = decided.frame
    owned = frame[frame["outcome"] == Outcome.OWNED]
    stage_moves.record_waiting_reasons(connection, frame[frame["outcome"] == Outcome.WAIT])
    before, changed = decided.context.before, decided.context.changed
    if changed or not owned.empty:
        states = {
            name: _give_back_turns(state, before[name].state, owned, name).to_dict() for name, state in changed.items()
        }
        affected = find_pools_sharing_reps(work.rules, {*owned["pool"].dropna(), *changed}, set(owned["owner"]))
        versions = {name: before[name].version for name in affected}
        pools.take_turns(
            connection,
            versions=versions,
            states=states,
            locked=decided.pools_locked,
            kind=work.batch.journey_kind,
        )
    if not owned.empty:
        assignments.insert_assignments(
            connection,
            owned.assign(
                kind=work.batch.journey_kind,
                chance=owned["learned_chance"],
                playbook_hash=work.playbook.hash,
                next_check_at=owned["due_soon_at"],
                clock_from=None,
                ladder_step=0,
                acceptance_step=0,
                stage_step=0,
                method=AssignmentMethod.ROUTE,
            ),
        )
        news = owned[told(owned)]
        messages = owner_messages.build(
            told_as, zip(news["journey_id"], news["generation"], news["owner"], strict=True)
        )
        outbox.send(connection, messages, work.now)
    return frame


def _describe_considered(leads: pd.DataFrame) -> pd.Series:
    """The reps who were considered for each lead, in words, and why each of them could not take it."""
    return (
        leads["candidates"].map(lambda candidates: describe_candidates(orjson.loads(candidates)) or None).astype(object)
    )


def _give_back_turns(state: PoolState, before: JsonObject, owned: pd.DataFrame, pool: str) -> PoolState:
    """``state`` without the turns of leads that the gate held; those that they filled are to be filled still."""
    turns = owned[owned["turn"].astype(bool) & (owned["pool"] == pool)]
    kept = turns["owner"].value_counts()
    was = PoolState.from_dict(before) if before else PoolState()
    lost = {rep: taken - was.taken.get(rep, 0) - int(kept.get(rep, 0)) for rep, taken in state.taken.items()}
    if not any(lost.values()):
        return state
    kept_filled = Counter(
        owner for owner, pointer in zip(turns["owner"], turns["pointer"], strict=True) if '"given_back"' in str(pointer)
    )
    filled = {
        rep: was.given_back.get(rep, 0)
        + state.passed.get(rep, 0)
        - was.passed.get(rep, 0)
        - state.given_back.get(rep, 0)
        - kept_filled[rep]
        for rep in state.taken
    }
    given_back = {rep: state.given_back.get(rep, 0) + filled.get(rep, 0) for rep in {*state.given_back, *filled}}
    return replace(
        state,
        taken={rep: taken - lost[rep] for rep, taken in state.taken.items()},
        turns={rep: max(0, turns - lost.get(rep, 0) + filled.get(rep, 0)) for rep, turns in state.turns.items()},
        given_back={rep: count for rep, count in given_back.items() if count},
    )


def _add_gate_facts(
    frame: pd.DataFrame, playbook: Playbook, availability: Availability, loads: dict[str, Load]
) -> None:
    """Add the columns that the gate judges. They come from the playbook and the loads, not from the decision."""
    frame["owner_known"] = frame["owner"].isin({rep.name for rep in playbook.reps})
    frame["owner_absent"] = frame["owner"].map(lambda owner: availability.absent.get(owner) is not None)
    frame["over_cap"] = frame["owner"].isin(find_over_cap(playbook, loads))


def find_over_cap(playbook: Playbook, loads: Mapping[str, Load]) -> set[str]:
    """The reps who have more leads than they may, but for those who take a lead where nobody else can."""
    reps = {rep.name: rep for rep in playbook.reps}
    over_cap = {name for name, load in loads.items() if name in reps and _is_over_cap(reps[name], load)}
    last_resort = {pool.nobody_available.rep for pool in playbook.pools if pool.nobody_available.do == "assign"}
    if any(route.if_away == "manager" for route in playbook.routing):
        last_resort |= {rep.manager for rep in playbook.reps if rep.manager is not None}
    return {name for name in over_cap if name not in last_resort}


def _is_over_cap(rep: Rep, load: Load) -> bool:
    caps = ((rep.max_open, load.open), (rep.max_per_day, load.today), (rep.max_per_week, load.week))
    return any(cap is not None and leads > cap for cap, leads in caps)


STAGE: Final = Stage(
    name=StageName.ASSIGNMENT, gather=gather, decide=decide, store=store, finish=start_expansions, breaks=False
)
