"""Who may read the files that commands make.

Files of the data folder, and exports with values of leads, are for their owner alone. Reports and a copied playbook,
which hold none, are made as the user who runs the command makes other files: a web server may be meant to read them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from leadgate.data_folder import PRIVATE

_of_the_user: int | None = None


def keep_files_private() -> None:
    """From now on, files of this process and its children are made for their owner alone."""
    global _of_the_user
    before = os.umask(PRIVATE)
    if _of_the_user is None:
        _of_the_user = before


@contextlib.contextmanager
def as_the_user_makes_files() -> Iterator[None]:
    """Files that are made meanwhile get the permissions that the user's other files get."""
    if _of_the_user is None:
        yield
        return
    before = os.umask(_of_the_user)
    try:
        yield
    finally:
        os.umask(before)
