"""What people call what Salesforce's opportunities and contracts name by ids: their accounts, and a contract's number.

Belongs here: asking for these names. Does not belong here: reading the records themselves (``reading``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from leadgate.connectors.crm import CrmFinding, CrmRecord, CrmRefusedError
from leadgate.connectors.salesforce.answers import read_id
from leadgate.connectors.salesforce.client import RestClient
from leadgate.connectors.salesforce.soql import build_query, split_list

_OF: Final = "Account"
_REFERENCE: Final = "AccountId"
_NUMBER: Final = "ContractNumber"


def name_records(client: RestClient, records: Sequence[CrmRecord]) -> list[CrmRecord]:
    """``records`` with the names of their accounts, and a contract's number for one without a name of its own. Raises
    ``ServiceError``."""
    ids = {record.id: str(record.values.get(_REFERENCE) or "") for record in records if not record.is_deleted}
    accounts = _read_names(client, filter(None, ids.values()))
    named = []
    for record in records:
        number = None if record.values.get("Name") else record.values.get(_NUMBER)
        found = {"account": accounts.get(ids.get(record.id, "")[:15]), "name": number}
        named.append(replace(record, named={name: str(value) for name, value in found.items() if value}))
    return named


def _read_names(client: RestClient, ids: Iterable[str]) -> dict[str, str]:
    """The name of each account that this user may see, by its short id."""
    found: dict[str, str] = {}
    for condition in split_list("Id", (each for each in ids if read_id(each) is not None), 200):
        for raw in client.query(build_query(["Id", "Name"], _OF, condition)):
            sent = {name.lower(): value for name, value in raw.items()}
            account, name = read_id(sent.get("id")), sent.get("name")
            if account is not None and isinstance(name, str) and name.strip():
                found[account[:15]] = name.strip()
    return found


def check_accounts(client: RestClient) -> list[CrmFinding]:
    """Whether the names of accounts can be read. Raises ``ServiceError``."""
    try:
        list(client.query(build_query(["Id", "Name"], _OF, limit=1)))
    except CrmRefusedError as error:
        advice = "give its permission set the object permission read for Account, and read access to its Name"
        return [CrmFinding(_OF, f"the user of this connection may not read records of Account ({error})", advice)]
    return []
