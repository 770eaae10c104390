"""Giving a learned score a role: whether it may have it, and the first one of itself.

Belongs here: what has to hold for a role. Does not belong here: keeping it (``ledger.score_models``), or what a score
does in it (``tasks.learned_scores``).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from leadgate.actors import Actor, require
from leadgate.errors import LeadgateError
from leadgate.ledger import Ledger, score_models, work_items
from leadgate.ledger.score_models import KeptModel, RoleGiven
from leadgate.permissions import Permission
from leadgate.plain_text import format_line
from leadgate.playbook import Playbook
from leadgate.vocabulary import LearnedRole
from tasks.learned_scores import find_effective_role, require_learned

LONGEST_REASON: Final = 500  # characters
#: The reason of the work item about a score that is a shadow again, and what it is known by.
SCORE_DRIFTED: Final = "score_drifted"
DRIFT_PROMISE: Final = "learned_score"


class RoleRefusedError(LeadgateError):
    """A learned score may not have the role; the message says why and what to do."""


def promote(
    ledger: Ledger, playbook: Playbook, role: LearnedRole, reason: str, *, number: int | None, by: Actor, now: datetime
) -> RoleGiven:
    """Have the learned score ``number`` (else the newest) come into force in ``role``.

    Raises ``RoleRefusedError`` where there is no such score, the playbook does not let any have the role, or it is to
    advise or decide and is not better than the points of the rules; ``ActorError`` when it is not for ``by`` to say.
    """
    require(by, Permission.OPERATE)
    learned = require_learned(playbook)
    words = format_line(reason, LONGEST_REASON)
    if not words:
        raise RoleRefusedError("say why, for those who read the history: --reason WORDS")
    with ledger.transaction() as connection:
        score_models.lock_roles(connection)
        model = score_models.find_model(connection, number)
        if model is None:
            known = "no score was learned yet" if number is None else f"there is no score {number}"
            raise RoleRefusedError(f"{known}; `leadgate score history` lists those that there are")
        if find_effective_role(role, learned) is not role:
            raise RoleRefusedError(
                f"the playbook lets a learned score be at most `{learned.role}`; write `role: {role}` into its part "
                "`learned:`, and activate it"
            )
        if role is not LearnedRole.SHADOW and not model.quality["is_better"]:
            gain, low, high = model.quality["auc_gain"]
            raise RoleRefusedError(
                f"score {model.id} is not shown to be better than the points of the rules: its AUC on the latest leads "
                f"is {gain:+.3f}, {low:+.3f} to {high:+.3f}. It can be a shadow, and the rules go on alone"
            )
        given = RoleGiven(model.id, role, words, by.name, now)
        score_models.give_role(connection, given)
        work_items.close_general(connection, (SCORE_DRIFTED,), DRIFT_PROMISE, now)
    return given


def follow_newest(connection: Connection, model: KeptModel) -> None:
    """Have a score that was just learned come into force as a shadow, unless one advises or decides: a person says
    whether it takes the place of such a one."""
    score_models.lock_roles(connection)
    in_force = score_models.find_in_force(connection)
    if in_force is None or in_force.role is LearnedRole.SHADOW:
        score_models.give_role(
            connection,
            RoleGiven(model.id, LearnedRole.SHADOW, "the newest that was learned", model.by, model.trained_at),
        )
