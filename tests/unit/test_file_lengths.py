"""A long file says why it is one file: whoever looks for a thing finds it by its subject."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("console", "flows", "tasks", "expectations", "leadgate", "benchmarks", "examples", "tests")
LONG = 400  # lines
REASON = "Long as one file: "  # in the docstring


def test_a_file_past_400_lines_says_why_in_its_docstring() -> None:
    long = {
        str(path.relative_to(ROOT)): text
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if (text := path.read_text(encoding="utf-8")).count("\n") > LONG
    }
    assert long  # the first migration is one of them
    assert [name for name, text in long.items() if REASON not in read_docstring(text)] == []
    for text in long.values():
        assert len(read_docstring(text).partition(REASON)[2]) > 20


def read_docstring(text: str) -> str:
    """The docstring of a module; parsing all of a long file takes much longer."""
    return text.partition('"""')[2].partition('"""')[0] if text.startswith('"""') else ""
