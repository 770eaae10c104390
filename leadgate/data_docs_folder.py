"""The folder ``data-docs`` of the data folder: the Data Docs that were built last, as a whole.

Belongs here: putting a new build in the place of the one before, and reading a page of it. Does not belong here: what a
page shows (``expectations.data_docs``), or who may read it (``console``).

A build is a folder of its own, and a small file names the one that counts. That file is replaced in one step, so a
reader sees one build or another, never half of one. The build before is kept until the next, for who is reading it.

What is read is never trusted: no path of a request is one of the disk. A name has only the letters below, each step is
opened below the one before and is no symbolic link, and a page is a regular file of a limited size.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from leadgate import data_folder
from leadgate.errors import NotAvailableError
from leadgate.regular_files import read_below_without_links

FOLDER: Final = "data-docs"
INDEX: Final = "index.html"
MOST_BYTES: Final = 4 * 1024 * 1024  # of a page
_CURRENT: Final = "current.json"
_LOCK: Final = "build.lock"
_PAGE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}\.(?:html|css)", re.ASCII)
_BUILD: Final = re.compile(r"build-[0-9a-f]{32}", re.ASCII)


class BuildRunningError(NotAvailableError):
    """Another process builds the Data Docs of this data folder at the moment."""


@dataclass(frozen=True)
class DataDocsBuild:
    """The build that counts: its folder, and what it has."""

    folder: str
    built_at: datetime
    suites: int
    validations: int


@contextlib.contextmanager
def building(home: Path) -> Iterator[None]:
    """While it lasts, no other process builds. Raises ``BuildRunningError`` when one does."""
    data_folder.prepare(home)
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with data_folder.open_private(folder / _LOCK) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildRunningError(
                f"another process builds the Data Docs of {home} at the moment; they are there in a few seconds"
            ) from None
        yield


def put_in_place(home: Path, pages: Mapping[str, str], *, built_at: datetime, suites: int, validations: int) -> Path:
    """Write ``pages`` (by their names) as a build, have it count, and delete those that are older than the one before.

    Call it within ``building``. Raises ``ValueError`` for a page that could not be read again.
    """
    folder = home / FOLDER
    before = find_build(home)
    build = folder / f"build-{uuid4().hex}"
    build.mkdir(mode=0o700)
    for name, page in pages.items():
        content = page.encode("utf-8", "backslashreplace")
        if not _PAGE.fullmatch(name) or len(content) > MOST_BYTES:
            raise ValueError(f"a page {name[:120]!r} of {len(content):,} bytes is none of Data Docs")
        with data_folder.open_private(build / name, "wb") as file:
            file.write(content)
    told = {"folder": build.name, "built_at": built_at.isoformat(), "suites": suites, "validations": validations}
    new = folder / f"{_CURRENT}.new"
    with data_folder.open_private(new, "wb") as file:
        file.write(orjson.dumps(told))
    os.replace(new, folder / _CURRENT)
    kept = {build.name, before.folder if before else ""}
    for each in folder.iterdir():
        if _BUILD.fullmatch(each.name) and each.name not in kept:
            shutil.rmtree(each, ignore_errors=True)
    return build


def find_build(home: Path) -> DataDocsBuild | None:
    """The build that counts; None where none was made, or where what names it cannot be read."""
    content = read_below_without_links(home, (FOLDER, _CURRENT), max_bytes=MOST_BYTES)
    try:
        told = orjson.loads(content or b"")
        build = DataDocsBuild(
            str(told["folder"]), datetime.fromisoformat(told["built_at"]), int(told["suites"]), int(told["validations"])
        )
    except (ValueError, TypeError, KeyError):
        return None
    return build if _BUILD.fullmatch(build.folder) and build.built_at.tzinfo else None


def read_page(home: Path, name: str) -> bytes | None:
    """The page ``name`` of the build that counts; None where there is none of that name."""
    if not _PAGE.fullmatch(name):
        return None
    build = find_build(home)
    if build is None:
        return None
    return read_below_without_links(home, (FOLDER, build.folder, name), max_bytes=MOST_BYTES)
