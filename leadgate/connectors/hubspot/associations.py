"""What HubSpot's deals, tasks, calls, e-mails and meetings are associated with: contacts, and the companies of deals.

Belongs here: reading them, page after page. Does not belong here: reading the records themselves (``reading``).

An answer has a page of what each record is associated with, with a cursor where there is more: a meeting may have
hundreds of contacts. A record without any is told as an error. An answer that is not whole is none: without its
contacts, an activity would be of nobody, for good.
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
#: The type of association of a deal with the one of its companies that HubSpot calls its primary company.
_PRIMARY_COMPANY: Final = 5


def read_related(client: Client, kind: CrmObject, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The contacts that each record is associated with, by the record's id. Raises ``ServiceError``."""
    links = _read_links(client, kind, KINDS[CrmObject.LEAD], ids)
    return {source: tuple(targets) for source, targets in links.items()}


def read_deals(client: Client, kind: CrmObject, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The deals that each record is associated with, by the record's id. Raises ``ServiceError``."""
    links = _read_links(client, kind, KINDS[CrmObject.OPPORTUNITY], ids)
    return {source: tuple(targets) for source, targets in links.items()}


def read_companies(client: Client, kind: CrmObject, ids: Sequence[str]) -> dict[str, str]:
    """The company of each record that has one, by the record's id: the primary one, else the first that HubSpot names.
    Raises ``ServiceError``."""
    links = _read_links(client, kind, "companies", ids)
    return {
        source: next((target for target, is_primary in targets.items() if is_primary), next(iter(targets)))
        for source, targets in links.items()
        if targets
    }


def _read_links(client: Client, kind: CrmObject, to_kind: str, ids: Sequence[str]) -> dict[str, dict[str, bool]]:
    """What each record is associated with: ids, each with whether it is the primary company."""
    path = client.find_path("associations", KINDS[kind], to_kind, "batch", "read")
    found: dict[str, dict[str, bool]] = {}
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
            targets = found.setdefault(source, {})
            for link in to:
                if isinstance(link, Mapping) and (target := read_id(link.get("toObjectId"))) is not None:
                    targets[target] = targets.get(target, False) or _is_primary(link)
            if (after := read_next(given)) is not None:
                if (source, after) in cursors or len(cursors) >= _MOST_PAGES * len(wanted):
                    raise ServiceError(f"HubSpot says of a record that it has more {to_kind}, and does not go on")
                cursors.add((source, after))
                waiting.append({"id": source, "after": after})
    return found


def _is_primary(link: JsonObject) -> bool:
    types = link.get("associationTypes")
    return isinstance(types, list) and any(
        as_object(each).get("typeId") == _PRIMARY_COMPANY and as_object(each).get("category") == "HUBSPOT_DEFINED"
        for each in types
    )
