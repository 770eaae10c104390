"""What is written to a CRM for one lead: values by the playbook's policies, and the follow-up task.

Belongs here: these decisions. Does not belong here: reading a lead's facts, or sending anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from string import Formatter
from typing import Final

from leadgate.crm.values import CrmValue, is_empty, is_same
from leadgate.plain_text import format_line
from leadgate.playbook import CrmConnection, CrmTaskText
from leadgate.values.json_types import JsonValue

#: Characters of a text that is written where the CRM tells no length.
_LONGEST: Final = 30_000
_SUBJECT: Final = 250
_BODY: Final = 8_000
_FACT_IN_TEXT: Final = 500
_ELLIPSIS: Final = "…"


def build_key(lead_id: int) -> str:
    """Leadgate's key of a lead in any CRM."""
    return f"leadgate-L{lead_id}"


def build_task_key(journey_id: int, generation: int) -> str:
    """Leadgate's key of the follow-up task of an assignment."""
    return f"leadgate-J{journey_id}-{generation}"


def list_guarded(connection: CrmConnection) -> list[str]:
    """The fields of which the CRM's own value must be known before they are written."""
    followed = connection.followed_field
    return [name for name, write in connection.writes.items() if write.policy == "if_empty" or name == followed]


def is_set_by_others(value: object, written: JsonValue, read: JsonValue) -> bool:
    """Whether a field that Leadgate has ``written`` holds a value of somebody else.

    One that stood there when the write was ``read`` back is another automation's, which is known by then.

    >>> is_set_by_others("2", "1", "1"), is_set_by_others("2", "1", "2"), is_set_by_others(None, "1", "1")
    (True, False, False)
    """
    if not isinstance(value, (str, int)) or isinstance(value, bool) or is_empty(value):
        return False
    if not isinstance(written, (str, int)) or is_same(written, value):
        return False
    return not (isinstance(read, (str, int)) and is_same(read, value))


def choose_values(
    connection: CrmConnection,
    facts: Mapping[str, CrmValue],
    current: Mapping[str, CrmValue],
    lengths: Mapping[str, int],
) -> dict[str, CrmValue]:
    """The values to write, by field of the CRM.

    ``facts`` lacks a fact that must not be written at all, such as an owner whom the CRM does not know. ``current`` is
    what the CRM has, of guarded fields; ``lengths`` the longest text of each field, where the CRM tells.
    """
    chosen: dict[str, CrmValue] = {}
    for name, write in connection.writes.items():
        if write.fact not in facts:
            continue
        value = _clean(facts[write.fact], lengths.get(name, _LONGEST))
        if isinstance(value, str):
            value = write.values.get(value, value)
        if is_empty(value):
            if write.policy == "always":
                chosen[name] = None
        elif write.policy != "if_empty" or is_empty(current.get(name)):
            chosen[name] = value
    return chosen


def _clean(value: CrmValue, longest: int) -> CrmValue:
    """A value that any CRM can take: no number that is none, no control character, no text past its length."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if not isinstance(value, str):
        return value
    text = "".join(c if c in "\n\t" or c.isprintable() else " " for c in value).strip()
    return text if len(text) <= longest else text[: max(0, longest - 1)].rstrip() + _ELLIPSIS


def fill_text(template: str, facts: Mapping[str, CrmValue], longest: int) -> str:
    """``template`` with each ``{fact}`` as one line; an unknown one is left out. No longer than ``longest``."""
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(text)
        if name is not None and not is_empty(facts.get(name)):
            parts.append(format_line(_write_out(facts[name]), _FACT_IN_TEXT))
    return str(_clean("".join(parts), longest) or "")


def _write_out(value: CrmValue) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)


def build_task_texts(task: CrmTaskText, facts: Mapping[str, CrmValue]) -> tuple[str, str]:
    """The subject and the body of a follow-up task."""
    subject = format_line(fill_text(task.subject, facts, _SUBJECT), _SUBJECT)
    return subject or "Follow up", fill_text(task.body, facts, _BODY)
