"""The embedded PostgreSQL: who can reach it, what it leaves alone, and how long it lives.

Long as one file: one embedded server, and everything that its folder may go through.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from forked import Child, wait_for
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from leadgate.ledger import Ledger, LedgerError, embedded, open_ledger, server_user
from leadgate.settings import Settings

NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def as_nobody(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a process of another user of the machine, or the name of the error it raised."""

    def acted() -> Any:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            return work()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return Child(acted).result()


def socket_of(ledger: Ledger) -> Path:
    return Path(str(ledger.engine.url.query["host"])) / f".s.PGSQL.{embedded.PORT}"


def connect(file: Path, user: str = "postgres") -> str:
    with psycopg.connect(host=str(file.parent), user=user, dbname=user) as connection:
        return str(connection.execute("SELECT current_user").fetchone())


def reach(file: Path) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(file))
    return "connected"


def postmaster(home: Path) -> int:
    return int((home / "postgresql" / "postmaster.pid").read_text().split()[0])


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose path has room for a socket in it, whatever the test is called."""
    return tmp_path_factory.mktemp("short") / "home"


@pytest.fixture
def long_home(tmp_path: Path) -> Path:
    """A data folder whose path is too long for a socket in it."""
    return tmp_path / ("a" * 60) / ("b" * 60) / "home"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a ledger that nobody uses."""
    folder = tmp_path_factory.mktemp("made") / "home"
    with open_ledger(Settings(home=folder)):
        pass
    return folder


@pytest.fixture
def begin(made: Path) -> Callable[[Path], None]:
    """Have a data folder as the first use of a ledger leaves it. Making one takes a second of CPU time, so tests that
    do not ask how it is made begin with a copy."""

    def copy(home: Path) -> None:
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", str(made), str(home)], check=True)  # with the owners of its files

    return copy


@pytest.fixture
def used_home(home: Path, begin: Callable[[Path], None]) -> Path:
    """``home`` with a ledger."""
    begin(home)
    return home


@pytest.fixture
def used_long_home(long_home: Path, begin: Callable[[Path], None]) -> Path:
    """``long_home`` with a ledger."""
    begin(long_home)
    return long_home


# -- who can reach it --------------------------------------------------------------------------------------


