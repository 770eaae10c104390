"""Load a playbook from its file, compute its hash, load the bundled one, and copy it as a start for a team's own.

Belongs here: everything between a file and a playbook of valid schema. Does not belong here: YAML itself
(``playbook.yaml_text``), or checks across the parts of a playbook (``playbook.check``).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import orjson
from pydantic import ValidationError

from leadgate.playbook.schema import NEW_NAMES, Playbook
from leadgate.playbook.yaml_text import (
    MAX_BYTES,
    Document,
    PlaybookError,
    Problem,
    describe_problems,
    read,
    rename_keys,
)
from leadgate.regular_files import UnusableFile, open_regular

PLAYBOOK_FILE_NAME = "playbook.yaml"
CASES_FILE_NAME = "cases.yaml"
_PACKAGE_FOLDER = Path(__file__).parents[1]
_BUNDLED = _PACKAGE_FOLDER / "default_playbook.yaml"
_BUNDLED_CASES = _PACKAGE_FOLDER / "default_cases.yaml"


@dataclass(frozen=True, slots=True)
class LoadedPlaybook:
    """A playbook with its source: ``text`` as written, ``path`` of its file, and ``hash``.

    ``hash`` is the SHA-256, in hex, of ``canonical``: equal for playbooks that decide the same, so
    comments, the order of keys and explicit defaults do not change it. The content of a reference
    file (accounts) is not part of the hash, because it is data and no rule; a lead's provenance names
    the values that came from such a file.
    """

    playbook: Playbook
    text: str
    hash: str
    path: Path
    document: Document

    @property
    def canonical(self) -> str:
        """The playbook as JSON with sorted keys; ``Playbook.model_validate_json`` reads it back."""
        return _format_canonical(self.playbook)

    @property
    def is_bundled(self) -> bool:
        """Whether it is the bundled one, which is used where nobody has named a file."""
        return self.path == _BUNDLED

    @property
    def bundled_cases(self) -> Path | None:
        """The cases of the bundled playbook; None for any other, which has its own beside it."""
        return _BUNDLED_CASES if self.is_bundled else None

    @property
    def folder(self) -> Path:
        """The folder to which the paths in the playbook are relative."""
        return self.path.parent


def load(path: Path) -> LoadedPlaybook:
    """The playbook in the file ``path``. Raises ``PlaybookError`` with every problem of its schema."""
    file = str(path)
    try:
        with open_regular(path) as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PlaybookError(
                [
                    Problem(
                        file, 1, "", f"is larger than {MAX_BYTES:,} bytes, the limit of a playbook; name another file"
                    )
                ]
            )
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise PlaybookError([Problem(file, 1, "", "is not UTF-8 text; save it as UTF-8")]) from error
    except FileNotFoundError as error:
        missing = "does not exist; make one with `leadgate playbook init`"
        raise PlaybookError([Problem(file, 1, "", missing)]) from error
    except UnusableFile as error:
        raise PlaybookError([Problem(file, 1, "", f"cannot be read: it {error.strerror}")]) from error
    except OSError as error:
        raise PlaybookError([Problem(file, 1, "", f"cannot be read: {error.strerror}")]) from error
    return parse(text, path=path)


def parse(text: str, *, path: Path) -> LoadedPlaybook:
    """The playbook in ``text``. ``path`` is the path of its file, for messages and relative paths.

    Raises ``PlaybookError`` with every problem of its schema.
    """
    file = str(path)
    try:
        playbook, digest, document = _parse_once(text)
    except PlaybookError as error:
        raise PlaybookError(replace(problem, file=file) for problem in error.problems) from error
    notes = tuple(replace(note, file=file) for note in document.notes)
    return LoadedPlaybook(playbook, text, digest, path, replace(document, file=file, notes=notes))


@lru_cache(maxsize=16)
def _parse_once(text: str) -> tuple[Playbook, str, Document]:
    """The playbook in ``text``, its hash, and its document, in whatever file it is.

    The default playbook takes 50 ms of CPU time, nearly all of it for YAML.
    """
    document = rename_keys(read(text, ""), NEW_NAMES)
    try:
        playbook = Playbook.model_validate(document.data)
    except ValidationError as error:
        raise PlaybookError(describe_problems(error, document, Playbook)) from error
    return playbook, hashlib.sha256(_format_canonical(playbook).encode()).hexdigest(), document


def load_default() -> LoadedPlaybook:
    """The bundled playbook for B2B SaaS, used until a team has its own."""
    return load(_BUNDLED)


def copy_default(folder: Path) -> list[Path]:
    """Copy the bundled playbook, its cases and its accounts file into ``folder``; returns the paths of the copies.

    Raises ``PlaybookError`` when one of the files exists: a team's playbook is never overwritten.
    """
    return _copy(
        {
            folder / PLAYBOOK_FILE_NAME: _BUNDLED,
            folder / CASES_FILE_NAME: _BUNDLED_CASES,
            folder / "data" / "accounts.csv": _PACKAGE_FOLDER / "data" / "accounts.csv",
        }
    )


def copy_minimal(folder: Path) -> list[Path]:
    """Copy a small playbook that runs, and its cases, into ``folder``, as ``copy_default`` does."""
    return _copy(
        {
            folder / PLAYBOOK_FILE_NAME: _PACKAGE_FOLDER / "minimal_playbook.yaml",
            folder / CASES_FILE_NAME: _PACKAGE_FOLDER / "minimal_cases.yaml",
        }
    )


def _copy(copies: Mapping[Path, Path]) -> list[Path]:
    if existing := [target for target in copies if target.exists()]:
        raise PlaybookError(
            Problem(str(target), 1, "", "exists already and is not overwritten; choose another folder")
            for target in existing
        )
    for target, source in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(source.read_bytes())
    return list(copies)


def _format_canonical(playbook: Playbook) -> str:
    return orjson.dumps(playbook.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()
