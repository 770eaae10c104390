"""The fake's addresses: who may ask, what a request must hold, and what an answer looks like.

Long as one file: a route and the answers that it shares with others are read together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from crm_fakes.hubspot.errors import Refusal, refuse_input
from crm_fakes.hubspot.limits import Limits
from crm_fakes.hubspot.portal import DEFAULT_TYPES, Portal, Record
from crm_fakes.hubspot.properties import format_time
from crm_fakes.hubspot.search import MAX_RESULTS, search
from crm_fakes.serving import FakeService, Request, Response

_PER_BATCH: Final = 100
_PER_BATCH_WITH_HISTORY: Final = 50
#: The scopes of a kind's records, where they are not named after the kind.
_SCOPE_OF: Final = dict.fromkeys(("tasks", "calls", "emails", "meetings"), "contacts")
_CREATE_KEYS: Final = ("associations", "properties")
_UPDATE_KEYS: Final = ("id", "properties")


class FakeHubSpot(FakeService):
    """HubSpot's API over one account. ``versions`` are the dated versions that it knows, and ``v3``.

    ``multi_status``: a batch whose rows all have trace ids is answered for each row (207); without, one bad row
    refuses the batch.
    """

    def __init__(self, portal: Portal, *, token: str, limits: Limits | None = None) -> None:
        super().__init__()
        self.portal = portal
        self.token = token
        self.limits = limits or Limits()
        self.versions = ("2026-09", "2026-03", "v3")
        self.multi_status = True
        self.most_per_query = MAX_RESULTS
        self.most_associations = 500  # of one record in an answer

    def answer(self, request: Request) -> Response:
        is_search = request.path.endswith("/search")
        if (refused := self.limits.take(is_search=is_search)) is not None:
            response = refused
        else:
            try:
                self._authenticate(request)
                response = self._route(request)
            except Refusal as refusal:
                response = refusal.as_response()
        described = {} if is_search else self.limits.describe()
        return Response(response.status, response.body, {**response.headers, **described})

    def _authenticate(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            raise Refusal(
                401,
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication",
            )

    def _require(self, scope: str) -> None:
        if scope not in self.portal.scopes:
            message = "This app hasn't been granted all required scopes to make this call."
            detail = {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
            raise Refusal(403, "MISSING_SCOPES", message, [detail])

    def _route(self, request: Request) -> Response:
        area, version, rest = _split(request.segments)
        if area is None or version not in self.versions:
            raise _not_found()
        kind = rest[0] if rest else ""
        if area == "owners":
            return self._owners(request)
        if kind not in self.portal.records:
            raise Refusal(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
        if area == "pipelines":
            return self._pipelines(request, kind)
        if area == "properties":
            return self._properties(request, kind, rest[1:])
        if area == "associations":
            return self._associations(request, kind, rest[1:])
        return self._objects(request, kind, rest[1:])

    def _owners(self, request: Request) -> Response:
        self._require("crm.objects.owners.read")
        archived = request.query.get("archived", "false") == "true"
        found = [owner for owner in self.portal.owners if owner["archived"] == archived]
        return Response(200, _page(found, request, 500))

    def _pipelines(self, request: Request, kind: str) -> Response:
        if request.method != "GET" or kind != "deals":
            raise _not_found()
        self._require("crm.objects.deals.read")
        pipelines = [
            {
                "id": pipeline,
                "label": pipeline.title(),
                "displayOrder": order,
                "archived": False,
                "stages": [
                    {"id": stage, "label": label, "displayOrder": place, "metadata": {}, "archived": False}
                    for place, (stage, label) in enumerate(stages.items())
                ],
            }
            for order, (pipeline, stages) in enumerate(self.portal.pipelines.items())
        ]
        return Response(200, {"results": pipelines})

    def _properties(self, request: Request, kind: str, rest: tuple[str, ...]) -> Response:
        scope = _SCOPE_OF.get(kind, kind)
        if request.method == "POST" and not rest:
            self._require(f"crm.schemas.{scope}.write")
            return Response(201, self.portal.create_property(kind, _read_object(request)).as_json())
        if f"crm.objects.{scope}.read" not in self.portal.scopes:
            self._require(f"crm.schemas.{scope}.read")
        if request.method == "GET" and not rest:
            return Response(200, {"results": [prop.as_json() for prop in self.portal.properties[kind].values()]})
        raise _not_found()

    def _associations(self, request: Request, kind: str, rest: tuple[str, ...]) -> Response:
        to, action = (rest[0], rest[1:]) if rest else ("", ())
        if request.method != "POST" or to not in self.portal.records:
            raise _not_found()
        self._require(f"crm.objects.{_SCOPE_OF.get(kind, kind)}.read")
        inputs = _read_inputs(_read_object(request), 1000)
        results: list[dict[str, Any]] = []
        if action == ("batch", "read"):
            return self._read_associations(kind, to, inputs)
        if action == ("batch", "associate", "default"):
            self._require(f"crm.objects.{_SCOPE_OF.get(kind, kind)}.write")
            errors = []
            for one in inputs:
                source, target = _text(one.get("from", {}), "id"), _text(one.get("to", {}), "id")
                try:
                    self.portal.associate(kind, source, to, target)
                except Refusal as refusal:
                    errors.append(refusal.as_row_error(None))
                    continue
                spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": DEFAULT_TYPES[(kind, to)]}
                results.append({"from": one["from"], "to": one["to"], "associationSpec": spec})
            return Response(207 if errors else 200, _batch(results, errors))
        raise _not_found()

    def _read_associations(self, kind: str, to: str, inputs: list[dict[str, Any]]) -> Response:
        """A page of what each record is associated with; one that has none is an error of the batch."""
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for one in inputs:
            related = self.portal.related(kind, _text(one, "id"), to)
            start = int(_text(one, "after")) if "after" in one else 0
            page = related[start : start + self.most_associations]
            if not page:
                context = {"fromObjectId": [one["id"]], "fromObjectType": [kind], "toObjectType": [to]}
                refusal = Refusal(404, "OBJECT_NOT_FOUND", f"No {to} is associated with {kind}.", [], context)
                errors.append(refusal.as_row_error(None) | {"subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"})
                continue
            links = [
                {"toObjectId": id_, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": type_}]}
                for id_, type_ in page
            ]
            end = start + len(page)
            paging = {"paging": {"next": {"after": str(end)}}} if end < len(related) else {}
            results.append({"from": {"id": one["id"]}, "to": links, **paging})
        return Response(207 if errors else 200, _batch(results, errors))

    def _objects(self, request: Request, kind: str, rest: tuple[str, ...]) -> Response:
        if kind == "emails":
            self._require("sales-email-read")
        scope = f"crm.objects.{_SCOPE_OF.get(kind, kind)}"
        if request.method == "GET" and not rest:
            self._require(f"{scope}.read")
            return self._list(request, kind)
        if request.method != "POST":
            raise _not_found()
        if rest == ("search",):
            self._require(f"{scope}.read")
            return self._search(kind, _read_object(request))
        if rest == ("batch", "read"):
            self._require(f"{scope}.read")
            return self._read(request, kind)
        actions: dict[tuple[str, ...], tuple[tuple[str, ...], Callable[..., Any]]] = {
            ("batch", "create"): (_CREATE_KEYS, self._create),
            ("batch", "update"): (_UPDATE_KEYS, self._update),
            ("batch", "upsert"): (_UPDATE_KEYS, self._upsert),
        }
        if rest not in actions:
            raise _not_found()
        self._require(f"{scope}.write")
        required, act = actions[rest]
        inputs = _read_inputs(_read_object(request), _PER_BATCH, required)
        _refuse_duplicates(inputs)
        return self._write_batch(kind, inputs, act)

    def _list(self, request: Request, kind: str) -> Response:
        archived = request.query.get("archived", "false") == "true"
        names = [name for name in request.query.get("properties", "").split(",") if name]
        found = [
            _show(record, names)
            for record in self.portal.records[kind].values()
            if (record.archived_at is not None) == archived
        ]
        return Response(200, _page(found, request, 100))

    def _search(self, kind: str, asked: Any) -> Response:
        ids, total, after = search(self.portal, kind, asked, self.most_per_query)
        seen = dict(self.portal.visible(kind))
        results = [_show(self.portal.records[kind][id_], asked["properties"], seen[id_]) for id_ in ids]
        paging = {"paging": {"next": {"after": after}}} if after else {}
        return Response(200, {"total": total, "results": results, **paging})

    def _read(self, request: Request, kind: str) -> Response:
        asked = _read_object(request)
        for name in ("properties", "propertiesWithHistory"):
            if not isinstance(asked.get(name), list):
                raise refuse_input(f"Invalid input JSON: {name} is required")
        histories = asked["propertiesWithHistory"]
        inputs = _read_inputs(asked, _PER_BATCH_WITH_HISTORY if histories else _PER_BATCH, ("id",))
        archived = request.query.get("archived", "false") == "true"
        found: dict[str, dict[str, Any]] = {}
        missing: list[str] = []
        for one in inputs:
            record = self.portal.find(kind, _text(one, "id"), asked.get("idProperty"), archived=archived)
            if record is None:
                missing.append(one["id"])
                continue
            shown = found[record.id] = _show(record, asked["properties"])
            if histories:
                shown["propertiesWithHistory"] = _show_history(record, histories)
        errors = []
        if missing:
            message = f"Could not get some {kind} objects, they may be deleted or not exist. Check that ids are valid."
            errors.append(Refusal(404, "OBJECT_NOT_FOUND", message, [], {"ids": missing}).as_row_error(None))
        return Response(207 if errors else 200, _batch(list(found.values()), errors))

    def _write_batch(self, kind: str, inputs: list[dict[str, Any]], act: Callable[..., Any]) -> Response:
        traced = self.multi_status and all(one.get("objectWriteTraceId") for one in inputs)
        if not traced and len(inputs) > 1:
            self._refuse_whole(kind, inputs, act)
        results: list[dict[str, Any]] = []
        errors: list[dict[str, Any]] = []
        for one in inputs:
            trace = one.get("objectWriteTraceId")
            try:
                record, more = act(kind, one)
            except Refusal as refusal:
                if not traced:
                    raise
                errors.append(refusal.as_row_error(trace))
                continue
            written = [name for name in one["properties"] if name in record.values]
            shown = {**_show(record, written), **more}
            results.append({**shown, "objectWriteTraceId": trace} if trace else shown)
        return Response(207 if errors else 200, _batch(results, errors))

    def _refuse_whole(self, kind: str, inputs: list[dict[str, Any]], act: Callable[..., Any]) -> None:
        """Refuse a batch for its first bad row, and write none of it."""
        for one in inputs:
            record = None
            if act != self._create:
                record = self.portal.find(kind, one["id"], one.get("idProperty"))
                if record is None and act == self._update:
                    raise Refusal(404, "OBJECT_NOT_FOUND", "resource not found", [], {"ids": [one["id"]]})
            self.portal.check(kind, record, one["properties"])

    def _create(self, kind: str, one: Mapping[str, Any]) -> tuple[Record, dict[str, Any]]:
        links = [(link["to"]["id"], kind_type) for link in one["associations"] for kind_type in link["types"]]
        for to_id, spec in links:
            self._find_target(kind, to_id, spec)
        record = self.portal.write(kind, None, one["properties"], source="INTEGRATION")
        for to_id, spec in links:
            self.portal.associate(kind, record.id, self._find_target(kind, to_id, spec), to_id)
        return record, {}

    def _find_target(self, kind: str, to_id: str, spec: Mapping[str, Any]) -> str:
        wanted = spec.get("associationTypeId")
        to = next((to for (source, to), type_ in DEFAULT_TYPES.items() if (source, type_) == (kind, wanted)), None)
        if to is None or spec.get("associationCategory") != "HUBSPOT_DEFINED":
            raise refuse_input(f"association type {wanted} is not one of {kind}")
        if self.portal.find(to, to_id) is None:
            raise Refusal(404, "OBJECT_NOT_FOUND", f"{to} {to_id} does not exist", [], {"ids": [to_id]})
        return to

    def _update(self, kind: str, one: Mapping[str, Any]) -> tuple[Record, dict[str, Any]]:
        record = self.portal.find(kind, one["id"], one.get("idProperty"))
        if record is None:
            raise Refusal(404, "OBJECT_NOT_FOUND", "resource not found", [], {"ids": [one["id"]]})
        return self.portal.write(kind, record, one["properties"], source="INTEGRATION"), {}

    def _upsert(self, kind: str, one: Mapping[str, Any]) -> tuple[Record, dict[str, Any]]:
        name = one.get("idProperty")
        if not isinstance(name, str):
            raise refuse_input("Invalid input JSON: idProperty is required")
        record = self.portal.find(kind, one["id"], name)
        written = self.portal.write(kind, record, {name: one["id"], **one["properties"]}, source="INTEGRATION")
        return written, {"new": record is None}


def _split(segments: tuple[str, ...]) -> tuple[str | None, str, tuple[str, ...]]:
    """The area, the version and the rest: of ``/crm/objects/2026-09/contacts`` and of ``/crm/v3/objects/contacts``."""
    areas = ("objects", "properties", "owners", "pipelines", "associations")
    if len(segments) < 3 or segments[0] != "crm":
        return None, "", ()
    if segments[1] in areas and not segments[2].startswith("v"):
        return segments[1], segments[2], segments[3:]
    if segments[2] in areas and segments[1] == ("v4" if segments[2] == "associations" else "v3"):
        return segments[2], "v3", segments[3:]
    return None, "", ()


def _not_found() -> Refusal:
    return Refusal(404, "OBJECT_NOT_FOUND", "Unable to find the requested resource")


def _read_object(request: Request) -> dict[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refusal(415, "VALIDATION_ERROR", "Unsupported Media Type")
    try:
        given = request.json()
    except orjson.JSONDecodeError:
        raise refuse_input("Invalid input JSON on line 1") from None
    if not isinstance(given, dict):
        raise refuse_input("Invalid input JSON")
    return given


def _read_inputs(given: dict[str, Any], most: int, required: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The rows of a batch, each with its keys and with texts only."""
    inputs = given.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise refuse_input("Some required fields were not set: [inputs]")
    if len(inputs) > most:
        raise refuse_input(
            f"The maximum number of inputs supported in a batch request is {most}, received {len(inputs)}"
        )
    for one in inputs:
        if not isinstance(one, dict):
            raise refuse_input("Invalid input JSON: inputs")
        for name in required:
            if name not in one:
                raise refuse_input(f"Some required fields were not set: [{name}]")
        properties = one.get("properties", {})
        if not isinstance(properties, dict) or not all(isinstance(value, str) for value in properties.values()):
            raise refuse_input("Invalid input JSON: properties")
        if "id" in required and not isinstance(one["id"], str):
            raise refuse_input("Invalid input JSON: id")
        if "associations" in required and not isinstance(one["associations"], list):
            raise refuse_input("Invalid input JSON: associations")
    return inputs