@as_root
@pytest.mark.parametrize("place", ["used_home", "used_long_home"])
def test_another_user_of_the_machine_does_not_reach_the_socket(place: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(place)
    with open_ledger(Settings(home=folder)) as ledger:
        file = socket_of(ledger)
        assert stat.S_ISSOCK(file.lstat().st_mode)
        assert stat.S_IMODE(file.parent.lstat().st_mode) == 0o700
        assert as_nobody(lambda: reach(file)).startswith("PermissionError")
        assert as_nobody(lambda: os.listdir(file.parent)).startswith("PermissionError")


@as_root
@pytest.mark.parametrize("role", embedded.ROLES)
def test_who_reaches_the_socket_must_be_the_owner_of_the_data_folder(role: str, begin: Callable[[Path], None]) -> None:
    folder = Path(tempfile.mkdtemp())
    begin(folder / "home")
    with open_ledger(Settings(home=folder / "home")) as ledger:
        file = socket_of(ledger)
        for each in (folder, folder / "home", file.parent):
            each.chmod(0o711)
        file.chmod(0o777)
        assert as_nobody(lambda: reach(file)) == "connected"
        refused = as_nobody(lambda: connect(file, role))
        assert refused.startswith("OperationalError")
        assert "Peer authentication failed" in refused
        assert connect(file, role) == f"('{role}',)"


def test_neither_role_rules_the_server_or_reaches_the_other_database(postgres: Ledger) -> None:
    url = postgres.engine.url
    for role, other in (("leadgate", "prefect"), ("prefect", "leadgate")):
        with pytest.raises(OperationalError, match="permission denied for database"):
            create_engine(url.set(username=role, database=other)).connect()
        with create_engine(url.set(username=role, database=role)).connect() as connection:
            assert not connection.execute(
                text("SELECT usesuper FROM pg_user WHERE usename = current_user")
            ).scalar_one()
            with pytest.raises(DBAPIError, match="permission denied to COPY"):
                connection.execute(text("COPY (SELECT 1) TO PROGRAM 'true'"))


def test_a_data_folder_that_trusted_everybody_is_mended(used_home: Path) -> None:
    rules = used_home / "postgresql" / "pg_hba.conf"
    rules.write_text("local all all trust\n")
    if os.geteuid() == 0:  # an earlier version ran it as another user
        for folder, folders, files in os.walk(used_home / "postgresql"):
            for name in (*folders, *files, "."):
                os.lchown(os.path.join(folder, name), NOBODY, NOBODY)
    with open_ledger(Settings(home=used_home)) as ledger:
        assert "trust" not in rules.read_text()
        with ledger.transaction() as connection:
            assert connection.execute(text("SELECT count(*) FROM lead")).scalar_one() == 0


def test_a_server_that_an_earlier_version_left_running_is_started_anew(begin: Callable[[Path], None]) -> None:
    folder = Path(tempfile.mkdtemp())
    home = folder / "home"
    begin(home)
    for each in (folder, home):  # an earlier version opened the parents, and told its folder in the command line
        each.chmod(0o755)
    server = embedded.Embedded(home, server_user.find_server_user(home))
    data = str(server.data)
    server._run("pg_ctl", ["-D", data, "-w", "-l", f"{data}/log", "-o", f'-h "" -k {data}', "start"])
    before = postmaster(home)
    with open_ledger(Settings(home=home)) as ledger, ledger.transaction() as connection:
        assert connection.execute(text("SHOW log_min_messages")).scalar_one() == "log"
        assert postmaster(home) != before
    subprocess.run(["rm", "-r", str(folder)], check=True)


# -- the place of its socket -------------------------------------------------------------------------------


def test_a_long_path_gets_a_private_folder_for_its_socket_as_long_as_it_is_used(used_long_home: Path) -> None:
    with open_ledger(Settings(home=used_long_home)) as ledger:
        folder = socket_of(ledger).parent
        assert not folder.is_relative_to(used_long_home)
        with open_ledger(Settings(home=used_long_home)) as second:
            assert socket_of(second).parent == folder
    assert not folder.exists()


@as_root
@pytest.mark.parametrize("planted", ["a link", "somebody else's folder", "an open folder"])
def test_a_planted_socket_folder_is_refused(planted: str, used_long_home: Path, tmp_path: Path) -> None:
    with open_ledger(Settings(home=used_long_home)) as ledger:
        folder = socket_of(ledger).parent
        real = folder.with_name(f"{folder.name}-moved")
        folder.rename(real)
        try:
            if planted == "a link":
                folder.symlink_to(real)
            else:
                folder.mkdir(mode=0o700)
                os.chown(folder, NOBODY if planted.startswith("somebody") else real.stat().st_uid, -1)
                folder.chmod(0o777 if planted.startswith("an open") else 0o700)
            with (
                pytest.raises(LedgerError, match="socket folder") as refused,
                open_ledger(Settings(home=used_long_home)),
            ):
                pass
            assert str(folder) in str(refused.value)
            assert "remove it" in str(refused.value)
        finally:
            folder.unlink() if folder.is_symlink() else folder.rmdir()
            real.rename(folder)


def test_a_socket_folder_in_the_runtime_folder_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = server_user.ServerUser(os.geteuid(), os.getegid(), ("somebody",), other=False)
    private = Path(tempfile.mkdtemp())
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(private))
    assert user.find_runtime_folder() == private
    private.chmod(0o777)
    assert user.find_runtime_folder() != private
    private.rmdir()


# -- what it leaves alone ----------------------------------------------------------------------------------


@as_root
def test_nothing_outside_of_the_data_folder_is_opened(home: Path) -> None:
    def modes() -> dict[Path, tuple[int, int]]:
        return {each: (each.stat().st_mode, each.stat().st_uid) for each in home.parents}

    home.parent.chmod(0o700)
    before = modes()
    with open_ledger(Settings(home=home)):
        assert modes() == before
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert modes() == before


@as_root
def test_for_root_it_runs_as_a_user_who_cannot_log_in(postgres: Ledger) -> None:
    owner = pwd.getpwuid(Path(f"/proc/{postmaster(postgres.home)}").stat().st_uid)
    assert owner.pw_uid != 0
    assert owner.pw_shell.endswith(("/nologin", "/false"))
    assert not Path(owner.pw_dir).exists()


@as_root
def test_for_root_in_the_data_folder_of_somebody_else_it_runs_as_them(home: Path) -> None:
    home.mkdir(mode=0o700)
    os.chown(home, NOBODY, -1)
    with open_ledger(Settings(home=home)):
        assert Path(f"/proc/{postmaster(home)}").stat().st_uid == NOBODY


@as_root
@pytest.mark.parametrize("inner", ["home", "a" * 60 + "/" + "b" * 60])
def test_for_an_ordinary_user_it_runs_as_them(postgres: Ledger, inner: str) -> None:
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, NOBODY, -1)
    home = folder / inner

    def use() -> tuple[int, str, int]:
        with open_ledger(Settings(home=home)) as ledger:
            file = socket_of(ledger)
            return Path(f"/proc/{postmaster(home)}").stat().st_uid, connect(file), file.parent.lstat().st_mode & 0o777

    assert as_nobody(use) == (NOBODY, "('postgres',)", 0o700)
    subprocess.run(["rm", "-r", str(folder)], check=True)


