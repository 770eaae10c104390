"""Who acts: who a login is, and which leads somebody may decide about."""

from __future__ import annotations

from typing import get_args

import pytest

from leadgate.actors import Actor, ActorError, OwnersAction, act_for, find_refusal, identify
from leadgate.playbook import Playbook

BOOK = Playbook.model_validate(
    {
        "name": "test",
        "sources": {"web": {}},
        "reps": [
            {"name": "ana", "manager": "mia"},
            {"name": "bob", "manager": "ana", "login": "rsmith"},
            {"name": "cyn"},
        ],
        "pools": [{"name": "sales", "members": [{"rep": "ana"}]}],
        "routing": [{"name": "everybody", "to": "pool sales"}],
    }
)


def may(actor: Actor, owner: str) -> set[str]:
    return {action for action in get_args(OwnersAction) if find_refusal(actor, action, owner) is None}


EVERYTHING = set(get_args(OwnersAction))


@pytest.mark.parametrize(
    ("login", "name", "rep", "operator"),
    [
        ("ana", "ana", "ana", False),
        ("rsmith", "bob", "bob", False),
        ("mia", "mia", None, False),
        ("root", "root", None, True),
        ("bob", "bob (login)", None, True),  # bob signs in as rsmith: this is somebody else
    ],
)
def test_a_login_is_a_rep_a_manager_or_an_operator(login: str, name: str, rep: str | None, operator: bool) -> None:
    actor = identify(login, BOOK)
    assert (actor.name, actor.rep, actor.is_operator) == (name, rep, operator)


def test_the_owner_and_their_manager_decide_and_nobody_else_does() -> None:
    assert may(identify("ana", BOOK), "ana") == EVERYTHING
    assert may(identify("ana", BOOK), "bob") == EVERYTHING  # ana is bob's manager
    assert may(identify("mia", BOOK), "ana") == EVERYTHING
    assert may(identify("mia", BOOK), "bob") == set()  # a manager's manager is none
    assert may(identify("cyn", BOOK), "ana") == set()
    assert may(identify("root", BOOK), "ana") == {"transfer"}  # names whose leads, who may have left


def test_an_operator_acts_for_the_owner_or_their_manager_as_themselves() -> None:
    root = identify("root", BOOK)
    for name, owner in (("ana", "ana"), ("mia", "ana"), ("ana", "bob")):
        actor = act_for(root, name, BOOK)
        assert (actor.name, actor.acts_for) == ("root", name)
        assert may(actor, owner) == EVERYTHING
    why = find_refusal(act_for(root, "cyn", BOOK), "accept", "ana")
    assert "--for ana" in str(why)
    assert act_for(identify("ana", BOOK), "ana", BOOK).acts_for is None  # for oneself is as oneself


def test_a_misspelt_name_gets_the_nearest_and_somebody_who_left_can_be_named() -> None:
    root = identify("root", BOOK)
    with pytest.raises(ActorError, match="did you mean 'cyn'"):
        act_for(root, "cym", BOOK)
    assert find_refusal(act_for(root, "leaver", BOOK, also=("leaver",)), "accept", "leaver") is None


def test_a_refusal_says_what_to_do() -> None:
    why = find_refusal(identify("root", BOOK), "reject", "ana")
    assert why is not None
    for part in ("ana owns it", "root", "--for ana"):
        assert part in why


def test_a_long_name_to_act_for_is_not_repeated_whole() -> None:
    with pytest.raises(ActorError) as error:
        act_for(identify("root", BOOK), "x" * 8_000, BOOK)
    assert len(str(error.value)) < 400
