"""Which pages a visitor is offered: those of their roles.

Belongs here: the list. Does not belong here: whether a page may be seen, which ``leadgate.actors`` decides when it is
asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from console.web.visitors import Visitor
from leadgate.vocabulary import Role


class Page(NamedTuple):
    label: str
    address: str
    roles: frozenset[Role]


PAGES: Final = (
    Page("My leads", "/leads/mine", frozenset({Role.REP})),
    Page("Leads", "/leads", frozenset(Role) - {Role.ADMIN}),
    Page("Queue", "/queue", frozenset({Role.REP, Role.MANAGER, Role.REVIEWER, Role.OPERATOR})),
    Page("Team", "/team", frozenset({Role.MANAGER, Role.OPERATOR, Role.ADMIN})),
    Page("Reports", "/reports", frozenset({Role.MANAGER, Role.REVIEWER, Role.OPERATOR, Role.ADMIN})),
    Page(
        "Playbook",
        "/playbook",
        frozenset({Role.MANAGER, Role.REVIEWER, Role.OPERATOR, Role.PRIVACY_OFFICER, Role.ADMIN}),
    ),
    Page("Operations", "/operations", frozenset({Role.MANAGER, Role.OPERATOR, Role.ADMIN})),
    Page("Quality", "/quality", frozenset({Role.MANAGER, Role.REVIEWER, Role.OPERATOR, Role.ADMIN})),
    Page("Accounts", "/accounts", frozenset({Role.ADMIN})),
)


def list_pages(visitor: Visitor) -> list[Page]:
    return [page for page in PAGES if page.roles & visitor.actor.roles]


def is_current(page: Page, path: str) -> bool:
    """Whether ``path`` belongs to ``page``: the one whose address is the longest beginning of it."""
    within = [each.address for each in PAGES if path == each.address or path.startswith(f"{each.address}/")]
    return page.address == max(within, key=len, default=None)
