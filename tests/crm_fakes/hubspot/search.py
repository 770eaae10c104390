"""The search endpoint of the fake HubSpot: five required keys, one sort, pages of up to 200 of at most 10,000 records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from crm_fakes.hubspot.errors import refuse_input
from crm_fakes.hubspot.portal import Portal
from crm_fakes.hubspot.properties import Property, parse_time

REQUIRED: Final = ("after", "filterGroups", "limit", "properties", "sorts")
MAX_RESULTS: Final = 10_000

Values = Mapping[str, str]


def search(portal: Portal, kind: str, body: Any, max_results: int = MAX_RESULTS) -> tuple[list[str], int, str | None]:
    """Search the records of ``kind`` by the request ``body``.

    Returns the ids of one page, the number of matching records, and ``after`` of the next page. Raises ``Refusal``.
    """
    if not isinstance(body, dict):
        raise refuse_input("Invalid input JSON")
    for name in REQUIRED:
        if name not in body:
            raise refuse_input(f"Invalid input JSON: {name} is required")
    offset, limit = _check_page(body, max_results)
    groups = [_read_group(portal, kind, group) for group in _as_list(body["filterGroups"], "filterGroups", 6)]
    key, is_descending = _read_sort(portal, kind, body["sorts"])
    matching = [
        (id_, values)
        for id_, values in portal.visible(kind)
        if not groups or any(all(test(values) for test in group) for group in groups)
    ]
    matching.sort(key=lambda found: (key(found[1]), int(found[0])), reverse=is_descending)
    page = [id_ for id_, _ in matching[offset : offset + limit]]
    after = str(offset + limit) if offset + limit < len(matching) else None
    return page, len(matching), after


def _check_page(body: dict[str, Any], max_results: int) -> tuple[int, int]:
    after, limit = body["after"], body["limit"]
    if not isinstance(after, str) or not (after == "" or after.isdecimal()):
        raise refuse_input("Invalid input JSON: after")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 200:
        raise refuse_input("limit must be between 1 and 200")
    if not isinstance(body["properties"], list) or not all(isinstance(name, str) for name in body["properties"]):
        raise refuse_input("Invalid input JSON: properties")
    offset = int(after or "0")
    if offset + limit > max_results:
        raise refuse_input(f"paging limit: only {max_results} results can be paged through")
    return offset, limit


def _as_list(value: Any, name: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise refuse_input(f"Invalid input JSON: {name}")
    return value


def _read_sort(portal: Portal, kind: str, sorts: Any) -> tuple[Callable[[Values], Any], bool]:
    """Read the one sort: ``propertyName`` and ``direction``, by HubSpot's guide, or a string, by its schema."""
    found = _as_list(sorts, "sorts", 1)
    if not found:
        return lambda _: 0, False
    sort = {"propertyName": found[0]} if isinstance(found[0], str) else found[0]
    prop = portal.properties[kind].get(sort.get("propertyName", "")) if isinstance(sort, dict) else None
    if prop is None or sort.get("direction", "ASCENDING") not in ("ASCENDING", "DESCENDING"):
        raise refuse_input("Invalid sort")
    return lambda values: _make_comparable(prop, values.get(prop.name, "")), sort.get("direction") == "DESCENDING"


def _read_group(portal: Portal, kind: str, group: Any) -> list[Callable[[Values], bool]]:
    if not isinstance(group, dict) or "filters" not in group:
        raise refuse_input("Invalid input JSON: filters")
    return [_read_filter(portal, kind, one) for one in _as_list(group["filters"], "filters", 6)]


def _read_filter(portal: Portal, kind: str, given: Any) -> Callable[[Values], bool]:
    if not isinstance(given, dict) or not isinstance(given.get("operator"), str):
        raise refuse_input("Invalid input JSON: operator")
    prop = portal.properties[kind].get(given.get("propertyName", ""))
    if prop is None:
        raise refuse_input("There was a problem with the request: a property of a filter does not exist")
    operator, name = given["operator"], prop.name
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda values: bool(values.get(name)) == (operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        values = _as_list(given.get("values"), "values", 100)
        if prop.type == "string" and any(value != value.lower() for value in values):
            raise refuse_input("values of a string property must be in lower case")
        return lambda held: (held.get(name, "").lower() in {v.lower() for v in values}) == (operator == "IN")
    if not isinstance(given.get("value"), str):
        raise refuse_input("Invalid input JSON: value")
    wanted = _make_comparable(prop, given["value"])
    compare: dict[str, Callable[[Any], bool]] = {
        "EQ": lambda held: held == wanted,
        "NEQ": lambda held: held != wanted,
        "GT": lambda held: held > wanted,
        "GTE": lambda held: held >= wanted,
        "LT": lambda held: held < wanted,
        "LTE": lambda held: held <= wanted,
    }
    if operator not in compare:
        raise refuse_input(f"the fake does not know the operator {operator}")
    return lambda held: bool(held.get(name)) and compare[operator](_make_comparable(prop, held[name]))


def _make_comparable(prop: Property, value: str) -> Any:
    if prop.type in ("date", "datetime"):
        found = parse_time(value) if value else None
        if value and found is None:
            raise refuse_input(f"{prop.name} is compared with no time")
        return found.timestamp() if found else 0.0
    if prop.type == "number":
        try:
            return float(value or 0)
        except ValueError:
            raise refuse_input(f"{prop.name} is compared with no number") from None
    return value.lower()
