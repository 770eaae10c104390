"""A stage that goes on when some of its journeys cannot: these are found by bisecting and held, the others go on.

Belongs here: the stage as a whole (``run_stage``), which parts of a batch are tried after a fault of ours, and when
the search ends. Does not belong here: one attempt (``handoff``), whose fault an error is (``ledger.faults``), or
holding what failed (``failed_batches``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from expectations.findings import GateResult
from leadgate.deadlines import DeadlinePassed
from leadgate.ledger import Ledger, faults, parts
from leadgate.ledger.batches import Batch, close
from leadgate.ledger.leases import lease, release
from leadgate.playbook import Playbook
from tasks.failed_batches import ENOUGH, Failure, hold_failed
from tasks.handoff import Judging, Steps, UncheckedError, attempt
from tasks.stage import AnyStage, StageReport, Work, merge

PROBES: Final = 24  # single journeys, evenly spread over the rest, before all of the rest is held
WITHIN: Final = 20.0  # seconds; a search that takes longer leaves the rest to a later run, so that others get on
LATER: Final = 5.0  # seconds until that run
_SAME: Final = "The gate could not check one of its promises"


def run_stage(
    stage: AnyStage, ledger: Ledger, work: Work, gate: Callable[[str, pd.DataFrame, Playbook], GateResult]
) -> StageReport:
    """A whole stage, without Prefect: the steps that ``stage_task`` makes visible."""
    steps = run_steps(stage, ledger, work)
    step = go_on(steps)
    while isinstance(step, Judging):
        try:
            result = gate(step.gate, step.rows, step.work.rules)
        except Exception as error:
            step = go_on(steps, error=error)
        else:
            step = go_on(steps, result)
    return step


def go_on(steps: Steps, result: GateResult | None = None, *, error: Exception | None = None) -> Judging | StageReport:
    """The next question of a stage to its gate, or its report. ``result`` or ``error`` came of the last question."""
    try:
        if error is not None:
            return steps.throw(error)
        return next(steps) if result is None else steps.send(result)
    except StopIteration as end:
        report: StageReport = end.value
        return report


def run_steps(stage: AnyStage, ledger: Ledger, work: Work) -> Steps:
    """The stage over its batch; where that fails for a fault of ours, over smaller and smaller parts of it.

    Faults of the server, lost races and a lost lease are raised, and nothing of the stage is stored then.
    """
    try:
        return (yield from attempt(stage, ledger, work))
    except Exception as error:
        if not faults.is_ours(error):
            raise
        failure = _build_failure(error)
    journeys = parts.list_journeys_at(ledger, work.batch, stage.name, stage.works_on)
    if not journeys:
        return StageReport(stage.name, work.batch.id)  # somebody took all of them away meanwhile
    return (yield from _bisect(stage, ledger, work, Search.begin(journeys, failure)))


def _bisect(stage: AnyStage, ledger: Ledger, work: Work, search: Search) -> Steps:
    """Work on one part of the batch after the other, each alone under a batch row of its own."""
    reports: list[StageReport] = []
    started = time.perf_counter()
    with _open_part(ledger, work) as part:
        piece = replace(work, batch=part)
        while (journeys := search.take_next()) is not None:
            parts.put_in(ledger, work.batch, part, journeys, work.lease_seconds)
            try:
                reports.append((yield from attempt(stage, ledger, piece)))
            except Exception as error:
                if not faults.is_ours(error):
                    raise
                search.note_failure(journeys, _build_failure(error))
            else:
                search.note_success()
            parts.take_back(ledger, work.batch, part, work.lease_seconds)
            if search.productive and time.perf_counter() - started > WITHIN:
                break
        later = search.finish()
        held = [([journey], failure) for journey, failure in search.known]
        held += [(search.together, search.hopeless)] if search.hopeless is not None else []
        unheld: list[int] = []
        for journeys, failure in held:
            parts.put_in(ledger, work.batch, part, journeys, work.lease_seconds)
            try:
                if failure.unchecked and failure is search.hopeless:
                    reports.append((yield from attempt(stage, ledger, piece, accept_unchecked=True)))
                else:
                    reports.append(hold_failed(ledger, stage, piece, failure))
            except Exception as error:
                if not faults.is_ours(error):
                    raise
                unheld += journeys
            parts.take_back(ledger, work.batch, part, work.lease_seconds)
        if later or unheld:
            parts.put_in(ledger, work.batch, part, [*later, *unheld], work.lease_seconds)
            release(ledger, part, retry_in=LATER, failed=bool(unheld), to_anybody=True)
        else:
            close(ledger, part, work.now)
    return merge(reports, stage.name, work.batch.id)


@contextlib.contextmanager
def _open_part(ledger: Ledger, work: Work) -> Iterator[Batch]:
    """A part of the batch, held like the batch itself. When the search cannot go on, whatever it still holds is worked
    on as a batch by the next run."""
    part = parts.open_part(ledger, work.batch, work.lease_seconds)
    with lease(ledger, part, work.lease_seconds, failed=lambda error: False):
        yield part


def _build_failure(error: Exception) -> Failure:
    if isinstance(error, UncheckedError):
        promise = error.problem.promise
        return Failure(f"{_SAME} ({promise})" if promise else _SAME, unchecked=True)
    if isinstance(error, DeadlinePassed):  # its words name what of the playbook took too long
        return Failure(str(error), late=True)
    return Failure(faults.describe(error), faults.format_place(error))


@dataclass
class Search:
    """Which journeys to try next, together, until those that fail alone are known. Pure.

    A slice that fails is tried in halves; one that takes too long is not, because each half may take as long. When
    ``ENOUGH`` single journeys failed one after the other, singles from all over the rest are tried; when these fail
    as well, the fault is not in the journeys: there is no use in trying each, and ``hopeless`` says why.
    """

    rest_of: list[list[int]]  # slices to try; the next one is the last
    known: list[tuple[int, Failure]] = field(default_factory=list)  # failed alone
    hopeless: Failure | None = None
    together: list[int] = field(default_factory=list)  # to be held as one, when it is hopeless
    productive: bool = False  # the last attempt succeeded
    _fruitful: bool = False  # any attempt succeeded
    _in_a_row: int = 0
    _probes: list[int] = field(default_factory=list)

    @classmethod
    def begin(cls, journeys: Sequence[int], failure: Failure) -> Search:
        """After all of ``journeys`` together failed."""
        search = cls([])
        search.note_failure(list(journeys), failure)
        return search

    @property
    def rest(self) -> list[int]:
        """The journeys about which nothing is known."""
        return sorted(journey for each in self.rest_of for journey in each)

    def take_next(self) -> list[int] | None:
        """The journeys to try together; ``None`` when the search is over."""
        if self._probes:
            return self._take_out(self._probes.pop())
        return self.rest_of.pop() if self.rest_of and self.hopeless is None else None

    def note_success(self) -> None:
        """The last slice went on."""
        self.productive = self._fruitful = True
        self._in_a_row = 0
        self._probes.clear()

    def note_failure(self, journeys: Sequence[int], failure: Failure) -> None:
        """The last slice did not."""
        self.productive = False
        if failure.late and len(journeys) > 1:
            self.rest_of.append(list(journeys))
            self.hopeless = failure
            return
        if len(journeys) > 1:
            middle = len(journeys) // 2
            self.rest_of += [list(journeys[middle:]), list(journeys[:middle])]
            return
        self.known.append((journeys[0], failure))
        self._in_a_row += 1
        if self._in_a_row == ENOUGH:
            self._probes = _spread(self.rest, PROBES)
        elif self._in_a_row > ENOUGH and not self._probes and self.rest_of:
            self.hopeless = failure

    def finish(self) -> list[int]:
        """The search is over. The journeys about which nothing is known, and that a later run tries.

        When it was hopeless, those and the last that failed are ``together`` instead.
        """
        same = {failure.kind: failure for _, failure in self.known}
        if len(same) == 1 and not self.rest_of and not self._fruitful:
            (failure,) = same.values()
            # a gate that can check none of several rows is not to blame on each of them
            if len(self.known) >= (2 if failure.unchecked else ENOUGH):
                self.hopeless, self._in_a_row = failure, len(self.known)
        if self.hopeless is None:
            return self.rest
        alike = [journey for journey, _ in self.known[-self._in_a_row :]] if self._in_a_row else []
        del self.known[len(self.known) - len(alike) :]
        self.together = sorted([*self.rest, *alike])
        self.rest_of.clear()
        return []

    def _take_out(self, journey: int) -> list[int]:
        for each in self.rest_of:
            if journey in each:
                each.remove(journey)
        self.rest_of = [each for each in self.rest_of if each]
        return [journey]


def _spread(journeys: Sequence[int], most: int) -> list[int]:
    """Up to ``most`` of ``journeys``, evenly spread, the first and the last among them."""
    if len(journeys) <= most:
        return list(journeys)
    last: Any = len(journeys) - 1
    return [journeys[round(at * last / (most - 1))] for at in range(most)]
