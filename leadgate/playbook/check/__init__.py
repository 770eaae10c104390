"""Whether the parts of a playbook agree with one another, and with the world.

Belongs here: every check that needs more than one part at once, an expression tried, or a file looked
for (a file for each group of parts); all problems in one pass, each with its line.
Does not belong here: what one part alone may hold (``playbook``, which judges it while loading).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from leadgate.playbook import LoadedPlaybook
from leadgate.playbook.check import crm, events, follow_up, gates, kinds, learned, routing, scoring, secrets, sources
from leadgate.playbook.check.added_expectations import EXPECTATIONS  # gates refuse by the same list
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import PlaybookError, Problem
from leadgate.vocabulary import GateName, JourneyKind

__all__ = ["EXPECTATIONS", "check", "require"]


def check(
    loaded: LoadedPlaybook,
    *,
    promises: Mapping[JourneyKind, Mapping[GateName, Collection[str]]] | None = None,
) -> list[Problem]:
    """Everything that is wrong with a loaded playbook, by line; an empty list is a playbook to run by.

    Problems with ``note`` set are worth knowing and do not stop anything. ``promises`` names the
    built-in promises of each gate, for each kind of journey, so that severities given for them can be checked; the
    caller knows them, this floor does not.
    """
    checker = Checker(loaded)
    of_kinds = promises or {}
    parts = (
        sources.check_own_fields(checker),
        sources.check_sources(checker),
        secrets.check_variables(checker),
        secrets.check_ways(checker),
        secrets.check_answers(checker),
        sources.check_matching(checker),
        sources.check_enrichment(checker),
        scoring.check_scoring(checker),
        scoring.check_qualification(checker),
        learned.check_learned(checker),
        routing.check_people(checker),
        routing.check_pools(checker),
        routing.check_territories(checker),
        routing.check_routing(checker),
        follow_up.check_slas(checker),
        follow_up.check_clocks(checker),
        follow_up.check_follow_up(checker),
        crm.check_crm(checker),
        gates.check_exceptions(checker),
        gates.check_notifications(checker),
        events.check_events(checker),
        gates.check_gates(checker, of_kinds.get(checker.kind, {})),
        kinds.check_kinds_have_sources(checker),
        kinds.check_new_leads(checker),
        *(_check_kind(loaded, kind, of_kinds.get(kind, {})) for kind in checker.of_kinds if kind is not checker.kind),
    )
    return sorted({*loaded.document.notes, *(problem for part in parts for problem in part)})


def _check_kind(loaded: LoadedPlaybook, kind: JourneyKind, promises: Mapping[GateName, Collection[str]]) -> Found:
    """What is wrong with the section of ``kind``: the checks of leads, over the playbook as it is for the kind. What
    leads and records share was checked for leads."""
    checker = Checker(loaded, kind)
    parts = (
        sources.check_own_fields(checker),
        scoring.check_scoring(checker),
        scoring.check_qualification(checker),
        routing.check_routing(checker),
        routing.check_due_times(checker),
        follow_up.check_slas(checker),
        follow_up.check_follow_up(checker),
        gates.check_exceptions(checker),
        gates.check_gates(checker, promises),
        kinds.check_section(checker),
    )
    yield from (problem for part in parts for problem in part if problem.key.startswith("kinds."))


def require(
    loaded: LoadedPlaybook,
    *,
    promises: Mapping[JourneyKind, Mapping[GateName, Collection[str]]] | None = None,
) -> None:
    """Raises ``PlaybookError`` with every problem that ``check`` finds, notes aside."""
    if wrong := [problem for problem in check(loaded, promises=promises) if not problem.note]:
        raise PlaybookError(wrong)
