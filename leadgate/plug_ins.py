"""What other packages bring along, found by their entry points.

Belongs here: listing and loading entry points. Does not belong here: what a provider or a connector has to be able to
do (the module of its interface).

A package is installed into the environment that Leadgate runs in, so it is trusted as much as Leadgate is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from leadgate.errors import LeadgateError

PROVIDERS: Final = "leadgate.providers"  #: the group of enrichment providers
CONNECTORS: Final = "leadgate.connectors"  #: the group of CRM connectors


class PlugInError(LeadgateError):
    """An entry point is not installed, or cannot be loaded."""


@lru_cache(maxsize=8)
def list_names(group: str) -> tuple[str, ...]:
    """The names of the entry points of ``group`` that are installed."""
    from importlib.metadata import entry_points  # reads the files of all installed packages

    return tuple(sorted({point.name for point in entry_points(group=group)}))


def load(group: str, name: str) -> Any:
    """What the entry point ``name`` of ``group`` names. Raises ``PlugInError``."""
    from importlib.metadata import entry_points

    found = list(entry_points(group=group, name=name))
    if not found:
        raise PlugInError(f"no installed package has an entry point {name!r} in {group}; install the one that does")
    try:
        return found[0].load()
    except Exception as error:  # whatever the import of another package raises
        raise PlugInError(f"the entry point {name!r} of {group} cannot be loaded ({type(error).__name__})") from error
