"""A forecast as JSON: figures by owner, what moved by reason, and each opportunity that moved.

Belongs here: the names of its keys. Does not belong here: words for people (``text``). Money is text with two decimals,
so that no reader rounds it.
"""

from __future__ import annotations

from collections.abc import Mapping

from console.display_names import DisplayNames
from console.forecast.reading import Forecast, MovedRecord
from console.forecast.sentences import explain_movement
from leadgate.masking import mask_within
from leadgate.records.forecast import COUNTED, Figure, RecordState
from leadgate.vocabulary import ForecastCategory


def build_json_data(read: Forecast, names: DisplayNames, *, personal: bool) -> dict[str, object]:
    """Everything that the terminal shows, and all movements."""
    asked = read.asked
    return {
        "since": asked.since.isoformat(),
        "until": asked.until.isoformat(),
        "zone": asked.zone,
        "period": {"name": asked.period_words, "first": asked.period.first, "last": asked.period.last},
        "owners": [
            {"owner": line.owner, **_write_figures(line.figures), "total": write_money(line.total),
             "total_before": write_money(line.total_before)}
            for line in read.owners
        ],
        "start": {**_write_cents(read.start), "total": write_money(read.total_before)},
        "end": {**_write_figures(read.end), "total": write_money(read.total)},
        "moved": [
            {"reason": line.reason, "count": line.count, **_write_cents(line.cents), "total": write_money(line.total)}
            for line in read.moved
        ],
        "opportunities": [_write_record(each, names, read, personal=personal) for each in read.records],
        "overdue_before_period": _write_figure(read.overdue),
        "without_close_date": _write_figure(read.undated),
    }  # fmt: skip


def write_money(cents: int) -> str:
    """``-40000.00``.

    >>> write_money(-4_000_000), write_money(5)
    ('-40000.00', '0.05')
    """
    whole, part = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{part:02}"


def _write_figures(figures: Mapping[ForecastCategory, Figure]) -> dict[str, object]:
    return {category.value: _write_figure(figures[category]) for category in (*COUNTED, ForecastCategory.OMITTED)}


def _write_figure(figure: Figure) -> dict[str, object]:
    return {"count": figure.count, "amount": write_money(figure.cents), "without_amount": figure.without_amount}


def _write_cents(cents: Mapping[ForecastCategory, int]) -> dict[str, object]:
    return {category.value: write_money(cents[category]) for category in (*COUNTED, ForecastCategory.OMITTED)}


def _write_record(each: MovedRecord, names: DisplayNames, read: Forecast, *, personal: bool) -> dict[str, object]:
    facts, movement = each.facts, each.movement
    told = [None if value is None or personal else mask_within(value) for value in (facts.name, facts.account)]
    name, account = (facts.name, facts.account) if personal else told
    return {
        "record": f"R{each.record_id}",
        "name": name,
        "account": account,
        "change": write_money(each.cents),
        "reasons": list(movement.reasons),
        "words": explain_movement(movement, names.name_rep, read.asked.day_after.year),
        "parts": [
            {"reason": part.reason, "owner": part.owner, "category": part.category, "amount": write_money(part.cents)}
            for part in movement.parts
        ],
        "before": _write_state(movement.before),
        "after": _write_state(movement.after),
        "changed_by": facts.changed_by,
        "changed_at": facts.changed_at,
    }


def _write_state(state: RecordState | None) -> dict[str, object] | None:
    if state is None:
        return None
    return {
        "owner": state.owner,
        "amount": None if state.cents is None else write_money(state.cents),
        "close_date": state.close_date,
        "category": state.bucket,
        "is_open": state.is_open,
        "sales_stage": state.sales_stage,
    }
