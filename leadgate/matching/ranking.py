"""The order of candidates: by score, then by the playbook's tie-breakers, then by id. Used for leads and accounts.

Belongs here: ordering. Does not belong here: a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from leadgate.playbook import TieBreaker


class Candidate(NamedTuple):
    """What may break a tie. ``id`` is unique, so that the order never depends on the order of asking.

    ``size`` is the number of employees, ``same_country`` whether it is in the country of what is matched.
    """

    id: int | str
    score: int
    name: str = ""
    has_owner: bool = False
    size: int | None = None
    same_country: bool = False


_KEYS: Final[dict[TieBreaker, Callable[[Candidate], int | str]]] = {
    "has_owner": lambda each: not each.has_owner,
    "larger": lambda each: -(each.size or 0),
    "same_country": lambda each: not each.same_country,
    "alphabetical": lambda each: each.name.casefold(),
}


def rank_candidates(candidates: Iterable[Candidate], tie_breakers: Sequence[TieBreaker]) -> list[Candidate]:
    """The best first. The same for every order in which the candidates come."""
    keys = [_KEYS[name] for name in tie_breakers]
    return sorted(candidates, key=lambda each: (-each.score, *(key(each) for key in keys), str(each.id).zfill(20)))


def explain_ranking(best: Candidate, next_: Candidate, tie_breakers: Sequence[TieBreaker]) -> str:
    """What put ``best`` before ``next_``, in words."""
    if best.score != next_.score:
        return f"scores {best.score}, the next {next_.score}"
    for name in tie_breakers:
        if _KEYS[name](best) != _KEYS[name](next_):
            return _WORDS[name]
    return "its id comes first"


_WORDS: Final[dict[TieBreaker, str]] = {
    "has_owner": "it has an owner",
    "larger": "it is the larger one",
    "same_country": "it is in the lead's country",
    "alphabetical": "its name comes first",
}
