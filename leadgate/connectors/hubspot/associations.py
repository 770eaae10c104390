"""The contacts that HubSpot's deals, tasks, calls, e-mails and meetings are associated with.

Belongs here: reading them, page after page. Does not belong here: reading the records themselves (``reading``).

An answer has a page of the contacts of each record, with a cursor where there are more: a meeting may have hundreds. A
record without contacts is told as an error. An answer that is not whole is none: without its contacts, an activity
would be of nobody, for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from leadgate.connectors.crm import CrmObject
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.records import list_objects, read_id, read_next, require_whole
from leadgate.connectors.service_session import ServiceError
from leadgate.values.json_types import JsonObject, as_object

_PER_READ: Final = 100
_MOST_PAGES: Final = 500  # of one record, on average


def read_related(client: Client, kind: CrmObject, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The contacts that each record is associated with, by the record's id. Raises ``ServiceError``."""
    path = client.find_path("associations", KINDS[kind], KINDS[CrmObject.LEAD], "batch", "read")
    found: dict[str, dict[str, None]] = {}
    waiting: list[JsonObject] = [{"id": one} for one in dict.fromkeys(ids)]
    wanted, cursors = set(ids), set[tuple[str, str]]()
    while waiting:
        inputs, waiting = waiting[:_PER_READ], waiting[_PER_READ:]
        answer = client.post(path, {"inputs": inputs})
        require_whole(answer)
        for given in list_objects(answer, "results"):
            source, to = read_id(as_object(given.get("from")).get("id")), given.get("to")
            if source not in wanted or source is None or not isinstance(to, list):
                continue
            targets = (read_id(link.get("toObjectId")) for link in to if isinstance(link, Mapping))
            found.setdefault(source, {}).update(dict.fromkeys(filter(None, targets)))
            if (after := read_next(given)) is not None:
                if (source, after) in cursors or len(cursors) >= _MOST_PAGES * len(wanted):
                    raise ServiceError("HubSpot says of a record that it has more contacts, and does not go on")
                cursors.add((source, after))
                waiting.append({"id": source, "after": after})
    return {source: tuple(targets) for source, targets in found.items()}
