"""What forms that a person fills in by hand have in common: who decides, what is forgotten, and going on at once.

Belongs here: what ``rerun``, ``review`` and ``transfer`` need alike. Does not belong here: a form of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid4

from prefect import get_client, get_run_logger, runtime
from prefect.artifacts import acreate_markdown_artifact

from flows import evidence
from flows.forms import MAX_NAME_LENGTH, NAME_FROM_FORM, SHARED_LOGIN
from flows.intake import intake
from flows.runtime import events, session
from leadgate.actors import FORM_ROLES, Actor
from leadgate.ledger import reports
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import JourneyStanding
from leadgate.masking import is_masked, mask_within
from leadgate.plain_text import format_line
from leadgate.references import IdError, Kind, parse_number
from leadgate.vocabulary import BatchKind, JourneyStatus
from tasks.batches import claim_next_work

#: Seconds to wait for leads that another process works on.
PATIENCE: Final = 30.0


def clean_corrections(corrections: Mapping[str, str]) -> dict[str, str]:
    return {name.strip(): value.strip().replace("\x00", "") for name, value in corrections.items()}


def identify_form_user(by: str) -> Actor:
    """Who acts by a form: whoever has the login of the Prefect server, which everybody shares and which can run any
    flow. So they are an operator, and the name is what somebody says.

    Raises ``ActionError`` for what is too long for a name, and for signs that nobody sees.
    """
    name = by.strip()
    if len(name) > MAX_NAME_LENGTH:
        raise ActionError(
            f"by has {len(name):,} characters, and a name has at most {MAX_NAME_LENGTH}; say who you are. "
            "Nothing was changed."
        )
    if not name.isprintable():
        raise ActionError(
            "by has line breaks or signs that nobody sees, and a name is one line of plain text; say who you are. "
            "Nothing was changed."
        )
    return Actor(f"{name} ({NAME_FROM_FORM})" if name else SHARED_LOGIN, roles=FORM_ROLES)


def name_items(given: Mapping[str, Sequence[str] | None]) -> str:
    """The first work items of a form as they are printed, for the name of its run. Nobody has checked them yet."""
    return ", ".join(f"W{str(item).strip().lstrip('Ww')}" for item in (given.get("work_items") or ())[:5])


def parse_ids(typed: Sequence[str], kind: Kind) -> list[int]:
    """The numbers of ids as they are printed. Raises ``ActionError`` for one of another kind."""
    try:
        return [parse_number(each, kind) for each in typed]
    except IdError as error:
        raise ActionError(str(error)) from None


def parse_id(typed: str, kind: Kind) -> int | None:
    """The number of an id as it is printed; None for an empty field."""
    return parse_ids([typed], kind)[0] if str(typed).strip() else None


@asynccontextmanager
async def working() -> AsyncIterator[session.Session]:
    """This process's session under a holder of its own: a batch that its other runs work on is not taken over."""
    async with session.open_session() as shared:
        here = session.Session(replace(shared.worker, holder=f"rerun-{uuid4().hex}"))
        token = session.current_session.set(here)
        try:
            yield here
        finally:
            session.current_session.reset(token)


async def take_on(here: session.Session, journeys: Sequence[int], *, run_now: bool) -> list[JourneyStanding]:
    """Where the journeys are (``reports.list_standings``) once none of them waits any more.

    Others may take them meanwhile, and then it is waited for them, at most ``PATIENCE`` seconds from the last
    batch of our own. Without ``run_now`` nothing is waited for.
    """
    until = time.monotonic() + PATIENCE
    while True:
        standing = await asyncio.to_thread(reports.list_standings, here.worker.ledger, journeys)
        waits = any(each.status == JourneyStatus.READY and not each.later for each in standing)
        if not run_now or not waits or time.monotonic() > until:
            return standing
        work = await asyncio.to_thread(claim_next_work, here.worker, None, BatchKind.INTAKE, events.emit_held_batch)
        if work is None:
            await asyncio.sleep(0.25)
            continue
        here.claimed[work.batch.id] = work
        state = await intake(batch=work.batch.id, return_state=True)
        if state.is_failed() or state.is_crashed():
            await state.aresult()  # raises what went wrong; a run that was cancelled has held its leads
        until = time.monotonic() + PATIENCE


@asynccontextmanager
async def forgetting(
    corrections: Mapping[str, str], *, by: str, **texts: str
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Prefect keeps what was typed into a form, and personal values have one place only: mask them there. Of what
    was given for a name (``by``) no more is kept than a name has.

    Call what this yields once the decision is stored. Where it is refused they are masked, too: the same would
    be refused again. After any other failure they stay, for a retry.
    """

    async def forget() -> None:
        masked: dict[str, str | dict[str, str]] = {name: mask_within(text) for name, text in texts.items() if text}
        if corrections:
            masked["corrections"] = {name: evidence.show_masked(name, value) for name, value in corrections.items()}
        if len(by) > MAX_NAME_LENGTH:
            masked["by"] = format_line(by, MAX_NAME_LENGTH)
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


async def is_decided(*typed: str) -> bool:
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
