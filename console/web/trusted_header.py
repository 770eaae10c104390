"""Who a proxy in front of the console says that a visitor is.

Belongs here: whether a request's header is believed, and the login in it. Does not belong here: the settings
(``sign_in_settings``), or a session (``visitors``).

A header is believed when the connection comes from an allowed address and the request has the secret that the proxy
shares with the console. Either alone is not enough: others on the proxy's host can connect, and secrets get lost.
"""

from __future__ import annotations

import hmac
from typing import Final

from fastapi import Request

from console.http.addresses import is_one_of
from console.web.site import find_site

#: The header in which the proxy proves that it is the proxy.
SECRET_HEADER: Final = "Leadgate-Proxy-Secret"  # noqa: S105 - the name of a header
_MOST: Final = 320  # characters of a login


def find_vouched_login(request: Request) -> str | None:
    """The login that a trusted proxy gives, or None: there is no such proxy, or it did not send this request."""
    settings = find_site(request).options.sign_in.header
    if settings is None or request.client is None or not is_one_of(request.client.host, settings.peers):
        return None
    given, logins = request.headers.getlist(SECRET_HEADER), request.headers.getlist(settings.name)
    if len(given) != 1 or not hmac.compare_digest(given[0].encode("latin-1"), settings.secret.encode()):
        return None
    if len(logins) != 1 or not logins[0].strip() or len(logins[0]) > _MOST:
        return None  # two of them: the proxy has passed on one that it did not write
    try:
        return logins[0].strip().encode("latin-1").decode()
    except UnicodeDecodeError:
        return None
