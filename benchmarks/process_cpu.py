"""The processor time of a process and of all that it started, from Linux's ``/proc``.

Belongs here: reading it. Does not belong here: what it is compared with.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")  # seconds


def read_cpu(pid: int) -> float:
    """Seconds that process ``pid`` and its descendants have computed, also those that have ended."""
    children, seconds = defaultdict(list), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        number = int(path.parent.name)
        children[int(values[1])].append(number)
        seconds[number] = sum(map(int, values[11:15])) * _TICK
    total, left = 0.0, [pid]
    while left:
        number = left.pop()
        total += seconds.get(number, 0.0)
        left += children[number]
    return total
