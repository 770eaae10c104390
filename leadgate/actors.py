"""Who acts, and which leads they may decide about: the one place where roles are checked, below all doors.

Belongs here: pure rules. Does not belong here: finding out who somebody is (a door does: the operating system's user,
or what was typed into a form), or doing what they asked for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Literal

from leadgate.errors import LeadgateError
from leadgate.nearest import propose
from leadgate.vocabulary import ActionKind

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
]

_IN_WORDS: Final[dict[OwnersAction, str]] = {
    ActionKind.ACCEPT: "accept it",
    ActionKind.REJECT: "reject it",
    ActionKind.WAIT: "wait for it",
    ActionKind.RESUME: "end a wait for it",
    ActionKind.REASSIGN: "give it to somebody else",
    ActionKind.UNASSIGN: "take it away",
    ActionKind.TRANSFER: "transfer their leads",
}


class ActorError(LeadgateError, ValueError):
    """Somebody may not do what they asked for, or acts for nobody who exists; the message says what to do."""

    http_status = HTTPStatus.FORBIDDEN


@dataclass(frozen=True)
class Actor:
    """Somebody who acts. Without a role in the playbook they are an operator, who acts for others.

    ``reps`` are those whose leads they decide about: themselves and those whom they manage. ``acts_for`` is the rep or
    manager for whom they act; both names are stored.
    """

    name: str
    rep: str | None = None
    reps: frozenset[str] = frozenset()
    acts_for: str | None = None

    @property
    def is_operator(self) -> bool:
        return self.rep is None and not self.reps

    @property
    def decides_as(self) -> str:
        """The name whose decision it is: theirs for whom somebody acts."""
        return self.acts_for or self.name

    @property
    def in_words(self) -> str:
        return f"{self.name}, for {self.acts_for}" if self.acts_for else self.name


def identify(login: str, playbook: Playbook) -> Actor:
    """The actor whom a door knows as ``login``: a rep by their ``login`` or else their name, a manager, an operator."""
    for rep in playbook.reps:
        if login == (rep.login or rep.name):
            return Actor(rep.name, rep.name, _list_reps_of(rep.name, playbook))
    if login in _list_reps(playbook):  # that rep signs in by another login: this one is somebody else's
        return Actor(f"{login} (login)")
    return Actor(login, None, frozenset(rep.name for rep in playbook.reps if rep.manager == login))


def act_for(actor: Actor, name: str, playbook: Playbook, also: Collection[str] = ()) -> Actor:
    """``actor``, who acts for the rep or manager ``name``. ``also`` names reps who have left the playbook.

    Raises ``ActorError`` for nobody of that name.
    """
    known = {*_list_reps(playbook), *_list_managers(playbook), *also}
    if name not in known:
        raise ActorError(f"there is no rep or manager {name[:80]!r} to act for; {propose(name, known)}")
    return actor if name == actor.name else replace(actor, acts_for=name, reps=_list_reps_of(name, playbook))


def find_refusal(actor: Actor, action: OwnersAction, owner: str) -> str | None:
    """Why ``actor`` may not do ``action`` to a lead of ``owner``; None when they may."""
    if owner in actor.reps or owner == actor.acts_for:
        return None
    if action == ActionKind.TRANSFER and actor.is_operator:  # names the rep already, who may have left
        return None
    asks = f"only the owner or their manager may {_IN_WORDS[action]}"
    if actor.acts_for is not None:
        return f"{owner} owns it, and {actor.acts_for} is neither them nor their manager: {asks}; use --for {owner}"
    return (
        f"{owner} owns it, and {actor.name} is neither them nor their manager: {asks}. "
        f"--for {owner} acts for them; both names are stored"
    )


def require(actor: Actor, action: OwnersAction, owner: str) -> None:
    """Raises ``ActorError`` where ``find_refusal`` has a reason."""
    if (why := find_refusal(actor, action, owner)) is not None:
        raise ActorError(why)


def _list_reps_of(name: str, playbook: Playbook) -> frozenset[str]:
    return frozenset(rep.name for rep in playbook.reps if name in (rep.name, rep.manager)) | {name}


def _list_reps(playbook: Playbook) -> set[str]:
    return {rep.name for rep in playbook.reps}


def _list_managers(playbook: Playbook) -> set[str]:
    return {rep.manager for rep in playbook.reps if rep.manager}
