"""What became of leads, told in a line: of a stage, and of a whole batch.

Belongs here: the counting and the line, for logs, names of flow runs and pages. Does not belong here: the words for
outcomes (``outcomes``), or where a line is shown.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from leadgate.counting import format_count
from leadgate.plain_text import format_line
from leadgate.vocabulary import BatchKind, Outcome, StageName
from tasks.batches import BatchReport
from tasks.outcomes import HOLDING_OUTCOMES, OUTCOME_LABELS
from tasks.stage import StageReport

_REASONS_SHOWN: Final = 4
#: Outcomes of the follow-up stage after which nobody owns the lead.
_LEFT_OWNER: Final = (Outcome.DONE, Outcome.REASSIGN, Outcome.NURTURE)


def describe_stage(report: StageReport) -> str:
    """A stage in a line: ``validation: 28 in, 16 went on, 12 held (email_malformed 9, spam 3) in 0.12 s``."""
    outcomes = "".join(f", {count:,} {OUTCOME_LABELS.get(name, name)}" for name, count in report.outcomes.items())
    seconds = sum(report.seconds.values())
    return f"{report.name_in_words}: {report.entered:,} in{outcomes}{_describe_reasons(report)} in {seconds:.2f} s"


def _describe_reasons(report: StageReport) -> str:
    if not report.reasons:
        return ""
    most = sorted(report.reasons.items(), key=lambda reason: -reason[1])
    shown = ", ".join(f"{format_line(reason, 60)} {count:,}" for reason, count in most[:_REASONS_SHOWN])
    return f" ({shown}, …)" if len(most) > _REASONS_SHOWN else f" ({shown})"


def describe_batch(report: BatchReport) -> str:
    """A batch in a line, with the time that it was worked on:
    ``28 leads: 13 owned, 12 held, 3 nurture · 1.7 s``."""
    counts = ", ".join(f"{count:,} {words}" for words, count in count_leads(report).items())
    size = format_count(report.size, report.journey_kind.value, report.journey_kind.plural)
    return f"{size}: {counts} · {report.seconds:.1f} s" if counts else f"{size} · {report.seconds:.1f} s"


def count_leads(report: BatchReport) -> dict[str, int]:
    """How many leads of the batch came to which end, in words. A lead counts once, by its last stage."""
    totals: Counter[str] = Counter()
    for stage in report.stages:
        for outcome, count in stage.outcomes.items():
            totals[Outcome.HOLD if outcome in HOLDING_OUTCOMES else outcome] += count
            if stage.stage == StageName.FOLLOW_UP and outcome in _LEFT_OWNER:
                totals[Outcome.OWNED] -= count  # assignment has counted it
    if report.kind == BatchKind.INTAKE:
        # a batch that was begun by another run may be past assignment already
        totals[Outcome.OWNED] = max(totals[Outcome.OWNED], totals.pop(Outcome.STAY, 0))
    return {
        words: totals[name] for name, words in OUTCOME_LABELS.items() if name != Outcome.CONTINUE and totals[name] > 0
    }
