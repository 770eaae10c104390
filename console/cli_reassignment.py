"""The commands that move owned leads by a person's word: ``reassign``, ``unassign``, ``transfer``.

Belongs here: signatures. Does not belong here: what they do (``reassignment``, imported when one is called).
"""

from __future__ import annotations

from typing import Annotated

import typer

from console.options import By, For, Json, Lead, Now

Why = Annotated[str, typer.Option("--reason", metavar="WORDS", help="Why; it is kept with the lead.")]


def register(app: typer.Typer) -> None:
    """Declare them."""

    @app.command()
    def reassign(
        ctx: typer.Context,
        lead: Lead,
        reason: Why,
        to: Annotated[str | None, typer.Option("--to", metavar="REP", help="Who gets it.")] = None,
        pool: Annotated[
            str | None, typer.Option("--pool", metavar="POOL", help="Or the pool whose turn decides.")
        ] = None,
        anyway: Annotated[bool, typer.Option("--anyway", help="Even if REP is away or at a cap.")] = False,
        acts_for: For = None,
        by: By = None,
        json: Json = False,
        now: Now = None,
    ) -> None:
        """Give an owned lead to another rep, or to a pool. The playbook says what its clock does."""
        from console import reassignment as command

        command.reassign(
            ctx.obj, lead, to=to, pool=pool, anyway=anyway, reason=reason, acts_for=acts_for, as_json=json, now=now
        )  # fmt: skip

    @app.command()
    def unassign(
        ctx: typer.Context,
        lead: Lead,
        reason: Why,
        nurture: Annotated[
            bool, typer.Option("--nurture", help="To nurture; else a work item asks who gets it.")
        ] = False,
        acts_for: For = None,
        by: By = None,
        json: Json = False,
        now: Now = None,
    ) -> None:
        """Take a lead from its owner."""
        from console import reassignment as command

        command.unassign(ctx.obj, lead, nurture=nurture, reason=reason, acts_for=acts_for, as_json=json, now=now)

    @app.command()
    def transfer(
        ctx: typer.Context,
        rep: Annotated[
            str, typer.Argument(metavar="REP", help="Whose leads; they need not be in the playbook any more.")
        ],
        reason: Why,
        to_pool: Annotated[
            str | None, typer.Option("--to-pool", metavar="POOL", help="Who shares them; else the pool each came by.")
        ] = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Show who would get what, and store nothing.")] = False,
        acts_for: For = None,
        by: By = None,
        json: Json = False,
        now: Now = None,
    ) -> None:
        """Spread all the leads of somebody who leaves evenly over their colleagues."""
        from console import reassignment as command

        command.transfer(
            ctx.obj, rep, to_pool=to_pool, dry_run=dry_run, reason=reason, acts_for=acts_for, as_json=json, now=now
        )  # fmt: skip
