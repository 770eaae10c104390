"""A playbook's text: YAML with line numbers, and errors that point at the line.

Belongs here: reading YAML safely, remembering where each value stands, and saying what pydantic
found in words, with file, line and the nearest right name.
Does not belong here: what the keys mean (``playbook``), or whether its parts agree (``playbook.check``).
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import accumulate
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from leadgate.errors import LeadgateError
from leadgate.nearest import propose
from leadgate.playbook.value_words import explain

MAX_BYTES: Final = 250_000
MAX_DEPTH: Final = 30
#: Brackets open at once, counted before YAML is read: its scanner takes quadratic time over them.
MAX_OPEN: Final = 100
#: Values in the document, those repeated through aliases included: what a "billion laughs" runs into.
MAX_VALUES: Final = 50_000
_LONGEST_KEY: Final = 80  # characters of a key in a message

Path = tuple[str | int, ...]

_SCALARS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")
)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a playbook, and where. A note is worth knowing, not wrong."""

    file: str
    line: int
    key: str  # sources.website.mapping, pools[0].members[1].rep
    message: str
    note: bool = False

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return where + (f"{self.key}: " if self.key else "") + self.message


class PlaybookError(LeadgateError, ValueError):
    """A playbook that cannot be used. ``problems`` has all of them, by line."""

    http_status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and the line of each value by its path (counted from 1)."""

    file: str
    data: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    notes: tuple[Problem, ...] = ()

    def line(self, path: Path) -> int:
        """The line of the value at ``path``, or of the innermost part of it that is written."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1

    def problem(self, path: Path, message: str, *, note: bool = False) -> Problem:
        return Problem(self.file, self.line(path), format_path(path), message, note)


def rename_keys(document: Document, new_names: Mapping[str, str]) -> Document:
    """``document`` with each old key at its top under its new name, which is noted. Raises ``PlaybookError``
    where both are given."""
    old_keys = [old for old in new_names if old in document.data]
    if both := [old for old in old_keys if new_names[old] in document.data]:
        raise PlaybookError(
            document.problem((old,), f"is the old name of {new_names[old]}, which is given, too; remove one")
            for old in both
        )
    notes = [document.problem((old,), f"is called {new_names[old]} now; rename it", note=True) for old in old_keys]
    data = {new_names.get(name, name): value for name, value in document.data.items()}
    lines = {
        tuple(new_names.get(str(part), part) for part in path[:1]) + path[1:]: line
        for path, line in document.lines.items()
    }
    return Document(document.file, data, lines, tuple(notes))


