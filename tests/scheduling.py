"""Which tests run one after the other in one process: those of a file, and those of the files that share a Prefect server.

Starting a Prefect server takes eight seconds of CPU, and one that nobody asks takes a twentieth of a core.

Belongs here: what belongs together. Does not belong here: the server (``prefect_api``), or the processes (``processes``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

_E2E: Final = "tests/e2e/"
#: The files of ``tests/e2e`` that start what they need themselves. All others share the server.
_WITH_OWN_SERVER: Final = frozenset({"test_attacks", "test_two_runs", "test_ui", "test_up", "test_values_stay"})


def shares_prefect_server(file: str) -> bool:
    """Whether the tests of ``file``, a path from the root of the repository, share a Prefect server."""
    return file.startswith(_E2E) and Path(file).stem not in _WITH_OWN_SERVER


def group_tests(tests: Iterable[str]) -> list[list[int]]:
    """The positions of ``tests``, which are named as pytest does, in groups, in the order of the first of each."""
    groups: dict[str, list[int]] = {}
    for position, test in enumerate(tests):
        file = test.partition("::")[0]
        groups.setdefault(_E2E if shares_prefect_server(file) else file, []).append(position)
    return list(groups.values())
