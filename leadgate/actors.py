"""Who acts, and which leads they may decide about: the one place where roles are checked, below all doors.

Belongs here: pure rules. Does not belong here: the table of what each role may do (``leadgate.permissions``), finding
out who somebody is (a door does: the operating system's user, who is signed in, or what was typed into a form), or
doing what they asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from leadgate.errors import LeadgateError
from leadgate.nearest import propose
from leadgate.permissions import PERMISSIONS, Permission, Scope
from leadgate.vocabulary import ActionKind, Role

if TYPE_CHECKING:  # slow to import, and no more than a type here
    from leadgate.playbook import Playbook

#: What only an owner, or their manager, decides about a lead.
OwnersAction = Literal[
    ActionKind.ACCEPT,
    ActionKind.REJECT,
    ActionKind.WAIT,
    ActionKind.RESUME,
    ActionKind.REASSIGN,
    ActionKind.UNASSIGN,
    ActionKind.TRANSFER,
    ActionKind.TOUCH,
]

_IN_WORDS: Final[dict[OwnersAction, str]] = {
    ActionKind.ACCEPT: "accept it",
    ActionKind.REJECT: "reject it",
    ActionKind.WAIT: "wait for it",
    ActionKind.RESUME: "end a wait for it",
    ActionKind.REASSIGN: "give it to somebody else",
    ActionKind.UNASSIGN: "take it away",
    ActionKind.TRANSFER: "transfer their leads",
    ActionKind.TOUCH: "log what was done about it",
}


_PERMISSION_OF: Final[dict[OwnersAction, Permission]] = {ActionKind.TRANSFER: Permission.TRANSFER_LEADS}


class ActorError(LeadgateError, ValueError):
    """Somebody may not do what they asked for, or acts for nobody who exists; the message says what to do."""

    http_status = HTTPStatus.FORBIDDEN


#: The operating system's user has all of these: whoever can read the data folder can do everything.
SYSTEM_ROLES: Final = frozenset({Role.REVIEWER, Role.OPERATOR, Role.PRIVACY_OFFICER, Role.ADMIN})


#: Whoever can use the forms of the Prefect server can run any of its flows.
FORM_ROLES: Final = frozenset({Role.REVIEWER, Role.OPERATOR})


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, or a program.

    ``reps`` are those whose leads they decide about: themselves and those whom they manage. ``acts_for`` is the rep or
    manager for whom they act; both names are stored. ``login`` is that of their account, of somebody who is signed in.
    """

    name: str
    rep: str | None = None
    reps: frozenset[str] = frozenset()
    acts_for: str | None = None
    roles: frozenset[Role] = frozenset()
    login: str | None = None

    @property
    def decides_as(self) -> str:
        """The name whose decision it is: theirs for whom somebody acts."""
        return self.acts_for or self.name

    @property
    def in_words(self) -> str:
        return f"{self.name}, for {self.acts_for}" if self.acts_for else self.name


def identify(login: str, playbook: Playbook) -> Actor:
    """The operating system's user ``login``: a rep by their ``login`` or else their name, a manager, or neither.

    Whoever can read the data folder can do everything, so they have all roles, but for decisions about leads of others:
    these are made for somebody (``act_for``).
    """
    for rep in playbook.reps:
        if login == (rep.login or rep.name):
            reps = _list_reps_of(rep.name, playbook)
            return Actor(rep.name, rep.name, reps, roles=SYSTEM_ROLES | _find_roles(rep.name, playbook))
    if login in _list_reps(playbook):  # that rep signs in by another login: this one is somebody else's
        return Actor(f"{login} (login)", roles=SYSTEM_ROLES)
    team = _list_team_of(login, playbook)
    return Actor(login, None, team, roles=SYSTEM_ROLES | ({Role.MANAGER} if team else frozenset()))


def identify_account(login: str, roles: Collection[Role], rep: str | None, playbook: Playbook) -> Actor:
    """Somebody who is signed in: with the roles of their account, and for leads as the rep or manager ``rep``.

    Who decides about leads is on record by that name of the playbook, others are by their login. A login that is
    somebody's name in the playbook makes nobody that person.
    """
    is_rep, manages = Role.REP in roles, Role.MANAGER in roles
    if rep is None or not (is_rep or manages):
        taken = login in _list_reps(playbook) | _list_managers(playbook)
        return Actor(f"{login} (login)" if taken else login, roles=frozenset(roles), login=login)
    reps = {rep} | (_list_team_of(rep, playbook) if manages else set())
    return Actor(rep, rep if is_rep else None, frozenset(reps), roles=frozenset(roles), login=login)


