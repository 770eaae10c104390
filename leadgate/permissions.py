"""What each role may do, as one table.

Belongs here: the permissions, and how far each role has them. Does not belong here: who somebody is, and asking whether
they may (``leadgate.actors``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

from leadgate.vocabulary import Role


class Permission(StrEnum):
    """What somebody may do. The value says it in a refusal: "… may not decide about a lead"."""

    DECIDE_LEADS = "decide about a lead"  # accept, reject, wait, resume, reassign, unassign, touch
    NOTE_LEADS = "write a note about a lead"
    SAY_AWAY = "say that a rep is away or back"
    TRANSFER_LEADS = "transfer the leads of a rep"
    ACT_FOR_OTHERS = "act for somebody else"
    DECIDE_ITEMS = "decide about a work item"  # take, approve, correct, discard, done by hand, rerun, same, different
    SEE_LEADS = "see leads"  # with their personal values masked
    READ_LEADS = "read the values of a lead"
    UNMASK_VALUES = "unmask values"  # on record
    CAPTURE_LEADS = "capture leads"
    READ_TEAM = "read how reps follow up"
    READ_FORECAST = "read the forecast"
    READ_REPORTS = "read reports"
    READ_QUALITY = "read the quality of data"
    READ_PLAYBOOK = "read the playbook"
    READ_OPERATIONS = "read operations"
    OPERATE = "operate Leadgate"
    MANAGE_ACCOUNTS = "manage accounts"


class Scope(Enum):
    """Which leads, or work items, somebody has a permission for."""

    OWN = "their own"  # leads that they own, work items that are theirs to decide or about their leads
    TEAM = "those of their team"  # their own, and those of the reps whom they manage
    ALL = "all"
    NO = "none"


_OWN, _TEAM, _ALL, __ = Scope.OWN, Scope.TEAM, Scope.ALL, Scope.NO

#: The columns of the table below.
_ROLES: Final = (Role.REP, Role.MANAGER, Role.REVIEWER, Role.OPERATOR, Role.PRIVACY_OFFICER, Role.ADMIN)

# fmt: off
_TABLE: Final[Mapping[Permission, tuple[Scope, ...]]] = {
    #                           rep   manager reviewer operator privacy_officer admin
    Permission.DECIDE_LEADS:    (_OWN, _TEAM,  __,      __,      __,             __),
    Permission.NOTE_LEADS:      (_OWN, _TEAM,  __,      _ALL,    __,             __),
    Permission.SAY_AWAY:        (_OWN, _TEAM,  __,      _ALL,    __,             __),
    Permission.TRANSFER_LEADS:  (_OWN, _TEAM,  __,      _ALL,    __,             __),
    Permission.ACT_FOR_OTHERS:  (__,   __,     __,      _ALL,    __,             __),
    Permission.DECIDE_ITEMS:    (_OWN, _TEAM,  _ALL,    _ALL,    __,             __),
    Permission.SEE_LEADS:       (_ALL, _ALL,   _ALL,    _ALL,    _ALL,           __),
    Permission.READ_LEADS:      (_OWN, _TEAM,  _ALL,    _ALL,    _ALL,           __),
    Permission.UNMASK_VALUES:   (_OWN, _ALL,   _ALL,    _ALL,    _ALL,           __),
    Permission.CAPTURE_LEADS:   (__,   __,     __,      _ALL,    __,             __),
    Permission.READ_TEAM:       (__,   _TEAM,  __,      _ALL,    __,             _ALL),
    Permission.READ_FORECAST:   (_OWN, _TEAM,  __,      _ALL,    __,             __),
    Permission.READ_REPORTS:    (__,   _ALL,   _ALL,    _ALL,    __,             _ALL),
    Permission.READ_QUALITY:    (__,   _ALL,   _ALL,    _ALL,    __,             _ALL),
    Permission.READ_PLAYBOOK:   (__,   _ALL,   _ALL,    _ALL,    _ALL,           _ALL),
    Permission.READ_OPERATIONS: (__,   _ALL,   __,      _ALL,    __,             _ALL),
    Permission.OPERATE:         (__,   __,     __,      _ALL,    __,             __),
    Permission.MANAGE_ACCOUNTS: (__,   __,     __,      __,      __,             _ALL),
}
# fmt: on

#: How far each role has each permission. Who decides about a lead of others says for whom (``actors.act_for``).
PERMISSIONS: Final[Mapping[Permission, Mapping[Role, Scope]]] = MappingProxyType(
    {permission: dict(zip(_ROLES, scopes, strict=True)) for permission, scopes in _TABLE.items()}
)
