"""What makes sense for each reason why a lead, a batch or a message waits for a person.

Belongs here: the table of reasons, and the commands for one work item. Does not belong here: printing them
(``queue``, ``review``, ``explain``), or what the commands do (``tasks.reruns``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from rich.console import Console

from console.screen import find_program
from leadgate.ledger.reviews import REVIEWED
from leadgate.matching import ASKS
from leadgate.vocabulary import StageName

if TYPE_CHECKING:
    from leadgate.values.json_types import JsonValue

What = Literal["proposed", "set", "approve", "discard", "again", "compare", "done", "wait"]


class WaitingItem(Protocol):
    """What the commands for a work item depend on."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def blocking(self) -> bool: ...
    @property
    def reason(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def journey_id(self) -> int | None: ...
    @property
    def proposal(self) -> Mapping[str, JsonValue] | None: ...


@dataclass(frozen=True)
class Way:
    """One thing that makes sense. ``words`` say what comes of it, or when it makes sense."""

    what: What
    words: str
    field: str = "FIELD=VALUE"  # of "set"


def _suggest_set(field: str, words: str) -> Way:
    return Way("set", words, field)


_EMAIL, _PHONE = (
    _suggest_set("email=ADDRESS", "correct the address"),
    _suggest_set("phone=NUMBER", "correct the number"),
)
_END: Final = Way("discard", "end it")
_FIELD: Final = _suggest_set("FIELD=VALUE", "correct the field")
_ANYWAY: Final = Way("approve", "it goes on as it is, and you answer for it")
_PLAYBOOK: Final = Way("again", "after the playbook or its cause is mended: it tries the stage again")
_SCORING: Final = Way("again", "after the playbook's scoring is mended: it is scored again")
_PROVIDER: Final = Way("again", "after the provider is mended: it is enriched again")
_SOMEBODY: Final = Way("again", "once somebody is there: it is assigned again")
_CHECK: Final = Way("again", "after what its details name is mended: the whole batch tries the stage again")
_TOUCH: Final = Way("wait", "it closes by itself when the owner follows up")
_IN_THE_CRM: Final = Way("done", "you wrote it into the CRM yourself")
#: Nothing waits for these work items, and yet a rerun does something: what was not delivered is sent again.
RETRIED: Final = frozenset(
    {
        "undeliverable",
        "crm_refused",
        "crm_write_not_kept",
        "crm_owner_unknown",
        "crm_owner_is_no_rep",
        "crm_limit_reached",
        "crm_unreachable",
        "crm_not_read",
    }
)
#: Work items that may hold nothing, because the lead has no open journey, and that a person decides all the same.
GONE: Final = frozenset({"crm_record_deleted", "crm_privacy_deletion", "crm_records_merged"})
_GOES_ON: Final = Way("again", "it goes on without that record")
_ITSELF: Final = Way("wait", "it closes by itself when the next check finds it right")

#: Reason to what makes sense, best first. A reason that only a playbook knows has ``OTHERWISE``.
WAYS: Final[dict[str, tuple[Way, ...]]] = {
    # capture
    "unreadable_row": (Way("discard", "mend the line in its file and capture that again; then end this one"),),
    "source_unknown": (Way("again", "after the playbook has the source"), _END),
    "signal_key_missing": (Way("discard", "capture it again with an id of its own; then end this one"),),
    "value_too_long": (_suggest_set("FIELD=VALUE", "give a shorter value"), _END),
    "no_contact": (_suggest_set("email=ADDRESS", "give an address"), _suggest_set("phone=NUMBER", "or a number"), _END),
    "oversized_value": (_suggest_set("FIELD=VALUE", "give a shorter value"), _ANYWAY, _END),
    "occurred_in_future": (_ANYWAY, _END),
    # validation
    "email_malformed": (_EMAIL, _END),
    "phone_impossible": (_PHONE, _suggest_set("phone=", "go on without the number"), _END),
    "country_unknown": (
        _suggest_set("country=CODE", "correct the country"),
        _suggest_set("country=", "go on without it"),
        _END,
    ),
    "consent_refused": (
        Way("discard", "nobody may contact this person"),
        _suggest_set("consent=yes", "only if they agreed meanwhile, and you can prove it"),
    ),
    "spam": (_END, Way("approve", "it is an enquiry, no spam")),
    "email_disposable": (_suggest_set("email=ADDRESS", "give a lasting address"), _ANYWAY, _END),
    "field_invalid": (_FIELD, Way("approve", "it goes on without the value"), _END),
    "field_unreadable": (_FIELD, Way("approve", "it goes on without the value"), _END),
    "likely_duplicate": (Way("compare", "compare both records, and say who it is"),),
    "two_leads_one_person": (Way("compare", "compare the records, and say who it is"),),
    # enrichment
    "contact_changed": (_PROVIDER, _END),
    "value_unattributed": (_PROVIDER, _END),
    "employees_implausible": (_suggest_set("company_size=NUMBER", "correct the number"), _ANYWAY, _END),
    "company_domain_malformed": (_suggest_set("website=ADDRESS", "correct the website"), _ANYWAY, _END),
    "provider_failed": (_PROVIDER, _ANYWAY),
    "company_unknown": (_suggest_set("company=NAME", "say which company"), _ANYWAY, _END),
    # qualification
    "score_in_review_band": (
        Way("approve", "it goes on to an owner"),
        _END,
        _suggest_set("FIELD=VALUE", "correct a field"),
    ),
    "score_missing": (_SCORING,),
    "score_mismatch": (_SCORING,),
    "score_extreme": (_SCORING, _ANYWAY),
    "outcome_unknown": (_SCORING,),
    "reason_missing": (_SCORING,),
    "playbook_mixed": (_CHECK,),
    # assignment
    "no_route": (Way("again", "after the playbook has a route that fits"), _FIELD, _END),
    "nobody_available": (_SOMEBODY, _END),
    "unassigned": (Way("again", "it is assigned again"), _END),
    "no_owner": (_PLAYBOOK,),
    "rule_missing": (_PLAYBOOK,),
    "owner_absent": (_SOMEBODY,),
    "owner_over_cap": (_SOMEBODY,),
    "due_missing": (_PLAYBOOK,),
    "due_before_assignment": (_PLAYBOOK,),
    # follow-up: the owner keeps the lead
    "owner_count": (_ITSELF,),
    "owner_not_told": (_ITSELF,),
    "ladder_step_unknown": (_ITSELF,),
    "chased_while_waiting": (_ITSELF,),
    "touch_before_assignment": (_ITSELF,),
    "first_touch_overdue": (_TOUCH,),
    "acceptance_overdue": (_TOUCH,),
    "next_touch_overdue": (_TOUCH,),
    "stage_overdue": (_TOUCH,),
    "undeliverable": (
        Way("again", "after the address of `notifications` is mended: it is sent again"),
        Way("done", "you told them yourself"),
    ),
    "crm_refused": (Way("again", "after the CRM or the playbook's `crm` is mended: it is written again"), _IN_THE_CRM),
    "crm_write_not_kept": (
        Way("again", "after what overrides it in the CRM is mended: it is written again"),
        _IN_THE_CRM,
    ),
    "crm_owner_unknown": (Way("again", "after the rep has an owner in the CRM: their leads are written"), _IN_THE_CRM),
    "crm_owner_is_no_rep": (
        Way(
            "again", "after the leads were given to a rep in the CRM; it closes by itself once the playbook has the rep"
        ),
    ),
    "crm_unreachable": (Way("again", "after the CRM answers again: what waits is written at once"),),
    "crm_limit_reached": (Way("again", "after the CRM's limit was raised: what waits is written at once"),),
    "crm_not_read": (Way("again", "after its cause is mended; it closes by itself, too, when the CRM is read again"),),
    "crm_record_deleted": (_GOES_ON, Way("discard", "it ends, and nobody is told of it any more")),
    "crm_privacy_deletion": (Way("discard", "it ends, and nobody is told of it any more"), _GOES_ON),
    "crm_records_merged": (Way("discard", "both are the same person: this one ends"), _GOES_ON),
    # runs and batches
    "score_drifted": (Way("wait", "it closes when a person promotes a learned score"),),
    "source_quiet": (Way("wait", "it closes by itself when signals come again, or the playbook expects none"),),
    "answers_not_read": (Way("wait", "it closes by itself when the answers of leads are read again"),),
    "source_parked": (Way("again", "after the source or its mapping is mended: its rows go on"),),
    "stage_failed": (Way("again", "after its cause is removed: it tries the stage again"),),
    "run_cancelled": (Way("again", "when it is to go on"),),
    "check_timed_out": (_CHECK,),
    "check_failed": (_CHECK,),
    "column_twice": (_CHECK,),
    "column_missing": (_CHECK,),
    "id_missing": (_CHECK,),
    "id_twice": (_CHECK,),
}
OTHERWISE: Final = (_FIELD, _ANYWAY, _END)


_PROPOSED: Final = Way("proposed", "correct it as proposed")


def suggest(item: WaitingItem) -> list[tuple[str, str]]:
    """What can be done about an open work item: the command, and what comes of it; the best first.

    No command (an empty text) where nothing is to be done.
    """
    program = find_program()
    commands = ((_build_arguments(way, item), way.words) for way in _list_all(item))
    return [(command and f"{program} {command}", words) for command, words in commands if command is not None]


def list_ways(item: WaitingItem) -> list[Way]:
    """What can be done about an open work item, the best first; nothing where it closes by itself."""
    return [way for way in _list_all(item) if _build_arguments(way, item)]


def _list_all(item: WaitingItem) -> list[Way]:
    """What makes sense for the item's reason. What it proposes comes before another correction."""
    ways = list(WAYS.get(item.reason, OTHERWISE))
    first = next((place for place, way in enumerate(ways) if way.what == "set"), None)
    if item.proposal and first is not None:
        ways.insert(first, _PROPOSED)
    return ways


def _build_arguments(way: Way, item: WaitingItem) -> str | None:
    """What is typed behind the program's name; empty where nothing is to be done, None for what the item does not
    allow."""
    if way.what == "proposed":
        return f"{_build_rerun(item)} --proposed"
    if way.what == "wait" or not (item.blocking or item.reason in RETRIED | GONE):
        return ""
    if way.what == "compare":
        return _build_review(item)
    if way.what == "again":
        return _build_rerun(item)
    if way.what == "done":
        return f"{_build_rerun(item)} --done-by-hand EVIDENCE"
    if way.what == "approve" and item.stage in (StageName.CAPTURE, StageName.ASSIGNMENT):
        return None
    if item.kind in REVIEWED and item.journey_id is not None:
        options = {"set": f"--set {way.field}", "approve": "--approve WORDS", "discard": "--reject REASON"}
        return f"{_build_review(item)} {options[way.what]}"
    if item.kind in REVIEWED:  # a whole batch
        return _build_rerun(item) if way.what != "discard" else f"{_build_rerun(item)} --discard REASON"
    return None


def is_compared(item: WaitingItem) -> bool:
    """Whether it asks if two records are one person's."""
    return item.reason in ASKS


def render_commands(ways: Sequence[tuple[str, str]], console: Console) -> None:
    """Print commands with what comes of them: beside one another, or below where the terminal is too narrow."""
    longest = max((len(command) for command, _ in ways), default=0)
    beside = all(longest + len(words) + 6 <= console.width for _, words in ways)
    for command, words in ways:
        if beside:
            console.print(f"  {command:<{longest}}  {words}")
        else:
            console.print(f"  {words}\n    {command}" if command else f"  {words}", soft_wrap=True)


def _build_rerun(item: WaitingItem) -> str:
    return f"rerun W{item.id}"


def _build_review(item: WaitingItem) -> str:
    return f"review W{item.id}"
