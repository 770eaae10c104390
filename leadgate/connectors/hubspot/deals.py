"""What people call what HubSpot's deals name by ids: the stages of pipelines, and companies.

Belongs here: asking for these names. Does not belong here: reading the deals themselves (``reading``), or what a stage
means (``leadgate.records``).

A deal holds the internal id of its stage, which in pipelines that people made is a number: only the pipelines tell its
label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from leadgate.connectors.crm import CrmObject, CrmRecord
from leadgate.connectors.hubspot.associations import read_companies
from leadgate.connectors.hubspot.client import KINDS, Client
from leadgate.connectors.hubspot.records import list_objects, read_id, require_whole
from leadgate.values.json_types import JsonObject, as_object

_STAGE: Final = "dealstage"
_PER_READ: Final = 100


def read_stage_labels(client: Client) -> dict[str, str]:
    """The label of each stage of the pipelines of deals, by the stage's id. Raises ``ServiceError``."""
    labels: dict[str, str] = {}
    for pipeline in list_objects(client.get(client.find_path("pipelines", KINDS[CrmObject.OPPORTUNITY])), "results"):
        for stage in list_objects(pipeline, "stages"):
            stage_id, label = read_id(stage.get("id")), stage.get("label")
            if stage_id is not None and isinstance(label, str) and label.strip():
                labels[stage_id] = label.strip()
    return labels


def name_deals(client: Client, records: Sequence[CrmRecord]) -> list[CrmRecord]:
    """``records`` with the labels of their stages and the names of their companies. Raises ``ServiceError``."""
    there = [record for record in records if not record.is_deleted]
    if not there:
        return list(records)
    labels = read_stage_labels(client)
    companies = read_companies(client, CrmObject.OPPORTUNITY, [record.id for record in there])
    names = _read_company_names(client, companies.values())
    return [
        replace(record, named=_build_names(record, labels, names.get(companies.get(record.id, ""))))
        for record in records
    ]


def _build_names(record: CrmRecord, labels: dict[str, str], company: str | None) -> dict[str, str]:
    label = labels.get(str(record.values.get(_STAGE)))
    found = {"sales_stage": label, "account": company}
    return {name: value for name, value in found.items() if value is not None}


def _read_company_names(client: Client, ids: Iterable[str]) -> dict[str, str]:
    """The name of each company that is there, or else its domain, by its id."""
    asked = list(dict.fromkeys(ids))
    found: dict[str, str] = {}
    for start in range(0, len(asked), _PER_READ):
        body: JsonObject = {
            "inputs": [{"id": each} for each in asked[start : start + _PER_READ]],
            "properties": ["name", "domain"],
            "propertiesWithHistory": [],
        }
        answer = client.post(client.find_path("objects", "companies", "batch", "read"), body)
        require_whole(answer)
        for given in list_objects(answer, "results"):
            company, held = read_id(given.get("id")), as_object(given.get("properties"))
            names = [each.strip() for each in (held.get("name"), held.get("domain")) if isinstance(each, str)]
            if company is not None and (name := next(filter(None, names), None)) is not None:
                found[company] = name
    return found
