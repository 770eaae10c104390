"""Which lead or record a person means: by id, by e-mail address, or through a journey or a work item.

Belongs here: reading what was typed, and helping when nothing matches. Does not belong here: the queries
(``ledger.lead_history``).
"""

from __future__ import annotations

from typing import Final

from console.command_context import identify_actor
from console.redaction import sanitise
from console.screen import CommandError
from leadgate.actors import Actor
from leadgate.counting import format_count
from leadgate.ledger import Ledger, lead_history
from leadgate.ledger.record_history import find_acted
from leadgate.masking import mask
from leadgate.playbook import Playbook
from leadgate.references import parse
from leadgate.values.addresses import Kinds, read_address

_AN: Final = {"batch": "a batch", "action": "an action", "saved view": "a saved view"}


def identify_journey_actor(ledger: Ledger, journey: int, playbook: Playbook, acts_for: str | None) -> Actor:
    """Who acts about a journey; its owner counts as a rep even when they have left the playbook."""
    owner = lead_history.find_owner(ledger, journey)
    return identify_actor(playbook, acts_for, also=() if owner is None else (owner,))


def describe_actor(who: Actor) -> dict[str, str | None]:
    """Who acted, and for whom, for ``--json``."""
    return {"by": who.name, "acted_for": who.acts_for}


def resolve_journey(ledger: Ledger, reference: str, playbook: Playbook) -> int:
    """The journey of a lead or a record that a person acts on. Raises ``CommandError`` unless exactly one matches."""
    numbered = parse(reference)
    if numbered is not None:
        kind, number = numbered
        if kind == "journey":
            found, what = lead_history.find_journey(ledger, number), f"journey J{number}"
        elif kind == "work item":
            found, what = lead_history.find_journey_of_work_item(ledger, number), f"work item W{number} about a lead"
        elif kind in _AN:
            raise CommandError(
                f"{sanitise(reference.strip(), 40)} is {_AN[kind]}, and a lead is expected: give its number, J12 for a "
                "journey, R12 for a record, W12 for a work item, or an e-mail address"
            )
        elif kind == "record":
            return _find_by_record(ledger, number)
        else:
            found, what = lead_history.find_journey_of_lead(ledger, number), f"lead {number}"
        if found is None:
            raise CommandError(f"there is no {what}{_describe_known_ids(ledger)}")
        return found
    if "@" not in reference:
        raise CommandError(
            f"{sanitise(reference, 80)!r} is no lead; give an id like 17, an e-mail address, J12 for a "
            "journey, R12 for a record, W12 for a work item"
        )
    return _find_by_email(ledger, reference.strip(), playbook)


def _find_by_record(ledger: Ledger, number: int) -> int:
    found = find_acted(ledger, number)
    if found is None:
        raise CommandError(f"there is no record R{number}; `leadgate records` lists those that there are")
    return found.journey_id


def _find_by_email(ledger: Ledger, address: str, playbook: Playbook) -> int:
    canonical = read_address(address, Kinds.of(playbook.validation)).canonical
    found = lead_history.find_leads_by_email(ledger, address.replace("\x00", ""), canonical)
    if len(found) > 1:
        raise CommandError(
            f"{format_count(len(found), 'lead carries', 'leads carry')} this address, which is not validated yet: "
            f"{', '.join(map(str, found))}; name one by its id"
        )
    if found and (journey := lead_history.find_journey_of_lead(ledger, found[0])) is not None:
        return journey
    local, _, domain = (canonical or address.lower()).partition("@")
    alike = lead_history.find_similar_emails(ledger, local.replace("\x00", ""), domain.replace("\x00", ""))
    hint = "; ".join(f"lead {each.lead_id} is {mask(each.value)}" for each in alike)
    raise CommandError(
        f"no lead has the e-mail address {sanitise(address, 80)}"
        + (f". Like it: {hint}" if hint else _describe_known_ids(ledger))
    )


def _describe_known_ids(ledger: Ledger) -> str:
    ids = lead_history.find_id_range(ledger)
    if ids is None:
        return "; nothing has been captured and run yet"
    return f"; the leads' ids go from {ids[0]} to {ids[1]}, with gaps"
