"""Bodies of vendors' webhooks, as payloads of their source.

Belongs here: what is kept of a body whose sender is known, whatever is in it. Does not belong here: who sent it
(``authentication``), what a vendor's payload says (``leadgate.mapping.webhooks``), or bodies of anybody else
(``signals``).

A vendor cannot mend a body that is refused; it sends the same again for a day, and then gives up. So what cannot be
read is stored as it came, for a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from console.http import body_reader
from console.http.responses import RefusedError
from leadgate.mapping.webhooks import Preset, read_webhook
from leadgate.mapping.webhooks.reading import Change, Held, name_columns
from tasks.capture import encode, make_own_key
from tasks.ingestion import Payload


def read_webhooks(
    preset: Preset, body: bytes, find_field: Callable[[str], str | None] | None, *, reads_answers: bool = False
) -> list[Payload]:
    """The payloads of ``body``, by their vendor's ids. ``reads_answers``: what a webhook only names is read by its id.

    ``find_field`` says which field of an activity a name means; None for a source of leads, whose payloads are read
    again by the stage that captures them.
    """
    try:
        read = body_reader.read(body, "application/json")
    except RefusedError as refused:
        text = preset.remove_secret(body.decode("utf-8", "backslashreplace"))
        return [_hold(text, f"the webhook cannot be read: {refused.message}")]
    payloads: list[Payload] = []
    for each in read.payloads:
        text = preset.remove_secret(each.text)
        for item in read_webhook(preset, each.values, of_leads=find_field is None):
            if isinstance(item, Held):
                held = text if item.part is None else encode(item.part).decode()
                if reads_answers and item.names is not None:
                    payloads.append(Payload(make_own_key(item.names.key) or "", held, {}, change=item.names))
                    continue
                payloads.append(_hold(held, item.reason, item.key))
                continue
            key = make_own_key(item.key) or ""
            if isinstance(item, Change):
                payloads.append(Payload(key, text, {}, change=item))
                continue
            values = {} if find_field is None else name_columns(item.columns, find_field)
            payloads.append(Payload(key, text, values))
    return payloads


def _hold(text: str, reason: str, key: str | None = None) -> Payload:
    """A payload for a person. Without an id it is known by its content, so that a repeat is no second one."""
    if key is None:
        key = f"raw:{hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"
    return Payload(key, text, {}, reason)
