"""Attacks on an installation of our own, on loopback: what is promised against each, and whether the promise holds.

Belongs here: the list of attacks, and what an attack is. Does not belong here: any attack (a file for each door).

Whoever adds an attack writes a function in a module of this package, under ``@attack``; ``make attack`` and
``tests/e2e/test_attacks.py`` find it. It starts what it needs in the data folder that it is given, which another attack
may have used, stops that again, and is bounded in time, connections and bytes.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verdict:
    """Whether the promise held, and the figures that show it."""

    held: bool
    details: str


#: ``run(folder, seconds)``: a data folder, empty or used by another attack, and for how long an attack that goes on for
#: a while is to go on.
Run = Callable[[Path, float], Verdict]


@dataclass(frozen=True)
class Attack:
    name: str
    promise: str
    run: Run


_known: dict[str, Attack] = {}


def attack(name: str, promise: str) -> Callable[[Run], Run]:
    """Registers the function below it."""

    def register(run: Run) -> Run:
        if name in _known:
            raise ValueError(f"there are two attacks {name!r}")
        _known[name] = Attack(name, promise, run)
        return run

    return register


def all_attacks() -> list[Attack]:
    """Every attack of every module in this package, by name."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return [_known[name] for name in sorted(_known)]
