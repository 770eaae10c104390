"""Reading untrusted files in a process of its own: what that process gets, may cost, and what its end means."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import orjson
import psutil
import pytest
from hostile_files import write_json_document, write_workbook

from leadgate.connectors.files import FileError, IsolatedTable, Limits, isolated, messages, read
from leadgate.connectors.files.formats import open_table
from leadgate.connectors.files.table import Row

#: Reads a file in a process of its own from a small one, and tells what came of it and the most memory that took.
MEASURE = """
import resource, sys, orjson
from pathlib import Path
from leadgate.connectors.files import FileError, Limits, read
told = {"rows": 0, "reason": None}
try:
    with read(Path(sys.argv[1]), limits=Limits(**orjson.loads(sys.argv[2]))) as table:
        for page in table.read_pages():
            told["rows"] += len(page)
except FileError as error:
    told["reason"] = error.reason
told["peak_mb"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print(orjson.dumps(told).decode())
"""


def measured(path: Path, **limits: Any) -> dict[str, Any]:
    command = [sys.executable, "-c", MEASURE, str(path), orjson.dumps(limits).decode()]
    told: dict[str, Any] = orjson.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def refused(path: Path, **limits: Any) -> str:
    with pytest.raises(FileError) as error, read(path, limits=Limits(**limits)) as table:
        list(table)
    return error.value.reason


def long_csv(path: Path, rows: int = 300_000) -> Path:
    path.write_bytes(b"name,email\n" + b"Ann,a@b.example\n" * rows)
    return path


_others: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """The children that other tests have left."""
    _others.clear()
    _others.update(psutil.Process().children())


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each not in _others]


def child() -> psutil.Process:
    (process,) = children()
    return process


# --- the same rows --------------------------------------------------------------------------------------


def sheet(path: Path) -> Path:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["name", "n"])
    book.worksheets[0].append(["Zoë\u2028", 4.5])
    book.worksheets[0].append([None, None])
    book.worksheets[0].append(["too", "many", "cells"])
    book.save(path)
    return path


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("name;email\nAnn;a@b.example\nBob\n;\nCy;c\x00d\n".encode("utf-16"), id="delimited"),
        pytest.param(
            rb'[{"n": 1e400, "i": 9007199254740993, "big": 123456789012345678901234567890, "x": NaN, "f": 0.1,'
            rb' "a": 1, "a": 2, "half": "\ud800", "deep": [{"b": [null, true]}], "one": 1.0}, 5, {}, {"a": "\u0000"}]',
            id="json",
        ),
        pytest.param(b'{"a": -0.0, "b": {"c": 18446744073709551615}}\n{"a": \n\n{"a": 3}\n', id="json lines"),
        pytest.param(None, id="workbook"),
    ],
)
def test_rows_come_over_the_pipe_as_they_were_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "leads.bin"
    if content is None:
        sheet(path)
    else:
        path.write_bytes(content)
    here = open_table(path)
    with read(path) as there:
        assert repr(list(there)) == repr(list(here))
        assert (there.blank, there.position()) == (here.blank, here.position())
        for name in ("format", "headers", "encoding", "delimiter", "sheet", "bytes_total"):
            assert getattr(there, name) == getattr(here, name)
        assert list(there) == list(here)  # from the top again


def test_pages_are_bounded_in_rows_and_in_size(tmp_path: Path) -> None:
    with read(long_csv(tmp_path / "leads.csv", 12_001)) as table:
        sizes = [len(page) for page in table.read_pages()]
    assert sum(sizes) == 12_001
    assert max(sizes) <= 5_000
    (tmp_path / "long.csv").write_bytes(b"name,note\n" + b"Ann,%b\n" % (b"x" * 3_000_000) * 8)
    with read(tmp_path / "long.csv") as table:
        assert max(len(page) for page in table.read_pages()) <= 2


def test_the_rows_above_a_damage_are_given_out_first(tmp_path: Path) -> None:
    rows = [b'<row><c t="inlineStr"><is><t>Email</t></is></c></row>']
    rows += [b'<row><c t="inlineStr"><is><t>a%d</t></is></c></row>' % number for number in range(20_000)]
    given = []
    with read(write_workbook(tmp_path / "b.xlsx", rows=[*rows, b"</no>"])) as table:
        rows_given = iter(table)
        with contextlib.suppress(FileError):
            while True:
                given.append(next(rows_given).line)
    assert given == list(range(2, len(given) + 2))
    assert len(given) > 10_000


# --- what the process gets ------------------------------------------------------------------------------


def test_the_process_has_no_secret_no_connection_and_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADGATE_DATABASE_URL", "postgresql://leadgate:hunter2@db/leadgate")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    path = long_csv(tmp_path / "leads.csv")
    kept, other = socket.socketpair()
    with path.open("rb") as file, kept, other, read(path) as table:
        for descriptor in (file.fileno(), kept.fileno(), other.fileno()):
            os.set_inheritable(descriptor, True)
        pages = table.read_pages()
        next(pages)
        process = child()
        assert set(process.environ()) <= {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LC_CTYPE", "OPENPYXL_LXML"}
        assert "-P" in process.cmdline()
        assert process.cwd() == "/"
        assert os.getsid(process.pid) == process.pid
        opened = {os.readlink(each) for each in Path(f"/proc/{process.pid}/fd").iterdir()}
        assert {each for each in opened if not each.startswith("pipe:")} <= {"/dev/null", str(path)}
        assert process.rlimit(psutil.RLIMIT_DATA) == (1024 * 1024**2,) * 2
        assert process.rlimit(psutil.RLIMIT_CORE) == process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
        pages.close()


def _close(table: IsolatedTable) -> None:
    table.close()


def _fail_over_rows(table: IsolatedTable) -> None:
    with contextlib.suppress(RuntimeError):
        for _ in table.read_pages():
            raise RuntimeError


def _stop_early(table: IsolatedTable) -> None:
    next(iter(table))


@pytest.mark.parametrize("leave", [_close, _fail_over_rows, _stop_early])
def test_nobody_is_left_when_the_rows_are_not_wanted_any_more(
    tmp_path: Path, leave: Callable[[IsolatedTable], None]
) -> None:
    with read(long_csv(tmp_path / "leads.csv")) as table:
        leave(table)
    assert children() == []


def test_the_process_ends_with_the_one_that_wants_its_rows(tmp_path: Path) -> None:
    script = (
        "import sys, time, psutil; from pathlib import Path; from leadgate.connectors.files import read\n"
        "pages = read(Path(sys.argv[1])).read_pages(); next(pages)\n"
        "print(psutil.Process().children()[0].pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(long_csv(tmp_path / "leads.csv"))]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    reader = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert psutil.wait_procs([reader], timeout=30)[0] == [reader]


# --- what it may cost -----------------------------------------------------------------------------------


def test_a_small_workbook_of_millions_of_styles_is_refused_without_making_them(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "styles.xlsx", styles=b"<xf/>", count=1_900_000)
    assert path.stat().st_size < 32_000
    told = measured(path)
    assert "xl/styles.xml" in told["reason"]
    assert "elements" in told["reason"]
    assert told["peak_mb"] < 150


def test_millions_of_shared_strings_are_refused_without_making_them(tmp_path: Path) -> None:
    path = write_workbook(tmp_path / "strings.xlsx", strings=b"<si><t>%d</t></si>", count=1_500_001)
    told = measured(path)
    assert "different texts" in told["reason"]
    assert told["peak_mb"] < 150


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"styles": b"<xf/>", "count": 400_000}, id="styles that were not counted"),
        pytest.param(
            {"strings": b"<si><t>%d</t></si>", "count": 400_000, "names": ("one.xml", "two.xml")},
            id="strings under another name",
        ),
    ],
)
def test_memory_is_limited_whatever_a_workbook_hides(tmp_path: Path, parts: dict[str, Any]) -> None:
    limits = {"memory_mb": 48, "elements": 10**9}
    assert measured(write_workbook(tmp_path / "plain.xlsx"), **limits)["rows"] == 1
    told = measured(write_workbook(tmp_path / "hidden.xlsx", **parts), **limits)
    assert "more than 48 MB of memory" in told["reason"]
    assert "LEADGATE_FILE_MEMORY_MB" in told["reason"]
    assert told["peak_mb"] < 100


def test_headers_that_every_row_repeats_count_for_a_page(tmp_path: Path) -> None:
    names = ",".join(f"{number:0990}" for number in range(200))
    (tmp_path / "wide.csv").write_text(names + "\n" + ("x" + "," * 199 + "\n") * 100)
    with read(tmp_path / "wide.csv") as table:
        assert max(len(page) for page in table.read_pages()) <= 25


def test_one_long_text_shown_by_every_cell_is_no_way_around_the_limits(tmp_path: Path) -> None:
    text = b"<si><t>" + b"x" * 100_000 + b"</t></si>"
    rows = [b'<row><c t="inlineStr"><is><t>Email</t></is></c></row>', *[b'<row><c t="s"><v>0</v></c></row>'] * 1_000]
    path = write_workbook(tmp_path / "b.xlsx", strings=text, count=1, rows=rows)
    assert "its values are more than" in refused(path, text_chars=10_000_000)
    with read(path, limits=Limits(row_chars=1_000)) as table:
        first = next(iter(table))
    assert first.payload is None
    assert len(first.raw or "") <= 1_000


def test_a_json_document_takes_no_more_memory_than_its_longest_record(tmp_path: Path) -> None:
    path = write_json_document(tmp_path / "leads.json", megabytes=10)
    records = path.read_bytes().count(b"email")
    told = measured(path)
    assert told == {"rows": records, "reason": None, "peak_mb": told["peak_mb"]}
    assert told["peak_mb"] < 200  # it is 270 for the document parsed whole, and 6,700 for one of 250 MB


def test_a_file_that_gives_no_row_in_time_is_refused(tmp_path: Path) -> None:
    path = write_json_document(tmp_path / "leads.json", megabytes=24)
    assert "LEADGATE_FILE_SILENT_SECONDS" in refused(path, silent_seconds=0.3)
    assert "LEADGATE_FILE_SECONDS" in refused(path, seconds=0.3)
    assert children() == []


def test_time_in_which_rows_are_stored_is_not_the_files(tmp_path: Path) -> None:
    with read(long_csv(tmp_path / "leads.csv", 60_000), limits=Limits(silent_seconds=20, seconds=20)) as table:
        pages = table.read_pages()
        next(pages)
        reader = children()[0]
        table_clock = vars(pages.gi_frame.f_locals["reader"])  # type: ignore[attr-defined]
        before = table_clock["_waited"]
        while reader.status() == psutil.STATUS_RUNNING:
            time.sleep(0.01)  # until the pipe is full
        assert table_clock["_waited"] == before
        assert sum(map(len, pages)) == 55_000


# --- what its end means ---------------------------------------------------------------------------------


def frame(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack(">cI", kind, len(body) if size is None else size) + body


OPENED = frame(
    messages.OPENED,
    b'{"format":"csv","headers":["a"],"bytes_total":9,"encoding":null,"delimiter":null,"sheet":null}',
)


@pytest.mark.parametrize(
    ("said", "then", "reason"),
    [
        (frame(b"O", b"", size=2**31), "sleep 60", "makes no sense"),
        (frame(b"O", b"not json"), "sleep 60", "makes no sense"),
        (frame(b"O", b'{"format": "exe"}'), "sleep 60", "makes no sense"),
        (frame(b"P", b'{"rows": [], "position": 0, "blank": 0}'), "sleep 60", "makes no sense"),
        (OPENED + frame(b"P", b'{"rows": [[1, ["x", "y"]]], "position": 0, "blank": 0}'), "sleep 60", "makes no sense"),
        (OPENED + frame(b"P", b"[1]"), "sleep 60", "makes no sense"),
        (frame(b"F", b'{"fault": "ValueError at x.py:3"}'), "sleep 60", "ValueError at x.py:3"),
        (b"", "exit 77", "LEADGATE_FILE_MEMORY_MB"),
        (OPENED[:9], "kill -SEGV $$", "SIGSEGV"),
        (OPENED, "kill -KILL $$", "SIGKILL"),
        (b"", "kill -ALRM $$", "LEADGATE_FILE_SILENT_SECONDS"),
        (b"", "exit 1", "exit code 1"),
    ],
)
def test_a_reader_that_was_taken_over_or_died_costs_its_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, then: str, reason: str
) -> None:
    (tmp_path / "said").write_bytes(said)
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\ncat "{tmp_path}/said"\n{then}\n')
    script.chmod(0o755)
    monkeypatch.setattr(isolated.sys, "executable", str(script))
    assert reason in refused(long_csv(tmp_path / "leads.csv", 1))
    assert children() == []


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/tty", "."])
def test_only_regular_files_are_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    reason = refused(tmp_path / name)
    assert "regular" in reason or "directory" in reason


def test_a_symbolic_link_to_a_regular_file_is_one(tmp_path: Path) -> None:
    long_csv(tmp_path / "leads.csv", 1)
    (tmp_path / "link.csv").symlink_to("leads.csv")
    with read(tmp_path / "link.csv") as table:
        assert list(table) == [Row(2, {"name": "Ann", "email": "a@b.example"})]
