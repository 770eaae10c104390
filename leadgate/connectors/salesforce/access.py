"""Access tokens of Salesforce: how one is asked for, shared by threads, and kept out of every text.

Two grants are spoken: JWT bearer (a certificate in an External Client App, and no secret that Salesforce knows), and
client credentials. Neither has a refresh token: a new one is asked for when Salesforce refuses the old one.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from leadgate.connectors.crm import CrmRefusedError
from leadgate.connectors.salesforce.answers import explain, read_id, read_object
from leadgate.connectors.service_session import ServiceError, ServiceSession

_TOKEN: Final = re.compile(r"[\x21-\x7e]{8,16000}")  # what can stand in a header


class Credentials(Protocol):
    """What a token is asked for with."""

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def build_grant(self, now: float) -> Mapping[str, str]:
        """The form that asks for a token. ``now`` is in seconds since 1970."""
        ...


@dataclass(frozen=True)
class JwtCredentials:
    """The JWT bearer grant: ``private_key`` (PEM, RSA) signs for the app ``consumer_key`` and the user ``username``.

    ``audience`` is ``https://login.salesforce.com``, for a sandbox ``https://test.salesforce.com``. ``lifetime`` of an
    assertion is in seconds; Salesforce takes no more than three minutes.
    """

    consumer_key: str
    username: str
    private_key: str = field(repr=False)
    audience: str = "https://login.salesforce.com"
    lifetime: int = 120

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.private_key,)

    def build_grant(self, now: float) -> Mapping[str, str]:
        import jwt

        claims = {
            "iss": self.consumer_key,
            "sub": self.username,
            "aud": self.audience,
            "exp": int(now) + min(self.lifetime, 180),
        }
        try:
            assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        except Exception:  # of pyjwt and of cryptography, by what is wrong with the key; some quote it
            raise CrmRefusedError("the private key for Salesforce is no RSA key in PEM format") from None
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}


@dataclass(frozen=True)
class ClientCredentials:
    """The client credentials grant of an app, which acts as the user that the app's policy names."""

    consumer_key: str
    consumer_secret: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.consumer_secret,)

    def build_grant(self, now: float) -> Mapping[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.consumer_key,
            "client_secret": self.consumer_secret,
        }


class AccessTokens:
    """The token that is valid now. Safe to use from several threads: they wait for one that asks for all of them."""

    def __init__(self, session: ServiceSession, base_url: str, credentials: Credentials) -> None:
        self._session = session
        self._url = f"{base_url}/services/oauth2/token"
        self._credentials = credentials
        self._lock = threading.Lock()
        self._token: str | None = None
        self.user_id: str | None = None  # whom the token is of, as the answer with it says

    def get_token(self) -> str:
        with self._lock:
            return self._token or self._fetch()

    def replace_token(self, refused: str) -> str:
        """A token other than ``refused``; the one that another thread has got meanwhile will do."""
        with self._lock:
            return self._token if self._token not in (None, refused) else self._fetch()

    def _fetch(self) -> str:
        self._token = None
        grant = self._credentials.build_grant(time.time())
        self._session.secrets.add(*self._credentials.secrets, *filter(None, [grant.get("assertion")]))
        answer = self._session.send("POST", self._url, data=grant, repeatable=True)
        if not answer.is_ok:
            raise explain(answer)
        given = read_object(answer, hide_secrets=False)
        token, identity = given.get("access_token"), given.get("id")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise ServiceError(f"{self._session.service} answered the request for a token without one")
        self._session.secrets.add(token)
        self._token = token
        self.user_id = read_id(identity.rpartition("/")[2]) if isinstance(identity, str) else None
        return token
