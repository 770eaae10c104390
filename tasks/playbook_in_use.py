"""Which playbook a process works by: the one in use, which every process of a ledger shares, or its own changed file.

Belongs here: when a changed file becomes the playbook in use, activating one with a reason, and going back. Does not
belong here: the tables (``ledger.playbook_activations``), or a batch, which keeps the playbook that it was claimed with
(``tasks.batches``).
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from leadgate.actors import Actor, require
from leadgate.ledger import Ledger, playbook_activations, playbook_versions
from leadgate.ledger.actions import ActionError
from leadgate.ledger.clock import read_time
from leadgate.ledger.playbook_activations import Activation, ActivePlaybook
from leadgate.ledger.playbook_versions import KeptPlaybook
from leadgate.permissions import Permission
from leadgate.playbook import LoadedPlaybook, PlaybookError, load, parse
from leadgate.playbook.cases import has_cases
from leadgate.process_user import find_login
from leadgate.vocabulary import ActivationMethod
from tasks.changed_playbook import describe_changed_file
from tasks.delivery import list_subscriptions

#: The name of the bundled playbook among files.
BUNDLED: Final = "the bundled playbook"


@dataclass(frozen=True)
class ActivationResult:
    """The result of activating ``loaded``.

    ``number``: of the activation that made it the playbook in use. ``new``: this call has made it so.
    ``reason_added``: it was in use already, and this call added the reason. ``before``: the hash of the playbook that
    was in use before.
    """

    loaded: LoadedPlaybook
    number: int
    new: bool
    reason_added: bool = False
    before: str | None = None


def keep(ledger: Ledger, loaded: LoadedPlaybook, now: datetime | None = None) -> None:
    """Have the playbook's content under its hash, so that every decision can name it."""
    playbook_versions.keep_playbook(ledger, _describe(loaded), now, by=find_login())


def settle(
    ledger: Ledger, loaded: LoadedPlaybook, now: datetime | None = None, *, takes_over: bool = True
) -> LoadedPlaybook:
    """The playbook that a process works by which has read ``loaded`` from its file.

    A file whose text has changed since a process last read it becomes the playbook in use, and so does one that nobody
    has read yet, if its content is new; it is on record with the user of this process and no reason. Else the playbook
    in use is worked by, whatever the file holds: two files that differ do not take turns. The bundled playbook never
    takes over from a file. Without ``takes_over`` nothing is written, and a changed file counts for this process alone.

    Raises ``PlaybookError`` for a changed file that is not sound, or whose cases fail, before anything is stored.
    """
    with ledger.transaction() as connection:
        active = playbook_activations.read_active(connection)
        if not _is_due(connection, loaded, active):
            if takes_over:
                _note_file(connection, loaded, read_time(connection, now))
            return loaded if _is_same(loaded, active) else _read_active(active, loaded.path)
    if not takes_over:
        return loaded
    require_sound(loaded)
    _require_cases(loaded)
    with ledger.transaction() as connection:
        playbook_activations.lock(connection)
        active = playbook_activations.read_active(connection)
        # where no playbook was used yet, there is none to go on with in place of one that was read and is gone
        if active is not None and not (_is_due(connection, loaded, active) and _is_still_there(loaded)):
            return loaded if _is_same(loaded, active) else _read_active(active, loaded.path)
        now = read_time(connection, now)
        playbook_versions.activate(
            connection, _describe(loaded), now, by=find_login(), method=ActivationMethod.FILE, file=_name_file(loaded)
        )
        _note_file(connection, loaded, now)
    return loaded


def activate(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    reason: str,
    *,
    by: Actor,
    now: datetime,
    read_as: Path | None = None,
    although_cases_fail: bool = False,
) -> ActivationResult:
    """Make a file's content the playbook in use, for all processes of the ledger.

    ``read_as``: the path of the playbook that processes were started with, where it is another one; what the playbook
    names is looked for beside that. One that is in use already gets the reason, where it had none. Raises
    ``PlaybookError`` for one that is not sound, or whose cases fail; ``ActionError`` for no reason, and ``ActorError``
    when ``by`` may not. ``although_cases_fail``: cases that fail are on record with the reason, and do not refuse it.
    """
    require(by, Permission.OPERATE)
    why = playbook_activations.clean_reason(reason)
    _require_sound_here(loaded, read_as)
    if although_cases_fail:
        why = _add_failed_cases(loaded, why)
    else:
        _require_cases(loaded)
    return _activate(ledger, loaded, why, by, now, ActivationMethod.COMMAND, file=_name_file(loaded))


def require_activatable(loaded: LoadedPlaybook, read_as: Path | None) -> None:
    """Raises ``PlaybookError`` where ``activate`` would."""
    _require_sound_here(loaded, read_as)
    _require_cases(loaded)


def _require_sound_here(loaded: LoadedPlaybook, read_as: Path | None) -> None:
    require_sound(loaded)
    if read_as is not None and read_as.parent.absolute() != loaded.folder.absolute():
        require_sound(parse(loaded.text, path=read_as))


