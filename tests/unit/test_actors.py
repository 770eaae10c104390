"""Who acts: who a login is, and which leads somebody may decide about."""

from __future__ import annotations

from typing import get_args

import pytest

from leadgate.actors import Actor, ActorError, OwnersAction, act_for, find_refusal, identify
from leadgate.playbook import Playbook

PLAYBOOK = Playbook.model_validate(
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


def list_allowed_actions(actor: Actor, owner: str) -> set[str]:
    return {action for action in get_args(OwnersAction) if find_refusal(actor, action, owner) is None}


ALL_ACTIONS = set(get_args(OwnersAction))


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
    actor = identify(login, PLAYBOOK)
    assert (actor.name, actor.rep, actor.is_operator) == (name, rep, operator)


def test_the_owner_and_their_manager_decide_and_nobody_else_does() -> None:
    assert list_allowed_actions(identify("ana", PLAYBOOK), "ana") == ALL_ACTIONS
    assert list_allowed_actions(identify("ana", PLAYBOOK), "bob") == ALL_ACTIONS  # ana is bob's manager
    assert list_allowed_actions(identify("mia", PLAYBOOK), "ana") == ALL_ACTIONS
    assert list_allowed_actions(identify("mia", PLAYBOOK), "bob") == set()  # a manager's manager is none
    assert list_allowed_actions(identify("cyn", PLAYBOOK), "ana") == set()
    assert list_allowed_actions(identify("root", PLAYBOOK), "ana") == {
        "transfer"
    }  # names whose leads, who may have left


def test_an_operator_acts_for_the_owner_or_their_manager_as_themselves() -> None:
    root = identify("root", PLAYBOOK)
    for name, owner in (("ana", "ana"), ("mia", "ana"), ("ana", "bob")):
        actor = act_for(root, name, PLAYBOOK)
        assert (actor.name, actor.acts_for) == ("root", name)
        assert list_allowed_actions(actor, owner) == ALL_ACTIONS
    refusal = find_refusal(act_for(root, "cyn", PLAYBOOK), "accept", "ana")
    assert "--for ana" in str(refusal)
    assert act_for(identify("ana", PLAYBOOK), "ana", PLAYBOOK).acts_for is None  # for oneself is as oneself


def test_a_misspelt_name_gets_the_nearest_and_somebody_who_left_can_be_named() -> None:
    root = identify("root", PLAYBOOK)
    with pytest.raises(ActorError, match="did you mean 'cyn'"):
        act_for(root, "cym", PLAYBOOK)
    assert find_refusal(act_for(root, "leaver", PLAYBOOK, also=("leaver",)), "accept", "leaver") is None


def test_a_refusal_says_what_to_do() -> None:
    refusal = find_refusal(identify("root", PLAYBOOK), "reject", "ana")
    assert refusal is not None
    for part in ("ana owns it", "root", "--for ana"):
        assert part in refusal


def test_a_long_name_to_act_for_is_not_repeated_whole() -> None:
    with pytest.raises(ActorError) as error:
        act_for(identify("root", PLAYBOOK), "x" * 8_000, PLAYBOOK)
    assert len(str(error.value)) < 400