def act_for(actor: Actor, name: str, playbook: Playbook, also: Collection[str] = ()) -> Actor:
    """``actor``, who acts for the rep or manager ``name``. ``also`` names reps who have left the playbook.

    Raises ``ActorError`` for nobody of that name, and for an actor who may not act for others.
    """
    if name == actor.name:
        return actor
    require(actor, Permission.ACT_FOR_OTHERS)
    known = {*_list_reps(playbook), *_list_managers(playbook), *also}
    if name not in known:
        raise ActorError(f"there is no rep or manager {name[:80]!r} to act for; {propose(name, known)}")
    return replace(actor, acts_for=name, reps=_list_reps_of(name, playbook))


def may(
    actor: Actor, what: OwnersAction | Permission, owner: str | None = None, routed_to: Collection[str | None] = ()
) -> bool:
    """Whether ``find_refusal`` finds no reason; for a page, which does not offer what would be refused."""
    return find_refusal(actor, what, owner, routed_to) is None


def find_refusal(
    actor: Actor, what: OwnersAction | Permission, owner: str | None = None, routed_to: Collection[str | None] = ()
) -> str | None:
    """Why ``actor`` may not do ``what``; None when they may.

    ``owner`` owns the lead that it is about. ``routed_to`` are those who are to decide about a work item: its route,
    and whoever has taken it.
    """
    if isinstance(what, Permission):
        return _find_missing(actor, what, owner, routed_to)
    if owner is not None and owner in _list_decided(actor, what):
        return None
    if what == ActionKind.TRANSFER and _names_the_rep(actor):
        return None
    asks = f"only the owner or their manager may {_IN_WORDS[what]}"
    if actor.acts_for is not None:
        return f"{owner} owns it, and {actor.acts_for} is neither them nor their manager: {asks}; use --for {owner}"
    refusal = f"{owner} owns it, and {actor.name} is neither them nor their manager: {asks}"
    if may(actor, Permission.ACT_FOR_OTHERS):
        return f"{refusal}. --for {owner} acts for them; both names are stored"
    return refusal


def _list_decided(actor: Actor, action: OwnersAction) -> Collection[str | None]:
    """Whose leads an actor decides about: their own and their team's, or those of whom they act for."""
    if actor.acts_for is not None:
        return {*actor.reps, actor.acts_for} if may(actor, Permission.ACT_FOR_OTHERS) else set()
    scope = find_scope(actor, _PERMISSION_OF.get(action, Permission.DECIDE_LEADS))
    return {actor.rep} if scope is Scope.OWN else actor.reps if scope is not Scope.NO else set()


def _names_the_rep(actor: Actor) -> bool:
    """An operator who has no leads of their own, nor a team, transfers those of any rep: the rep is named already, and
    may have left. Others, who have, say for whom they act."""
    return not actor.reps and find_scope(actor, Permission.TRANSFER_LEADS) is Scope.ALL


def find_scope(actor: Actor, permission: Permission) -> Scope:
    """How far the roles of ``actor`` have a permission: the furthest of them. For a list, which shows no more."""
    scopes = [PERMISSIONS[permission][role] for role in actor.roles]
    return next((scope for scope in (Scope.ALL, Scope.TEAM, Scope.OWN) if scope in scopes), Scope.NO)


def require(
    actor: Actor, what: OwnersAction | Permission, owner: str | None = None, routed_to: Collection[str | None] = ()
) -> None:
    """Raises ``ActorError`` where ``find_refusal`` has a reason."""
    if (why := find_refusal(actor, what, owner, routed_to)) is not None:
        raise ActorError(why)


def _find_missing(
    actor: Actor, permission: Permission, owner: str | None, routed_to: Collection[str | None]
) -> str | None:
    scope = find_scope(actor, permission)
    if scope is Scope.ALL:
        return None
    theirs = {Scope.TEAM: actor.reps, Scope.OWN: {actor.rep} - {None}, Scope.NO: set()}[scope]
    if not theirs.isdisjoint({owner, *routed_to}):
        return None
    able = [role.value.replace("_", " ") for role, given in PERMISSIONS[permission].items() if given is not Scope.NO]
    return (
        f"{actor.name} may not {permission}: "
        + ("it is neither theirs nor of their team" if scope is not Scope.NO else "their roles do not have it")
        + f"; it takes the role {' or '.join(able)}, which an admin gives"
    )


def _list_reps_of(name: str, playbook: Playbook) -> frozenset[str]:
    return frozenset(rep.name for rep in playbook.reps if name in (rep.name, rep.manager)) | {name}


def _list_reps(playbook: Playbook) -> set[str]:
    return {rep.name for rep in playbook.reps}


def _list_managers(playbook: Playbook) -> set[str]:
    return {rep.manager for rep in playbook.reps if rep.manager}


def _list_team_of(name: str, playbook: Playbook) -> frozenset[str]:
    return frozenset(rep.name for rep in playbook.reps if rep.manager == name)


def _find_roles(rep: str, playbook: Playbook) -> frozenset[Role]:
    return frozenset({Role.REP, Role.MANAGER} if rep in _list_managers(playbook) else {Role.REP})
