"""The REST API of the fake org: tokens, versions, limits, queries, and requests that write."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from email.utils import format_datetime
from typing import Any, Final

from crm_fakes.salesforce.org import Org, RequestRefused, RowRefused, name_fields, parse_value
from crm_fakes.salesforce.schema import TOOLING, FieldSchema, ObjectSchema
from crm_fakes.salesforce.soql import Row, SoqlError, parse
from crm_fakes.salesforce.tokens import App, Tokens
from crm_fakes.serving import FakeService, Request, Response

_MOST_ROWS: Final = 200
_LONGEST_HEAD: Final = 16_384  # bytes of address and headers
_VERSIONS: Final = range(31, 69)
_TYPES: Final = {
    "Text": "string",
    "Number": "double",
    "Checkbox": "boolean",
    "Date": "date",
    "DateTime": "datetime",
    "Picklist": "picklist",
}


class FakeSalesforce(FakeService):
    """One org. ``limit`` is that of requests in 24 hours; ``batch_rows`` the most records in one answer to a query."""

    def __init__(self, *apps: App) -> None:
        super().__init__()
        self.org = Org()
        self.token_source = Tokens(*apps)
        self.token_source.user_id = self.org.user_id
        self.limit = 100_000
        self.used = 0
        self.batch_rows = 2_000
        self._locators: dict[str, tuple[ObjectSchema, list[str], list[Row]]] = {}
        self._numbers = itertools.count(1)

    @property
    def apps(self) -> dict[str, App]:
        return self.token_source.apps

    @property
    def tokens(self) -> dict[str, float]:
        """The tokens that are valid, and until when, by ``time.time()``."""
        return self.token_source.valid_until

    def give_token(self) -> str:
        return self.token_source.give()

    def expire_tokens(self) -> None:
        self.tokens.clear()

    def answer(self, request: Request) -> Response:
        head = len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers.items())
        if head > _LONGEST_HEAD:
            return Response(431 if len(request.target) <= _LONGEST_HEAD else 414, b"<h1>Bad Message</h1>")
        if request.segments == ("services", "oauth2", "token"):
            return self.token_source.answer(request)
        limits = {}
        try:
            match request.segments:
                case ("services", "data", version, *path):
                    self._check_access(request)
                    limits = {"Sforce-Limit-Info": f"api-usage={self.used}/{self.limit}"}
                    _check_version(version, path)
                    response = self._route(request, version, tuple(path))
                case _:
                    raise RequestRefused("NOT_FOUND", "The requested resource does not exist", 404)
        except RequestRefused as refused:
            response = Response(refused.status, [{"message": refused.message, "errorCode": refused.code}])
        except SoqlError as wrong:
            response = Response(400, [{"message": str(wrong), "errorCode": wrong.code}])
        told = {"Date": format_datetime(self.org.now(), usegmt=True), **limits}
        return Response(response.status, response.body, {**told, **response.headers})

    def _check_access(self, request: Request) -> None:
        if not self.token_source.are_shown_by(request):
            raise RequestRefused("INVALID_SESSION_ID", "Session expired or invalid", 401)
        if self.used >= self.limit:
            raise RequestRefused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403)
        self.used += 1

    def _route(self, request: Request, version: str, path: tuple[str, ...]) -> Response:
        match request.method, path:
            case "GET", ("query" | "queryAll" as name,):
                return self._query(request, version, deleted_too=name == "queryAll")
            case "GET", ("tooling", "query"):
                return self._query(request, version, deleted_too=False, tooling=True)
            case "GET", ("query" | "queryAll", locator):
                return self._query_more(version, locator)
            case "GET", ("limits",):
                told = {"Max": self.limit, "Remaining": max(0, self.limit - self.used)}
                return Response(200, {"DailyApiRequests": told})
            case "GET", ("sobjects",):
                return Response(200, self._describe_all(version))
            case "GET", ("sobjects", name, "describe"):
                return Response(200, self._schema(name).describe())
            case "GET", ("sobjects", name, "deleted"):
                return self._find_deleted(self._schema(name), request.query)
            case _, ("sobjects", name, *rest):
                return self._one(request, version, self._schema(name), rest)
            case "PATCH", ("composite", "sobjects"):
                return self._collection(request, "update")
            case "POST", ("composite", "sobjects"):
                return self._collection(request, "create")
            case "PATCH", ("composite", "sobjects", name, key):
                schema = self._schema(name)
                return self._collection(request, "upsert", schema, self._key(schema, key))
            case "POST", ("tooling", "sobjects", "CustomField"):
                return self._create_field(_read_body(request))
        raise RequestRefused("NOT_FOUND", "The requested resource does not exist", 404)

    def _describe_all(self, version: str) -> dict[str, Any]:
        listed = []
        for schema in self.org.schemas.values():
            if schema.name not in TOOLING:
                urls = {"sobject": f"/services/data/{version}/sobjects/{schema.name}"}
                about = {name: value for name, value in schema.describe().items() if name != "fields"}
                listed.append({**about, "urls": {**urls, "describe": f"{urls['sobject']}/describe"}})
        return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}

    def _schema(self, name: str) -> ObjectSchema:
        if (schema := self.org.find_schema(name)) is None or schema.name in TOOLING:
            raise RequestRefused("NOT_FOUND", "The requested resource does not exist", 404)
        return schema

    def _key(self, schema: ObjectSchema, name: str) -> str:
        if (field := schema.find(name)) is None or not field.external_id:
            raise RequestRefused(
                "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}", 404
            )
        return field.name

    def _query(self, request: Request, version: str, *, deleted_too: bool, tooling: bool = False) -> Response:
        def find(name: str) -> ObjectSchema | None:
            schema = self.org.find_schema(name)
            return schema if schema and (schema.name in TOOLING) is tooling else None

        query = parse(request.query.get("q", ""), find)
        rows = [row for row in self.org.rows[query.schema.name].values() if deleted_too or not row["IsDeleted"]]
        return self._page(version, query.schema, query.fields, query.run(rows))

    def _query_more(self, version: str, locator: str) -> Response:
        if (waiting := self._locators.pop(locator, None)) is None:
            raise RequestRefused("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(version, *waiting)

    def _page(self, version: str, schema: ObjectSchema, fields: list[str], rows: list[Row]) -> Response:
        shown, rest = rows[: self.batch_rows], rows[self.batch_rows :]
        body: dict[str, Any] = {"totalSize": len(rows), "done": not rest}
        if rest:
            locator = f"01g5g{next(self._numbers):010d}AAA-{self.batch_rows}"
            self._locators[locator] = (schema, fields, rest)
            body["nextRecordsUrl"] = f"/services/data/{version}/query/{locator}"
        body["records"] = [show_row(version, schema, fields, row) for row in shown]
        return Response(200, body)

    def _find_deleted(self, schema: ObjectSchema, query: Mapping[str, str]) -> Response:
        try:
            start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        except (KeyError, ValueError):
            raise RequestRefused("INVALID_REPLICATION_DATE", "start and end are instants") from None
        return Response(
            200,
            {
                "deletedRecords": self.org.find_deleted(schema.name, start, end),
                "earliestDateAvailable": "2020-01-01T00:00:00.000+0000",
                "latestDateCovered": _show(min(end, self.org.now())),
            },
        )

    def _one(self, request: Request, version: str, schema: ObjectSchema, rest: list[str]) -> Response:
        def write(operation: str, more: Mapping[str, Any], key: str | None = None) -> tuple[str, bool]:
            body = _read_body(request)
            self._refuse_ids(schema, body, key)
            try:
                return self.org.write(operation, schema.name, {**body, **more}, request.headers, key)
            except RowRefused as refused:
                error = dict(refused.error)
                code = error.pop("statusCode")
                status = 404 if code in ("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY") else 400
                raise RequestRefused(code, error["message"], status) from None

        match request.method, rest:
            case "POST", []:
                return Response(201, {"id": write("create", {})[0], "success": True, "errors": []})
            case "PATCH", [id]:
                write("update", {"Id": id})
                return Response(204)
            case (("PATCH" | "GET"), [key, value]):
                name = self._key(schema, key)
                found = self.org.find_by_key(schema, name, value)
                if len(found) > 1:
                    return Response(300, [f"/services/data/{version}/sobjects/{schema.name}/{id}" for id in found])
                if request.method == "PATCH":
                    id, created = write("upsert", {name: value}, name)
                    body = {"id": id, "success": True, "errors": [], "created": created}
                    return Response(201 if created else 200, body)
                if found:
                    row = self.org.rows[schema.name][found[0]]
                    return Response(200, show_row(version, schema, list(schema.fields), row))
            case "GET", [id]:
                row = next((r for k, r in self.org.rows[schema.name].items() if k[:15] == id[:15]), None)
                if row is not None and not row["IsDeleted"]:
                    return Response(200, show_row(version, schema, list(schema.fields), row))
            case "DELETE", [id] if id in self.org.rows[schema.name]:
                self.org.delete(schema.name, id)
                return Response(204)
        raise RequestRefused("NOT_FOUND", "The requested resource does not exist", 404)

    def _refuse_ids(self, schema: ObjectSchema, body: Mapping[str, Any], key: str | None) -> None:
        """What stands in the address of a record must not stand in its body as well."""
        for name in body:
            if name.lower() == "id" or (key is not None and schema.find(name) is schema.fields[key]):
                raise RequestRefused("INVALID_FIELD", f"The {name} field should not be specified in the sobject data.")

    def _collection(
        self, request: Request, operation: str, of: ObjectSchema | None = None, key: str | None = None
    ) -> Response:
        body = _read_body(request)
        records = body.get("records")
        if set(body) - {"allOrNone", "records"} or not isinstance(body.get("allOrNone", False), bool):
            raise RequestRefused("JSON_PARSER_ERROR", "unexpected property of the request")
        if not isinstance(records, list) or not records:
            raise RequestRefused("INVALID_INPUT", "records are required")
        if len(records) > _MOST_ROWS:
            raise RequestRefused("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records")
        if body.get("allOrNone"):
            raise RequestRefused("UNSUPPORTED", "this fake does not roll back")
        schemas = [self._read_type(record, of) for record in records]
        if len({schema.name for schema in schemas}) > 1 and operation == "upsert":
            raise RequestRefused("INVALID_INPUT", "all records must have the type of the address")
        for schema, record in zip(schemas, records, strict=True):
            self._check_readable(schema, record)
            if operation != "update" and any(name.lower() == "id" for name in record):
                raise RequestRefused("INVALID_FIELD", "a record of this request must not have an id")
        names = [str(record.get(key or "id", "")) for record in records]
        fold: Callable[[str], str] = str
        if key is not None and of is not None and not of.fields[key].case_sensitive:
            fold = str.lower
        folded = [fold(name) for name in names]
        results = []
        for schema, record, name in zip(schemas, records, folded, strict=True):
            try:
                if operation != "create" and name and folded.count(name) > 1:
                    raise RowRefused("DUPLICATE_VALUE", f"Duplicate external id specified: {name}", key or "Id")
                id, created = self.org.write(operation, schema.name, record, request.headers, key)
                result = {"id": id, "success": True, "errors": []}
                results.append({**result, "created": created} if operation == "upsert" else result)
            except RowRefused as refused:
                results.append({"success": False, "errors": [refused.error]})
        return Response(200, results)

    def _read_type(self, record: Any, of: ObjectSchema | None) -> ObjectSchema:
        attributes = record.get("attributes") if isinstance(record, dict) else None
        name = attributes.get("type") if isinstance(attributes, dict) else None
        if not isinstance(name, str):
            raise RequestRefused("INVALID_INPUT", "The type attribute of every record is required")
        schema = self.org.find_schema(name)
        if schema is None or (of is not None and schema.name != of.name):
            raise RequestRefused("INVALID_TYPE", f"sObject type '{name}' is not supported here")
        return schema

    def _check_readable(self, schema: ObjectSchema, record: Mapping[str, Any]) -> None:
        """A field that is not there, or a value of another type, fails the whole request before any row."""
        for field, value in name_fields(schema, record):
            parse_value(field, value)

    def _create_field(self, body: Mapping[str, Any]) -> Response:
        home, _, name = str(body.get("FullName", "")).partition(".")
        metadata = body.get("Metadata")
        schemas = [self.org.schemas["Task"]] if home == "Activity" else [self.org.schemas.get(home)]
        if schemas[0] is None or home == "Task" or not re.fullmatch(r"[A-Za-z]\w{0,39}__c", name):
            raise RequestRefused("INVALID_INPUT", f"invalid name: {body.get('FullName')}")
        if not isinstance(metadata, dict) or metadata.get("type") not in _TYPES or not metadata.get("label"):
            raise RequestRefused("INVALID_INPUT", "Metadata needs a type and a label")
        if name in schemas[0].fields:
            raise RequestRefused("DUPLICATE_DEVELOPER_NAME", f"There is already a field named {name}")
        if metadata["type"] == "Number" and not {"precision", "scale"} <= set(metadata):
            raise RequestRefused("FIELD_INTEGRITY_EXCEPTION", "Must specify precision and scale for a number")
        values = metadata.get("valueSet", {}).get("valueSetDefinition", {}).get("value", [])
        schemas[0].fields[name] = FieldSchema(
            name,
            _TYPES[metadata["type"]],
            length=metadata.get("length", 255),
            unique=metadata.get("unique", False),
            external_id=metadata.get("externalId", False),
            case_sensitive=metadata.get("caseSensitive", False),
            choices=tuple(value["valueName"] for value in values),
            restricted=metadata.get("valueSet", {}).get("restricted", False),
        )
        return Response(201, {"id": f"00N5g{next(self._numbers):010d}AAA", "success": True, "errors": []})


def _check_version(version: str, path: Sequence[str]) -> None:
    """Collections of records came with version 42, and writing them by an external id with 46."""
    oldest = _VERSIONS[0] if path[:2] != ["composite", "sobjects"] else 46 if len(path) == 4 else 42
    if version not in {f"v{number}.0" for number in _VERSIONS if number >= oldest}:
        raise RequestRefused("NOT_FOUND", "The requested resource does not exist", 404)


def _read_body(request: Request) -> dict[str, Any]:
    if "json" not in request.headers.get("content-type", ""):
        raise RequestRefused("UNSUPPORTED_MEDIA_TYPE", "Content-Type is not JSON", 415)
    try:
        body = request.json()
    except ValueError:
        raise RequestRefused("JSON_PARSER_ERROR", "the body is no JSON") from None
    if not isinstance(body, dict):
        raise RequestRefused("JSON_PARSER_ERROR", "the body is no object")
    return body


def show_row(version: str, schema: ObjectSchema, fields: Iterable[str], row: Row) -> dict[str, Any]:
    url = f"/services/data/{version}/sobjects/{schema.name}/{row['Id']}"
    return {
        "attributes": {"type": schema.name, "url": url},
        **{name: _show(row.get(name)) for name in fields},
    }


def _show(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return value.isoformat() if isinstance(value, date) else value
