"""What a person hears of a CRM that cannot be read: one work item, which closes when reading works again.

Belongs here: when such a work item is opened and closed. Does not belong here: reading (``sync``), or words and
routes (``items``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from sqlalchemy import Connection

from leadgate.connectors.crm_opening import CrmNotConfiguredError
from leadgate.errors import NotAvailableError
from leadgate.ledger import Ledger, crm_connections, work_items
from leadgate.ledger.clock import read_time
from leadgate.ledger.outbox import CRM_NOT_READ
from leadgate.playbook import Playbook
from leadgate.playbook.crm import CRM_TARGET
from tasks.crm.delivery import open_once
from tasks.crm.items import build_not_read

_T = TypeVar("_T")

#: After so many failures in a row a person hears that a CRM does not answer: ten minutes of the schedule.
TOLD_AFTER: Final = 3


def ask_crm(crm: str, question: Callable[[], _T]) -> _T:
    """An answer of the connector. An error that is none of its kinds is its fault, and stops no other CRM."""
    from leadgate.connectors.service_session import ServiceError

    try:
        return question()
    except NotAvailableError:
        raise
    except Exception as error:
        raise ServiceError(f"the connector of {crm} failed ({type(error).__name__})") from None


def tell_failure(
    connection: Connection, playbook: Playbook, crm: str, error: Exception, words: str, failures: int, now: datetime
) -> None:
    """Open the work item, unless it is open, or the CRM may answer the next time. ``words`` say what was wrong."""
    from leadgate.connectors.crm import CrmLimitError, CrmRefusedError

    detail = ""
    if isinstance(error, CrmRefusedError):
        told = f"{crm} refuses to be read: {words}"
        detail = f"{error.code} {error.vendor_message}".strip()
    elif isinstance(error, CrmLimitError) and error.is_daily:
        told = f"{crm} takes no more requests today ({words}); what changed there is read once it does"
    elif isinstance(error, CrmNotConfiguredError):
        told = f"{crm} cannot be read: {words}"
    elif failures >= TOLD_AFTER:
        told = f"{crm} could not be read {failures} times in a row: {words}"
    else:
        return
    crm_connections.lock(connection, crm)
    open_once(connection, build_not_read(crm, told, detail, playbook, now))


def close_failure(ledger: Ledger, crm: str, now: datetime | None) -> None:
    """The CRM was read: nobody needs to look at it."""
    with ledger.transaction() as connection:
        at = read_time(connection, now)
        work_items.close_general(connection, (CRM_NOT_READ,), f"{CRM_TARGET}{crm}"[:63], at)
