"""Which record of a CRM a lead is: found by Leadgate's key, then by e-mail address; and what the record has now.

Belongs here: finding records and keeping the links. Does not belong here: what is written to a record (``write``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from leadgate.connectors.crm import CrmObject, CrmRecord
from leadgate.crm.writes import list_guarded
from leadgate.ledger import crm_links
from leadgate.ledger.crm_links import Link
from tasks.crm.access import CrmAccess, LeadWrite, is_id, list_open

#: What a person is told of a record that two leads would be.
ANOTHER_LEADS = "its record is that of another lead already; merge the two, or correct one"


def link_leads(access: CrmAccess, leads: list[LeadWrite]) -> None:
    """Find the records of leads that have none yet: by Leadgate's key, then by e-mail address."""
    fields = [access.key_field, *list_guarded(access.connection)]
    lost = {lead.key: lead for lead in list_open(leads) if lead.link is None}
    found: dict[int, tuple[CrmRecord, str]] = {}
    if lost:
        for record in _find(access, access.key_field, lost, fields):
            lead = lost.get(str(record.values.get(access.key_field) or ""))
            if lead is not None:
                found[lead.lead_id] = (record, "key")
    by_address = access.connection.address_field
    addressed: dict[str, list[LeadWrite]] = defaultdict(list)
    for lead in lost.values():
        if lead.lead_id not in found and (address := str(lead.facts.values.get("email") or "").strip()):
            addressed[address.casefold()].append(lead)
    if by_address is not None and addressed:
        _match_addresses(access, by_address, addressed, fields, found)
    if not found:
        return
    rows = [(lead, record.id, how) for lead, (record, how) in sorted(found.items()) if is_id(record.id)]
    with access.ledger.transaction() as connection:
        linked = crm_links.link_leads(connection, access.name, rows, access.read_time())
    for lead in lost.values():
        if lead.lead_id not in found:
            continue
        record, how = found[lead.lead_id]
        if lead.lead_id in linked:
            lead.link = Link(lead.lead_id, record.id, how, None, None, None, None, None, 0)
            lead.current, lead.needs_key = dict(record.values), how == "address"
        else:
            lead.refusal = (ANOTHER_LEADS, "")


def _match_addresses(
    access: CrmAccess,
    by_address: str,
    addressed: Mapping[str, list[LeadWrite]],
    fields: list[str],
    found: dict[int, tuple[CrmRecord, str]],
) -> None:
    matches: dict[str, list[CrmRecord]] = defaultdict(list)
    for record in _find(access, by_address, addressed, [by_address, *fields]):
        matches[str(record.values.get(by_address) or "").strip().casefold()].append(record)
    for address, wanted in addressed.items():
        records = {record.id: record for record in matches.get(address, ())}
        for lead in wanted:
            if len(records) > 1:
                words = f"{len(records)} records have its e-mail address; merge them in the CRM and rerun this"
                lead.refusal = (words, "")
            elif records:
                (record,) = records.values()
                found[lead.lead_id] = (record, "address")


def _find(access: CrmAccess, field_name: str, values: Iterable[str], fields: Sequence[str]) -> list[CrmRecord]:
    wanted = list(dict.fromkeys(fields))
    records = access.ask(lambda: access.crm.find(CrmObject.LEAD, field_name, list(values), wanted))
    return [record for record in records if not record.is_deleted]


def link_to_named(access: CrmAccess, lead: LeadWrite, record_id: str) -> bool:
    """Link a lead to the record that the CRM names as the same person. False when the record is another lead's."""
    row = (lead.lead_id, record_id, "address")
    with access.ledger.transaction() as connection:
        if not crm_links.link_leads(connection, access.name, [row], access.read_time()):
            return False
    lead.link, lead.needs_key = Link(lead.lead_id, record_id, "address", None, None, None, None, None, 0), True
    read_current(access, [lead])
    return not lead.is_settled


def read_current(access: CrmAccess, leads: list[LeadWrite]) -> None:
    """What the CRM has of fields of which that must be known."""
    guarded = list_guarded(access.connection)
    asked = {lead.link.record_id: lead for lead in leads if lead.link is not None and not lead.current}
    if not guarded or not asked:
        return
    records = access.ask(lambda: access.crm.read(CrmObject.LEAD, list(asked), guarded))
    for record_id, lead in asked.items():
        record = records.get(record_id)
        if record is None or record.is_deleted:
            access.lose(lead, record)
        else:
            lead.current, lead.changed_at = dict(record.values), record.changed_at