def format_path(path: Path) -> str:
    """A path as it is written in messages: ``pools[0].members[1].rep``. A key that is too long for one is cut."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_cut(part)}" for part in path)
    return text.removeprefix(".")


def _cut(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…"


def read(text: str, file: str) -> Document:
    """The document in ``text``. Raises ``PlaybookError`` for what is not plain, bounded YAML."""
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise PlaybookError(
            [Problem(file, 1, "", f"is larger than {MAX_BYTES:,} bytes, the limit of a playbook; name another file")]
        )
    if _open_at_most(text) > MAX_OPEN:
        raise PlaybookError([Problem(file, 1, "", "is nested too deeply for a playbook; name another file")])
    yaml = YAML(typ="safe", pure=True)  # the C scanner is YAML 1.1: there `no` is false and 09:30 a number
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise PlaybookError([Problem(file, line, "", f"is not YAML: {error.problem}")]) from error
    except YAMLError as error:
        raise PlaybookError([Problem(file, 1, "", f"is not YAML: {str(error).splitlines()[0]}")]) from error
    except RecursionError as error:
        raise PlaybookError([Problem(file, 1, "", "is nested too deeply for a playbook; name another file")]) from error
    if not isinstance(root, MappingNode):
        what = "is empty" if root is None else "is not a mapping of keys to values"
        raise PlaybookError([Problem(file, 1, "", f"{what}; start from `leadgate playbook init`")])
    reader = _Reader(file, yaml)
    data = reader.value(root, ())
    if reader.problems:
        raise PlaybookError(reader.problems)
    return Document(file, data, reader.lines)


def _open_at_most(text: str) -> int:
    """How many brackets are open at once, text in quotes included: close enough to refuse a bomb."""
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[{\]}]", text))
    return max(accumulate(steps), default=0)


class _Reader:
    """Turns YAML nodes into plain data, and notes lines and problems on the way."""

    def __init__(self, file: str, yaml: YAML) -> None:
        self.file = file
        self.constructor = yaml.constructor
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def value(self, node: Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.values += 1
        if self.values > MAX_VALUES or len(path) > MAX_DEPTH:
            problem = Problem(self.file, line, format_path(path), "repeats itself through aliases, or is far too large")
            raise PlaybookError([problem])
        self.lines.setdefault(path, line)
        if isinstance(node, MappingNode):
            return self._read_mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, position)) for position, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)  # noqa: S101 - there is no fourth kind of node
        return self._read_scalar(node, path, line)

    def _read_mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name_node, value_node in node.value:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, ScalarNode):
                self._add_problem(line, path, "a key is a plain name")
                continue
            name = str(name_node.value)
            here = (*path, name)
            if name == "<<":
                self._add_problem(line, path, "merging with << is not supported; write the keys out")
            elif name in data:
                self._add_problem(line, here, f"is given twice; the first one is in line {self.lines[here]}")
            else:
                self.lines[here] = line
                data[name] = self.value(value_node, here)
        return data

    def _read_scalar(self, node: ScalarNode, path: Path, line: int) -> Any:
        tag = str(node.tag)
        if tag not in _SCALARS:
            self._add_problem(line, path, f"the tag {tag.rpartition(':')[2]!r} is not allowed; write a plain value")
            return None
        try:
            return self.constructor.construct_object(node)
        except (ValueError, YAMLError):
            self._add_problem(line, path, f"{node.value!r} is not a date or number; put text in quotes")
            return None

    def _add_problem(self, line: int, path: Path, message: str) -> None:
        self.problems.append(Problem(self.file, line, format_path(path), message))


def describe_problems(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found, in words, each with its line. ``model`` is the one that was validated."""
    found = []
    for detail in error.errors(include_url=False):
        path = _find_written(detail["loc"], document.data)
        kind, context = detail["type"], detail.get("ctx", {})
        if kind == "extra_forbidden":
            message = f"unknown key; {propose(str(path[-1]), _list_keys(model, path[:-1], document.data))}"
        elif kind == "missing":
            path = (*path, str(detail["loc"][-1]))
            message = "is missing; add it"
        elif kind == "union_tag_invalid":
            known = re.findall(r"'([^']*)'", context["expected_tags"])
            path = (*path, "type")
            message = f"{context['tag']!r} is not possible here; {propose(str(context['tag']), known)}"
        elif kind == "union_tag_not_found":
            path, message = (*path, "type"), "is missing; add it"
        else:
            message = explain(kind, detail["input"], context)
        found.append(document.problem(path, message))
    return sorted(set(found))


def _find_written(loc: tuple[str | int, ...], data: Any) -> Path:
    """The part of pydantic's location that is in the document: tags of unions and the like left out."""
    path: list[str | int] = []
    for part in loc:
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            path.append(part)
            data = data[part]
    return tuple(path)


def _list_keys(model: type[BaseModel], path: Path, data: Any) -> list[str]:
    """The keys that the part of ``model`` at ``path`` knows."""
    annotation: Any = model
    for part in path:
        resolved = _resolve(annotation, data)
        data = data[part]
        if isinstance(resolved, type) and issubclass(resolved, BaseModel):
            annotation = resolved.model_fields[str(part)].annotation
        else:
            annotation = get_args(resolved)[1 if isinstance(part, str) else 0]
    resolved = _resolve(annotation, data)
    return list(resolved.model_fields) if isinstance(resolved, type) and issubclass(resolved, BaseModel) else []


def _resolve(annotation: Any, data: Any) -> Any:
    """The annotation without ``Annotated`` and unions; of a tagged union, the model that ``data`` names."""
    if get_origin(annotation) is Annotated:
        return _resolve(get_args(annotation)[0], data)
    if get_origin(annotation) in (Union, types.UnionType):
        models = [a for a in get_args(annotation) if a is not type(None)]
        wanted = data.get("type") if isinstance(data, dict) else None
        tagged = [m for m in models if _tag(m) == wanted]
        untagged = [m for m in models if _tag(m) is None]
        return _resolve((tagged or untagged or models)[0], data)
    return annotation


def _tag(model: Any) -> str | None:
    kind = getattr(model, "model_fields", {}).get("type")
    return get_args(kind.annotation)[0] if kind and get_origin(kind.annotation) is Literal else None
