"""Commands about who is the same person.

Belongs here: signatures. Does not belong here: what a command does (``unjoin``).
"""

from __future__ import annotations

import typer

from console.options import By, Json, Later, Lead, Now


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""

    @app.command()
    def unjoin(
        ctx: typer.Context, lead: Lead, by: By = None, later: Later = False, json: Json = False, now: Now = None
    ) -> None:
        """Undo a join: the signal of this journey (J12) is somebody else's, and goes its own way again."""
        from console import unjoin as command

        command.unjoin(ctx.obj, lead, later=later, as_json=json, now=now)
