"""The address that a request came from, also behind a proxy, and what counts as one sender.

Belongs here: reading ``X-Forwarded-For``. Does not belong here: which proxies are trusted (``leadgate.settings``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network
_MOST_HOPS: Final = 20  # of a header that anybody can write


def find_client_address(peer: str, forwarded: Sequence[bytes], proxies: Collection[Network]) -> str:
    """The address of the sender: ``peer``, or what trusted proxies say of it in their ``X-Forwarded-For``.

    Read from its end, where the proxy next to us wrote: the first address that is no proxy of ours. What is before
    it was written by a stranger. ``forwarded`` has the header's values, in their order.
    """
    if not proxies or not is_one_of(peer, proxies):
        return peer
    nearest = peer
    hops = b",".join(forwarded).decode("latin-1").split(",")
    for hop in reversed(hops[-_MOST_HOPS:]):
        address = _parse_address(hop)
        if address is None:
            return nearest
        nearest = str(address)
        if not is_one_of(nearest, proxies):
            return nearest
    return nearest


@lru_cache(maxsize=10_000)
def find_sender(address: str) -> str:
    """What is counted as one sender: an IPv4 address, or the /64 that a host of IPv6 has to itself."""
    found = _parse_address(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((found, 64), strict=False))
    return address if found is None else str(found)


def is_one_of(address: str, proxies: Collection[Network]) -> bool:
    """Whether ``address`` is that of a proxy; what is no address is none."""
    found = _parse_address(address)
    return found is not None and any(found in network for network in proxies)


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: alone, ``192.0.2.1:4711``, or ``[2001:db8::1]:4711``."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
