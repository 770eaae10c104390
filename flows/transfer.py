"""Transfer: the whole book of somebody who leaves, spread over their colleagues from a form in the Prefect UI.

Belongs here: the form, and the table of who gets how many. Does not belong here: who gets which lead
(``leadgate.assignment.reassignment``), or storing it (``tasks.reassignments``).
"""

from __future__ import annotations

import asyncio

from prefect import flow, runtime
from prefect.artifacts import acreate_markdown_artifact

from flows.evidence import escape_text
from flows.form_support import forgetting, identify_form_user, is_decided, working
from flows.forms import Name
from flows.runtime import session
from leadgate.counting import count_kinds
from leadgate.plain_text import format_line
from tasks import reassignments
from tasks.reassignments import Transfer


def _name() -> str:
    given = runtime.flow_run.parameters
    return format_line(f"transfer | {given.get('rep')}{' | dry run' if given.get('dry_run', True) else ''}", 200)


@flow(name="transfer", flow_run_name=_name, persist_result=False)
async def transfer(rep: str, reason: str, to_pool: str = "", by: Name = "", dry_run: bool = True) -> dict[str, int]:
    """All the open leads of somebody who leaves go to their colleagues, by fair turns and within caps.

    Args:
        rep: Whose leads, by the name in the playbook; they need not be in it any more.
        reason: Why; it is kept with each lead.
        to_pool: The pool whose members share them; left empty, each lead goes to the pool it came by.
        by: Who you are. It is recorded as said in the Prefect UI; left empty, as a shared Prefect login.
        dry_run: Only show who would get how many; switch it off to do it.
    """
    async with forgetting({}, by=by, reason=reason) as forget:
        if await is_decided(reason):
            return {}
        who = identify_form_user(by)
        async with working() as here:
            done = await asyncio.to_thread(
                reassignments.transfer,
                here.worker.ledger,
                here.worker.playbook,
                rep.strip(),
                to_pool=to_pool.strip() or None,
                dry_run=dry_run,
                reason=reason,
                by=who,
                now=await session.read_ledger_time(here.worker.ledger),
            )
            if not dry_run:
                await forget()
            await _publish(done, dry_run=dry_run)
    return done.by_owner


async def _publish(done: Transfer, *, dry_run: bool) -> None:
    verb = "would go" if dry_run else "went"
    rows = "".join(f"\n| {escape_text(owner)} | {leads:,} |" for owner, leads in done.by_owner.items())
    placed = count_kinds(each.kind for each in done.placed)
    lines = [f"{placed} of {escape_text(done.rep)} {verb} to:\n\n| rep | gets |\n|---|---:|{rows}"]
    if done.left:
        lines.append(f"{len(done.left):,} stay, because nobody can take more:")
        lines += [f"- J{each.journey_id}: {escape_text(each.why)}" for each in done.left[:20]]
    await acreate_markdown_artifact(
        key="transfer", markdown="\n\n".join(lines), description="Who got the leads of somebody who leaves."
    )
