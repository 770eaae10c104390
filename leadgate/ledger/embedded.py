"""Run the embedded PostgreSQL of a data folder: start the server, share it between processes, stop it.

Belongs here: the server's files, its socket, who may connect, and its lifetime. Does not belong here: the operating
system user that runs the server (``server_user``), or its roles and databases (``provision``).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from sqlalchemy import URL

from leadgate.data_folder import open_private
from leadgate.ledger import processes
from leadgate.ledger.server_user import (
    EmbeddedError,
    ServerUser,
    clean_environment,
    find_program_folder,
    find_server_user,
    hand_over,
    is_private_folder,
    require_private_folder,
)

PORT: Final = 5432  # a part of the socket's file name; nothing listens on TCP
SUPERUSER: Final = "postgres"
ROLES: Final = (SUPERUSER, "leadgate", "prefect")
SOCKET_PATH_LIMIT: Final = 103  # bytes; sockaddr_un has room for 107 on Linux, for 103 elsewhere
START_SECONDS: Final = 120  # crash recovery comes first
END_SECONDS: Final = 10  # for the processes of a server that was killed
LOG_LIMIT: Final = 20_000_000  # bytes; a longer log is put aside at the next start

#: The log of the server holds no values: no statements, no details, and no errors of single statements, whose first
#: line may quote a value. The client that sent the statement gets its error.
_SETTINGS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "log_min_messages": "log",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    # a batch of a large ledger writes into pages all over its indexes: most of them stay in memory
    "shared_buffers": "256MB",
}
_MAP: Final = "leadgate"
#: The operating system says who connects; nobody else is asked for a password that could be guessed or kept.
_HBA: Final = f"# Written by Leadgate at every start.\nlocal all all peer map={_MAP}\n"


@dataclass(frozen=True)
class Embedded:
    """The embedded PostgreSQL below the data folder ``home``. Use ``running``."""

    home: Path
    user: ServerUser

    @property
    def data(self) -> Path:
        return self.home / "postgresql"

    @property
    def log(self) -> Path:
        return self.data / "log"

    def url(self) -> URL:
        """The address of the server for its superuser. Raises ``EmbeddedError`` when its socket is not safe to use."""
        folder = self._find_socket_folder()
        require_private_folder(folder, self.user.uid, "the socket folder of the embedded PostgreSQL")
        return URL.create(
            "postgresql+psycopg", username=SUPERUSER, database=SUPERUSER, query={"host": str(folder)}, port=None
        )

    def ensure_running(self, *, alone: bool) -> None:
        """Start the server if it does not run. ``alone``: no other process uses it, so it may be started anew."""
        self._initialise()
        changed = self._write_access_rules()
        pid = self._find_pid()
        if pid is None:
            self._clear_after_kill(alone=alone)
            self._start(alone=alone)
        elif changed:
            os.kill(pid, signal.SIGHUP)

    def stop_outdated(self) -> None:
        """Stop a server that an earlier version started with other settings, and left running."""
        if self._find_pid() is not None and not self._is_started_as_now():
            self._stop()

    def stop(self) -> None:
        """Stop the server, and remove its socket folder."""
        if self._find_pid() is not None:
            self._stop()
        folder = self._read_socket_folder()
        if folder is not None:
            if is_private_folder(folder, self.user.uid):
                shutil.rmtree(folder, ignore_errors=True)
            self._socket_record.unlink(missing_ok=True)

    # -- files ---------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        """Make the server's files, whole or not at all, and give those of another user to the present one."""
        if not (self.data / "PG_VERSION").exists():
            half = self.home / "postgresql.new"
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir(mode=0o700)
            os.chown(half, self.user.uid, self.user.gid)
            options = ["--auth=peer", "--encoding=utf8", f"--username={SUPERUSER}"]
            self._run("initdb", ["-D", self.user.find_path_inside(half), *options], half)
            half.replace(self.data)
        elif self.data.lstat().st_uid != self.user.uid:
            if self._find_pid() is not None:
                raise EmbeddedError(
                    f"the PostgreSQL of {self.data} runs as another user; stop the Leadgate that started it"
                )
            hand_over(self.data, self.user)

    def _write_access_rules(self) -> bool:
        """Say who may connect as which role. Returns whether that has changed."""
        users = dict.fromkeys(self.user.clients)
        lines = [f'{_MAP} "{user}" {role}' for user in users for role in ROLES]
        ident = "# Written by Leadgate at every start.\n" + "\n".join(lines) + "\n"
        return any([self._write("pg_hba.conf", _HBA), self._write("pg_ident.conf", ident)])

    def _write(self, name: str, content: str) -> bool:
        file = self.data / name
        with contextlib.suppress(OSError):
            if file.read_text(encoding="utf-8") == content:
                return False
        half = self.data / f"{name}.new"
        half.unlink(missing_ok=True)
        descriptor = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            os.fchown(descriptor, self.user.uid, self.user.gid)
            opened.write(content)
        half.replace(file)
        return True

    # -- the socket ----------------------------------------------------------------------------------------

    def _find_socket_folder(self) -> Path:
        return self._read_socket_folder() or self.data

    @property
    def _socket_record(self) -> Path:
        return self.home / "postgresql.socket"

    def _read_socket_folder(self) -> Path | None:
        """The socket folder outside of the data folder, for a data folder whose path is too long."""
        try:
            return Path(self._socket_record.read_text(encoding="utf-8"))
        except OSError:
            return None

    def _prepare_socket_folder(self, *, alone: bool) -> str:
        """The folder for the socket, as the server is told. It stays the same while other processes know it."""
        if len(os.fsencode(self.data / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT:
            self._socket_record.unlink(missing_ok=True)
            return "."  # the server's own folder; as a relative path it needs no access to the parents
        what = "the socket folder of the embedded PostgreSQL"
        folder = self._read_socket_folder()
        if folder is None or (alone and not is_private_folder(folder, self.user.uid)):
            folder = Path(tempfile.mkdtemp(prefix="leadgate-", dir=self.user.find_runtime_folder()))
            os.chown(folder, self.user.uid, self.user.gid)
            self._socket_record.write_text(str(folder), encoding="utf-8")
        elif not os.path.lexists(folder):
            folder.mkdir(mode=0o700)
            os.chown(folder, self.user.uid, self.user.gid)
        require_private_folder(folder, self.user.uid, what)
        return str(folder)

    # -- the process ---------------------------------------------------------------------------------------

    @property
    def _lock_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def _name(self) -> str:
        """Stands in the server's command line, so that a process with a reused id is not taken for the server."""
        place = self.data.stat()
        return f"leadgate-{place.st_dev:x}-{place.st_ino:x}"

    def _format_options(self, socket_folder: str) -> str:
        settings = _SETTINGS | {"cluster_name": self._name}
        return " ".join([*(f"-c {name}='{value}'" for name, value in settings.items()), f"-k '{socket_folder}'"])

    def _is_started_as_now(self) -> bool:
        """Whether the server that runs was started with the present settings, not by an earlier version."""
        try:
            given = (self.data / "postmaster.opts").read_text(encoding="utf-8")
        except OSError:
            return False
        return all(f'"{name}={value}"' in given for name, value in _SETTINGS.items())

    def _start(self, *, alone: bool) -> None:
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT:
                self.log.replace(self.log.with_name("log.1"))
        before = self.log.stat().st_size if self.log.exists() else 0
        where = self.user.find_path_inside(self.data)
        options = self._format_options(self._prepare_socket_folder(alone=alone))
        try:
            self._run(
                "pg_ctl", ["-D", where, "-w", "-t", str(START_SECONDS), "-l", f"{where}/log", "-o", options, "start"]
            )
        except EmbeddedError as error:
            raise EmbeddedError(f"{self._read_last_error(before) or error}; see its log: {self.log}") from error

    def _read_last_error(self, offset: int) -> str:
        """The line of the log, from ``offset`` on, in which the server says why it does not start."""
        try:
            with self.log.open("rb") as opened:
                opened.seek(offset)
                lines = opened.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        fatal = [line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line]
        return fatal[-1].replace(self.user.find_path_inside(self.data), str(self.data)) if fatal else ""

    def _stop(self) -> None:
        with contextlib.suppress(EmbeddedError):  # it ended meanwhile, or takes its time: the next start waits for it
            self._run("pg_ctl", ["-D", self.user.find_path_inside(self.data), "-w", "-t", "60", "-m", "fast", "stop"])

    def _find_pid(self) -> int | None:
        """The process id of the server, if it runs."""
        pid = _read_pid(self._lock_file)
        command = "" if pid is None else processes.read_command_line(pid)
        # a server that an earlier version started has the path of its folder there
        return pid if self._name in command or str(self.data) in command else None

    def _clear_after_kill(self, *, alone: bool) -> None:
        """Wait until a server that was killed is gone, and remove its lock files where PostgreSQL would not.

        PostgreSQL goes by the process id alone: a dead process that nobody collected, or another program with the
        same id, as after the restart of a container, would keep the server from starting for ever.
        """
        for file in (self._lock_file, self._find_socket_folder() / f".s.PGSQL.{PORT}.lock"):
            pid = _read_pid(file)
            if pid is None or "postgres" in processes.read_command_line(
                pid
            ):  # then PostgreSQL itself says what is wrong
                continue
            processes.collect(pid)
            deadline = time.monotonic() + END_SECONDS
            while (lives := processes.has_process_with(self._name)) and time.monotonic() < deadline:
                time.sleep(0.05)
            if not lives and (alone or processes.is_dead(pid)):
                file.unlink(missing_ok=True)

    def _run(self, program: str, arguments: Sequence[str], folder: Path | None = None) -> None:
        """Run a program of PostgreSQL as the server's user, in the server's folder. Raises ``EmbeddedError``."""
        with tempfile.TemporaryFile("w+") as said:  # a pipe would be inherited by the server, and never end
            done = subprocess.run(  # noqa: S603 - a program of the wheel, and arguments from here
                [str(find_program_folder(self.user) / program), *arguments],
                **self.user.build_process_arguments(),
                cwd=folder or self.data,
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl-C is for the command that started it
                check=False,
            )
            if done.returncode:
                said.seek(0)
                lines = said.read().strip().splitlines() or [f"exit code {done.returncode}"]
                raise EmbeddedError(f"{program} failed: {lines[-1]}")


def is_in(home: Path) -> bool:
    """Whether ``home`` has an embedded PostgreSQL, running or not."""
    return (home / "postgresql" / "PG_VERSION").exists()


@contextlib.contextmanager
def running(home: Path) -> Iterator[Embedded]:
    """The embedded PostgreSQL of ``home``, stopped when the last process that uses it ends. Raises ``EmbeddedError``.

    Call ``stop_outdated`` first. Each process that uses the server holds a shared lock until it ends, however it ends;
    who gets that lock alone is the last one.
    """
    server = Embedded(home, find_server_user(home))
    with open_private(home / "postgresql.users") as users:
        try:
            with _starting_or_stopping(home):
                server.ensure_running(alone=_lock_alone(users))
                fcntl.flock(users, fcntl.LOCK_SH)
            yield server
        finally:
            # a data folder that is gone must not hide the error that says so
            with contextlib.suppress(OSError), _starting_or_stopping(home):
                if _lock_alone(users):
                    server.stop()


def stop_outdated(home: Path) -> None:
    """Stop a server that an earlier version left running in ``home``, unless another process uses it.

    For root it ran as another user, who must reach its files until it has ended: call this before they are closed.
    Raises ``EmbeddedError``.
    """
    if not (home / "postgresql" / "postmaster.pid").exists():
        return
    server = Embedded(home, find_server_user(home))
    with open_private(home / "postgresql.users") as users, _starting_or_stopping(home):
        if _lock_alone(users):
            server.stop_outdated()


def revive(server: Embedded) -> None:
    """Start ``server`` again if it died. Several processes may find out at once. Raises ``EmbeddedError``."""
    with _starting_or_stopping(server.home):
        server.ensure_running(alone=False)


@contextlib.contextmanager
def _starting_or_stopping(home: Path) -> Iterator[None]:
    """One process at a time."""
    with open_private(home / "postgresql.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_pid(lock_file: Path) -> int | None:
    try:
        return int(lock_file.read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _lock_alone(users: IO[str]) -> bool:
    """Whether no other process uses the server. Call it where nobody else can begin to."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
