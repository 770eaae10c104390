"""What a task is given as it is, without Prefect looking into it.

Belongs here: Prefect's ``quote``, typed as the task sees what is quoted. Prefect walks through every other argument, in
search of the results of other tasks: 10 ms each time for the bundled playbook; and flow runs it refuses.
"""

from __future__ import annotations

from typing import TypeVar, cast

from prefect.utilities.annotations import quote as prefect_quote

_Given = TypeVar("_Given")


def quote(given: _Given) -> _Given:
    """``given`` as an argument of a task, which gets ``given`` itself."""
    return cast(_Given, prefect_quote(given))
