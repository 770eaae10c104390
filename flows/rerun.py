"""Rerun-handoff: what is held tries its stage again, from a form in the Prefect UI.

Belongs here: the form, and what it reports of each lead. Does not belong here: doing it (``tasks.reruns``), or
the decision of a reviewer (``review``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from prefect import flow, runtime
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows import evidence
from flows.form_support import (
    clean_corrections,
    forgetting,
    identify_form_user,
    is_decided,
    name_items,
    parse_id,
    parse_ids,
    take_on,
    working,
)
from flows.forms import Id, Mode, Name, Reason, Stage
from flows.links import find_rerun_form
from flows.runtime import session
from flows.whereabouts import describe_whereabouts
from leadgate.counting import format_count
from leadgate.ledger import Ledger
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import JourneyStanding, OpenWorkItem, WorkItemFilter
from leadgate.ledger.reruns import RerunReport
from leadgate.plain_text import format_line
from leadgate.resolutions import (
    Correct,
    CorrectAsProposed,
    Discard,
    DoneByHand,
    Resolution,
    TryAgain,
    list_corrected_fields,
)
from tasks import reruns

#: Rows of the table about what became of each lead.
SHOWN: Final = 1_000
#: Leads that are held again and linked to their work items: a table shows links as text.
LINKED: Final = 50


def _name() -> str:
    given = runtime.flow_run.parameters
    items = name_items(given)
    filters = [given.get(name) for name in ("reason", "other_reason", "stage", "source")]
    filters.append(f"batch {given['batch']}" if given.get("batch") else None)
    what = ", ".join(str(part) for part in (items, *filters) if part)
    return format_line(f"rerun-handoff | {given.get('mode', Mode.AS_IT_IS)} | {what or 'nothing'}", 200)


@flow(name="rerun-handoff", flow_run_name=_name, persist_result=False)
async def rerun_handoff(
    work_items: list[Id] = [],  # noqa: B006 - never changed; a form shows a list, where None hides it behind a tab
    reason: Reason | None = None,
    other_reason: str = "",
    stage: Stage | None = None,
    source: str = "",
    batch: Id = "",
    mode: Mode = Mode.AS_IT_IS,
    corrections: dict[str, str] = {},  # noqa: B006 - likewise
    words: str = "",
    by: Name = "",
    limit: int | None = None,
    run_now: bool = True,
) -> RerunReport:
    """Leads that are held try their stage again, and those after it: as they are, corrected, or done by hand.

    Say which leads by at least one of the first six fields; every one that is given must fit.

    Args:
        work_items: Work items, such as W12; `leadgate queue` and the tables of a run name them.
        reason: Those held for this reason.
        other_reason: Those held for a promise that your playbook adds; its name.
        stage: Those held at this stage.
        source: Those of this source.
        batch: Those that this batch held; its number stands in the names of flow runs.
        mode: as_it_is tries again; corrected sets the fields below; as_proposed corrects each as its work item
            proposes; done_by_hand goes on without the broken promise, or approves; discard ends the journeys.
        corrections: For corrected, field and value, such as {"email": "jane@acme.example"}; an empty value clears it.
        words: For done_by_hand, what was done and what proves it; for discard, why.
        by: Who you are. It is recorded as said in the Prefect UI; left empty, as a shared Prefect login.
        limit: At most this many work items, the oldest due first; empty for all that fit.
        run_now: Work until the leads have left what they wait for; else the next run takes them.
    """
    async with forgetting(corrections, by=by, words=words) as forget:
        if await is_decided(*corrections.values(), words):
            return RerunReport()
        who, resolution = identify_form_user(by), _read_resolution(mode, corrections, words)
        asked = _build_filter(work_items, reason, other_reason, stage, source, batch)
        if limit is not None and limit < 1:
            raise ActionError(f"limit is {limit}; give at least 1, or leave it empty for all that fit")
        async with working() as here:
            ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
            reruns.require_fields(list_corrected_fields(resolution), playbook)
            items = await asyncio.to_thread(reruns.find_items, ledger, asked, resolution, limit)
            named = list(asked.ids) if asked == WorkItemFilter(ids=asked.ids) and limit is None else []
            if not items and not named:
                await asyncio.to_thread(_refuse_no_match, ledger, asked, resolution)
            now = await session.read_ledger_time(ledger)
            done = await asyncio.to_thread(
                reruns.resolve_items, ledger, items, resolution, by=who, now=now, playbook=playbook, named=named
            )
            await forget()
            standing = await take_on(here, list(done.journeys), run_now=run_now and not isinstance(resolution, Discard))
            await _publish(done, resolution, items, standing, by=who.name)
    return done


def _read_resolution(mode: Mode, corrections: Mapping[str, str], words: str) -> Resolution:
    """What the form asks for. Raises ``ActionError`` where its fields do not fit together."""
    said = words.strip()
    if mode is Mode.CORRECTED and not corrections:
        raise ActionError('mode corrected needs corrections, such as {"email": "jane@acme.example"}')
    if mode is not Mode.CORRECTED and corrections:
        raise ActionError(f"corrections are given, and {mode} would not use them; choose corrected, or take them out")
    if mode in (Mode.DONE_BY_HAND, Mode.DISCARD) and not said:
        need = "why" if mode is Mode.DISCARD else "what was done and what proves it"
        raise ActionError(f"mode {mode} needs words: {need}")
    match mode:
        case Mode.AS_IT_IS:
            return TryAgain()
        case Mode.CORRECTED:
            return Correct(clean_corrections(corrections))
        case Mode.AS_PROPOSED:
            return CorrectAsProposed()
        case Mode.DONE_BY_HAND:
            return DoneByHand(said)
        case Mode.DISCARD:
            return Discard(said)


def _build_filter(
    work_items: Sequence[str],
    reason: Reason | None,
    other_reason: str,
    stage: Stage | None,
    source: str,
    batch: str,
) -> WorkItemFilter:
    other = other_reason.strip() or None
    if reason is not None and other is not None:
        raise ActionError(f"reason {reason} and other_reason {other!r} exclude one another; give one")
    asked = WorkItemFilter(
        ids=tuple(parse_ids(work_items, "work item")),
        reason=None if reason is None and other is None else str(reason or other),
        stage=None if stage is None else str(stage),
        source=source.strip() or None,
        batch_id=parse_id(batch, "batch"),
    )
    if asked == WorkItemFilter():
        raise ActionError(
            "nothing says which leads: give work_items, a reason, a stage, a source or a batch; "
            "`leadgate queue` lists what is held. Nothing was changed."
        )
    return asked


def _refuse_no_match(ledger: Ledger, asked: WorkItemFilter, resolution: Resolution) -> None:
    """Fail in words, unless an earlier attempt of this very run has done it already."""
    reruns.require_known(ledger, asked)
    if runtime.flow_run.run_count > 1:
        return
    proposes = " and proposes a correction" if isinstance(resolution, CorrectAsProposed) else ""
    raise ActionError(
        f"no open work item fits all that is given{proposes}; `leadgate queue` lists them. Nothing was changed."
    )


async def _publish(
    done: RerunReport,
    resolution: Resolution,
    items: Sequence[OpenWorkItem],
    standing: Sequence[JourneyStanding],
    *,
    by: str,
) -> None:
    about = {item.id: item for item in items}
    table = []
    for each in standing[:SHOWN]:
        item = done.journeys[each.id]
        now, why = describe_whereabouts(each)
        table.append(
            {
                "lead": each.lead_id,
                "journey": f"J{each.id}",
                "work item": f"W{item}",
                "was held for": f"{about[item].reason} at {about[item].stage.replace('_', '-')}",
                "what was done": resolution.past,
                "now": now,
                "owner or reason": why,
            }
        )
    counts: dict[str, int] = {}
    for each in standing:
        words = describe_whereabouts(each)[0].partition(",")[0].partition(" J")[0]
        counts[words] = counts.get(words, 0) + 1
    held = [each for each in standing if each.work_item_id is not None]
    form = await find_rerun_form() if held else None
    decided, released = (
        format_count(done.work_items, "work item", "work items"),
        format_count(done.released, "lead", "leads"),
    )
    lines = [
        f"**{decided}** {resolution.past}, with **{released}**, by {evidence.escape_text(by)}.",
        *(f"- {count:,} {words}" for words, count in counts.items()),
        *(f"- J{each.id}: {': '.join(evidence.link_whereabouts(each, form))}" for each in held[:LINKED]),
        *(f"- left alone: {evidence.escape_text(skipped)}" for skipped in done.skipped[:100]),
    ]
    if len(standing) > SHOWN:
        lines.append(f"- the table has the first {SHOWN:,} of {format_count(len(standing), 'lead', 'leads')}")
    await asyncio.gather(
        acreate_table_artifact(key="rerun-handoff", table=table, description="What became of each lead."),
        acreate_markdown_artifact(key="rerun-handoff-summary", markdown="\n".join(lines), description="The rerun."),
    )
