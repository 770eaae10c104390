"""Whether a rep suits one lead: the languages they speak, the products they know, the skills a route asks for.

Belongs here: this alone. Does not belong here: whether they can take a lead at all (``availability``), and whose turn
it is (``rotation``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from leadgate.playbook import Pool, Rep
from leadgate.values.languages import find_language


class Requirements(NamedTuple):
    """What a lead asks of its owner: ``language`` (a code) and ``product``, in lower case; ``skills`` of the route."""

    language: str | None = None
    product: str | None = None
    skills: tuple[str, ...] = ()


NOTHING: Final = Requirements()


class SkillMismatch(NamedTuple):
    """Members of a pool who do not suit a lead, with the reason: some must not get it, others only if need be."""

    must_not: Mapping[str, str]
    rather_not: Mapping[str, str]


EVERYBODY_SUITS: Final = SkillMismatch({}, {})


def read_requirements(language: object, product: object) -> Requirements:
    """What a lead's own fields ask for; a field that is empty asks for nothing."""
    return _read(language if isinstance(language, str) else "", product if isinstance(product, str) else "")


@lru_cache(maxsize=4096)
def _read(language: str, product: str) -> Requirements:
    return Requirements(find_language(language) if language.strip() else None, product.strip().casefold() or None)


class SkillMatch:
    """The members of one pool, judged once for each different set of requirements."""

    def __init__(self, pool: Pool, members: Sequence[Rep]) -> None:
        self._pool = pool
        self._members = members
        self._known: dict[Requirements, SkillMismatch] = {}

    def of(self, requirements: Requirements) -> SkillMismatch:
        found = self._known.get(requirements)
        if found is None:
            self._known[requirements] = found = self._judge(requirements)
        return found

    def _judge(self, requirements: Requirements) -> SkillMismatch:
        must_not: dict[str, str] = {}
        rather_not: dict[str, str] = {}
        for rep in self._members:
            for skill in requirements.skills:
                if skill not in rep.skills:
                    must_not.setdefault(rep.name, f"does not have the skill {skill}")
            for rule, wanted, has, words in (
                (self._pool.language, requirements.language, rep.languages, "does not speak the lead's language, {}"),
                (self._pool.product, requirements.product, rep.skills, "does not know the product"),
            ):
                if rule == "ignored" or wanted is None or wanted in has:
                    continue
                unsuited = must_not if rule == "required" else rather_not
                # a code is no personal value; a product's name is what the lead typed, so it is not repeated
                unsuited.setdefault(rep.name, words.format(wanted if len(wanted) <= 3 else "as it gave it"))
        return SkillMismatch(must_not, {rep: why for rep, why in rather_not.items() if rep not in must_not})
