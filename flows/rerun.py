"""Rerun-handoff: what is held tries its stage again, from a form in the Prefect UI.

Belongs here: the form, and what it reports of each lead. Does not belong here: doing it (``tasks.reruns``), or
the decision of a reviewer (``review``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from uuid import UUID, uuid4

from prefect import flow, get_client, get_run_logger, runtime
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact

from flows import events, evidence, session
from flows.forms import SHARED_LOGIN, Mode, Reason, Stage
from flows.intake import intake
from leadgate.ledger import Ledger, reports
from leadgate.ledger.actions import ActionError, RerunReport
from leadgate.ledger.reports import Wanted
from leadgate.masking import is_masked, mask_within
from tasks import reruns
from tasks.batches import next_work
from tasks.reruns import How

#: Seconds to wait for leads that another process works on.
PATIENCE: Final = 30.0
#: Rows of the table about what became of each lead.
SHOWN: Final = 1_000


def _name() -> str:
    given = runtime.flow_run.parameters
    items = ", ".join(f"W{item}" for item in (given.get("work_items") or ())[:5])
    filters = [given.get(name) for name in ("reason", "other_reason", "stage", "source")]
    filters.append(f"batch {given['batch']}" if given.get("batch") is not None else None)
    what = ", ".join(str(part) for part in (items, *filters) if part)
    return f"rerun-handoff | {given.get('mode', Mode.AS_IT_IS)} | {what or 'nothing'}"[:200]


@flow(name="rerun-handoff", flow_run_name=_name, persist_result=False)
async def rerun_handoff(
    work_items: list[int] = [],  # noqa: B006 - never changed; a form shows a list, where None hides it behind a tab
    reason: Reason | None = None,
    other_reason: str = "",
    stage: Stage | None = None,
    source: str = "",
    batch: int | None = None,
    mode: Mode = Mode.AS_IT_IS,
    corrections: dict[str, str] = {},  # noqa: B006 - likewise
    words: str = "",
    by: str = "",
    limit: int | None = None,
    run_now: bool = True,
) -> RerunReport:
    """Leads that are held try their stage again, and those after it: as they are, corrected, or done by hand.

    Say which leads by at least one of the first six fields; every one that is given must fit.

    Args:
        work_items: Numbers of work items, without the W; `leadgate queue` and the tables of a run name them.
        reason: Those held for this reason.
        other_reason: Those held for a promise that your playbook adds; its name.
        stage: Those held at this stage.
        source: Those of this source.
        batch: Those that this batch held; its number stands in the names of flow runs.
        mode: as_it_is tries again; corrected sets the fields below; as_proposed corrects each as its work item
            proposes; done_by_hand goes on without the broken promise, or approves; discard ends the journeys.
        corrections: For corrected, field and value, such as {"email": "jane@acme.example"}; an empty value clears it.
        words: For done_by_hand, what was done and what proves it; for discard, why.
        by: Who decides this. Left empty it is recorded as a shared Prefect login.
        limit: At most this many work items, the oldest due first; empty for all that fit.
        run_now: Work until the leads have left what they wait for; else the next run takes them.
    """
    async with forgetting(corrections, words=words) as forget:
        if await decided_before(*corrections.values(), words):
            return RerunReport()
        how = _how(mode, corrections, words)
        asked = _asked(work_items, reason, other_reason, stage, source, batch)
        if limit is not None and limit < 1:
            raise ActionError(f"limit is {limit}; give at least 1, or leave it empty for all that fit")
        async with working() as here:
            ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
            reruns.require_fields(list(how.corrections), playbook)
            items = await asyncio.to_thread(reruns.meant, ledger, asked, how, limit)
            named = list(asked.ids) if asked == Wanted(ids=asked.ids) and limit is None else []
            if not items and not named:
                await asyncio.to_thread(_nothing_fits, ledger, asked, how)
            who, now = decided_by(by), session.utc_now()
            done = await asyncio.to_thread(
                reruns.do, ledger, items, how, by=who, now=now, playbook=playbook, named=named
            )
            await forget()
            standing = await take_on(here, list(done.journeys), run_now=run_now and how.discard is None)
            await _publish(done, how, items, standing, by=who)
    return done


def _how(mode: Mode, corrections: Mapping[str, str], words: str) -> How:
    """What the form asks for. Raises ``ActionError`` where its fields do not fit together."""
    said = words.strip()
    if mode is Mode.CORRECTED and not corrections:
        raise ActionError('mode corrected needs corrections, such as {"email": "jane@acme.example"}')
    if mode is not Mode.CORRECTED and corrections:
        raise ActionError(f"corrections are given, and {mode} would not use them; choose corrected, or take them out")
    if mode in (Mode.DONE_BY_HAND, Mode.DISCARD) and not said:
        need = "why" if mode is Mode.DISCARD else "what was done and what proves it"
        raise ActionError(f"mode {mode} needs words: {need}")
    return How(
        corrections=cleaned(corrections),
        proposed=mode is Mode.AS_PROPOSED,
        done_by_hand=said if mode is Mode.DONE_BY_HAND else None,
        discard=said if mode is Mode.DISCARD else None,
    )


def cleaned(corrections: Mapping[str, str]) -> dict[str, str]:
    return {name.strip(): value.strip().replace("\x00", "") for name, value in corrections.items()}


def decided_by(by: str) -> str:
    return by.strip() or SHARED_LOGIN


def _asked(
    work_items: Sequence[int],
    reason: Reason | None,
    other_reason: str,
    stage: Stage | None,
    source: str,
    batch: int | None,
) -> Wanted:
    other = other_reason.strip() or None
    if reason is not None and other is not None:
        raise ActionError(f"reason {reason} and other_reason {other!r} exclude one another; give one")
    asked = Wanted(
        ids=tuple(work_items),
        reason=None if reason is None and other is None else str(reason or other),
        stage=None if stage is None else str(stage),
        source=source.strip() or None,
        batch_id=batch,
    )
    if asked == Wanted():
        raise ActionError(
            "nothing says which leads: give work_items, a reason, a stage, a source or a batch; "
            "`leadgate queue` lists what is held. Nothing was changed."
        )
    return asked


def _nothing_fits(ledger: Ledger, asked: Wanted, how: How) -> None:
    """Fail in words, unless an earlier attempt of this very run has done it already."""
    reruns.require_known(ledger, asked)
    if runtime.flow_run.run_count > 1:
        return
    proposes = " and proposes a correction" if how.proposed else ""
    raise ActionError(
        f"no open work item fits all that is given{proposes}; `leadgate queue` lists them. Nothing was changed."
    )


@asynccontextmanager
async def working() -> AsyncIterator[session.Session]:
    """This process's session under a holder of its own: a batch that its other runs work on is not taken over."""
    async with session.opened() as shared:
        here = session.Session(replace(shared.worker, holder=f"rerun-{uuid4().hex}"))
        token = session.current.set(here)
        try:
            yield here
        finally:
            session.current.reset(token)


