"""What vendors' webhooks say, in the words of a lead: nested payloads become named values, with the vendor's own id.

Belongs here: a file for each vendor, and choosing among them. Does not belong here: who sent a payload
(``console.http.authentication``), which field a name means (``leadgate.mapping.headers``), or storing.

Everything is pure. A payload that is not as its vendor documents it is held for a person, with the reason, never
refused: its sender is known by then, and would send the same again.

A vendor's file is imported where a source names the vendor: commands and consumers start no slower for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from leadgate.values.json_types import JsonObject, JsonValue

if TYPE_CHECKING:
    from leadgate.mapping.webhooks.reading import Item

#: The ways of signing in (``HttpCapture.auth``) whose payloads are read here.
VENDORS: Final = ("typeform", "calendly", "facebook", "google_leads", "hubspot")
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


def find_preset(auth: str | None) -> Preset | None:
    """What reads the payloads of sources that sign in by ``auth``; None when those are no vendor's."""
    if auth == "typeform":
        from leadgate.mapping.webhooks import typeform

        return typeform
    if auth == "calendly":
        from leadgate.mapping.webhooks import calendly

        return calendly
    if auth == "facebook":
        from leadgate.mapping.webhooks import facebook

        return facebook
    if auth == "google_leads":
        from leadgate.mapping.webhooks import google_leads

        return google_leads
    if auth == "hubspot":
        from leadgate.mapping.webhooks import hubspot

        return hubspot
    return None


def recognise_preset(payload: JsonObject) -> Preset | None:
    """What reads ``payload`` by its shape alone, of a source that names no vendor; None for any other."""
    if payload.get("event_type") == "form_response" and isinstance(payload.get("form_response"), Mapping):
        return find_preset("typeform")
    about = payload.get("payload")
    if payload.get("event") == "invitee.created" and isinstance(about, Mapping) and "uri" in about:
        return find_preset("calendly")
    return None


def read_webhook(preset: Preset, payload: JsonObject, *, of_leads: bool) -> list[Item]:
    """What a payload says, or why it is held. ``of_leads``: its source is one of leads, not of activities."""
    from leadgate.mapping.webhooks.reading import Held, Lead, UnreadableWebhookError

    try:
        items = preset.read(payload)
    except UnreadableWebhookError as error:
        return [Held(f"the webhook cannot be read: {error}")]
    return [Held(_NO_LEAD) if of_leads and isinstance(item, Lead) and not item.is_new else item for item in items]


def read_values(
    auth: str | None, payload: JsonValue, find_field: Callable[[str], str | None]
) -> dict[str, JsonValue] | None:
    """The named values of a lead in a webhook of a source that signs in by ``auth``; None when it is no such webhook.

    Where ``auth`` is no vendor's, a payload is known by its shape. ``find_field`` says which field a name means.
    """
    preset = find_preset(auth)
    if preset is None and isinstance(payload, Mapping):
        preset = recognise_preset(payload)
    if preset is None or not isinstance(payload, Mapping) or not preset.recognises(payload):
        return None
    from leadgate.mapping.webhooks.reading import Lead, name_columns

    for item in read_webhook(preset, payload, of_leads=True):
        if isinstance(item, Lead):
            return name_columns(item.columns, find_field)
    return None
