"""Follow-up tasks in HubSpot, of which one key never makes a second.

Belongs here: how a task is created, found again, and kept up to date. Does not belong here: when there is one.

Each task has its key in a unique property, which HubSpot keeps unique. Before tasks are created they are read by that
property, which is exact, unlike a search. So a task that was created by a request without an answer is found, and
where a request is still under way, HubSpot refuses the second one. A task is created together with its association
with the contact; one that is found is associated again, which changes nothing when it is there.
"""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from typing import Final

from leadgate.connectors.crm import (
    CrmField,
    CrmObject,
    CrmTask,
    RowError,
    RowFault,
    RowResult,
)
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.errors import judge_row, read_error
from leadgate.connectors.hubspot.reading import read_by
from leadgate.connectors.hubspot.records import list_objects, read_id
from leadgate.connectors.hubspot.values import format_time
from leadgate.connectors.hubspot.writing import PER_WRITE, BatchSender, Row, split_groups
from leadgate.connectors.service_session import ServiceUnreachableError
from leadgate.values.json_types import JsonObject, JsonValue, as_object

#: The association from a task to a contact that HubSpot defines.
TASK_TO_CONTACT: Final = 204
_ATTEMPTS: Final = 3


def write_tasks(
    client: Client, tasks: Sequence[CrmTask], fields: Mapping[str, CrmField], key_property: str, wait: float
) -> list[RowResult]:
    """Create tasks, or update those that are there; a result for each, in their order."""
    results: dict[str, RowResult] = {}
    rows = [Row(str(place), task.key, task.id, {}) for place, task in enumerate(tasks)]
    for group in split_groups(rows):
        for start in range(0, len(group), PER_WRITE):
            _write_batch(client, group[start : start + PER_WRITE], tasks, fields, key_property, wait, results)
    return [results[str(place)] for place in range(len(tasks))]


def _write_batch(
    client: Client,
    rows: Sequence[Row],
    tasks: Sequence[CrmTask],
    fields: Mapping[str, CrmField],
    key_property: str,
    wait: float,
    results: dict[str, RowResult],
) -> None:
    """Write up to ``PER_WRITE`` tasks. A request without an answer is followed by reading what it did."""
    for attempt in range(1, _ATTEMPTS + 1):
        sender = BatchSender(client, CrmObject.TASK, key_property)
        try:
            _write_once(client, sender, rows, tasks, fields, key_property)
        except ServiceUnreachableError as error:
            if attempt == _ATTEMPTS:
                if not results:
                    raise
                failed = RowError(RowFault.TEMPORARY, "NOT_SENT", str(error))
                results |= {row.trace: RowResult(row.key, row.id, error=failed) for row in rows}
                return
        else:
            results |= sender.results
            taken = {trace for trace, result in sender.results.items() if _is_taken(result)}
            rows = [row for row in rows if row.trace in taken]  # another request made them since they were read
            if not rows or attempt == _ATTEMPTS:
                return
        time.sleep(wait * attempt)


def _is_taken(result: RowResult) -> bool:
    return result.error is not None and result.error.fault is RowFault.DUPLICATE


def _write_once(
    client: Client,
    sender: BatchSender,
    rows: Sequence[Row],
    tasks: Sequence[CrmTask],
    fields: Mapping[str, CrmField],
    key_property: str,
) -> None:
    ids = _find_ids(client, [row.key for row in rows if row.id is None], fields, key_property)
    there: list[Row] = []
    absent: list[Row] = []
    for row in rows:
        task = tasks[int(row.trace)]
        record_id = row.id or ids.get(row.key)
        properties = {**_build_properties(task, is_new=record_id is None), key_property: task.key}
        made = Row(row.trace, row.key, record_id, properties)
        if record_id is None:
            made.extra = {"associations": [_associate_with(task.record_id)]}
        (absent if record_id is None else there).append(made)
    if absent:
        sender.send("create", absent)
    if there:
        sender.send("update", there)
        _associate(client, sender, there, tasks)


def _find_ids(client: Client, keys: Sequence[str], fields: Mapping[str, CrmField], key_property: str) -> dict[str, str]:
    """The ids of the tasks that are there, by their keys."""
    found: dict[str, str] = {}
    for record, _, given in read_by(client, CrmObject.TASK, keys, [], fields, key_property) if keys else []:
        key = as_object(given.get("properties")).get(key_property)
        if isinstance(key, str):
            found[key] = record.id
    return found


def _build_properties(task: CrmTask, *, is_new: bool) -> dict[str, str]:
    """What a task holds. One that a rep has done is not opened again."""
    built = {
        "hs_timestamp": format_time(task.due_at),
        "hs_task_subject": task.subject,
        "hs_task_body": html.escape(task.body).replace("\n", "<br>"),  # HubSpot reads it as HTML
        "hubspot_owner_id": task.owner_id,
    }
    if task.is_done:
        built["hs_task_status"] = "COMPLETED"
    elif is_new:
        built["hs_task_status"] = "NOT_STARTED"
    return {**built, "hs_task_type": "TODO"} if is_new else built


def _associate_with(record_id: str) -> JsonObject:
    return {
        "to": {"id": record_id},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT}],
    }


def _associate(client: Client, sender: BatchSender, rows: Sequence[Row], tasks: Sequence[CrmTask]) -> None:
    """Make sure that the tasks that were there are associated with their contacts."""
    written = [row for row in rows if sender.results[row.trace].error is None]
    if not written:
        return
    inputs: list[JsonValue] = [
        {"from": {"id": row.id}, "to": {"id": tasks[int(row.trace)].record_id}} for row in written
    ]
    path = client.find_path(
        "associations", KINDS[CrmObject.TASK], KINDS[CrmObject.LEAD], "batch", "associate", "default"
    )
    answer = client.post(path, {"inputs": inputs})
    done = {read_id(as_object(given.get("from")).get("id")) for given in list_objects(answer, "results")}
    listed = answer.get("errors")
    errors = [read_error(0, given) for given in listed] if isinstance(listed, list) else []
    for row in written:
        if row.id not in done:
            unknown = RowError(RowFault.TEMPORARY, "NO_RESULT", "HubSpot did not say whether the task has its contact")
            sender.fail(row, judge_row(errors[0]) if errors else unknown)