async def take_on(here: session.Session, journeys: Sequence[int], *, run_now: bool) -> list[dict[str, Any]]:
    """Where the journeys are (``reports.standing``) once none of them waits any more.

    Others may take them meanwhile, and then it is waited for them, at most ``PATIENCE`` seconds from the last
    batch of our own. Without ``run_now`` nothing is waited for.
    """
    until = time.monotonic() + PATIENCE
    while True:
        standing = await asyncio.to_thread(reports.standing, here.worker.ledger, journeys)
        now = session.utc_now()
        waits = any(each["status"] == "ready" and each["run_after"] <= now for each in standing)
        if not run_now or not waits or time.monotonic() > until:
            return standing
        work = await asyncio.to_thread(next_work, here.worker, now, "intake", events.held)
        if work is None:
            await asyncio.sleep(0.25)
            continue
        here.claimed[work.batch.id] = work
        state = await intake(batch=work.batch.id, return_state=True)
        if state.is_failed() or state.is_crashed():
            await state.aresult()  # raises what went wrong; a run that was cancelled has held its leads
        until = time.monotonic() + PATIENCE


@asynccontextmanager
async def forgetting(corrections: Mapping[str, str], **texts: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Prefect keeps what was typed into a form, and personal values have one place only: mask them there.

    Call what this yields once the decision is stored. Where it is refused they are masked, too: the same would
    be refused again. After any other failure they stay, for a retry.
    """

    async def forget() -> None:
        masked: dict[str, Any] = {name: mask_within(text) for name, text in texts.items() if text}
        if corrections:
            masked["corrections"] = {name: evidence.shown(name, value) for name, value in corrections.items()}
        if masked and runtime.flow_run.id is not None:
            async with get_client() as client:
                run = await client.read_flow_run(UUID(runtime.flow_run.id))
                await client.update_flow_run(run.id, parameters={**run.parameters, **masked})

    try:
        yield forget
    except ActionError as refused:
        await forget()
        # the log is what a run's page opens with; critical, as nothing less is logged (``server.use_defaults``)
        get_run_logger().critical("%s", refused)
        raise


async def decided_before(*typed: str) -> bool:
    """Whether an earlier attempt of this run stored its decision: what was typed is masked then.

    Raises ``ActionError`` for a new run that was copied from such a one.
    """
    if not any(is_masked(text) for text in typed):
        return False
    if runtime.flow_run.run_count > 1:
        words = "An earlier attempt of this run stored its decision. What it released waits for the next run."
        await acreate_markdown_artifact(key="decided-before", markdown=words, description="Nothing was done again.")
        return True
    raise ActionError(
        "a value is masked (•••): it was copied from a run that has used it, and is no longer kept; type it again"
    )


def whereabouts(each: Mapping[str, Any]) -> tuple[str, str]:
    """Where a journey is now, in words, and its owner or the reason."""
    stage, status = each["stage"].replace("_", "-"), each["status"]
    reason = str(each["reason"] or "").replace("_", " ")
    if status == "owned":
        return "has an owner", str(each["owner"])
    if status == "held":
        return f"held at {stage}, W{each['work_item_id']}", reason
    if status == "joined":
        return f"joined J{each['joined_to']}", reason
    if status == "ready":
        if each["batch_id"] is not None:
            return f"at {stage}, worked on in batch {each['batch_id']}", ""
        if each["run_after"] > session.utc_now():
            return f"waits at {stage} until {each['run_after']:%Y-%m-%d %H:%M} UTC", reason
        return f"still waiting at {stage}, for the next run", ""
    return str(status), reason


async def _publish(
    done: RerunReport, how: How, items: Sequence[Mapping[str, Any]], standing: Sequence[Mapping[str, Any]], *, by: str
) -> None:
    about = {item["id"]: item for item in items}
    table = []
    for each in standing[:SHOWN]:
        item = done.journeys[each["id"]]
        now, why = whereabouts(each)
        table.append(
            {
                "lead": each["lead_id"],
                "journey": f"J{each['id']}",
                "work item": f"W{item}",
                "was held for": f"{about[item]['reason']} at {about[item]['stage'].replace('_', '-')}",
                "what was done": how.past,
                "now": now,
                "owner or reason": why,
            }
        )
    counts: dict[str, int] = {}
    for each in standing:
        words = whereabouts(each)[0].partition(",")[0].partition(" J")[0]
        counts[words] = counts.get(words, 0) + 1
    lines = [
        f"**{done.work_items:,}** work items {how.past}, with **{done.released:,}** leads, by {evidence.plain(by)}.",
        *(f"- {count:,} {words}" for words, count in counts.items()),
        *(f"- left alone: {evidence.plain(skipped)}" for skipped in done.skipped[:100]),
    ]
    if len(standing) > SHOWN:
        lines.append(f"- the table has the first {SHOWN:,} of {len(standing):,} leads")
    await asyncio.gather(
        acreate_table_artifact(key="rerun-handoff", table=table, description="What became of each lead."),
        acreate_markdown_artifact(key="rerun-handoff-summary", markdown="\n".join(lines), description="The rerun."),
    )
