"""An OpenID Connect server: where to send somebody, and who came back.

Belongs here: its published configuration and keys, the exchange of a code, and proving a token (OpenID Connect Core
1.0, 3.1; PKCE, RFC 7636). Does not belong here: the pages (``open_id``), accounts (``ledger.accounts``), or what a
claim means here (``sign_in_settings``).
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from console.web.addresses import is_secure
from console.web.sign_in_settings import OpenIdSettings
from leadgate.connectors.service_session import Answer, Policy, ServiceError, ServiceSession
from leadgate.errors import LeadgateError, NotAvailableError
from leadgate.limits import LONGEST_SUBJECT

_SCOPE: Final = "openid email profile"
#: How tokens may be signed: by the server's private key, never by a secret that two share, and never not at all.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_LEEWAY: Final = 60  # seconds between two clocks
_KEPT: Final = 3600.0  # seconds for which configuration and keys are used without asking again
_ASKED_AGAIN: Final = 60.0  # seconds after which keys may be asked for again, because a token names one that is unknown
_MOST_AT_ONCE: Final = 8  # requests to the server
_POLICY: Final = Policy(read=10.0, whole=20.0, repeats=1, max_bytes=1024 * 1024, allow_private=True)


class OpenIdError(LeadgateError):
    """Somebody cannot be let in by what the server said. The message quotes neither the server nor a visitor."""

    http_status = HTTPStatus.FORBIDDEN


class OpenIdProvider:
    """One server. Safe to use from several threads."""

    def __init__(self, settings: OpenIdSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        secrets = [settings.client_secret] if settings.client_secret else []
        self._session = ServiceSession("the OpenID Connect server", policy=_POLICY, secrets=secrets)
        self._clock, self._lock = clock, threading.Lock()
        self._turns = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def build_redirect(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes. Raises ``NotAvailableError`` when the server's configuration cannot be read."""
        return str(
            prepare_grant_uri(
                self._find_endpoint("authorization_endpoint"),
                self.settings.client_id,
                "code",
                redirect_uri=redirect_uri,
                scope=_SCOPE,
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    def read_claims(self, code: str, redirect_uri: str, *, nonce: str, verifier: str, now: datetime) -> dict[str, Any]:
        """What the server says of who came back with ``code``. Raises ``OpenIdError`` and ``NotAvailableError``."""
        answer = self._exchange(code, redirect_uri, verifier)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OpenIdError("the OpenID Connect server gave no token that says who you are")
        return self._verify(token, answer.get("access_token"), nonce, now)

    def _exchange(self, code: str, redirect_uri: str, verifier: str) -> dict[str, Any]:
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        ways = self._read_configuration().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif "client_secret_basic" in ways:  # RFC 6749, 2.3.1
            pair = f"{quote(settings.client_id, safe='')}:{quote(settings.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        endpoint = self._find_endpoint("token_endpoint")
        answer = self._ask(lambda: self._session.send("POST", endpoint, data=form, headers=headers, repeatable=False))
        if not answer.is_ok:
            raise OpenIdError("the OpenID Connect server did not accept the sign-in; try it again")
        return _read_object(answer)

    def _verify(self, token: str, access_token: object, nonce: str, now: datetime) -> dict[str, Any]:
        """The claims of a token, proved as OpenID Connect Core 3.1.3.7 asks for."""
        for fresh in (False, True):
            try:
                read = jwt.decode(token, KeySet.import_key_set(self._read_keys(fresh=fresh)), algorithms=_ALGORITHMS)
                break
            except (JoseError, ValueError, TypeError, KeyError):
                if fresh:
                    raise OpenIdError("the token of the OpenID Connect server is not signed by it") from None
        settings = self.settings
        claims = CodeIDToken(
            read.claims,
            read.header,
            options={
                "iss": {"essential": True, "value": settings.issuer},
                "aud": {"essential": True, "value": settings.client_id},
            },
            params={"nonce": nonce, "client_id": settings.client_id, "access_token": access_token},
        )
        try:
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY)
        except (AuthlibBaseError, JoseError, ValueError, TypeError):
            raise OpenIdError("the token of the OpenID Connect server is not for this sign-in, or too old") from None
        if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
            raise OpenIdError("the token of the OpenID Connect server does not say who you are")
        return dict(claims)

    def _find_endpoint(self, name: str) -> str:
        endpoint = self._read_configuration().get(name)
        if not isinstance(endpoint, str) or not is_secure(endpoint):
            raise NotAvailableError(f"the configuration of the OpenID Connect server has no {name} that can be trusted")
        return endpoint

    def _read_configuration(self) -> Mapping[str, Any]:
        """What the server publishes of itself. Raises ``NotAvailableError``, also where it is another server's."""
        issuer = self.settings.issuer
        found = self._read_kept(f"{issuer.rstrip('/')}/.well-known/openid-configuration", _KEPT)
        if found.get("issuer") != issuer:
            raise NotAvailableError("the OpenID Connect server calls itself otherwise than LEADGATE_OIDC_ISSUER does")
        return found

    def _read_keys(self, *, fresh: bool) -> Any:
        """The public keys of the server; ``fresh``: asked for again, but not more often than once a minute."""
        return self._read_kept(self._find_endpoint("jwks_uri"), _ASKED_AGAIN if fresh else _KEPT)

    def _read_kept(self, address: str, newest: float) -> dict[str, Any]:
        with self._lock:
            at, kept = self._known.get(address, (0.0, {}))
        if kept and self._clock() - at < newest:
            return kept
        answer = self._ask(lambda: self._session.send("GET", address, headers={"Accept": "application/json"}))
        if not answer.is_ok:
            raise NotAvailableError(f"the OpenID Connect server answered {answer.status}; try again later")
        read = _read_object(answer)
        with self._lock:
            self._known[address] = (self._clock(), read)
        return read

    def _ask(self, send: Callable[[], Answer]) -> Answer:
        """Each request takes a thread of the console, so a server that is slow gets a few of them and no more."""
        if not self._turns.acquire(blocking=False):
            raise NotAvailableError("too many people sign in at this moment; try again in some seconds")
        try:
            return send()
        except ServiceError:
            raise NotAvailableError("the OpenID Connect server does not answer; try again later") from None
        finally:
            self._turns.release()


def _read_object(answer: Answer) -> dict[str, Any]:
    try:
        read = answer.parse_json(hide_secrets=False)
    except ServiceError:
        read = None
    if not isinstance(read, dict):
        raise NotAvailableError("the OpenID Connect server gave an answer that cannot be read")
    return dict(read)
