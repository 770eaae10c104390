"""Options and arguments that several commands share, each said once.

Belongs here: types of parameters. Does not belong here: a command (``cli``, and ``cli_*`` for groups of them).
"""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
Now = Annotated[str | None, typer.Option("--now", hidden=True, help="What time it is, for tests.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who does this; else the login name.")]
Personal = Annotated[bool, typer.Option("--show-personal", help="Do not mask names, addresses and numbers.")]
Lead = Annotated[
    str,
    typer.Argument(metavar="LEAD", help="A lead's id or e-mail address, J12 for a journey, W12 for a work item."),
]
Items = Annotated[
    list[int] | None, typer.Option("--work-item", "-w", metavar="N", help="A work item; may be repeated.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Those held for this reason.")]
Stage = Annotated[str | None, typer.Option("--stage", help="Those held at this stage.")]
Source = Annotated[str | None, typer.Option("--source", help="Those of this source.")]
SameAs = Annotated[
    int | None, typer.Option("--same", metavar="LEAD", help="It is the person of this lead: it joins, or takes it up.")
]
Different = Annotated[bool, typer.Option("--different", help="It is somebody else; nobody is asked again.")]
