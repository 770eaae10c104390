"""Whether a learned score says in which order people work.

Belongs here: this question, and how a list says its order. Does not belong here: the lists (``ledger.lead_list``,
``ledger.reports``), or giving a score its role (``score_promotion``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger import Ledger, score_models
from leadgate.playbook import Playbook
from leadgate.vocabulary import LearnedRole

#: The order of a list, in words.
BY_CHANCE: Final = "Overdue first, then the best chance by the learned score"
BY_DUE_TIME: Final = "The next due first"


def is_advising(ledger: Ledger, playbook: Playbook) -> bool:
    """Whether the score in force may do more than be a shadow, and the playbook lets it. One that has drifted may not:
    lists are by due time again at once, whatever chances they have."""
    if playbook.learned is None or playbook.learned.role is LearnedRole.SHADOW:
        return False
    return may_advise(ledger)


def may_advise(ledger: Ledger) -> bool:
    """Whether a score is in force that the playbook may let advise."""
    with ledger.statement() as connection:
        given = score_models.find_in_force(connection)
    return given is not None and given.role is not LearnedRole.SHADOW
