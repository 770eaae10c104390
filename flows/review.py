"""Review: a person approves, rejects, corrects or takes what waits for a decision, from a form in the Prefect UI.

Belongs here: the form, and what it shows of each item. Does not belong here: what a reviewer needs to see
(``tasks.reviews``), or moving the lead (``tasks.reruns``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prefect import flow, runtime
from prefect.artifacts import acreate_markdown_artifact

from flows.evidence import escape_text, link_whereabouts, show_masked
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
from flows.forms import Decision, Id, Name
from flows.links import find_rerun_form
from flows.runtime import session
from leadgate.counting import format_count
from leadgate.ledger import reviews as taking
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import JourneyStanding
from leadgate.ledger.reruns import RerunReport
from leadgate.masking import mask
from leadgate.plain_text import format_line
from leadgate.resolutions import (
    Correct,
    DifferentPerson,
    Discard,
    DoneByHand,
    Resolution,
    SamePerson,
    list_corrected_fields,
)
from tasks import reruns, reviews
from tasks.reviews import Other, Review

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonValue


def _name() -> str:
    given = runtime.flow_run.parameters
    items = name_items(given)
    return format_line(f"review | {given.get('decision')} | {items or 'nothing'}", 200)


@flow(name="review", flow_run_name=_name, persist_result=False)
async def review(
    work_items: list[Id],
    decision: Decision,
    reason: str = "",
    corrections: dict[str, str] = {},  # noqa: B006 - never changed; see ``rerun_handoff``
    by: Name = "",
    run_now: bool = True,
    lead: Id = "",
) -> RerunReport:
    """Decide about reviews and exceptions: what was there to decide by is kept beside the decision, masked.

    Args:
        work_items: Work items, such as W12; `leadgate review` lists what waits.
        decision: approve lets the lead go on, and answers for it; reject ends its journey; correct sets the fields
            below and has it validated again; take says that you decide it, so that it is not escalated. Where two
            records may be one person's, same says that it is the person of the lead below, different that it is not.
        reason: For reject, why. For approve, what you looked at.
        corrections: For correct, field and value, such as {"job_title": "Head of Sales"}; an empty value clears it.
        by: Who you are; needed to take one. It is recorded as said in the Prefect UI; left empty, as a shared Prefect
            login.
        run_now: Work until the leads have left what they wait for; else the next run takes them.
        lead: For same, the number of the lead that it is about.
    """
    async with forgetting(corrections, by=by, reason=reason) as forget:
        if await is_decided(*corrections.values(), reason):
            return RerunReport()
        if not work_items:
            raise ActionError("nothing says which: give work_items; `leadgate review` lists what waits")
        who, resolution = (
            identify_form_user(by),
            _read_resolution(decision, corrections, reason, by, parse_id(lead, "lead")),
        )
        async with working() as here:
            ledger, playbook = here.worker.ledger, here.worker.playbook.playbook
            reruns.require_fields(list_corrected_fields(resolution), playbook)
            found = await asyncio.to_thread(reviews.read_reviews, ledger, parse_ids(work_items, "work item"), playbook)
            items = [each.item for each in found]
            now = await session.read_ledger_time(ledger)
            done = RerunReport()
            standing: list[JourneyStanding] = []
            if resolution is None:
                for item in items:
                    taken = await asyncio.to_thread(taking.take, ledger, item.id, by=who, now=now)
                    if taken.before is not None:
                        done.skipped.append(f"W{item.id} was {taken.before}'s until now; tell them")
            else:
                done = await asyncio.to_thread(
                    reruns.resolve_items, ledger, items, resolution, by=who, now=now, playbook=playbook
                )
                await forget()
                standing = await take_on(
                    here, list(done.journeys), run_now=run_now and not isinstance(resolution, Discard)
                )
            await _publish(found, decision, who.name, done, standing)
    return done


def _read_resolution(
    decision: Decision, corrections: Mapping[str, str], reason: str, by: str, lead: int | None = None
) -> Resolution | None:
    """What is done to the items; None when they are only taken. Raises ``ActionError`` where fields do not fit."""
    said = reason.strip()
    if decision is Decision.CORRECT and not corrections:
        raise ActionError('correct needs corrections, such as {"job_title": "Head of Sales"}')
    if decision is not Decision.CORRECT and corrections:
        raise ActionError(f"corrections are given, and {decision} would not use them; decide correct, or take them out")
    if decision is Decision.REJECT and not said:
        raise ActionError("reject needs a reason: it is kept with the lead")
    if decision is Decision.SAME and lead is None:
        raise ActionError("same needs lead: the number of the lead that it is about")
    if decision is not Decision.SAME and lead is not None:
        raise ActionError(f"lead is given, and {decision} would not use it; decide same, or take it out")
    if decision is Decision.TAKE and not by.strip():
        raise ActionError("take needs by: say who decides it, so that others know whom to ask")
    match decision:
        case Decision.APPROVE:
            return DoneByHand(said or reruns.APPROVED)
        case Decision.REJECT:
            return Discard(said)
        case Decision.CORRECT:
            return Correct(clean_corrections(corrections))
        case Decision.SAME:
            assert lead is not None  # noqa: S101 - required above
            return SamePerson(lead)
        case Decision.DIFFERENT:
            return DifferentPerson()
        case Decision.TAKE:
            return None


async def _publish(
    found: Sequence[Review],
    decision: Decision,
    by: str,
    done: RerunReport,
    standing: Sequence[JourneyStanding],
) -> None:
    past = {
        Decision.APPROVE: "approved",
        Decision.REJECT: "rejected",
        Decision.CORRECT: "corrected",
        Decision.TAKE: "taken",
        Decision.SAME: "the same person",
        Decision.DIFFERENT: "somebody else",
    }[decision]
    lines = []
    form = await find_rerun_form() if any(journey.work_item_id is not None for journey in standing) else None
    for each in found:
        lines += _format_review(each)
        decided = decision is Decision.TAKE or each.item.id in done.journeys.values()
        lines.append(f"**Decided:** {past} by {escape_text(by)}" if decided else "**Not decided**, see below")
        for journey in standing:
            if done.journeys[journey.id] == each.item.id:
                now, why = link_whereabouts(journey, form)
                lines.append(f"- J{journey.id}: {now}" + (f", {why}" if why else ""))
    lines += [f"- {escape_text(note)}" for note in done.skipped]
    await acreate_markdown_artifact(
        key="review", markdown="\n\n".join(lines), description="What there was to decide by, and the decision."
    )


def _format_review(each: Review) -> list[str]:
    """One item as Markdown, with masked values."""
    item = each.item
    about = f"lead {item.lead_id}" if item.lead_id is not None else format_count(item.journeys, "journey", "journeys")
    lines = [
        f"## W{item.id}: {escape_text(item.reason)} at {item.stage.replace('_', '-')}, {about}",
        escape_text(item.message),
    ]
    if item.value:
        lines.append(f"Value: {escape_text(mask(item.value))}")
    if item.proposal:
        proposed = (f"{name}={show_masked(name, str(value))}" for name, value in item.proposal.items())
        lines.append(f"Proposed: {escape_text(', '.join(proposed))}")
    for other in each.others:
        lines.append(_format_comparison(each, other))
    if each.score is not None:
        points = "".join(f"\n| {escape_text(rule)} | {number:+} |" for rule, number in each.contributions.items())
        grade = f", grade {each.grade}" if each.grade else ""
        lines.append(f"Score {each.score}{grade}: fit {each.fit}, engagement {each.engagement}.")
        lines.append(f"| rule | points |\n|---|---:|{points}")
        known = (f"{name}: {show_masked(name, str(value))}" for name, value in each.values.items())
        lines.append(f"The rules read {escape_text('; '.join(known)) or 'nothing that is known'}.")
    if each.missing:
        lines.append(f"Missing: {escape_text(', '.join(each.missing))}")
    if each.unknown:
        lines.append(f"Nobody knows yet: {escape_text(', '.join(each.unknown))}")
    if each.negative:
        lines.append(f"Known not to be there: {escape_text(', '.join(each.negative))}")
    return lines


def _format_comparison(each: Review, other: Other) -> str:
    """This record and a lead that it may be about, as a table with masked values."""
    levels = {"full_name" if field == "name" else field: level for field, level in other.levels.items()}
    rows = [
        f"| {escape_text(name.replace('_', ' '))} | {_format_cell(name, each.record[name])} | "
        f"{_format_cell(name, value)} | "
        f"{levels.get(name, '')} |"
        for name, value in other.values.items()
        if value is not None or each.record[name] is not None
    ]
    head = f"| | this one | lead {other.lead_id}, score {other.score} | |\n|---|---|---|---|"
    return "\n".join((head, *rows))


def _format_cell(name: str, value: JsonValue) -> str:
    return "unknown" if value is None else escape_text(show_masked(name, str(value)))
