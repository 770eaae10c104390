"""How far ``leadgate capture`` is: a bar over the bytes of all files.

Belongs here: when there is a bar, and moving it. Does not belong here: reading or storing rows (``capture``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from console.screen import build_error_console

_PROGRESS_FROM: Final = 1_000_000  # bytes; a shorter file is done before a bar could be read

Advance = Callable[[Path, int], None]  # told the file at hand and the bytes of it that are done


def build_bar(files: Sequence[Path]) -> AbstractContextManager[Advance]:
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    if sum(sizes) < _PROGRESS_FROM or not sys.stderr.isatty():
        return nullcontext(lambda _path, _bytes: None)
    return _Bar(files, sizes)


class _Bar:
    """A progress bar over the bytes of all files."""

    def __init__(self, files: Sequence[Path], sizes: Sequence[int]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=build_error_console(),
        )
        self._task = self._progress.add_task("capturing", total=sum(sizes))
        self._files, self._sizes = files, sizes

    def __enter__(self) -> Advance:
        self._progress.start()
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, path: Path, done: int) -> None:
        self._progress.update(self._task, completed=sum(self._sizes[: self._files.index(path)]) + done)
