"""``leadgate`` in a process that has imported what it needs already: ``python -m program_server SOCKET``.

A page of the documentation has dozens of commands, each of which would take a second or more to import the same modules.
Here each is forked from one process, with the arguments, folder, environment and files of the program that is typed.

Belongs here: that process, and the program that asks it. Does not belong here: what is typed (``page_commands``). Tests
that the program starts, and of what it imports when, start it itself (``test_program``, ``test_late_imports``, ``test_up``).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

_PACKAGES: Final = ("console.cli", "expectations", "flows", "tasks")

#: The program: it sends what it was started with, its files, too, and ends as it is told. Without ``site`` it starts in
#: hundredths of a second.
_PROGRAM: Final = """#!{python} -IS
import json, os, socket, sys
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    socket.send_fds(server, [len(asked).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(asked)
    sys.exit(int(server.recv(8)))
"""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Path]:
    """The folder with the program ``leadgate``, which the process serves meanwhile, one call after the other."""
    address, programs = folder / "program.socket", folder / "programs"
    programs.mkdir()
    program = programs / "leadgate"
    program.write_text(_PROGRAM.format(python=sys.executable, socket=str(address)), encoding="utf-8")
    program.chmod(0o755)
    command = [sys.executable, "-m", "program_server", str(address)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield programs
        finally:
            process.terminate()


def _serve(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        _import_all()
        gc.collect()
        gc.freeze()
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            asking, _ = listening.accept()
            with asking:
                head, files, _, _ = socket.recv_fds(asking, 8, 3)
                with asking.makefile("rb") as more:
                    asked = json.loads(more.read(int.from_bytes(head, "big")))
                pid = os.fork()
                if pid == 0:
                    listening.close()
                    asking.close()
                    _run_and_leave(files, *asked)
                for file in files:
                    os.close(file)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                asking.sendall(str(code if code >= 0 else 128 - code).encode())


def _import_all() -> None:
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _run_and_leave(files: list[int], arguments: list[str], folder: str, environment: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        # a stream remembers whether its file has places to go to
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["leadgate", *arguments]
        _read_settings_of_prefect()
        from console.cli import main

        main()
    except SystemExit as end:
        sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _read_settings_of_prefect() -> None:
    """Prefect reads its settings when it is imported, which a command does when it has set them."""
    from prefect.context import refresh_global_settings_context

    from flows.runtime.server import use_defaults
    from leadgate.settings import Settings

    use_defaults(Settings.from_environment().home)
    refresh_global_settings_context()


if __name__ == "__main__":
    _serve(sys.argv[1])
