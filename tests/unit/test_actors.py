"""Who acts: who a login is, and which leads somebody may decide about."""

from __future__ import annotations

from typing import get_args

import pytest

from leadgate.actors import (
    Actor,
    ActorError,
    OwnersAction,
    act_for,
    find_refusal,
    find_scope,
    identify,
    identify_account,
    may,
    require,
)
from leadgate.permissions import PERMISSIONS, Permission, Scope
from leadgate.playbook import Playbook
from leadgate.vocabulary import ActionKind, Role

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
    assert (actor.name, actor.rep, not actor.reps) == (name, rep, operator)


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


# --- roles ------------------------------------------------------------------------------------------------

OWNERS_OF_ALL = ("ana", "bob", "cyn")


def sign_in(rep: str | None, *roles: Role, login: str = "kim") -> Actor:
    return identify_account(login, roles, rep, PLAYBOOK)


def list_owners(actor: Actor, what: Permission | OwnersAction) -> set[str]:
    """Whose leads an actor has a permission for."""
    return {owner for owner in OWNERS_OF_ALL if may(actor, what, owner)}


def test_every_role_has_a_scope_for_every_permission() -> None:
    assert set(PERMISSIONS) == set(Permission)
    assert {frozenset(scopes) for scopes in PERMISSIONS.values()} == {frozenset(Role)}
    for permission, scopes in PERMISSIONS.items():
        assert set(scopes.values()) > {Scope.NO}, f"nobody may {permission}, or everybody"


def test_somebody_who_is_signed_in_decides_about_leads_as_the_rep_that_their_account_names() -> None:
    rep, manager, both = sign_in("ana", Role.REP), sign_in("ana", Role.MANAGER), sign_in("ana", Role.REP, Role.MANAGER)
    assert [(each.name, each.rep, each.login) for each in (rep, manager)] == [
        ("ana", "ana", "kim"),
        ("ana", None, "kim"),
    ]
    for what in (Permission.DECIDE_LEADS, Permission.READ_LEADS, ActionKind.ACCEPT, ActionKind.TRANSFER):
        assert list_owners(rep, what) == {"ana"}
        assert list_owners(manager, what) == list_owners(both, what) == {"ana", "bob"}
        assert list_owners(sign_in("mia", Role.MANAGER), what) == {"ana"}


@pytest.mark.parametrize("login", ["ana", "mia", "rsmith"])
@pytest.mark.parametrize("roles", [(Role.REP, Role.MANAGER), (Role.REVIEWER,)], ids=["rep and manager", "reviewer"])
def test_a_login_that_is_a_name_of_the_playbook_makes_nobody_that_person(login: str, roles: tuple[Role, ...]) -> None:
    actor = sign_in(None, *roles, login=login)
    assert actor.name not in {"ana", "mia", "bob"}
    assert list_owners(actor, Permission.DECIDE_LEADS) == set()
    assert list_owners(actor, ActionKind.ACCEPT) == set()


def test_a_rep_of_an_account_without_a_role_for_leads_gives_none() -> None:
    actor = sign_in("ana", Role.REVIEWER)
    assert (actor.name, actor.rep, list_owners(actor, ActionKind.ACCEPT)) == ("kim", None, set())


def test_an_operator_acts_for_others_and_a_rep_a_manager_and_a_reviewer_do_not() -> None:
    operator = act_for(sign_in(None, Role.OPERATOR), "ana", PLAYBOOK)
    assert list_owners(operator, ActionKind.ACCEPT) == {"ana", "bob"}
    assert list_owners(sign_in(None, Role.OPERATOR), ActionKind.ACCEPT) == set()
    assert list_owners(sign_in(None, Role.OPERATOR), ActionKind.TRANSFER) == {*OWNERS_OF_ALL}
    for actor in (sign_in("ana", Role.REP, Role.MANAGER), sign_in(None, Role.REVIEWER), sign_in(None, Role.ADMIN)):
        with pytest.raises(ActorError, match="act for somebody else"):
            act_for(actor, "cyn", PLAYBOOK)
        assert "--for" not in str(find_refusal(actor, ActionKind.ACCEPT, "cyn"))


def test_a_rep_decides_about_work_items_that_are_theirs_or_about_their_leads() -> None:
    rep, manager = sign_in("bob", Role.REP), sign_in("ana", Role.MANAGER)
    for actor in (rep, manager):
        assert may(actor, Permission.DECIDE_ITEMS, "bob", ["data_quality", None])
        assert may(actor, Permission.DECIDE_ITEMS, None, ["bob"])
        assert may(actor, Permission.DECIDE_ITEMS, "cyn", ["data_quality", "bob"])
        assert not may(actor, Permission.DECIDE_ITEMS, "cyn", ["data_quality", None])
        assert not may(actor, Permission.DECIDE_ITEMS)
    assert may(sign_in(None, Role.REVIEWER), Permission.DECIDE_ITEMS, "cyn", ["data_quality"])


def test_a_login_that_is_the_name_of_a_route_decides_about_none_of_its_work_items() -> None:
    actor = sign_in(None, Role.REP, login="data_quality")
    assert not may(actor, Permission.DECIDE_ITEMS, None, ["data_quality", None])


def test_somebody_without_a_role_may_do_nothing() -> None:
    for actor in (sign_in("ana"), sign_in(None), Actor("kim")):
        assert [each for each in Permission if may(actor, each, "ana", ["ana", None])] == []


def test_the_operating_systems_user_may_do_everything_but_decide_about_leads_of_others() -> None:
    for login in ("root", "ana", "mia", "rsmith"):
        actor = identify(login, PLAYBOOK)
        assert {each for each in Permission if not may(actor, each, "cyn")} <= {
            Permission.DECIDE_LEADS,
            Permission.TRANSFER_LEADS,
        }
        assert not may(actor, Permission.DECIDE_LEADS, "cyn")
    assert identify("ana", PLAYBOOK).roles >= {Role.REP, Role.MANAGER}
    assert Role.MANAGER in identify("mia", PLAYBOOK).roles
    assert {Role.REP, Role.MANAGER}.isdisjoint(identify("root", PLAYBOOK).roles)


def test_several_roles_may_do_what_any_of_them_may() -> None:
    assert find_scope(sign_in("ana", Role.REP, Role.REVIEWER), Permission.READ_LEADS) is Scope.ALL
    assert find_scope(sign_in("ana", Role.REP, Role.MANAGER), Permission.READ_LEADS) is Scope.TEAM
    assert find_scope(sign_in("ana", Role.REP, Role.ADMIN), Permission.READ_LEADS) is Scope.OWN
    assert find_scope(sign_in(None, Role.ADMIN), Permission.READ_LEADS) is Scope.NO


def test_a_refusal_names_the_roles_that_it_takes() -> None:
    with pytest.raises(ActorError, match=r"kim may not capture leads.*operator"):
        require(sign_in(None, Role.ADMIN), Permission.CAPTURE_LEADS)
