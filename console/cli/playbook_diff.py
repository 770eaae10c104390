"""``leadgate playbook diff``: what differs between two playbooks, in words.

Belongs here: finding the two, and printing. Does not belong here: the comparison (``console.playbook_changes``).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.options import Json
from console.command_context import CommandContext
from console.playbook_changes import Change, ChangeKind, compare_lines, compare_playbooks
from console.redaction import sanitise
from console.screen import build_console, build_heading, print_json
from leadgate.playbook import LoadedPlaybook, parse

ACTIVE: Final = "active"
_MOST_LINES: Final = 2_000
Which = Annotated[str, typer.Argument(help="A file, the start of a hash, or `active` for the one in use.")]


def diff(
    ctx: typer.Context,
    a: Which,
    b: Which,
    lines: Annotated[
        bool, typer.Option("--lines", help="The lines of the text that differ, in place of words.")
    ] = False,
    json: Json = False,
) -> None:
    """What differs between two playbooks, in words: rules, points, thresholds, routes, people, SLAs, and the rest."""
    context: CommandContext = ctx.obj
    before, after = find_playbook(context, a), find_playbook(context, b)
    changes = compare_playbooks(before.playbook, after.playbook)
    if json:
        print_json({"a": before.hash, "b": after.hash, "changes": [asdict(each) for each in changes]})
        return
    console = build_console()
    if lines:
        for line in compare_lines(before.text, after.text, _MOST_LINES):
            console.print(sanitise(line), soft_wrap=True, markup=False, highlight=False)
        return
    if not changes:
        console.print(f"{_name(a, before)} and {_name(b, after)} decide the same.")
        return
    section = None
    for each in changes:
        if each.section != section:
            section = each.section
            console.print(build_heading(section))
        for line in _describe(each):
            console.print(line, soft_wrap=True, markup=False, highlight=False)


def find_playbook(context: CommandContext, which: str) -> LoadedPlaybook:
    """The playbook of a file, of the start of a hash, or the one in use. A file of that name wins over a hash."""
    from leadgate.ledger import playbook_activations
    from tasks.playbook_in_use import find_content

    if which != ACTIVE and Path(which).exists():
        return CommandContext(replace(context.settings, playbook=Path(which))).read_playbook()
    with context.ledger() as ledger:
        if which == ACTIVE:
            with ledger.transaction() as connection:
                which = playbook_activations.find_hash(connection)
        content = find_content(ledger, which)
    return parse(content, path=Path(f"playbook {which[:12]}"))


def _name(given: str, loaded: LoadedPlaybook) -> str:
    return f"{sanitise(given, 80)} ({loaded.hash[:12]})"


def _describe(change: Change) -> list[str]:
    """The lines about a change: its name, and what was said and is said."""
    if change.kind is ChangeKind.ADDED:
        return [f"  + {sanitise(change.name)}: {sanitise(change.after)}"]
    if change.kind is ChangeKind.REMOVED:
        return [f"  - {sanitise(change.name)}: {sanitise(change.before)}"]
    return [
        f"  ~ {sanitise(change.name)} ({change.kind})",
        f"      before: {sanitise(change.before)}",
        f"      after:  {sanitise(change.after)}",
    ]
