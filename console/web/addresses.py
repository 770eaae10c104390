"""Where people reach the console, and the link that makes its first account.

Belongs here: addresses. Does not belong here: the process (``serving``), so that ``up`` need not import the pages.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from leadgate.ledger import Ledger, invitations
from leadgate.ledger.clock import ask_time
from leadgate.settings import Settings

HOST: Final = "127.0.0.1"


def build_address(settings: Settings, port: int | None = None) -> str:
    """Where people reach the console."""
    return settings.console_url or f"http://{HOST}:{port or settings.console_port}"


def is_secure(url: str) -> bool:
    """Whether browsers send cookies that need a secure connection to ``url``: by HTTPS, or on their own machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def build_first_link(ledger: Ledger, here: str) -> str | None:
    """The one-time link that makes the first admin; None when somebody has an account. Those before it end."""
    try:
        return f"{here}/welcome?token={invitations.create_first_link(ledger, ask_time(ledger))}"
    except invitations.LinkError:
        return None
