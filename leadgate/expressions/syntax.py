"""What a ``when:`` expression may say: its syntax tree, judged by an allow-list.

Belongs here: parsing through DuckDB, the allow-list of syntax and functions, and what can be read
off the tree (columns used, comparisons with constants, contradictions). Everything is refused that
is not allowed here by name, so a new version of DuckDB cannot widen what a playbook may do.
Does not belong here: running an expression, or trying it against typed columns (``rules``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import duckdb
import orjson

from leadgate.errors import LeadgateError
from leadgate.expressions.patterns import MAX_PATTERN, find_pattern_problem
from leadgate.expressions.size import measure
from leadgate.nearest import find_nearest

MAX_LENGTH: Final = 2000
MAX_DEPTH: Final = 40
MAX_NODES: Final = 500
#: Nodes that DuckDB evaluates: it writes some functions out with their arguments repeated.
MAX_EVALUATED: Final = 1000
#: Bytes of text that an expression may build from one lead, on the way to its answer.
MAX_BUILT: Final = 4_000_000

#: An expression sees the first so many characters of a text; no lead needs more to be judged, and a
#: rule over a pasted novel must not stall a batch.
TEXT_SEEN: Final = 10_000

Node = dict[str, Any]


class RuleError(LeadgateError, ValueError):
    """An expression that is refused. The message says what, where in the expression, and what to do."""


def _split_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS: Final = _split_words("""
    lower upper trim ltrim rtrim length strlen contains starts_with ends_with prefix suffix
    substring substr left right replace split_part regexp_matches regexp_full_match strip_accents
    position strpos instr concat nullif ifnull if abs round floor ceil ceiling trunc sign greatest least
    date_part date_diff date_trunc date_add date_sub year month day hour minute second quarter week
    dayofweek isodow dayofyear make_date to_years to_months to_weeks to_days to_hours to_minutes to_seconds
    """)
_OFTEN: Final = "lower, trim, contains, starts_with, regexp_matches, coalesce, abs, round, greatest, date_diff"
_LIKES: Final = _split_words("~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape")
_OPERATORS: Final = _split_words("+ - * / // % ||") | _LIKES
_COMPARISONS: Final = _split_words(
    """
    COMPARE_EQUAL COMPARE_NOTEQUAL COMPARE_LESSTHAN COMPARE_GREATERTHAN COMPARE_LESSTHANOREQUALTO
    COMPARE_GREATERTHANOREQUALTO COMPARE_DISTINCT_FROM COMPARE_NOT_DISTINCT_FROM
    """
)
_OPERATOR_TYPES: Final = _split_words("""
    OPERATOR_NOT OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_COALESCE OPERATOR_TRY
    COMPARE_IN COMPARE_NOT_IN
    """)
_LITERALS: Final = frozenset({"INTEGER", "NUMERIC", "STRING", "BOOLEAN", "NULL_LITERAL"})
_TYPES: Final = _split_words("""
    VARCHAR TEXT STRING BOOLEAN BOOL TINYINT SMALLINT INTEGER INT BIGINT HUGEINT REAL FLOAT DOUBLE
    DECIMAL NUMERIC DATE TIME TIMESTAMP INTERVAL
    """)

_REFUSED_CLASSES: Final = {
    "SUBQUERY": "a subquery is not allowed: an expression sees one lead and nothing else",
    "WINDOW": "a window function is not allowed: an expression sees one lead at a time",
    "LAMBDA": "a lambda is not allowed: write the condition out",
    "STAR": "`*` is not allowed: name the columns",
    "PARAMETER": "a parameter is not allowed: write the value",
    "POSITIONAL_REFERENCE": "a column by position is not allowed: name the column",
    "DEFAULT": "DEFAULT is not allowed: write the value",
    "COLLATE": "COLLATE is not allowed: compare lower(…) with lower-case text",
}
NO_CLOCK: Final = (
    "no expression reads the clock, so that a rerun decides the same; compare a date column with a date, "
    "as in renewal < date '2027-01-01'"
)
CLOCK: Final = _split_words("""
    now today current_date current_time current_timestamp localtime localtimestamp get_current_time
    get_current_timestamp transaction_timestamp age
    """)
_AGGREGATES: Final = _split_words("""
    count count_star sum avg mean min max any_value first last list array_agg string_agg median mode
    stddev variance bool_and bool_or product quantile arg_min arg_max
    """)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with text constants by ``=``, ``<>`` or ``in``."""

    column: str
    constants: tuple[str, ...]
    where: str  # the comparison as it is written


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: its text, its tree, and the columns it reads (lower case)."""

    text: str
    tree: Node
    columns: frozenset[str]

    def format_excerpt(self, node: Node) -> str:
        return _format_excerpt(self.text, node)

    def nodes(self) -> Iterator[Node]:
        """Every node, parents first."""
        waiting = [self.tree]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(_list_children(node)))


_local = threading.local()


def connect(*settings: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own that reaches nothing: no file, no network, no extension, no Python variable.

    ``settings`` are ``SET`` statements' tails, applied before the configuration is locked.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "threads": "1",
            "memory_limit": "512MB",
        },
    )
    connection.execute("SET enable_progress_bar=false")  # after two seconds it would be on a command's output
    for setting in settings:
        connection.execute(f"SET {setting}")
    connection.execute("SET lock_configuration=true")
    return connection


@lru_cache(maxsize=2048)
def parse(text: str) -> Expression:
    """The checked tree of ``text``.

    Raises ``RuleError`` for anything that is not one scalar expression of allowed syntax and functions.
    Which columns exist, and of which type they are, is not judged here.
    """
    if not text.strip():
        raise RuleError("the expression is empty; write true to match every lead")
    if len(text) > MAX_LENGTH:
        raise RuleError(f"the expression has {len(text):,} characters; {MAX_LENGTH:,} is the most")
    if "\0" in text:
        raise RuleError("the expression contains a NUL character; remove it")
    if text.rstrip().endswith(";"):
        raise RuleError("an expression is not a statement; remove the ';' at its end")
    tree = _require_expression(_parse_syntax(text), text)
    columns: set[str] = set()
    seen = 0
    waiting = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            raise RuleError("the expression is nested too deeply or too long; split it into several rules")
        _judge(node, text)
        if node["class"] == "COLUMN_REF":
            columns.add(node["column_names"][0].lower())
        waiting.extend((child, depth + 1) for child in _list_children(node))
    size = measure(tree, lambda _: TEXT_SEEN)
    if size.nodes > MAX_EVALUATED:
        raise RuleError("the expression nests split_part() or nullif() too deeply; split it into several rules")
    if size.built > MAX_BUILT:
        raise RuleError(
            f"the expression could build more than {MAX_BUILT / 1_000_000:,.0f} MB of text from one lead; "
            "take a part of a long text first, as in left(message, 200), or join and replace less"
        )
    return Expression(text, tree, frozenset(columns))


def format_canonical(expression: Expression) -> str:
    """A text that is equal for expressions that mean the same but for layout, comments and case of names."""

    def strip_layout(value: Any) -> Any:
        if isinstance(value, dict):
            if value.get("class") == "COLUMN_REF":
                return {"column": value["column_names"][0].lower()}
            return {k: strip_layout(v) for k, v in value.items() if not k.startswith("query_location")}
        return [strip_layout(item) for item in value] if isinstance(value, list) else value

    return orjson.dumps(strip_layout(expression.tree), option=orjson.OPT_SORT_KEYS).decode()


def find_comparisons(expression: Expression) -> list[Comparison]:
    """Every direct comparison of a column with text constants, such as ``country in ('DE', 'AT')``."""
    found = []
    for node in expression.nodes():
        if (sides := _split_comparison(node, {"COMPARE_EQUAL", "COMPARE_NOTEQUAL", "COMPARE_IN"})) is None:
            continue
        column, constants = sides
        texts = tuple(c["literal"]["text"] for c in constants if c["literal"]["kind"] == "STRING")
        if texts:
            found.append(Comparison(column, texts, expression.format_excerpt(node)))
    return found


def find_number_comparisons(expression: Expression) -> list[Comparison]:
    """Every column that is compared with a bare number, whatever its type."""
    kinds = {*_COMPARISONS, "COMPARE_IN", "COMPARE_BETWEEN"}
    found = []
    for node in expression.nodes():
        if (sides := _split_comparison(node, kinds)) is None:
            continue
        column, constants = sides
        numbers = tuple(c["literal"]["text"] for c in constants if c["literal"]["kind"] in ("INTEGER", "NUMERIC"))
        if numbers:
            found.append(Comparison(column, numbers, expression.format_excerpt(node)))
    return found


def is_contradiction(expression: Expression) -> bool:
    """Whether the parts joined by ``and`` ask one column to equal different constants.

    DuckDB's optimizer sees ``x = 'a' and x = 'b'`` but not the same through ``in``.
    """
    tree = expression.tree
    parts = tree["children"] if tree["type"] == "CONJUNCTION_AND" else [tree]
    allowed: dict[str, set[tuple[str, str]]] = {}
    for part in parts:
        if (sides := _split_comparison(part, {"COMPARE_EQUAL", "COMPARE_IN"})) is None:
            continue
        column, constants = sides
        values = {(c["literal"]["kind"], c["literal"]["text"]) for c in constants}
        allowed[column] = allowed[column] & values if column in allowed else values
        if not allowed[column]:
            return True
    return False


def _split_comparison(node: Node, types: set[str]) -> tuple[str, list[Node]] | None:
    if node["type"] not in types:
        return None
    sides = _list_children(node)
    columns = [side for side in sides if side["class"] == "COLUMN_REF"]
    constants = [side for side in sides if side["class"] == "CONSTANT"]
    if len(columns) != 1 or not constants or len(sides) != 1 + len(constants):
        return None
    return columns[0]["column_names"][0].lower(), constants


def _parse_syntax(text: str) -> Node:
    connection: duckdb.DuckDBPyConnection | None = getattr(_local, "parser", None)
    if connection is None:
        connection = _local.parser = connect()
    try:
        row = connection.execute("SELECT json_serialize_sql(?)", ["SELECT " + text]).fetchone()
    except duckdb.Error as error:
        raise RuleError(f"cannot be read: {str(error).splitlines()[0]}") from error
    assert row is not None  # noqa: S101 - a scalar query has one row
    try:
        tree: Node = orjson.loads(row[0])
    except orjson.JSONDecodeError as error:  # its limit on depth; ours is far below
        raise RuleError("the expression is nested too deeply; split it into several rules") from error
    if tree.get("error"):
        where = f" at character {int(tree['position']) - 6}" if "position" in tree else ""
        raise RuleError(f"cannot be read{where}: {tree.get('error_message', 'a syntax error')}")
    return tree


def _require_expression(tree: Node, text: str) -> Node:
    statements = tree["statements"]
    if len(statements) != 1:
        raise RuleError("several statements are not allowed; write one expression without ';'")
    node: Node = statements[0]["node"]
    plain = (
        node.get("type") == "SELECT_NODE"
        and node["from_table"]["type"] == "EMPTY"
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not node["cte_map"]["map"]
        and not any(
            node[clause]
            for clause in (
                "modifiers", "where_clause", "group_expressions", "group_sets", "having", "sample", "qualify",
            )
        )
    )  # fmt: skip
    if not plain:
        raise RuleError(
            "only one scalar expression is allowed, such as country = 'DE' and employees >= 200; "
            "remove FROM, WHERE, GROUP BY, ORDER BY, LIMIT, UNION and the like"
        )
    columns: list[Node] = node["select_list"]
    if len(columns) != 1:
        raise RuleError("a list of expressions is not allowed; join them with and / or")
    if columns[0]["alias"]:
        raise RuleError(f"a name given by AS is not allowed: remove it from {text.strip()!r}")
    return columns[0]


def _list_children(node: Node) -> list[Node]:
    match node["class"]:
        case "COMPARISON":
            return [node["left"], node["right"]]
        case "CONJUNCTION" | "OPERATOR":
            return list(node["children"])
        case "BETWEEN":
            return [node["input"], node["lower"], node["upper"]]
        case "CASE":
            checks = [part for check in node["case_checks"] for part in (check["when_expr"], check["then_expr"])]
            return [*checks, node["else_expr"]]
        case "CAST":
            return [node["child"]]
        case "FUNCTION":
            return [argument["expression"] for argument in node["arguments"]]
    return []


def _judge(node: Node, text: str) -> None:
    """Raises unless this one node, its children aside, is allowed."""
    kind, type_ = node["class"], node["type"]
    where = f" (at {_format_excerpt(text, node)!r})"
    match kind:
        case "CONSTANT":
            if node["literal"]["kind"] not in _LITERALS:
                raise RuleError(f"only text, numbers, true, false and null are allowed as values{where}")
        case "COLUMN_REF":
            names = node["column_names"]
            if len(names) != 1:
                raise RuleError(f"a column's name has no dots{where}; in text, use single quotes")
        case "COMPARISON" if type_ in _COMPARISONS:
            pass
        case "CONJUNCTION" | "BETWEEN" | "CASE":
            pass
        case "OPERATOR" if type_ in _OPERATOR_TYPES:
            pass
        case "CAST":
            target = node["type_expr"]
            if target["class"] != "TYPE" or target["schema"] or target["type_name"].upper() not in _TYPES:
                raise RuleError(f"casts go to plain types only: {', '.join(sorted(_TYPES)).lower()}{where}")
        case "FUNCTION":
            _judge_function(node, where)
        case _:
            raise RuleError(_REFUSED_CLASSES.get(kind, f"{kind.lower()} ({type_}) is not allowed") + where)


def _judge_function(node: Node, where: str) -> None:
    name = node["function_name"].lower()
    if node["schema"] or node["catalog"]:
        raise RuleError(f"a function is called by its name alone, as lower(company){where}")
    if name in CLOCK:
        raise RuleError(f"{name}() is not allowed{where}: {NO_CLOCK}")
    if name in _AGGREGATES:
        raise RuleError(f"the aggregate {name}() is not allowed{where}: an expression sees one lead at a time")
    if name not in (_OPERATORS if node["is_operator"] else FUNCTIONS):
        likely = find_nearest(name, FUNCTIONS)
        allowed = f"did you mean {likely}()?" if likely else f"allowed are, among others, {_OFTEN}"
        raise RuleError(f"{name}() is not allowed{where}; {allowed}")
    if node["filter"] or node["order_bys"]["orders"] or node["distinct"]:
        raise RuleError(f"FILTER, ORDER BY and DISTINCT are not allowed in a call{where}")
    arguments = [argument["expression"] for argument in node["arguments"]]
    if any(argument["name"] for argument in node["arguments"]):
        raise RuleError(f"named arguments are not allowed{where}; give them by position")
    if name in _LIKES or name.startswith("regexp_"):
        for pattern in arguments[1:]:
            if pattern["class"] != "CONSTANT" or len(pattern["literal"]["text"]) > MAX_PATTERN:
                raise RuleError(f"a pattern is a constant of at most {MAX_PATTERN} characters{where}")
        for pattern in arguments[1:2] if name.startswith("regexp_") else ():
            if (refused := find_pattern_problem(pattern["literal"]["text"])) is not None:
                raise RuleError(refused + where)


def _format_excerpt(text: str, node: Node) -> str:
    """The node as it is written, its children included: DuckDB places ``a in ('x')`` at ``('x')``."""
    raw = text.encode()
    spans = []
    for part in (node, *_list_children(node)):
        start = int(part["query_location"]) - len("SELECT ")  # in bytes
        if 0 <= start < len(raw):  # else made up by the parser, as in `interval 3 day`
            spans.append((start, start + int(part["query_location_length"])))
    if not spans:
        return text.strip()[:80]
    return raw[min(start for start, _ in spans) : max(end for _, end in spans)].decode(errors="replace")[:80]
