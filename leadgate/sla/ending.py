"""What ends a journey that has an owner.

Belongs here: reading it from the playbook. Does not belong here: finding out whether it has happened (``sla_targets``).
"""

from __future__ import annotations

from leadgate.playbook import Playbook


def find_finishing_event(playbook: Playbook) -> str:
    """The event that ends a journey: ``first_touch``, ``acceptance`` or ``outcome``."""
    by_acceptance = playbook.qualification.sales_qualified_by == "acceptance"
    return playbook.follow_up.finished_by or ("acceptance" if by_acceptance else "first_touch")
