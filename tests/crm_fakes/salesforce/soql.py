"""A small, strict reader of SOQL: SELECT fields FROM object WHERE … ORDER BY … LIMIT n, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from crm_fakes.salesforce.schema import FieldSchema, ObjectSchema


class SoqlError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?(?:Z|[+-]\d\d:?\d\d))
    | (?P<day>\d{4}-\d\d-\d\d)
    | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z][A-Za-z0-9_.]*)
    | (?P<sign><=|>=|!=|<|>|=|\(|\)|,)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}
_NUMBERS = ("int", "double", "currency", "percent")

Row = dict[str, Any]
Condition = Callable[[Row], bool]


@dataclass
class Query:
    schema: ObjectSchema
    fields: list[str]
    condition: Condition
    order: list[tuple[str, bool]]
    limit: int | None

    def run(self, rows: list[Row]) -> list[Row]:
        found = [row for row in rows if self.condition(row)]
        for name, falling in reversed(self.order):
            found.sort(key=lambda row: (row.get(name) is not None, row.get(name) or ""), reverse=falling)
        return found if self.limit is None else found[: self.limit]


def parse(text: str, find_schema: Callable[[str], ObjectSchema | None]) -> Query:
    """Raises ``SoqlError``."""
    return _Parser(text, find_schema).parse()


class _Parser:
    def __init__(self, text: str, find_schema: Callable[[str], ObjectSchema | None]) -> None:
        if len(text) > 100_000:
            raise SoqlError("QUERY_TOO_LARGE", "the query is longer than 100,000 characters")
        self._tokens: list[tuple[str, str]] = []
        place = 0
        text = text.rstrip()
        while place < len(text):
            if (found := _TOKEN.match(text, place)) is None or found.lastgroup is None:
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{text[place : place + 10]}'")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            place = found.end()
        self._place = 0
        self._find_schema = find_schema

    def parse(self) -> Query:
        self._expect("SELECT")
        names = [self._name()]
        while self._take(","):
            names.append(self._name())
        self._expect("FROM")
        of = self._name()
        if (schema := self._find_schema(of)) is None:
            raise SoqlError("INVALID_TYPE", f"sObject type '{of}' is not supported.")
        self._schema = schema
        fields = [self._field(name).name for name in names]
        if len(set(fields)) < len(fields):
            raise SoqlError("INVALID_FIELD", "duplicate field selected")
        condition = self._either() if self._take("WHERE") else lambda _: True
        order: list[tuple[str, bool]] = []
        if self._take("ORDER"):
            self._expect("BY")
            order.append(self._order())
            while self._take(","):
                order.append(self._order())
        limit = None
        if self._take("LIMIT"):
            kind, value = self._next()
            if kind != "number" or not value.isdigit():
                raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{value}'")
            limit = int(value)
        if self._place < len(self._tokens):
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{self._tokens[self._place][1]}'")
        return Query(schema, fields, condition, order, limit)

    def _next(self) -> tuple[str, str]:
        if self._place >= len(self._tokens):
            raise SoqlError("MALFORMED_QUERY", "unexpected end of the query")
        self._place += 1
        return self._tokens[self._place - 1]

    def _take(self, word: str) -> bool:
        if self._place < len(self._tokens):
            kind, value = self._tokens[self._place]
            if kind in ("name", "sign") and value.upper() == word:
                self._place += 1
                return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            shown = self._tokens[self._place][1] if self._place < len(self._tokens) else "the end"
            raise SoqlError("MALFORMED_QUERY", f"expecting {word}, found '{shown}'")

    def _name(self) -> str:
        kind, value = self._next()
        if kind != "name":
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{value}'")
        return value

    def _field(self, name: str) -> FieldSchema:
        if (field := self._schema.find(name)) is None:
            raise SoqlError("INVALID_FIELD", f"No such column '{name}' on entity '{self._schema.name}'.")
        return field

    def _order(self) -> tuple[str, bool]:
        name = self._field(self._name()).name
        falling = self._take("DESC")
        if not falling:
            self._take("ASC")
        return name, falling

    def _either(self) -> Condition:
        """AND and OR side by side need brackets: without them Salesforce refuses the query."""
        parts = [self._one()]
        word = next((word for word in ("AND", "OR") if self._take(word)), None)
        while word:
            parts.append(self._one())
            if not self._take(word):
                break
        return (lambda row: any(p(row) for p in parts)) if word == "OR" else (lambda row: all(p(row) for p in parts))

    def _one(self) -> Condition:
        if self._take("("):
            inner = self._either()
            self._expect(")")
            return inner
        field = self._field(self._name())
        if field.type in ("textarea", "address"):
            raise SoqlError("INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
        if self._take("IN"):
            self._expect("(")
            listed = [self._value(field)]
            while self._take(","):
                listed.append(self._value(field))
            self._expect(")")
            return lambda row: _fold(field, row.get(field.name)) in listed
        kind, sign = self._next()
        if kind != "sign" or sign in "(),":
            raise SoqlError("MALFORMED_QUERY", f"unexpected token: '{sign}'")
        value = self._value(field)
        return lambda row: _compare(_fold(field, row.get(field.name)), sign, value)

    def _value(self, field: FieldSchema) -> Any:
        kind, text = self._next()
        if kind == "name" and text.lower() == "null":
            return None
        wanted = {"boolean": "name", "date": "day", "datetime": "moment", **dict.fromkeys(_NUMBERS, "number")}
        if kind != wanted.get(field.type, "text") or (kind == "name" and text.lower() not in ("true", "false")):
            raise SoqlError(
                "INVALID_FIELD", f"value of filter criterion for field '{field.name}' must be of type {field.type}"
            )
        if kind == "text":
            value = _unescape(text[1:-1])
            if field.type in ("id", "reference") and not re.fullmatch(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?", value):
                raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value}")
            if len(value) > 4_000:
                raise SoqlError("MALFORMED_QUERY", "a string of the WHERE clause is longer than 4,000 characters")
            return _fold(field, value)
        if kind == "moment":
            return datetime.fromisoformat(text)
        if kind == "day":
            return date.fromisoformat(text)
        return float(text) if kind == "number" else text.lower() == "true"


def _unescape(text: str) -> str:
    def replace(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise SoqlError("MALFORMED_QUERY", f"Illegal string literal: \\{found[1]}")
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", replace, text, flags=re.DOTALL)


def _fold(field: FieldSchema, value: Any) -> Any:
    """A value as it is compared: texts without regard to case, ids by their first 15 characters."""
    if not isinstance(value, str):
        return value
    if field.type in ("id", "reference"):
        return value[:15]
    return (value if field.case_sensitive else value.lower()) or None


def _compare(left: Any, sign: str, right: Any) -> bool:
    if sign in ("=", "!="):
        return bool((left == right) is (sign == "="))
    if left is None or right is None:
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[sign])
