"""Other systems that are told what happens to leads, as signed webhooks.

Belongs here: the schema of this part. Does not belong here: which events there were (``ledger.outbox``), or sending
(``connectors.webhook``, ``tasks.event_delivery``).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from leadgate.playbook.base import Part
from leadgate.playbook.gates import ShownFact

#: How a target of the outbox begins that is such a system.
EVENT_TARGET: Final = "event:"
EventWord = Literal["owned", "held", "accepted", "rejected", "missed"]
EventSecretName = Annotated[str, Field(pattern=r"^LEADGATE_EVENTS_[A-Z0-9_]{1,40}$")]
#: Short: the name is a part of keys that a work item names.
EventName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,19}$")]


class EventReceiver(Part):
    """A system that is told. ``secret_env`` names the variable with the secret by which it verifies what it gets."""

    name: EventName
    url: str = Field(min_length=1, max_length=500)
    secret_env: EventSecretName
    about: tuple[EventWord, ...] = Field(default=("owned", "held", "accepted", "rejected", "missed"), min_length=1)
    shows: tuple[ShownFact, ...] = ()  # of the lead, on top of its number
    allow_private: bool = False  # whether the address may lead to a network that is not public

    @property
    def target(self) -> str:
        """The target of its messages in the outbox."""
        return f"{EVENT_TARGET}{self.name}"
