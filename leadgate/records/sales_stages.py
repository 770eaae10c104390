"""The sales stages of a playbook: which one a word means, what it requires, which may follow, and forecast categories.

Belongs here: reading the words of opportunities, and the order of sales stages. Does not belong here: what an update
means (``opportunity``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from leadgate.playbook import OpportunityKind, SalesStage
from leadgate.vocabulary import ForecastCategory

#: As Salesforce's API and HubSpot write the categories, beside their own names.
_OTHER_CATEGORIES: Final[Mapping[str, ForecastCategory]] = {
    "forecast": ForecastCategory.COMMIT,
    "mostlikely": ForecastCategory.BEST_CASE,
    "omit": ForecastCategory.OMITTED,
    "notforecasted": ForecastCategory.OMITTED,
    "closedwon": ForecastCategory.CLOSED,
}


def fold_word(text: str) -> str:
    """A word without its case, spaces and signs.

    >>> fold_word("Closed Won") == fold_word("closed_won")
    True
    """
    return "".join(letter for letter in text.casefold() if letter.isalnum())


_CATEGORIES: Final = {**{fold_word(category.value): category for category in ForecastCategory}, **_OTHER_CATEGORIES}


def find_category(text: str | None) -> ForecastCategory | None:
    """The forecast category that a word means, in any case; None when it means none."""
    return None if text is None else _CATEGORIES.get(fold_word(text))


def choose_category(told: ForecastCategory | None, stage: SalesStage | None) -> ForecastCategory:
    """The category that an update tells, where that is possible in its sales stage, else the sales stage's.

    What is won is closed, and nothing else is: an open opportunity that says so would be counted as won.
    """
    if stage is not None and stage.closed == "won":
        return ForecastCategory.CLOSED
    if told is not None and told is not ForecastCategory.CLOSED:
        return told
    return ForecastCategory.PIPELINE if stage is None else stage.forecast


class SalesStages:
    """The sales stages of a section, in order."""

    def __init__(self, section: OpportunityKind) -> None:
        self.names = tuple(stage.name for stage in section.sales_stages)
        self._stages = section.sales_stages
        self._moves = section.moves
        self._by_word: dict[str, SalesStage] = {}
        for stage in section.sales_stages:
            self._by_word.setdefault(fold_word(stage.name), stage)
        for stage in section.sales_stages:
            for word in stage.also:
                self._by_word.setdefault(fold_word(word), stage)

    def find(self, text: str | None) -> SalesStage | None:
        """The sales stage that a word means: its name or another word for it, in any case."""
        return None if text is None else self._by_word.get(fold_word(text))

    def list_required(self, stage: SalesStage) -> list[str]:
        """The fields that must be known in ``stage``: its own, and those of the sales stages before it.

        A lost opportunity needs no more than what its own sales stage requires, and nobody goes on through one.
        """
        if stage.closed == "lost":
            return list(dict.fromkeys(stage.requires))
        until = self.names.index(stage.name)
        before = [each for each in self._stages[:until] if each.closed is None]
        return list(dict.fromkeys(name for each in (*before, stage) for name in each.requires))

    def list_next(self, stage: SalesStage) -> tuple[str, ...]:
        """The sales stages that may follow ``stage``. Losing is possible at any time."""
        place = self.names.index(stage.name)
        lost = {each.name for each in self._stages if each.closed == "lost"}
        if isinstance(self._moves, str):
            if self._moves == "any":
                return self.names
            return tuple(name for at, name in enumerate(self.names) if at >= place or name in lost)
        allowed = self._moves.get(stage.name)
        if allowed is None:  # nothing is said of it
            return self.names
        return tuple(name for name in self.names if name in allowed or name in lost or name == stage.name)
