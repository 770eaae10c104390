"""Attacks an installation of our own on loopback, and says for each attack whether its promise holds.

``python -m benchmarks.attack`` runs all attacks of ``benchmarks.attacks``, or those that are named; ``--list`` lists
them. Exits with 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.attacks import all_attacks


def main() -> None:
    attacks = {each.name: each for each in all_attacks()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="attacks to run; else all")
    parser.add_argument("--list", action="store_true", help="list the attacks, and run none")
    parser.add_argument("--seconds", type=float, default=15.0, help="for how long slow senders go on")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(attacks):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(attacks)}")
    broken = []
    for name, each in attacks.items():
        if arguments.names and name not in arguments.names:
            continue
        print(f"{name}: {each.promise}")
        if arguments.list:
            continue
        with tempfile.TemporaryDirectory() as folder:
            verdict = each.run(Path(folder), arguments.seconds)
        print(f"  {'held' if verdict.held else 'BROKEN'}: {verdict.details}", flush=True)
        if not verdict.held:
            broken.append(name)
    if broken:
        sys.exit(f"broken: {', '.join(broken)}")


if __name__ == "__main__":
    main()
