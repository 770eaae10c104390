"""Modules that Great Expectations imports and gates never use: importing this has them imported when they are used.

Belongs here: standing in for such a module until then. Does not belong here: Great Expectations itself (``prepared``).

Importing Great Expectations takes 2.3 s of CPU time, of which 0.9 s go to SciPy's statistics and to Altair's charts,
for expectations about distributions. Each process that runs a gate pays that when it starts.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any, Final

_lock: Final = threading.RLock()  # the import of one may use another


class _LateModule(ModuleType):
    """Stands for a module, and imports it when one of its names is asked for."""

    def __getattr__(self, name: str) -> Any:
        with _lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(importlib.import_module(self.__name__), name)


for _name in ("scipy.stats", "altair"):
    sys.modules.setdefault(_name, _LateModule(_name))  # unless it is imported already
