"""Giving a learned score a role by a person's word: whether it may have it.

Belongs here: what has to hold for a role. Does not belong here: keeping it (``ledger.score_models``), the measures of
drift (``tasks.score_drift``), or what a score does in it (``tasks.learned_scores``).
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
from leadgate.playbook import Learned, Playbook
from leadgate.playbook.value_words import format_duration
from leadgate.vocabulary import LearnedRole
from tasks.learned_scores import find_effective_role, require_learned
from tasks.score_drift import measure_since
from tasks.score_roles import DRIFT_PROMISE, SCORE_DRIFTED
from tasks.score_training import list_winning_outcomes

LONGEST_REASON: Final = 500  # characters


class RoleRefusedError(LeadgateError):
    """A learned score may not have the role; the message says why and what to do."""


def promote(
    ledger: Ledger, playbook: Playbook, role: LearnedRole, reason: str, *, number: int | None, by: Actor, now: datetime
) -> RoleGiven:
    """Have the learned score ``number`` (else the newest) come into force in ``role``.

    Raises ``RoleRefusedError`` where there is no such score, the playbook does not let any have the role, or it is to
    advise or decide and is not better than the points of the rules, or has drifted; ``ActorError`` when it is not for
    ``by`` to say.
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
        if role is not LearnedRole.SHADOW:
            _refuse_drifted(connection, learned, model, list_winning_outcomes(playbook), now)
        given = RoleGiven(model.id, role, words, by.name, now)
        score_models.give_role(connection, given)
        work_items.close_general(connection, (SCORE_DRIFTED,), DRIFT_PROMISE, now)
    return given


def _refuse_drifted(
    connection: Connection, learned: Learned, model: KeptModel, outcomes: list[str], now: datetime
) -> None:
    drift = measure_since(connection, model, outcomes, now)
    if drift.problems:
        raise RoleRefusedError(
            f"score {model.id} has drifted: {'; '.join(drift.problems)}. Learn another from the leads of today "
            f"(`leadgate score train`; `train-score` does it every {format_duration(learned.train_every)}) and promote "
            "that one. This one can be a shadow (`--role shadow`), and the rules go on alone"
        )
