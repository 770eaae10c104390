"""What people's actions released goes on at once, in one thread of the console's process.

Belongs here: the thread, and what it does next. Does not belong here: the stages (``console.taking_on``), or an action.

A page answers as soon as an action is stored, and is told by the live stream when its leads have gone on. Where this
process ends before that, a consumer or the schedule of follow-up checks takes them on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from console.screen import say
from console.taking_on import take_on
from console.web.site import Site
from leadgate.ledger import faults, hosts


class GoingOn:
    """Takes journeys on, those that were released meanwhile together."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._waiting: set[int] = set()
        self._ends = False
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="going-on", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._ends = True
                self._changed.notify_all()
            thread.join(30.0)

    def release(self, journeys: Sequence[int]) -> None:
        """Have ``journeys`` go on soon."""
        with self._changed:
            self._waiting.update(journeys)
            self._changed.notify_all()

    def _run(self) -> None:
        while (journeys := self._take()) is not None:
            try:
                self._take_on(journeys)
            except Exception as error:  # stored all the same: the schedule takes them on
                say(
                    f"console: {len(journeys)} released leads did not go on here ({faults.describe(error)} at "
                    f"{faults.format_place(error)}); a consumer or the follow-up checks take them on"
                )

    def _take(self) -> list[int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ends)
            if self._ends:
                return None
            journeys, self._waiting = sorted(self._waiting), set()
            return journeys

    def _take_on(self, journeys: list[int]) -> None:
        from tasks import released  # with what gates need: seconds, and only the first action waits for it

        site, as_of = self._site, self._site.options.as_of
        hosts.require_right_clock(site.ledger, site.settings.clock_skew_limit)
        consumer = as_of is None and released.is_consumer_running(site.ledger)
        take_on(site.ledger, site.loaded, site.settings, journeys, as_of, beside_a_consumer=consumer)
