"""What every page works with: the ledger, the playbook, and where things are.

Belongs here: the objects of one console process, and finding them from a request. Does not belong here: what belongs to
one visitor (``visitors``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from console.display_names import DisplayNames
from console.web.announced_changes import AnnouncedChanges
from console.web.background_replays import BackgroundReplays
from console.web.kept_figures import KeptFigures
from console.web.sign_in_settings import SignInSettings
from leadgate.ledger import Ledger
from leadgate.ledger.clock import ask_time
from leadgate.playbook import LoadedPlaybook, Playbook
from leadgate.settings import Settings
from tasks.playbook_in_use import PlaybookInUse

_FOLLOW_EVERY: Final = 2.0  # seconds between looks at which playbook is in use


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


@dataclass
class Site:
    """One console process. ``loaded`` is the playbook in use, which ``follow`` finds."""

    ledger: Ledger
    loaded: LoadedPlaybook
    settings: Settings
    options: SiteOptions = field(default_factory=SiteOptions)
    figures: KeptFigures = field(default_factory=KeptFigures)
    replays: BackgroundReplays = field(default_factory=BackgroundReplays)
    in_use: PlaybookInUse | None = None  # none: the playbook stays the one that it was started with
    changes: AnnouncedChanges = field(init=False)
    _followed_at: float = 0.0
    _names: tuple[LoadedPlaybook, DisplayNames] | None = None

    def __post_init__(self) -> None:
        self.changes = AnnouncedChanges(self.ledger)

    @property
    def is_behind(self) -> bool:
        """Whether it is time to look which playbook is in use."""
        return self.in_use is not None and time.monotonic() > self._followed_at + _FOLLOW_EVERY

    def follow(self) -> None:
        """Read pages by the playbook that is in use now, if somebody has activated another."""
        self._followed_at = time.monotonic()
        if self.in_use is not None:
            self.loaded = self.in_use.follow()

    @property
    def playbook(self) -> Playbook:
        return self.loaded.playbook

    def now(self) -> datetime:
        return ask_time(self.ledger, self.options.as_of)

    @property
    def names(self) -> DisplayNames:
        known = self._names
        if known is None or known[0] is not self.loaded:
            known = self._names = (self.loaded, DisplayNames(self.playbook))
        return known[1]


def find_site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


async def provide_site(request: Request) -> Site:
    """``find_site`` for FastAPI, which would give a plain function to another thread. Now and then it looks in a thread
    which playbook is in use."""
    site = find_site(request)
    if site.is_behind:
        await run_in_threadpool(site.follow)
    return site


#: A parameter of a page's function.
TheSite = Annotated[Site, Depends(provide_site)]
