"""What CRMs were told: records, read-backs, follow-up tasks, work items, and how far a CRM is read.

Belongs here: invariants of the CRMs' tables. Does not belong here: messages that were given up (``follow_up``), or what
a CRM has (``leadgate crm reconcile``).
"""

from __future__ import annotations

from typing import Final

from leadgate.ledger.outbox import (
    CRM_LIMIT_REACHED,
    CRM_NOT_KEPT,
    CRM_NOT_READ,
    CRM_OWNER_UNKNOWN,
    CRM_REFUSED,
    CRM_UNREACHABLE,
)
from leadgate.ledger.verify.invariant import Invariant

_ASKED_ONCE: Final = ", ".join(
    f"'{reason}'"
    for reason in (
        CRM_REFUSED,
        CRM_NOT_KEPT,
        CRM_OWNER_UNKNOWN,
        CRM_LIMIT_REACHED,
        CRM_UNREACHABLE,
        CRM_NOT_READ,
    )
)

INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant(
        "crm_record_of_one_lead",
        "A record of a CRM is that of one lead, which exists",
        "SELECT count(*) FROM crm_link",
        (
            "SELECT count(*) FROM (SELECT 1 FROM crm_link GROUP BY crm, record_id HAVING count(*) > 1) shared",
            "SELECT count(*) FROM crm_link k WHERE NOT EXISTS (SELECT 1 FROM lead l WHERE l.id = k.lead_id)",
        ),
    ),
    Invariant(
        "crm_writes_read_back",
        "What was written to a record was read back after it, and to one that is gone nothing is known as written",
        "SELECT count(*) FROM crm_link WHERE written IS NOT NULL OR gone_at IS NOT NULL",
        "SELECT count(*) FROM crm_link WHERE written IS NOT NULL AND (gone_at IS NOT NULL OR read IS NULL "
        "OR written_at IS NULL OR read_at IS NULL OR read_at < written_at)",
    ),
    Invariant(
        "crm_task_of_one_assignment",
        "A follow-up task of a CRM is that of one assignment, which exists, or was reopened in a later generation",
        "SELECT count(*) FROM crm_task",
        (
            "SELECT count(*) FROM (SELECT 1 FROM crm_task WHERE task_id IS NOT NULL "
            "GROUP BY crm, task_id HAVING count(*) > 1) shared",
            "SELECT count(*) FROM crm_task t WHERE NOT EXISTS (SELECT 1 FROM assignment a "
            "WHERE a.journey_id = t.journey_id AND a.generation >= t.generation)",
        ),
    ),
    Invariant(
        "crm_asks_once",
        "About one thing that is wrong in a CRM one work item is open",
        f"SELECT count(*) FROM work_item WHERE closed_at IS NULL AND reason IN ({_ASKED_ONCE})",
        "SELECT count(*) FROM (SELECT 1 FROM work_item "
        f"WHERE closed_at IS NULL AND reason IN ({_ASKED_ONCE}) "
        "GROUP BY journey_id, generation, reason, promise HAVING count(*) > 1) twice",
    ),
    Invariant(
        "crm_position_adds_up",
        "A CRM that was read has a position, and one that could not be read says why",
        "SELECT count(*) FROM crm_position",
        "SELECT count(*) FROM crm_position WHERE (position IS NULL AND (records > 0 OR complete_at IS NOT NULL)) "
        "OR (failures > 0) <> (failed_at IS NOT NULL AND error IS NOT NULL) OR complete_at > read_at",
    ),
)