def roll_back(
    ledger: Ledger,
    reason: str,
    *,
    by: Actor,
    now: datetime,
    read_as: Path,
    to: str | None = None,
    instead_of: str | None = None,
) -> ActivationResult:
    """Make the playbook that was in use before, or the one whose hash begins with ``to``, the one in use again.

    What was rolled back before does not count as the one before, so doing it twice goes two back. No case is tried:
    those beside the file belong to what it holds now. ``instead_of``: the hash of the one that ``by`` saw in use; where
    another is in use by now, nothing is changed. Raises as ``activate`` does.
    """
    require(by, Permission.OPERATE)
    why = playbook_activations.clean_reason(reason)
    with ledger.transaction() as connection:
        hash_ = find_before(playbook_activations.list_contents(connection)) if to is None else to
    content = None if hash_ is None else find_content(ledger, hash_)
    if content is None:
        raise ActionError(
            "no other playbook was in use before this one; `leadgate playbook history` lists them, and --to HASH "
            "names one"
        )
    loaded = parse(content, path=read_as)
    require_sound(loaded)
    return _activate(ledger, loaded, why, by, now, ActivationMethod.ROLLBACK, instead_of=instead_of)


def find_before(history: Sequence[tuple[str, str, ActivationMethod]]) -> str | None:
    """The hash of the playbook that was in use before the last one of ``history``: each a hash, what identifies the
    text, and how it came about, the oldest first. None where there is none."""
    ways: list[tuple[str, str]] = []
    for hash_, content, method in history:
        places = [place for place, (_, known) in enumerate(ways) if known == content]
        if places and (method is ActivationMethod.ROLLBACK or places[-1] == len(ways) - 1):
            del ways[places[-1] :]
        ways.append((hash_, content))
    return ways[-2][0] if len(ways) > 1 else None


def find_content(ledger: Ledger, start: str) -> str:
    """The text of the playbook whose hash begins with ``start``. Raises ``ActionError`` for none, and for several."""
    found = playbook_versions.find_contents(ledger, start)
    if not found:
        raise ActionError(f"no playbook with a hash that starts with {start[:64]!r} was in use here")
    if len(found) > 1:
        raise ActionError(f"{len(found)} playbooks have a hash that starts with {start[:64]!r}; give more of it")
    return found[0]


def require_sound(loaded: LoadedPlaybook) -> None:
    """Raises ``PlaybookError`` with what `leadgate playbook check` finds, notes aside."""
    from expectations import list_promise_names
    from leadgate.playbook.check import require as require_check  # slow to import, and needed for a change only

    require_check(loaded, promises=list_promise_names())


def _require_cases(loaded: LoadedPlaybook) -> None:
    """Raises ``PlaybookError`` with the cases that fail. Those of the bundled playbook are tried before a release."""
    if not loaded.is_bundled and has_cases(loaded):
        from tasks.playbook_cases import require_cases  # slow to import, and needed for a change only

        require_cases(loaded)


def _add_failed_cases(loaded: LoadedPlaybook, reason: str) -> str:
    """``reason``, and how many cases fail, so that the history tells it. Cases that cannot be read fail, too."""
    from tasks.playbook_cases import describe_failed, try_cases

    try:
        tried = try_cases(loaded)
        failed = describe_failed(tried) if any(each.failed for each in tried) else None
    except PlaybookError:
        failed = "its cases cannot be read"
    if failed is None:
        return reason
    told = f" (although {failed})"
    return reason[: playbook_activations.LONGEST_REASON - len(told)] + told


def describe_method(activation: Activation) -> str:
    """How a playbook became the one in use, in words."""
    match ActivationMethod(activation.method):
        case ActivationMethod.COMMAND:
            return f"activated from {activation.file}" if activation.file else "activated"
        case ActivationMethod.ROLLBACK:
            return "rolled back"
        case ActivationMethod.FILE:
            return f"changed file: {activation.file}" if activation.file else "changed file"
        case ActivationMethod.UPGRADE:
            return "the same text, read by another version of Leadgate"
        case ActivationMethod.UNRECORDED:
            return "before this was recorded"


def describe_other(used: LoadedPlaybook, file: LoadedPlaybook) -> str:
    """That a process works by another playbook than its file holds, and what to do."""
    return (
        f"playbook {used.hash[:12]} is in use, and not {file.hash[:12]}, which {file.path} holds; `leadgate playbook "
        "activate FILE` makes it the one in use, `leadgate playbook history` tells who chose the other"
    )


