"""Options and arguments that several commands share, each said once.

Belongs here: types of parameters, and how they are parsed. Does not belong here: a command.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from leadgate.references import IdError, Kind, parse_number

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Now = Annotated[str | None, typer.Option("--now", hidden=True, help="What time it is, for tests.")]


def _refuse_by(name: str | None) -> None:
    if name is not None:
        raise typer.BadParameter(
            "who acts is whoever is logged in, never an option. On behalf of a lead's owner or their manager, "
            "accept, reject, wait, resume, touch, note, reassign, unassign, transfer, away, back and undo "
            "have --for REP"
        )


def build_id_parser(kind: Kind) -> Any:
    """A parser of ids of ``kind`` as they are printed; typer shows what it raises beside the option's name."""

    def number(typed: str | int) -> int:
        try:
            return parse_number(typed, kind)
        except IdError as error:
            raise typer.BadParameter(str(error)) from None

    return number


By = Annotated[str | None, typer.Option("--by", hidden=True, callback=_refuse_by, is_eager=True)]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="REP", help="The owner or manager for whom you act; both names are stored."),
]
Personal = Annotated[bool, typer.Option("--show-personal", help="Do not mask names, addresses and numbers.")]
Lead = Annotated[
    str,
    typer.Argument(
        metavar="LEAD", help="A lead's id or e-mail address, J12 for a journey, R12 for a record, W12 for a work item."
    ),
]
Items = Annotated[
    list[int] | None,
    typer.Option(
        "--work-item", "-w", metavar="W12", parser=build_id_parser("work item"), help="A work item; may be repeated."
    ),
]
ItemIds = Annotated[
    list[int] | None, typer.Argument(metavar="[W12]...", parser=build_id_parser("work item"), help="The work items.")
]
ActionId = Annotated[
    int, typer.Argument(metavar="A12", parser=build_id_parser("action"), help="The number of the action.")
]
Batch = Annotated[
    int | None,
    typer.Option("--batch", metavar="N", parser=build_id_parser("batch"), help="Only work items of this batch."),
]
Reason = Annotated[str | None, typer.Option("--reason", help="Only work items with this reason.")]
Stage = Annotated[str | None, typer.Option("--stage", help="Only work items of leads held at this stage.")]
Source = Annotated[str | None, typer.Option("--source", help="Only this source.")]
Later = Annotated[
    bool, typer.Option("--later", help="Only store it; the lead goes on with the next run, or with a consumer.")
]
SameAs = Annotated[
    int | None,
    typer.Option(
        "--same",
        metavar="LEAD",
        parser=build_id_parser("lead"),
        help="It is about the person of this lead: it joins the open journey, or begins a new one.",
    ),
]
Different = Annotated[bool, typer.Option("--different", help="It is about another person; nobody is asked again.")]


class WordsOptional(TyperCommand):
    """A command whose ``--approve`` may stand without words."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(args)
        for position in range(len(given) - 1, -1, -1):
            following = given[position + 1 : position + 2]
            if given[position] == "--approve" and (not following or following[0].startswith("--")):
                given.insert(position + 1, "")
        return super().parse_args(ctx, given)
