"""What every page works with: the ledger, the playbook, and where things are.

Belongs here: the objects of one console process, and finding them from a request. Does not belong here: what belongs to
one visitor (``visitors``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request

from console.display_names import DisplayNames
from console.web.kept_figures import KeptFigures
from console.web.sign_in_settings import SignInSettings
from leadgate.ledger import Ledger
from leadgate.ledger.clock import ask_time
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.settings import Settings


@dataclass(frozen=True)
class SiteOptions:
    """``url``: by which people reach the console. ``prefect_url``: of the Prefect UI, without a path; None where there
    is none to link to. ``secure``: browsers reach the console by HTTPS, or on their own machine. ``as_of`` replaces the
    ledger's clock, to try things out. ``sign_in``: which other servers let people in."""

    url: str = ""
    prefect_url: str | None = None
    secure: bool = True
    as_of: datetime | None = None
    sign_in: SignInSettings = field(default_factory=SignInSettings)


@dataclass(frozen=True)
class Site:
    """One console process."""

    ledger: Ledger
    loaded: LoadedPlaybook
    settings: Settings
    options: SiteOptions = field(default_factory=SiteOptions)
    figures: KeptFigures = field(default_factory=KeptFigures)

    @property
    def playbook(self) -> Playbook:
        return self.loaded.playbook

    def now(self) -> datetime:
        return ask_time(self.ledger, self.options.as_of)

    @cached_property
    def names(self) -> DisplayNames:
        return DisplayNames(self.playbook)


def find_site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


async def provide_site(request: Request) -> Site:
    """``find_site`` for FastAPI, which would give a plain function to another thread."""
    return find_site(request)


#: A parameter of a page's function.
TheSite = Annotated[Site, Depends(provide_site)]
