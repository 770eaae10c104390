"""Addresses of services to which credentials are sent.

Belongs here: what makes an address one that a token may travel to. Does not belong here: whose address it is (a file
for each part of a playbook), or asking the service.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def find_address_fault(address: str, *, allow_private: bool) -> str | None:
    """Why no token may be sent to ``address``: it is no URL, or not encrypted although it leaves the machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("https", "http") or not address.isprintable():
        return "this is no URL; write one like https://crm.example"
    if parts.username is not None or parts.password is not None:
        return "holds a password; credentials are read from the environment"
    if parts.query or parts.fragment:
        return "ends with a query; write the address alone"
    if parts.scheme == "http" and host not in LOOPBACK:
        return "sends credentials unencrypted; write https"
    if host in LOOPBACK and not allow_private:
        return f"{host} is this machine, which is refused; add allow_private: true"
    return None
