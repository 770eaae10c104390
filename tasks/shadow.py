"""A shadow: a draft of a playbook that decides beside the one in use, on live leads, without any effect.

Belongs here: starting and stopping a shadow, its passes, and what they came to. Does not belong here: deciding again
(``tasks.replay``), or the tables (``leadgate.ledger.shadows``).

A shadow is a replay that goes on: a pass decides what was decided since the last one from what the ledger keeps of each
decision. Live leads know nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from sqlalchemy import Connection

from leadgate.actors import Actor, require
from leadgate.counting import format_count
from leadgate.failpoints import failpoint
from leadgate.ledger import Ledger, playbook_activations, shadow_figures, shadows
from leadgate.ledger.actions import ActionError
from leadgate.ledger.clock import read_time
from leadgate.ledger.playbook_activations import clean_reason
from leadgate.ledger.shadow_figures import Totals, Way
from leadgate.ledger.shadows import JourneyRow, Pass, Shadow, WaitingBatch
from leadgate.permissions import Permission
from leadgate.playbook import LoadedPlaybook, PlaybookError, parse
from leadgate.replay.comparison import TOLD, ChangedJourney, End, JourneyEnd, Kind, find_kind, list_ends
from leadgate.vocabulary import StageName
from tasks.decision_inputs import RECORDED_STAGES
from tasks.playbook_in_use import find_content, require_activatable, require_sound
from tasks.replay.batch_parts import PartProgress, plan_parts, replay_part
from tasks.replay.paths import replay_batches
from tasks.replay.self_check import Difference

#: Decisions that are made again together. A batch that has more is decided in parts.
PORTION: Final = 4_000
#: What the schedule may spend: a share of one core. It begins a portion while it has spent less than this in a run,
#: and none while the portions of the last hour took more.
SHARE: Final = 0.1
EVERY: Final = timedelta(minutes=5)
WITHIN: Final = timedelta(hours=1)
#: Seconds that the passes within ``WITHIN`` may take by the schedule.
ALLOWED: Final = (SHARE * WITHIN).total_seconds()
#: Differences of the self-check that are kept of a pass.
_NAMED: Final = 5


@dataclass(frozen=True)
class Progress:
    """What a run of passes did. ``waiting``: batches that are closed and still to be decided."""

    passes: int
    decisions: int
    seconds: float
    waiting: int
    is_running: bool = True


@dataclass(frozen=True)
class ShadowFindings:
    """What a shadow found so far. ``kinds`` counts journeys that differ, and ``ways`` from where to where they go;
    ``told`` are the most telling ones. ``waiting``: batches that are still to be decided. ``spent``: seconds that the
    passes of the last hour took. ``is_idle``: batches wait, and nobody has looked at them for three times ``EVERY``."""

    shadow: Shadow
    totals: Totals
    journeys: int
    kinds: Mapping[Kind, int]
    owned_both: int
    changed_owners: int
    uncertain: int
    told: Sequence[ChangedJourney]
    differences: Sequence[Difference]
    ways: Sequence[Way]
    waiting: int
    spent: float
    is_idle: bool

    @property
    def changed(self) -> int:
        return sum(self.kinds.values())

    @property
    def is_running(self) -> bool:
        return self.shadow.stopped_at is None

    @property
    def rests(self) -> bool:
        """Whether batches wait because the last hour has cost its share."""
        return bool(self.waiting) and self.spent >= ALLOWED


def start_shadow(
    ledger: Ledger, loaded: LoadedPlaybook, reason: str, *, by: Actor, now: datetime, read_as: Path | None = None
) -> int:
    """Have a draft decide beside the playbook in use. Returns the number of the shadow.

    Raises as ``playbook_in_use.activate`` does, and ``ActionError`` while another shadow runs, and for the playbook
    that is in use.
    """
    require(by, Permission.OPERATE)
    why = clean_reason(reason)
    require_activatable(loaded, read_as)
    return _start(ledger, loaded, why, by=by, now=now)


def start_kept(ledger: Ledger, start: str, reason: str, *, by: Actor, now: datetime, read_as: Path) -> int:
    """Have a playbook that was in use, and whose hash begins with ``start``, decide beside the one in use.

    No case is tried: those beside the file belong to what it holds now. Raises as ``start_shadow`` does.
    """
    require(by, Permission.OPERATE)
    why = clean_reason(reason)
    loaded = parse(find_content(ledger, start), path=read_as)
    require_sound(loaded)
    return _start(ledger, loaded, why, by=by, now=now)


def replace_shadow(
    ledger: Ledger, loaded: LoadedPlaybook, reason: str, *, by: Actor, now: datetime, read_as: Path | None = None
) -> int:
    """``start_shadow``, in place of a shadow that runs; one of the same draft goes on. Returns its number."""
    require(by, Permission.OPERATE)
    why = clean_reason(reason)
    require_activatable(loaded, read_as)
    return put_in_place(ledger, loaded, why, by=by.name, now=now)


def put_in_place(ledger: Ledger, loaded: LoadedPlaybook, why: str, *, by: str, now: datetime) -> int:
    """Have a draft that is sound take the place of the shadow that runs. Returns its number."""
    with ledger.transaction() as connection:
        playbook_activations.lock(connection)
        running = shadows.find_running(connection)
        if running is not None and (running.playbook_hash == loaded.hash or running.content == loaded.text):
            return running.id
        if running is not None:
            shadows.stop(connection, now, by=by, reason="another draft took its place", number=running.id)
        return _insert(connection, loaded, why, by=by, now=now)


def _start(ledger: Ledger, loaded: LoadedPlaybook, why: str, *, by: Actor, now: datetime) -> int:
    with ledger.transaction() as connection:
        return _insert(connection, loaded, why, by=by.name, now=now)


def _insert(connection: Connection, loaded: LoadedPlaybook, why: str, *, by: str, now: datetime) -> int:
    active = playbook_activations.read_active(connection)
    if active is not None and (active.hash == loaded.hash or active.content == loaded.text):
        raise ActionError(f"playbook {loaded.hash[:12]} is the one in use, so nothing would differ")
    return shadows.start(connection, loaded.hash, loaded.text, now, by=by, reason=why)


def stop_shadow(ledger: Ledger, reason: str = "", *, by: Actor, now: datetime, number: int | None = None) -> int:
    """End the shadow that runs; with a ``number`` only that one, which ``by`` saw. Returns its number.

    Raises ``ActionError`` where there is none.
    """
    require(by, Permission.OPERATE)
    why = clean_reason(reason) if reason.strip() else None
    with ledger.transaction() as connection:
        stopped = shadows.stop(connection, now, by=by.name, reason=why, number=number)
    if stopped is None:
        which = "no shadow runs" if number is None else "this shadow does not run any more; nothing was changed"
        raise ActionError(f"{which}; `leadgate shadow start FILE --reason WORDS` starts one")
    return stopped


def run_shadow(
    ledger: Ledger, path: Path, *, limited: bool, portion: int = PORTION, most_passes: int | None = None
) -> Progress:
    """Decide what was decided since the last pass, portion by portion; each is kept before the next begins.

    ``path``: what a playbook names is looked for beside it. ``limited``: within the share of a core that the schedule
    has; the next run goes on from there. ``most_passes``: it ends after so many.

    Raises ``PlaybookError`` where the draft cannot be read, or is not sound any more, after a note of it; no lead waits
    for that.
    """
    begin = perf_counter()
    passes = decisions = 0
    draft: LoadedPlaybook | None = None
    most = (SHARE * EVERY).total_seconds()
    while True:
        with ledger.snapshot(much=False) as connection:
            shadow = shadows.find_running(connection)
            if shadow is None:
                return Progress(passes, decisions, perf_counter() - begin, 0, is_running=False)
            waiting = shadows.list_waiting(connection, shadow)
            spent = shadows.count_seconds(connection, shadow, WITHIN) if limited else 0.0
        is_over = limited and (perf_counter() - begin >= most or spent >= ALLOWED)
        if not waiting or is_over or passes == most_passes:
            return Progress(passes, decisions, perf_counter() - begin, len(waiting))
        if draft is None or draft.text != shadow.content:
            draft = _read_draft(ledger, shadow, path)
        made = _decide(ledger, shadow, draft, _choose(shadow, waiting, portion), portion)
        if made is not None:
            passes, decisions = passes + 1, decisions + made


def _choose(shadow: Shadow, waiting: Sequence[WaitingBatch], portion: int) -> list[WaitingBatch]:
    """The batches of the next pass: the one of which a part is decided; else as many as make a portion, or one."""
    begun = None if shadow.part is None else shadow.part["batch"]
    chosen = [each for each in waiting if each.id == begun]
    size = sum(each.decisions for each in chosen)
    for each in () if chosen else waiting:
        if chosen and size + each.decisions > portion:
            break
        chosen.append(each)
        size += each.decisions
    return chosen


def _read_draft(ledger: Ledger, shadow: Shadow, path: Path) -> LoadedPlaybook:
    """The draft. It was sound when it was started; a newer Leadgate may read it otherwise, and a file that it names may
    be gone."""
    try:
        draft = parse(shadow.content, path=path)
        require_sound(draft)
    except PlaybookError as error:
        shadows.note_problem(ledger, shadow.id, str(error))
        raise
    return draft


def _decide(
    ledger: Ledger, shadow: Shadow, draft: LoadedPlaybook, chosen: Sequence[WaitingBatch], portion: int
) -> int | None:
    """One pass: how many decisions were made again; None where it does not count."""
    begin = perf_counter()
    batches = [each.id for each in chosen]
    with ledger.snapshot(plan_by_index=True) as connection:
        begun = None if shadow.part is None else PartProgress.read(shadow.part)
        if begun is not None and begun.batch == batches[0]:
            part = begun
        elif chosen[0].decisions > portion:
            part = plan_parts(connection, batches[0], max(1, portion // len(RECORDED_STAGES)))
        else:
            part = None
        if part is not None:
            done, pools, rest = replay_part(connection, draft, part, shadow.pools)
        else:
            done, pools = replay_batches(connection, draft, batches, shadow.pools)
            rest = None
    check = done.check
    rows = [
        _build_row(journey, at, one, other, journey in done.uncertain)
        for journey, at, one, other in list_ends(done.before, done.after, check.different)
    ]
    failpoint("shadow.decided")
    unreadable = check.damaged + sum(count for _, count in check.unreadable.values())
    made = check.decisions + check.facts + unreadable
    if rest is not None:
        rest.decided += made
    counts = shadows.keep_pass(
        ledger,
        shadow,
        Pass(
            batches=batches if rest is None else [],
            last_batch=max(batches),
            decisions=check.decisions,
            facts=check.facts,
            different=check.different_decisions,
            unreadable=unreadable,
            seconds=perf_counter() - begin,
            differences=[asdict(each) for each in check.differences[:_NAMED]],
            journeys=rows,
            left_out=check.different,
            pools=pools,
            part=None if rest is None else rest.write(),
        ),
    )
    return made if counts else None


def _build_row(journey: int, at: datetime, one: JourneyEnd, other: JourneyEnd, uncertain: bool) -> JourneyRow:
    kind = find_kind(one, other)
    both = one.end is End.OWNED and other.end is End.OWNED
    ends = (None, None) if kind is None else (_write_end(one), _write_end(other))
    return JourneyRow(
        int(journey),
        None if kind is None else kind.value,
        both,
        both and one.owner != other.owner,
        uncertain,
        at,
        *ends,
    )


def _write_end(end: JourneyEnd) -> dict[str, Any]:
    return {name: value for name, value in asdict(end).items() if value is not None}


def _read_end(kept: Mapping[str, Any]) -> JourneyEnd:
    due_at = kept.get("due_at")
    values = {**kept, "end": End(kept["end"]), "due_at": None if due_at is None else datetime.fromisoformat(due_at)}
    return JourneyEnd(**values)


def describe_progress(progress: Progress) -> str:
    """What a run did, in a sentence."""
    if not progress.is_running:
        return "No shadow runs" if not progress.passes else "The shadow was stopped meanwhile"
    done = format_count(progress.decisions, "decision was", "decisions were")
    left = format_count(progress.waiting, "batch waits", "batches wait")
    return f"{done} made again under the draft in {progress.seconds:.1f} s; {left} for the next run"


def find_shadow(ledger: Ledger) -> ShadowFindings | None:
    """What the shadow that was started last found so far; None where there never was one."""
    order = list(Kind)
    with ledger.snapshot() as connection:
        shadow = shadows.find_last(connection)
        if shadow is None:
            return None
        counts = shadow_figures.count_kinds(connection, shadow.id)
        told = [
            changed
            for row in shadow_figures.list_told(connection, shadow.id, order, TOLD)
            if (changed := _read_changed(row)) is not None
        ]
        found = {Kind(each.kind): each.journeys for each in counts if each.kind is not None}
        totals = shadow_figures.read_totals(connection, shadow.id)
        waiting = 0 if shadow.stopped_at is not None else len(shadows.list_waiting(connection, shadow))
        looked = max(filter(None, (totals.last_at, shadow.problem_at, shadow.started_at)))
        return ShadowFindings(
            shadow=shadow,
            totals=totals,
            journeys=sum(each.journeys for each in counts),
            kinds={kind: found[kind] for kind in order if kind in found},
            owned_both=sum(each.owned_both for each in counts),
            changed_owners=sum(each.other_owner for each in counts),
            uncertain=sum(each.uncertain for each in counts),
            told=sorted(told, key=lambda each: (order.index(each.kind), each.journey)),
            differences=[
                Difference(**{**each, "stage": StageName(each["stage"])})
                for each in shadow_figures.read_differences(connection, shadow.id, TOLD)
            ],
            ways=shadow_figures.count_ways(connection, shadow.id),
            waiting=waiting,
            spent=shadows.count_seconds(connection, shadow, WITHIN),
            is_idle=bool(waiting) and read_time(connection) - looked > 3 * EVERY,
        )


def find_changed(ledger: Ledger, shadow: int, journey: int) -> ChangedJourney | None:
    """What a shadow found of a journey that differs; None for one that does not, or that it did not decide."""
    with ledger.snapshot() as connection:
        row = shadow_figures.find_journey(connection, shadow, journey)
    return None if row is None else _read_changed(row)


def _read_changed(row: JourneyRow) -> ChangedJourney | None:
    """A journey as a shadow keeps it, with both ends; None where they do not differ."""
    if row.kind is None or row.before is None or row.after is None:
        return None
    before, after = _read_end(row.before), _read_end(row.after)
    return ChangedJourney(row.journey_id, Kind(row.kind), row.at, before, after, row.uncertain)
