"""Who the operating system says that this process runs as.

Belongs here: that name. Does not belong here: who that is for the playbook, or what they may do (``leadgate.actors``).
"""

from __future__ import annotations

import os
import pwd


def find_login() -> str:
    """The operating system's user: its name, or its number where the system has no name for it (a container).

    The environment (``USER``, ``LOGNAME``) is not asked: anybody can set that.
    """
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
