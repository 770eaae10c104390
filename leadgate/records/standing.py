"""How a record stands after an update: open or closed, with which outcome, in which forecast category.

Belongs here: the few facts that lists and figures read of a version, for each kind; pure. Does not belong here: what
an update changes (``versions``), or whether it is plausible (a module for each kind).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol, cast

from leadgate.limits import MAX_ACCOUNT_KEY_LENGTH
from leadgate.mapping.headers import split_words
from leadgate.playbook import OpportunityKind, Playbook, RenewalKind, SalesStage
from leadgate.playbook.kinds import WITHOUT_SECTION, KindSection
from leadgate.records.sales_stages import SalesStages, choose_category, find_category, fold_word
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.vocabulary import ForecastCategory, JourneyKind


@dataclass(frozen=True, slots=True)
class Standing:
    """``outcome`` of a closed record: won, lost or churned. ``close_date`` is an ISO day."""

    is_open: bool = True
    outcome: str | None = None
    category: str | None = None
    close_date: str | None = None


class RecordWords(Protocol):
    """What the words of an update mean by the section of its kind."""

    def use_own(self, values: dict[str, JsonValue]) -> None:
        """Write the playbook's words in place of the CRM's; a word that the playbook does not have stays."""

    def find_standing(self, values: JsonObject) -> Standing:
        """How a record with these values stands."""


def read_words(playbook: Playbook) -> RecordWords:
    """The words of the kind of which ``playbook`` is a view."""
    section = playbook.kinds.find(playbook.kind) or WITHOUT_SECTION[playbook.kind]
    return _WORDS[playbook.kind](section)


class _OpportunityWords:
    def __init__(self, section: KindSection) -> None:
        self._stages = SalesStages(cast(OpportunityKind, section))

    def use_own(self, values: dict[str, JsonValue]) -> None:
        if (stage := self._find_sales_stage(values)) is not None:
            values["sales_stage"] = stage.name
        if (category := self._find_told_category(values)) is not None:
            values["forecast_category"] = category.value

    def find_standing(self, values: JsonObject) -> Standing:
        stage = self._find_sales_stage(values)
        closed = None if stage is None else stage.closed
        category = choose_category(self._find_told_category(values), stage)
        return Standing(closed is None, closed, category.value, _read_text(values, "close_date"))

    def _find_sales_stage(self, values: JsonObject) -> SalesStage | None:
        return self._stages.find(_read_text(values, "sales_stage"))

    def _find_told_category(self, values: JsonObject) -> ForecastCategory | None:
        return find_category(_read_text(values, "forecast_category"))


class _RenewalWords:
    def __init__(self, section: KindSection) -> None:
        closed = cast(RenewalKind, section).closed
        self._ends = {fold_word(word): end for end, words in closed.items() for word in (end, *words)}

    def use_own(self, values: dict[str, JsonValue]) -> None:
        """The words of a status are read as they are told."""

    def find_standing(self, values: JsonObject) -> Standing:
        status = _read_text(values, "status")
        outcome = None if status is None else self._ends.get(fold_word(status))
        return Standing(outcome is None, outcome, None, _read_text(values, "end_date"))


class _ExpansionWords:
    def __init__(self, section: KindSection) -> None:
        """No word of an expansion says that it is over."""

    def use_own(self, values: dict[str, JsonValue]) -> None:
        """The words of a trigger are read as they are told."""

    def find_standing(self, values: JsonObject) -> Standing:
        return Standing()


_WORDS: Final[Mapping[JourneyKind, Callable[[KindSection], RecordWords]]] = {
    JourneyKind.OPPORTUNITY: _OpportunityWords,
    JourneyKind.RENEWAL: _RenewalWords,
    JourneyKind.EXPANSION: _ExpansionWords,
}


def _read_text(values: JsonObject, name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None


@lru_cache(maxsize=10_000)
def make_account_key(account: str) -> str | None:
    """An account's name in the form in which accounts are compared; None for one without a letter."""
    return " ".join(split_words(account))[:MAX_ACCOUNT_KEY_LENGTH] or None