class PlaybookInUse:
    """The playbook that a long-running process works by: ``loaded``, which follows the ledger and the file.

    ``tell`` gets a line for people when it changes, and when a changed file is not sound.
    """

    def __init__(self, ledger: Ledger, loaded: LoadedPlaybook, tell: Callable[[str], None] = lambda _: None) -> None:
        self.loaded = loaded
        self._ledger = ledger
        self._file = loaded
        self._stamp = _read_stamp(loaded.path)
        self._activation: int | None = None
        self._tell = tell

    def settle(self, now: datetime | None = None) -> LoadedPlaybook:
        """At the start of a process (see ``settle``)."""
        self.loaded = settle(self._ledger, self._file, now)
        with self._ledger.transaction() as connection:
            self._activation = playbook_activations.find_active(connection)
        if (changed := describe_changed_file(self._ledger, self._file.path)) is not None:
            self._tell(changed)
        elif self.loaded.hash != self._file.hash:
            self._tell(describe_other(self.loaded, self._file))
        return self.loaded

    def follow(self, now: datetime | None = None, *, reads_file: bool = False) -> LoadedPlaybook:
        """The playbook in use now. ``reads_file``: a file that was changed meanwhile becomes the one in use."""
        if reads_file and (stamp := _read_stamp(self._file.path)) != self._stamp:
            self._stamp = stamp
            self._take_file_over(now)
        with self._ledger.transaction() as connection:
            activation = playbook_activations.find_active(connection)
            if activation == self._activation:
                return self.loaded
            active = playbook_activations.read_active(connection)
        is_first, self._activation = self._activation is None, activation
        if active is None or is_first or _is_same(self.loaded, active):
            return self.loaded
        try:
            self.loaded = _read_active(active, self._file.path)
        except PlaybookError as error:  # of a newer Leadgate, on another host
            self._tell(f"playbook {active.hash[:12]} cannot be read here, so the one before goes on: {error}")
        else:
            self._tell(f"playbook {active.hash[:12]} is in use from now on")
        return self.loaded

    def _take_file_over(self, now: datetime | None) -> None:
        try:
            self._file = load(self._file.path)
            settle(self._ledger, self._file, now)
        except PlaybookError as error:
            self._tell(f"the changed playbook is not used, and the one before goes on: {error}")


def _activate(
    ledger: Ledger,
    loaded: LoadedPlaybook,
    reason: str,
    by: Actor,
    now: datetime,
    method: ActivationMethod,
    file: str | None = None,
    instead_of: str | None = None,
) -> ActivationResult:
    with ledger.transaction() as connection:
        playbook_activations.lock(connection)
        if file is not None:
            _note_file(connection, loaded, now)
        active = playbook_activations.read_active(connection)
        if active is None or not _is_same(loaded, active):
            if instead_of is not None and active is not None and active.hash != instead_of:
                raise ActionError(
                    f"playbook {active.hash[:12]} is in use by now, and not {instead_of[:12]}; nothing was changed: "
                    "look at the history, and try again"
                )
            number = playbook_versions.activate(
                connection, _describe(loaded), now, by=by.name, method=method, reason=reason, file=file
            )
            return ActivationResult(loaded, number, True, before=None if active is None else active.hash)
        (known,) = playbook_activations.list_activations(connection, 1)
    added = not known.reasons and playbook_activations.add_reason(ledger, known.id, reason, by=by, now=now)
    return ActivationResult(loaded, known.id, False, added)


def _describe(loaded: LoadedPlaybook) -> KeptPlaybook:
    rules = loaded.playbook
    return KeptPlaybook(
        loaded.hash,
        loaded.text,
        [pool.name for pool in rules.pools],
        [crm.name for crm in rules.crm],
        list_subscriptions(rules),
    )


def _is_due(connection: Connection, loaded: LoadedPlaybook, active: ActivePlaybook | None) -> bool:
    """Whether a file's content becomes the playbook in use."""
    if active is None:
        return True
    if _is_same(loaded, active):
        return False
    if loaded.is_bundled:  # where nobody named a file; a newer Leadgate brings a newer one
        return active.file == BUNDLED
    seen = playbook_activations.read_seen_content(connection, _hash_path(loaded))
    if seen is None:
        return not playbook_activations.is_known(connection, loaded.hash, loaded.text)
    return seen != _hash(loaded.text)


def _is_same(loaded: LoadedPlaybook, active: ActivePlaybook | None) -> bool:
    """Whether ``loaded`` is the playbook in use: by its hash, or by its text, whose hash an upgrade changes."""
    return active is not None and (active.hash == loaded.hash or active.content == loaded.text)


def _read_active(active: ActivePlaybook | None, path: Path) -> LoadedPlaybook:
    """The playbook in use, as a process reads it that was started with the playbook at ``path``."""
    if active is None:
        raise LookupError("no playbook was used yet")
    return parse(active.content, path=path)


def _is_still_there(loaded: LoadedPlaybook) -> bool:
    """Whether the file still holds what was read from it: somebody may have changed it since."""
    try:
        return load(loaded.path).text == loaded.text
    except PlaybookError:
        return not loaded.path.exists()


def _note_file(connection: Connection, loaded: LoadedPlaybook, now: datetime) -> None:
    file, content = _hash_path(loaded), _hash(loaded.text)
    if not loaded.is_bundled and playbook_activations.read_seen_content(connection, file) != content:
        playbook_activations.note_content(connection, file, content, now)


def _name_file(loaded: LoadedPlaybook) -> str:
    return BUNDLED if loaded.is_bundled else f"{loaded.path.absolute()} on {socket.gethostname()}"


def _hash_path(loaded: LoadedPlaybook) -> str:
    return _hash(f"{socket.gethostname()}\0{loaded.path.absolute()}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
