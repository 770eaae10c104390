"""``leadgate version``."""

from __future__ import annotations

import typer


def version() -> None:
    """The version of Leadgate."""
    from importlib.metadata import version as installed

    typer.echo(installed("leadgate"))
