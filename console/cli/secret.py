"""``leadgate secret``: a secret for a source that posts."""

from __future__ import annotations

import typer

from leadgate import source_secrets


def new() -> None:
    """Print a new random secret, for a variable LEADGATE_SECRET_NAME and for its sender. It is stored nowhere."""
    typer.echo(source_secrets.make())
