"""Which process of several runs which tests: each file in one, and the files that share a Prefect server in the same one.

Starting a Prefect server takes eight seconds of CPU, and one that nobody asks takes a twentieth of a core.

Does not belong here: the server (``prefect_api``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from xdist.scheduler import LoadFileScheduling

_E2E: Final = "tests/e2e/"
#: The files of ``tests/e2e`` that start what they need themselves. All others share the server.
_WITH_OWN_SERVER: Final = frozenset({"test_attacks", "test_two_runs", "test_ui", "test_up", "test_values_stay"})


def shares_prefect_server(file: str) -> bool:
    """Whether the tests of ``file``, a path from the root of the repository, share a Prefect server."""
    return file.startswith(_E2E) and Path(file).stem not in _WITH_OWN_SERVER


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """By file, as ``--dist loadfile``; files that share a Prefect server count as one."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return _E2E if shares_prefect_server(file) else file
