"""The settings of signing in through another server: an OpenID Connect server, or a proxy that sends a header.

Belongs here: these settings, read from the environment of the console's process; no other process gets them. Does not
belong here: settings that all processes share (``leadgate.settings``), or requests to a server (``open_id_provider``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit

from console.web.addresses import is_secure
from leadgate.limits import LONGEST_ISSUER
from leadgate.nearest import propose
from leadgate.settings import SettingsError
from leadgate.vocabulary import Role

_MIN_SECRET_LENGTH: Final = 32  # characters
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,80}")


@dataclass(frozen=True)
class OpenIdSettings:
    """An OpenID Connect server, and the meaning of its claims.

    ``login_claim``: the claim that holds a person's login. ``roles`` maps values of the claim ``roles_claim`` to roles;
    when it is empty, an admin gives the roles.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    login_claim: str = "email"
    roles_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True)
class HeaderSettings:
    """A proxy that signs people in and sends their login in the header ``name``.

    The header is trusted in a request from one of ``peers`` that has ``secret`` in the header ``SECRET_HEADER``.
    """

    name: str
    peers: tuple[IPv4Network | IPv6Network, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True)
class SignInSettings:
    """The servers through which people may sign in besides with a password; None for a way that is not configured."""

    open_id: OpenIdSettings | None = None
    header: HeaderSettings | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> SignInSettings:
        """Read ``LEADGATE_OIDC_…`` and ``LEADGATE_TRUSTED_HEADER…``. Raises ``SettingsError``."""
        env = {name: value.strip() for name, value in (os.environ if environ is None else environ).items()}
        return cls(_read_open_id(env), _read_header(env))


def _read_open_id(env: Mapping[str, str]) -> OpenIdSettings | None:
    issuer, client = env.get("LEADGATE_OIDC_ISSUER", ""), env.get("LEADGATE_OIDC_CLIENT_ID", "")
    if not issuer and not client:
        return None
    if not issuer or not client:
        raise SettingsError("signing in by OpenID Connect needs both LEADGATE_OIDC_ISSUER and LEADGATE_OIDC_CLIENT_ID")
    parts = urlsplit(issuer)
    if not parts.hostname or parts.query or parts.fragment or not is_secure(issuer) or len(issuer) > LONGEST_ISSUER:
        raise SettingsError(
            "LEADGATE_OIDC_ISSUER must be an https:// address without a query, such as https://login.example.com, "
            "exactly as the server names itself"
        )
    return OpenIdSettings(
        issuer,
        client,
        env.get("LEADGATE_OIDC_CLIENT_SECRET") or None,
        env.get("LEADGATE_OIDC_LOGIN_CLAIM") or OpenIdSettings.login_claim,
        env.get("LEADGATE_OIDC_ROLES_CLAIM") or OpenIdSettings.roles_claim,
        _read_roles(env.get("LEADGATE_OIDC_ROLES", "")),
    )


def _read_roles(text: str) -> dict[str, Role]:
    """``leads-ops=operator, leads-sales=rep`` as a mapping."""
    found = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        value, equals, word = (part.strip() for part in each.rpartition("="))
        if not equals or not value:
            raise SettingsError(
                f"LEADGATE_OIDC_ROLES: {each[:60]!r} is not a pair of a claim's value and a role; "
                "write it like leads-ops=operator"
            )
        if word not in list(Role):
            nearest = propose(word[:60], list(Role))
            raise SettingsError(f"LEADGATE_OIDC_ROLES: there is no role {word[:60]!r}; {nearest}")
        found[value] = Role(word)
    return found


def _read_header(env: Mapping[str, str]) -> HeaderSettings | None:
    name = env.get("LEADGATE_TRUSTED_HEADER", "")
    if not name:
        return None
    if not _HEADER.fullmatch(name):
        raise SettingsError("LEADGATE_TRUSTED_HEADER is not the name of a header; write it like X-Forwarded-User")
    try:
        peers = tuple(
            ip_network(each) for each in env.get("LEADGATE_TRUSTED_HEADER_PEERS", "").replace(",", " ").split()
        )
    except ValueError:
        raise SettingsError(
            "LEADGATE_TRUSTED_HEADER_PEERS is not a list of addresses; write it like 127.0.0.1, 10.0.0.0/24"
        ) from None
    if not peers:
        raise SettingsError(
            "LEADGATE_TRUSTED_HEADER needs LEADGATE_TRUSTED_HEADER_PEERS, the addresses of the proxies whose header is "
            "trusted, such as 127.0.0.1"
        )
    secret = env.get("LEADGATE_TRUSTED_HEADER_SECRET", "")
    if len(secret) < _MIN_SECRET_LENGTH:
        raise SettingsError(
            f"LEADGATE_TRUSTED_HEADER needs LEADGATE_TRUSTED_HEADER_SECRET of at least {_MIN_SECRET_LENGTH} "
            "characters, which the proxy sends in every request; `openssl rand -hex 32` makes one"
        )
    return HeaderSettings(name, peers, secret)
