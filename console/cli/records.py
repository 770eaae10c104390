"""``leadgate records``: opportunities, renewals and expansions, what is to close next first.

Belongs here: the options, and the table. Does not belong here: one record's story (``explain``), or the query
(``ledger.record_list``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.text import Text

from console.cli.items import cut
from console.cli.options import Json
from console.command_context import CommandContext
from console.display_names import DisplayNames, write_as_words
from console.forecast.sentences import format_day, format_money
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_table, find_program, print_json
from leadgate.ledger.record_list import ListedRecord, RecordFilter, list_records
from leadgate.nearest import propose
from leadgate.vocabulary import JourneyKind

_KINDS: Final = {kind.value: kind for kind in JourneyKind if kind is not JourneyKind.LEAD}
_WIDTH: Final = 28  # characters of a name


def records(
    ctx: typer.Context,
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only records of this kind: opportunity, renewal or expansion.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="REP", help="Only records that this rep owns.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Only records that are open.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Show at most this many.")] = 50,
    json: Json = False,
) -> None:
    """List opportunities, renewals and expansions, the next to close first."""
    if kind is not None and kind not in _KINDS:
        raise CommandError(f"there is no kind of record {sanitise(kind, 40)!r}; {propose(kind, _KINDS)}")
    context: CommandContext = ctx.obj
    with context.ledger_and_playbook(takes_over=False) as (ledger, loaded):
        wanted = RecordFilter(None if kind is None else _KINDS[kind], owner, open_)
        found = list_records(ledger, wanted, limit + 1)
    shown = found[:limit]
    if json:
        print_json({"records": [asdict(each) for each in shown], "more": len(found) > limit})
        return
    _print(shown, DisplayNames(loaded.playbook), more=len(found) > limit)


def _print(shown: Sequence[ListedRecord], names: DisplayNames, *, more: bool) -> None:
    console = build_console()
    if not shown:
        console.print("No record matches.")
        return
    table = build_table("record", "kind", "name", "account", "owner", "amount", "closes", "stands", right=("amount",))
    for each in shown:
        cells = (
            f"R{each.id}",
            each.kind,
            cut(sanitise(each.name or "", 200), _WIDTH),
            cut(sanitise(each.account or "", 200), _WIDTH),
            cut(sanitise(names.name_rep(each.owner) if each.owner else "nobody", 200), _WIDTH),
            "" if each.amount is None else format_money(round(each.amount * 100)),
            "" if each.close_date is None else format_day(each.close_date),
            _describe_standing(each),
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    if more:
        console.print(f"\nThere are more; see them with --limit {2 * len(shown)}.")
    console.print(f"\nNext\n  all about one\n    {find_program()} explain R{shown[0].id}", soft_wrap=True)


def _describe_standing(record: ListedRecord) -> str:
    """``held at qualification``, ``slipped``, ``won``."""
    if not record.is_open:
        return record.outcome or "closed"
    words = "" if record.sales_stage is None else write_as_words(sanitise(record.sales_stage, 40))
    if record.status == "held":
        words = f"held at {record.stage}"
    return f"{words}, slipped" if record.slipped_on is not None else words
