"""How tables are stored: room on their pages, and how long a text in an index can become.

Belongs here: facts about tables that PostgreSQL's pages and indexes ask for. Does not belong here: a table.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, event
from sqlmodel import SQLModel

from leadgate.limits import (
    LONGEST_ISSUER,
    LONGEST_SUBJECT,
    MAX_ACCOUNT_KEY_LENGTH,
    MAX_KEY_LENGTH,
    MAX_ROUTE_LENGTH,
    find_max_length,
)
from leadgate.models import assignments, journeys, leads  # noqa: F401 - declare the tables of ``FILLED``

#: How full a page of a table is made, in percent. Rows of these tables are changed soon after they are written: with
#: room on its page a row changes without a write to an index (a heap-only update of PostgreSQL), as long as no index
#: holds the column. The tables do not become larger: what was written before is soon free again.
FILLED: Final = {"journey": 40, "lead": 40, "assignment": 50}

for _table, _percent in FILLED.items():
    _room = DDL(f"ALTER TABLE {_table} SET (fillfactor = {_percent})")  # type: ignore[no-untyped-call]
    event.listen(SQLModel.metadata.tables[_table], "after_create", _room)

_NAME: Final = 63  # bytes: names of the playbook, stages, kinds, promises
_KEY: Final = 16 + 4 * MAX_KEY_LENGTH
#: The most bytes that each indexed text can have, and so be found by; a test adds them up for each index. Whoever adds
#: an index over text says here who keeps the text short: ``limits``, or the schema of the playbook.
INDEXED_TEXT: Final[dict[str, int]] = {
    "playbook_version.hash": 64,
    "playbook_file.file_hash": 64,
    "signal.source": _NAME,
    "signal.key": _KEY,
    "activity.source": _NAME,
    "activity.key": _KEY,
    "activity.email": 4 * find_max_length("email"),
    "activity.record_key": _KEY,
    "crm_change.source": _NAME,
    "crm_change.key": _KEY,
    "identity.kind": 2 * _NAME,
    "identity.value": _KEY,
    "record.kind": _NAME,
    "record.source": _NAME,
    "record.key": _KEY,
    "record.account_key": 4 * MAX_ACCOUNT_KEY_LENGTH,
    "work_item.stage": _NAME,
    "work_item.reason": _NAME,
    "work_item.promise": _NAME,
    "work_item.route": 4 * MAX_ROUTE_LENGTH,
    "work_item.source": _NAME,
    "work_item.assignee": _NAME,
    "handoff.stage": _NAME,
    "warned.gate": _NAME,
    "warned.promise": _NAME,
    "assignment.owner": _NAME,
    "missed.target": _NAME,
    "pool_state.pool": _NAME,
    "pool_state.kind": _NAME,
    "breaker.source": _NAME,
    "breaker.gate": _NAME,
    "outbox.key": 4 * _NAME,
    "signal.request_id": 255,  # ASCII: what `console.http.capture_api` lets through
    "activity.request_id": 255,
    "reused_request.source": _NAME,
    "reused_request.request_id": 255,
    "absence.rep": _NAME,
    "report_mail.step": _NAME,
    "recorded_outcome.kind": _NAME,
    "account.subject": 4 * (LONGEST_ISSUER + 1 + LONGEST_SUBJECT),
    "web_session.id_hash": 64,  # SHA-256 in hex
    "sign_in_link.id_hash": 64,
    "batch_holder.holder": 512,  # a flow run's id, or a host and a process
    "consumer.name": 512,
    "host.name": 255,  # what the operating system allows
    "hash_key.fingerprint": 32,
    "crm_position.crm": _NAME,
    "crm_position.kind": _NAME,
    "provider_answer.provider": _NAME,
    "provider_state.provider": _NAME,
    "crm_connection.name": _NAME,
    "crm_link.crm": _NAME,
    "crm_link.record_id": 4 * _NAME,  # what `tasks.crm.delivery` lets through
    "event_subscription.name": _NAME,
    "event_subscription.kind": _NAME,
    "crm_record_state.crm": _NAME,
    "crm_record_state.record": 32,
    "crm_task.crm": _NAME,
    "score_model.data_hash": 64,  # SHA-256 in hex
}
