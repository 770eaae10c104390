"""``leadgate secret``: a secret for a source that posts."""

from __future__ import annotations

import typer

secret_app = typer.Typer(help="Make secrets for sources that post.", no_args_is_help=True)


@secret_app.command("new")
def secret_new() -> None:
    """Print a new random secret, for a variable LEADGATE_SECRET_NAME and for its sender; nothing keeps it."""
    from leadgate import source_secrets

    typer.echo(source_secrets.make())


def register(app: typer.Typer) -> None:
    app.add_typer(secret_app, name="secret")
