"""``leadgate leads``: the leads that reps have, the next due first, and those that a search finds.

Belongs here: the options, and the table. Does not belong here: one lead's story (``explain``), or the query
(``ledger.lead_list``).
"""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Final

import typer
from rich.cells import cell_len
from rich.text import Text

from console.cli.items import cut, format_due
from console.cli.options import Json, Now, Personal
from console.command_context import CommandContext, identify_actor, parse_now
from console.listed_leads import describe_standing, mask_lead
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, print_json
from leadgate.ledger.clock import ask_time
from leadgate.ledger.lead_list import Due, LeadFilter, ListedLead, list_leads
from leadgate.nearest import propose
from leadgate.playbook import Playbook
from tasks.advice import BY_CHANCE, is_advising

_LEAST: Final = 8  # characters of a value, however narrow the terminal
_WIDE: Final = 140  # characters of a terminal that has room for addresses and numbers


def leads(
    ctx: typer.Context,
    mine: Annotated[bool, typer.Option("--mine", help="Only leads that you or the reps whom you manage own.")] = False,
    rep: Annotated[str | None, typer.Option("--rep", help="Only leads that this rep owns.")] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Only leads that are not touched yet, and due soon or overdue.")
    ] = False,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only leads that are not touched yet, and overdue.")
    ] = False,
    search: Annotated[
        str | None,
        typer.Option(
            "--search",
            metavar="TEXT",
            help="Search all leads by name, company, e-mail or phone, also those without an owner.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Show at most this many.")] = 50,
    show_personal: Personal = False,
    json: Json = False,
    now: Now = None,
) -> None:
    """List leads with their owner, the next due first, or search all leads. Your own leads show their names.

    Where a learned score advises: overdue first, then the best chance.
    """
    context: CommandContext = ctx.obj
    if search is not None and not search.strip():
        raise CommandError("--search needs a name, a company, an e-mail address or a phone number")
    asked_due = Due.OVERDUE if overdue else Due.SOON if due else None
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        playbook = loaded.playbook
        wanted = LeadFilter(_choose_owners(playbook, rep, mine=mine), asked_due, search)
        at = ask_time(ledger, parse_now(now))
        wanted = replace(wanted, by_chance=is_advising(ledger, playbook))
        found = list_leads(ledger, wanted, at, limit + 1)
    if rep is not None and not found:
        _require_known(playbook, rep)
    shown = found[:limit]
    if not (show_personal or mine):
        shown = [mask_lead(each) for each in shown]
    if json:
        order = "chance" if wanted.by_chance else "due"
        print_json(
            {
                "order": order,
                "leads": [asdict(each) | {"due": each.is_due(at)} for each in shown],
                "more": len(found) > limit,
            }
        )
        return
    if wanted.by_chance and shown and search is None:
        build_console().print(f"{BY_CHANCE}.")
    _print(shown, playbook, at, more=len(found) > limit, masked=not (show_personal or mine), mine=mine)


def _choose_owners(playbook: Playbook, rep: str | None, *, mine: bool) -> tuple[str, ...] | None:
    if mine and rep is not None:
        raise CommandError("--mine and --rep are two answers to one question; give one of them")
    if mine:
        who = identify_actor(playbook)
        if not who.reps:
            raise CommandError(f"{who.name} is no rep and no manager of the playbook; --rep NAME lists a rep's leads")
        return tuple(sorted(who.reps))
    if rep is None:
        return None
    if rep in {each.name for each in playbook.reps}:
        return (rep,)
    return (_find_label(playbook, rep) or rep,)  # somebody who has left the playbook may still own leads


def _require_known(playbook: Playbook, rep: str) -> None:
    known = [name for each in playbook.reps for name in (each.name, each.label) if name]
    if rep.strip().casefold() not in {name.casefold() for name in known}:
        raise CommandError(f"there is no rep {sanitise(rep, 80)!r} who owns leads; {propose(rep, known)}")


def _find_label(playbook: Playbook, label: str) -> str | None:
    """The rep who is shown as ``label``. Raises ``CommandError`` when several are."""
    names = [each.name for each in playbook.reps if each.label and each.label.casefold() == label.strip().casefold()]
    if len(names) > 1:
        raise CommandError(f"{sanitise(label, 80)} is the label of {' and '.join(names)}; name one of them")
    return names[0] if names else None


def _print(shown: list[ListedLead], playbook: Playbook, now: datetime, *, more: bool, masked: bool, mine: bool) -> None:
    console = build_console()
    if not shown:
        console.print("No lead matches.")
        return
    labels = {each.name: each.label for each in playbook.reps if each.label}
    contacts = ("e-mail", "phone") if console.width >= _WIDE else ()
    texts = ("name", "company", "owner", *contacts)
    due = f"first touch due ({now.astimezone():%Z})"
    fixed = [(str(each.lead_id), sanitise(each.grade or "", 8), *_describe_time(each, now)) for each in shown]
    names = ("lead", "grade", "stands", due)
    wide = sum(max(map(cell_len, column)) + 2 for column in zip(names, *fixed, strict=True))
    room = max(_LEAST, (console.width - wide) // len(texts) - 2)
    table = build_table("lead", *texts, *names[1:], right=("lead",))
    for column in table.columns:
        column.no_wrap = True
    for each, (number, *others) in zip(shown, fixed, strict=True):
        values = (each.name, each.company, labels.get(each.owner or "", each.owner), each.email, each.phone)
        cells = [cut(sanitise(value or "", 200), room) for value in values[: len(texts)]]
        table.add_row(number, *map(Text, [*cells, *others]))
    console.print(table)
    if more:
        console.print(f"\nThere are more; see them with --limit {2 * len(shown)}.")
    if masked:
        console.print("\nNames, addresses and numbers are masked; --show-personal shows them.")
    first = shown[0]
    console.print(f"\nNext\n  all about one\n    {find_program()} explain {first.lead_id}", soft_wrap=True)
    if first.owner is not None and first.accepted_at is None:
        acts_for = "" if mine else f" --for {shlex.quote(sanitise(first.owner))}"
        console.print(f"  the owner takes it\n    {find_program()} accept {first.lead_id}{acts_for}", soft_wrap=True)


def _describe_time(lead: ListedLead, now: datetime) -> tuple[str, str]:
    """Where a lead stands, and when its first touch is due, while nobody has touched it."""
    open_ = lead.due_at is not None and lead.touched_at is None and lead.waits_until is None
    return describe_standing(lead, now), format_due(lead.due_at, now) if open_ and lead.due_at else ""
