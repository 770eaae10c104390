"""What vendors' webhooks say, in the words of a lead: nested payloads become named values, with the vendor's own id.

Belongs here: a file for each vendor, and choosing among them. Does not belong here: who sent a payload
(``console.http.authentication``), which field a name means (``leadgate.mapping.headers``), or storing.

Everything is pure. A payload that is not as its vendor documents it is held for a person, with the reason, never
refused: its sender is known by then, and would send the same again.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from leadgate.mapping.webhooks import calendly, facebook, google_leads, hubspot, typeform
from leadgate.mapping.webhooks.reading import Held, Item, Lead, UnreadableWebhookError
from leadgate.values.json_types import JsonObject, JsonValue

_NO_LEAD: Final = "the webhook tells of no new lead; a source with kind: activities takes it as an activity"


class Preset(Protocol):
    """A vendor's module."""

    def recognises(self, payload: JsonObject) -> bool:
        """Whether ``payload`` is one of its webhooks: a row of a file of the same source is not."""
        ...

    def read(self, payload: JsonObject) -> list[Item]:
        """What a payload says. Raises ``UnreadableWebhookError``."""
        ...

    def remove_secret(self, text: str) -> str:
        """``text``, a payload as it came, without the secret that it may hold."""
        ...


#: A vendor's way of signing in (``HttpCapture.auth``), and what reads its payloads.
PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {"typeform": typeform, "calendly": calendly, "facebook": facebook, "google_leads": google_leads, "hubspot": hubspot}
)


def read_webhook(preset: Preset, payload: JsonObject, *, of_leads: bool) -> list[Item]:
    """What a payload says, or why it is held. ``of_leads``: its source is one of leads, not of activities."""
    try:
        items = preset.read(payload)
    except UnreadableWebhookError as error:
        return [Held(f"the webhook cannot be read: {error}")]
    return [Held(_NO_LEAD) if of_leads and isinstance(item, Lead) and not item.is_new else item for item in items]


def read_lead(auth: str | None, payload: JsonValue) -> Lead | None:
    """The lead that a payload of a source which signs in by ``auth`` is about; None when it is no webhook of it."""
    preset = PRESETS.get(auth or "")
    if preset is None or not isinstance(payload, Mapping) or not preset.recognises(payload):
        return None
    return next((item for item in read_webhook(preset, payload, of_leads=True) if isinstance(item, Lead)), None)
