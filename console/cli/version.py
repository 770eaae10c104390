"""``leadgate version``: print which version is installed."""

from __future__ import annotations

import typer


def version() -> None:
    """Print the version of Leadgate."""
    from importlib.metadata import version as read_version

    typer.echo(read_version("leadgate"))