@as_root
def test_programs_that_its_user_cannot_reach_are_copied_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    monkeypatch.setattr(server_user, "PROGRAMS", place / "leadgate")
    monkeypatch.setattr(server_user, "_can_run", lambda *_: False)
    server_user.find_program_folder.cache_clear()
    try:
        for _ in range(2):
            with open_ledger(Settings(home=home)):
                assert f"{place}/leadgate/" in Path(f"/proc/{postmaster(home)}/cmdline").read_text()
            server_user.find_program_folder.cache_clear()
        assert len(list((place / "leadgate").iterdir())) == 1
        (place / "leadgate").chmod(0o777)
        with pytest.raises(LedgerError, match="nobody else can write"), open_ledger(Settings(home=home)):
            pass
    finally:
        server_user.find_program_folder.cache_clear()
        subprocess.run(["rm", "-r", str(place)], check=True)


def test_it_gets_no_secrets_of_its_environment(used_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_WEBSITE", "marker")
    with open_ledger(Settings(home=used_home)):
        assert b"marker" not in Path(f"/proc/{postmaster(used_home)}/environ").read_bytes()


def test_its_log_holds_no_values(postgres: Ledger) -> None:
    marker = "lisa.marker@example.com"
    engine = create_engine(postgres.engine.url.set(database="postgres", username="postgres"))
    statements = (
        "SELECT CAST(:v AS integer)",
        "SELECT jsonb(CAST(:v AS text))",
        f"DO $$BEGIN RAISE EXCEPTION 'no: {marker}'; END$$",
        f"SELECT '{marker}' FROM nowhere",
    )
    for statement in statements:
        with pytest.raises(DBAPIError), engine.connect() as connection:
            connection.execute(text(statement), {"v": marker} if ":v" in statement else {})
    engine.dispose()
    log = (postgres.home / "postgresql" / "log").read_text()
    assert "ready to accept connections" in log
    assert marker not in log


# -- how long it lives -------------------------------------------------------------------------------------


@pytest.fixture
def pids(home: Path) -> Iterator[set[int]]:
    yield set()
    if (home / "postgresql" / "postmaster.pid").exists():
        os.kill(postmaster(home), signal.SIGKILL)


def test_it_ends_with_the_last_process_that_uses_it(used_home: Path) -> None:
    with open_ledger(Settings(home=used_home)):
        pid = postmaster(used_home)
        with open_ledger(Settings(home=used_home)):
            assert postmaster(used_home) == pid
        assert lives(pid)

        def another() -> int:
            with open_ledger(Settings(home=used_home)):
                return postmaster(used_home)

        assert {child.result() for child in [Child(another), Child(another)]} == {pid}
        assert lives(pid)
    wait_for(lambda: not lives(pid))


def test_processes_that_start_at_once_share_it(home: Path) -> None:
    def use() -> int:
        with open_ledger(Settings(home=home)) as ledger, ledger.transaction() as connection:
            return int(connection.execute(text("SELECT count(*) FROM lead")).scalar_one())

    assert [child.result() for child in [Child(use) for _ in range(4)]] == [0] * 4
    assert not (home / "postgresql" / "postmaster.pid").exists()


def test_who_was_killed_does_not_keep_it_running(used_home: Path) -> None:
    def killed() -> None:
        with open_ledger(Settings(home=used_home)):
            os.kill(os.getpid(), signal.SIGKILL)

    assert Child(killed).killed
    pid = postmaster(used_home)
    assert lives(pid)
    with open_ledger(Settings(home=used_home)):
        assert postmaster(used_home) == pid
    wait_for(lambda: not lives(pid))


def test_a_lock_file_that_names_another_program_does_not_keep_it_from_starting(used_home: Path) -> None:
    with open_ledger(Settings(home=used_home)) as ledger:
        user = embedded.Embedded(used_home, server_user.find_server_user(used_home)).user
        lock = (used_home / "postgresql" / "postmaster.pid").read_text().splitlines()
        file = socket_of(ledger)
    other = subprocess.Popen(["sleep", "60"], **user.build_process_arguments())
    try:
        (used_home / "postgresql" / "postmaster.pid").write_text("\n".join([str(other.pid), *lock[1:], ""]))
        file.with_name(f"{file.name}.lock").write_text(f"{other.pid}\n")
        with open_ledger(Settings(home=used_home)):
            assert postmaster(used_home) != other.pid
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_half_made_files_are_made_anew(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "postgresql.new").mkdir()
    (home / "postgresql.new" / "PG_VERSION").write_text("18\n")
    with open_ledger(Settings(home=home)):
        assert not (home / "postgresql.new").exists()


def test_why_it_does_not_start_is_told(used_home: Path) -> None:
    (used_home / "postgresql" / "postgresql.conf").write_text("shared_buffers = nonsense\n")
    with (
        pytest.raises(LedgerError, match="contains errors") as told,
        open_ledger(Settings(home=used_home)),
    ):
        pass
    assert str(used_home / "postgresql" / "log") in str(told.value)
