"""Skill matching: which members of a pool have the language, the product and the skills that a lead requires.

Belongs here: skill matching alone. Does not belong here: whether a rep can take a lead at all (``availability``), and
whose turn it is (``rotation``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from leadgate.playbook import Pool, Rep
from leadgate.values.languages import find_language


class Requirements(NamedTuple):
    """A lead's requirements: ``language`` (a code) and ``product`` in lower case, and the ``skills`` of its route."""

    language: str | None = None
    product: str | None = None
    skills: tuple[str, ...] = ()


NO_REQUIREMENTS: Final = Requirements()


class SkillMismatch(NamedTuple):
    """The members of a pool who do not match a lead's requirements, with the reason for each.

    Those in ``must_not`` never get the lead; those in ``rather_not`` get it only when no better match can.
    """

    must_not: Mapping[str, str]
    rather_not: Mapping[str, str]


NO_MISMATCH: Final = SkillMismatch({}, {})


def read_requirements(language: object, product: object) -> Requirements:
    """The requirements in a lead's fields ``language`` and ``product``; an empty field requires nothing."""
    return _read_cached(language if isinstance(language, str) else "", product if isinstance(product, str) else "")


@lru_cache(maxsize=4096)
def _read_cached(language: str, product: str) -> Requirements:
    return Requirements(find_language(language) if language.strip() else None, product.strip().casefold() or None)


class SkillMatch:
    """Matches the members of one pool, once for each different set of requirements."""

    def __init__(self, pool: Pool, members: Sequence[Rep]) -> None:
        self._pool = pool
        self._members = members
        self._known: dict[Requirements, SkillMismatch] = {}

    def find_mismatch(self, requirements: Requirements) -> SkillMismatch:
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
                mismatches = must_not if rule == "required" else rather_not
                # a language code is not personal; other text was typed by the lead and is not repeated
                mismatches.setdefault(rep.name, words.format(wanted if len(wanted) <= 3 else "as it gave it"))
        return SkillMismatch(must_not, {rep: why for rep, why in rather_not.items() if rep not in must_not})
