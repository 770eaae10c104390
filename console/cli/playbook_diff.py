"""``leadgate playbook diff``: what differs between two playbooks, in words.

Belongs here: finding the two, and printing. Does not belong here: the comparison (``console.playbook_changes``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from console.cli.options import Json
from console.command_context import CommandContext
from console.playbook_changes import Change, ChangeKind, compare_lines, compare_playbooks, list_changed_keys
from console.redaction import sanitise
from console.screen import CommandError, build_console, build_heading, print_json, say
from leadgate.counting import format_count
from leadgate.errors import ExitCode
from leadgate.nearest import propose
from leadgate.playbook import LoadedPlaybook, Playbook, parse

ACTIVE: Final = "active"
_HASH: Final = re.compile(r"[0-9a-f]{1,64}")
_MOST_LINES: Final = 2_000
Which = Annotated[str, typer.Argument(help="A file, the start of a hash, or `active` for the one in use.")]


def diff(
    ctx: typer.Context,
    a: Which,
    b: Which,
    lines: Annotated[
        bool, typer.Option("--lines", help="Show the lines of text that differ, in place of words.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="KEY", help="Exit 1 when any other top-level key differs. May be repeated."),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--most", metavar="N", min=0, help="Exit 1 when there are more than N changes.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what differs between two playbooks, in words: rules, points, thresholds, routes, people, SLAs, and the rest.

    With --only and --most it is a check for CI: exit 1 when more differs than a change of this kind may.
    """
    context: CommandContext = ctx.obj
    _require_keys(only or ())
    before, after = find_playbook(context, a), find_playbook(context, b)
    changes = compare_playbooks(before.playbook, after.playbook)
    keys = list_changed_keys(before.playbook, after.playbook)
    beyond = _list_beyond(keys, len(changes), only, most)
    if json:
        told = [asdict(each) for each in changes]
        print_json({"a": before.hash, "b": after.hash, "changes": told, "keys": keys, "beyond": beyond})
    else:
        _print(f"{_name(a, before)} and {_name(b, after)} decide the same.", before, after, changes, lines=lines)
    for each in beyond:
        say(each)
    if beyond:
        raise typer.Exit(ExitCode.BROKEN)


def _require_keys(only: Sequence[str]) -> None:
    for key in only:
        if key not in Playbook.model_fields:
            raise CommandError(f"a playbook has no key {key[:80]!r}; {propose(key[:80], Playbook.model_fields)}")


def _list_beyond(keys: Sequence[str], changes: int, only: Sequence[str] | None, most: int | None) -> list[str]:
    """What goes beyond the limits, a sentence for each."""
    found = []
    if only is not None and (others := [key for key in keys if key not in only]):
        found.append(f"Only {', '.join(only)} may differ, and so does {', '.join(others)}.")
    if most is not None and changes > most:
        found.append(f"There are {format_count(changes, 'change', 'changes')}, and at most {most:,} may be.")
    return found


def _print(same: str, before: LoadedPlaybook, after: LoadedPlaybook, changes: Sequence[Change], *, lines: bool) -> None:
    console = build_console()
    if lines:
        for line in compare_lines(before.text, after.text, _MOST_LINES):
            console.print(sanitise(line), soft_wrap=True, markup=False, highlight=False)
        return
    if not changes:
        console.print(same)
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
    if which != ACTIVE and _HASH.fullmatch(which) is None:
        raise CommandError(f"there is no file {which[:80]!r}; name a file, the start of a hash, or `{ACTIVE}`")
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
