"""Which column of an export says what became of a lead, and which of its values mean won.

Belongs here: the usual names and values of such a column. Does not belong here: outcomes that the ledger keeps
(``tasks.outcome_rows``), or reading files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from leadgate.errors import LeadgateError
from leadgate.mapping.headers import split_words
from leadgate.nearest import propose
from leadgate.values.text import fold

#: In place of the values that mean won: any value does, and a row without one was lost.
ANY_VALUE: Final = "*"
_SHOWN: Final = 8  # names or values in a message

#: Names of the column, the most telling first, in the words of ``split_words``.
_NAMES: Final = (
    "converted", "is converted", "won", "is won", "closed won", "outcome", "lead outcome", "deal outcome", "conversion",
    "result", "verdict", "deal stage", "opportunity stage", "stage name", "stage", "lead status", "deal status",
    "status", "customer", "is customer", "became customer", "ergebnis", "resultat", "resultado", "esito",
)  # fmt: skip
_WON: Final = frozenset(
    {"won", "win", "closed won", "converted", "customer", "yes", "y", "true", "1", "1 0", "success", "successful",
     "signed", "sold", "ja", "oui", "si", "gewonnen", "gagne", "ganado", "vinto"}
)  # fmt: skip
_LOST: Final = frozenset(
    {"lost", "loss", "closed lost", "not converted", "unconverted", "no", "n", "false", "0", "0 0", "unsuccessful",
     "disqualified", "rejected", "unqualified", "nein", "non", "verloren", "perdu", "perdido", "perso"}
)  # fmt: skip


class OutcomeColumnError(LeadgateError, ValueError):
    """No column, or none of its values, says which leads were won; the message says what to give."""


@dataclass(frozen=True)
class OutcomeWords:
    """What the values of the outcome's column mean; a value in neither is undecided. ``missing_is_lost``: so is a row
    without a value."""

    won: frozenset[str]
    lost: frozenset[str]
    missing_is_lost: bool = False

    def judge(self, value: str) -> bool | None:
        """Whether ``value`` means won; None where it is undecided."""
        return True if value in self.won else False if value in self.lost else None


def find_outcome_column(headers: Sequence[str], values: Mapping[str, Collection[str]]) -> str:
    """The header whose name is that of an outcome and whose values are known words of both, the most telling first;
    else one whose values are all known words.

    ``values`` are those that the first rows have. Raises ``OutcomeColumnError`` where there is none.
    """
    named = {name: place for place, name in enumerate(_NAMES)}
    found = sorted(
        (not _has_both(told), named[words], place, header)
        for place, header in enumerate(headers)
        if (words := " ".join(split_words(header.rpartition(".")[2]))) in named  # of JSON: the last part of a path
        and ((told := values.get(header, ())) and (_has_both(told) or _has_only(told)))
    )
    if found:
        return found[0][3]
    likely = [header for header in headers if _has_both(told := values.get(header, ())) and _has_only(told)][:_SHOWN]
    asked = f"; it may be {' or '.join(map(repr, likely))}" if likely else ""
    raise OutcomeColumnError(
        f"no column says by its name and values which leads were won{asked}. Name it with --outcome COLUMN, and with "
        "--won VALUE what means won"
    )


def find_named_column(named: str, headers: Sequence[str]) -> str:
    """The header that a person named, whatever its case and spacing. Raises ``OutcomeColumnError``."""
    if named in headers:
        return named
    wanted = split_words(named)
    for header in headers:
        if wanted and split_words(header) == wanted:
            return header
    raise OutcomeColumnError(f"the file has no column {named[:80]!r}; {propose(named[:80], headers)}")


def read_outcome_words(values: Sequence[str], won: Sequence[str] = (), lost: Sequence[str] = ()) -> OutcomeWords:
    """Which of the distinct ``values`` of the column mean won and lost.

    ``won`` and ``lost`` are what a person said of them. With ``won`` alone, the values that are usual words for lost
    are lost; where there is none of them, every other value is. Raises ``OutcomeColumnError``.
    """
    if ANY_VALUE in won:
        return OutcomeWords(frozenset(values), frozenset(), missing_is_lost=True)
    by_word: dict[str, list[str]] = {}
    for value in values:
        by_word.setdefault(fold(value), []).append(value)
    said_won, said_lost = _find_said(won, values, by_word), _find_said(lost, values, by_word)
    if both := said_won & said_lost:
        raise OutcomeColumnError(f"{min(both)[:80]!r} is given as won and as lost")
    known_won = {value for word, written in by_word.items() if word in _WON for value in written}
    known_lost = {value for word, written in by_word.items() if word in _LOST for value in written}
    means_won = said_won or known_won - said_lost
    if not means_won:
        shown = ", ".join(repr(value[:40]) for value in values[:_SHOWN])
        raise OutcomeColumnError(
            f"none of its values is a usual word for won; say with --won VALUE which mean it. The column has {shown}"
        )
    means_lost = said_lost or known_lost - means_won
    if not means_lost:
        means_lost = set(values) - means_won if said_won else set()
    return OutcomeWords(frozenset(means_won), frozenset(means_lost))


def _has_both(values: Collection[str]) -> bool:
    words = {fold(value) for value in values}
    return bool(words & _WON) and bool(words & _LOST)


def _has_only(values: Collection[str]) -> bool:
    return {fold(value) for value in values} <= _WON | _LOST


def _find_said(said: Sequence[str], values: Sequence[str], by_word: Mapping[str, Sequence[str]]) -> set[str]:
    """The values that a person named. Raises ``OutcomeColumnError`` for one that the column does not have."""
    found: set[str] = set()
    for each in said:
        written = [each] if each in values else by_word.get(fold(each), ())
        if not written:
            raise OutcomeColumnError(f"the column has no value {each[:80]!r}; {propose(each[:80], values[:1_000])}")
        found.update(written)
    return found
