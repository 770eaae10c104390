"""Which pages a visitor is offered: those of their roles.

Belongs here: the list. Does not belong here: whether a page may be seen, which ``leadgate.actors`` decides when it is
asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from console.web.visitors import Visitor
from leadgate.actors import find_scope
from leadgate.permissions import Permission, Scope
from leadgate.vocabulary import Role


class Page(NamedTuple):
    """A page, offered to who has its ``permission`` for some leads at least, and one of ``roles``."""

    label: str
    address: str
    permission: Permission
    roles: frozenset[Role] = frozenset(Role)


PAGES: Final = (
    # a manager's leads are those of their team, which has a page of its own
    Page("My leads", "/leads/mine", Permission.DECIDE_LEADS, frozenset({Role.REP})),
    Page("Leads", "/leads", Permission.SEE_LEADS),
    Page("Queue", "/queue", Permission.DECIDE_ITEMS),
    Page("Team", "/team", Permission.READ_TEAM),
    Page("Forecast", "/forecast", Permission.READ_FORECAST),
    Page("Reports", "/reports", Permission.READ_REPORTS),
    Page("Playbook", "/playbook", Permission.READ_PLAYBOOK),
    Page("Operations", "/operations", Permission.READ_OPERATIONS),
    Page("Quality", "/quality", Permission.READ_QUALITY),
    Page("Accounts", "/accounts", Permission.MANAGE_ACCOUNTS),
)


def list_pages(visitor: Visitor) -> list[Page]:
    actor = visitor.actor
    return [page for page in PAGES if page.roles & actor.roles and find_scope(actor, page.permission) is not Scope.NO]


def is_current(page: Page, path: str) -> bool:
    """Whether ``path`` belongs to ``page``: the one whose address is the longest beginning of it."""
    within = [each.address for each in PAGES if path == each.address or path.startswith(f"{each.address}/")]
    return page.address == max(within, key=len, default=None)
