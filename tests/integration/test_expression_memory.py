"""Memory of the worst that is accepted, measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from growing import GROWING, grow_to_limit

#: Peak memory of evaluating the worst expressions, on top of what the process had before.
_CHILD = """
import resource, sys
import pandas as pd
from leadgate import deadlines
from leadgate.expressions.rules import match_rows
rows, text, length, *expressions = sys.argv[1:]
frame = pd.DataFrame({"message": [text * int(length)] * int(rows), "company": text * int(length), "employees": 3})
deadlines.SECONDS = 3_600.0
columns = {"message": "text", "company": "text", "employees": "integer"}
match_rows({"first": "length(message) > 3"}, frame.head(100), columns)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
resource.setrlimit(resource.RLIMIT_AS, (before + 6_000_000_000,) * 2)
match_rows({str(n): each for n, each in enumerate(expressions)}, frame, columns)
print(peak() - before)
"""


@pytest.mark.parametrize(
    ("rows", "text", "length", "families"),
    [
        (10_000, "a", 8_000, ("concat", "replaced")),  # 5 blocks of the memory that one may take
        (400, "😀", 8_000, ("concat", "joined", "concat in case", "changed", "split")),
        (20_000, "😀", 150, ("concat",)),  # as long as they may be, for whole blocks to go together
    ],
)
def test_the_worst_accepted_expressions_need_little_memory(
    rows: int, text: str, length: int, families: tuple[str, ...]
) -> None:
    worst = [grow_to_limit(GROWING[name]) for name in families]
    arguments = [sys.executable, "-c", _CHILD, str(rows), text, str(length), *worst]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-500:]
    assert int(ended.stdout) < 512_000_000
