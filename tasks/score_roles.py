"""The first role of a learned score, which it has of itself, and what the work item about its drift is known by.

Belongs here: a score that was just learned. Does not belong here: a role that a person gives (``score_promotion``),
keeping it (``ledger.score_models``), or what a score does in it (``tasks.learned_scores``).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from leadgate.ledger import score_models
from leadgate.ledger.score_models import KeptModel, RoleGiven
from leadgate.vocabulary import LearnedRole

#: The reason of the work item about a score that is a shadow again, and what it is known by.
SCORE_DRIFTED: Final = "score_drifted"
DRIFT_PROMISE: Final = "learned_score"


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
