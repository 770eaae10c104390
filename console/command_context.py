"""What every command needs to know first: which data folder, which playbook, who asks, as of when.

Belongs here: turning the top-level options and the environment into these. Does not belong here: what a
command does with them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.screen import CommandError, find_program, hint
from leadgate.process_user import find_login
from leadgate.settings import Settings

if TYPE_CHECKING:  # slow to import, and `leadgate --help` needs none of it
    from leadgate.actors import Actor
    from leadgate.ledger import Ledger
    from leadgate.playbook import LoadedPlaybook, Playbook


@dataclass(frozen=True)
class CommandContext:
    """One installation, as this invocation sees it."""

    settings: Settings
    home_is_default: bool = False  # nobody named the data folder

    @classmethod
    def from_options(cls, home: Path | None, playbook: Path | None) -> CommandContext:
        """The environment's settings, with those replaced that were given as options."""
        settings = Settings.from_environment()
        if home is not None:
            settings = replace(settings, home=home.expanduser().absolute())
        if playbook is not None:
            settings = replace(settings, playbook=playbook)
        return cls(settings, home_is_default=home is None and not os.environ.get("LEADGATE_HOME"))

    @contextlib.contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger that is there already: nothing is made where there is none, for a command that is about what
        was captured. Raises ``CommandError`` then. A data folder that nobody named is told."""
        from leadgate.ledger import NoLedgerError, open_ledger

        settings = self.settings
        with contextlib.ExitStack() as stack:
            try:
                ledger = stack.enter_context(open_ledger(settings, create=False))
            except NoLedgerError as error:
                raise CommandError(self._explain_no_ledger(error.where)) from error
            if self.home_is_default and not settings.database_url:
                hint(f"Data folder: {settings.home} (LEADGATE_HOME is not set)")
            yield ledger

    def _explain_no_ledger(self, where: str) -> str:
        capture = f"to start one there: `{find_program()} capture FILE --source NAME`"
        if self.settings.database_url:
            return f"There is no ledger in {where}, and none was made. Correct LEADGATE_DATABASE_URL; or, {capture}."
        because = ", the default here, as LEADGATE_HOME is not set" if self.home_is_default else ""
        return (
            f"There is no ledger in {where}{because}; none was made.\n"
            f"Name the folder that has it: LEADGATE_HOME=FOLDER, or `{find_program()} --home FOLDER …`.\nOr, {capture}."
        )

    def read_playbook(self) -> LoadedPlaybook:
        """The playbook as it was written, notes unsaid. Raises ``PlaybookError``."""
        from leadgate import playbook

        return playbook.load(self.settings.playbook) if self.settings.playbook else playbook.load_default()

    def playbook(self) -> LoadedPlaybook:
        """The playbook as it was written; notes on how it is written go to stderr. Raises ``PlaybookError``."""
        loaded = self.read_playbook()
        for note in loaded.document.notes:
            hint(f"note: {note}")
        return loaded

    def load_checked_playbook(self) -> LoadedPlaybook:
        """The playbook, if its parts agree. Raises ``PlaybookError`` before anything is stored."""
        from expectations import list_promise_names
        from leadgate.playbook.check import require

        loaded = self.playbook()
        require(loaded, promises=list_promise_names())
        return loaded

    @contextlib.contextmanager
    def ledger_and_playbook(
        self, now: datetime | None = None, *, checked: bool = False, takes_over: bool = True
    ) -> Iterator[tuple[Ledger, LoadedPlaybook]]:
        """The ledger that is there already (``ledger``), and the playbook in use there (``settle``).

        ``checked``: the parts of the playbook's file agree, else it is refused before anything is stored.
        """
        loaded = self.load_checked_playbook() if checked else self.playbook()
        with self.ledger() as ledger:
            yield ledger, self.settle(ledger, loaded, now, takes_over=takes_over)

    def find_checked_playbook(self) -> LoadedPlaybook:
        """The playbook that a command works by which needs no ledger: the one in use where there is a ledger, else that
        of its file, whose parts agree (``load_checked_playbook``). Nothing is written."""
        from leadgate.ledger import NoLedgerError, open_ledger

        loaded = self.load_checked_playbook()
        try:
            with open_ledger(self.settings, create=False) as ledger:
                return self.settle(ledger, loaded, takes_over=False)
        except NoLedgerError:
            return loaded

    def settle(
        self, ledger: Ledger, loaded: LoadedPlaybook, now: datetime | None = None, *, takes_over: bool = True
    ) -> LoadedPlaybook:
        """The playbook that this command works by: the one in use, or its own file, where that was changed. Says so
        where the file is not the one in use."""
        from tasks.changed_playbook import describe_changed_file
        from tasks.playbook_in_use import describe_other, settle

        used = settle(ledger, loaded, now, takes_over=takes_over)
        if (changed := describe_changed_file(ledger, loaded.path)) is not None:
            hint(f"note: {changed}")
        elif used.hash != loaded.hash:
            hint(f"note: {describe_other(used, loaded)}")
        return used


def parse_now(text: str | None) -> datetime | None:
    """The moment that ``--now`` names; None when the option is not given: then the ledger's clock counts."""
    return None if text is None else parse_moment(text)


def parse_moment(text: str) -> datetime:
    """The moment an option names, aware and in UTC."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):  # the first and the last day have no moment in some zones
        raise CommandError(f"{text[:80]!r} is not a time; write it like 2026-03-02 or 2026-03-02T09:30+01:00") from None


def identify_actor(playbook: Playbook, acts_for: str | None = None, also: Collection[str] = ()) -> Actor:
    """Who does this: the operating system's user, for the rep or manager ``acts_for``.

    ``also`` names reps who may have left the playbook. Raises ``ActorError`` for nobody of that name.
    """
    from leadgate import actors

    who = actors.identify(find_login(), playbook)
    return who if acts_for is None else actors.act_for(who, acts_for.strip(), playbook, also)