def _refuse_duplicates(inputs: list[dict[str, Any]]) -> None:
    ids = [one["id"] for one in inputs if "id" in one]
    if len(set(ids)) < len(ids):
        twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        raise refuse_input(f"Duplicate IDs found in batch input: {twice}")
    traces = [one["objectWriteTraceId"] for one in inputs if one.get("objectWriteTraceId")]
    if len(set(traces)) < len(traces):
        raise refuse_input("Duplicate objectWriteTraceIds found in batch input")


def _text(given: Any, name: str) -> str:
    value = given.get(name) if isinstance(given, dict) else None
    if not isinstance(value, str) or not value:
        raise refuse_input(f"Invalid input JSON: {name}")
    return value


def _show(record: Record, names: Iterable[str], values: Mapping[str, str] | None = None) -> dict[str, Any]:
    held = record.values if values is None else values
    always = ("hs_object_id", "createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate")
    shown: dict[str, Any] = {
        "id": record.id,
        "properties": {
            **{name: held[name] for name in always if name in held},
            **{name: held.get(name) for name in names},
        },
        "createdAt": format_time(record.created_at),
        "updatedAt": format_time(record.changed_at),
        "archived": record.archived_at is not None,
    }
    if record.archived_at is not None:
        shown["archivedAt"] = format_time(record.archived_at)
    return shown


def _show_history(record: Record, names: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [
            {
                "value": change.value,
                "timestamp": format_time(change.at),
                "sourceType": change.source,
                **({"updatedByUserId": change.user} if change.user is not None else {}),
            }
            for change in record.history.get(name, [])
        ]
        for name in names
    }


def _batch(results: list[dict[str, Any]], errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    stamp = "2026-11-01T00:00:00.000Z"
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return body


def _page(found: list[dict[str, Any]], request: Request, most: int) -> dict[str, Any]:
    limit, after = request.query.get("limit", "10"), request.query.get("after", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= most or not after.isdecimal():
        raise refuse_input("Invalid limit or after")
    start, end = int(after), int(after) + int(limit)
    paging = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
    return {"results": found[start:end], **paging}
