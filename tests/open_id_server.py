"""A strict OpenID Connect server on loopback: it refuses what the standard says that a server refuses.

Belongs here: its endpoints, and people who sign in there. Does not belong here: serving (``crm_fakes.serving``).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from crm_fakes.serving import FakeService, Request, Response
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "leadgate console", "a secret: with signs/+"  # both need encoding, as RFC 6749 asks for


@cache
def _make_key(kid: str, of: str = "the server") -> RSAKey:
    """A key, which nothing changes: making one takes a tenth of a second."""
    return RSAKey.generate_key(2048, {"kid": kid}, private=True)


@dataclass
class OpenIdServer(FakeService):
    """``person`` are the claims of who signs in next. ``change_token`` changes the claims of tokens, or the header."""

    redirect_uri: str
    now: datetime
    person: dict[str, Any] = field(default_factory=dict)
    change_claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    base: str = ""
    ways: tuple[str, ...] = ("client_secret_basic",)

    def __post_init__(self) -> None:
        super().__init__()
        self.key = _make_key("one")
        self.published = [self.key]
        self.codes: dict[str, dict[str, str]] = {}
        self.sign: Callable[[dict[str, Any]], str] = self.sign_well

    def sign_well(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def sign_by_secret(self, claims: dict[str, Any]) -> str:
        """A server's public key taken for a secret that two share, which a careless client accepts."""
        _, body, _ = self.sign_well(claims).split(".")
        signed = _encode(b'{"alg":"HS256","kid":"one"}') + "." + body
        proof = hmac.new(self.key.as_pem(private=False), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_encode(proof)}"

    def sign_not(self, claims: dict[str, Any]) -> str:
        _, body, _ = self.sign_well(claims).split(".")
        return _encode(b'{"alg":"none"}') + f".{body}."

    def sign_by_stranger(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, _make_key("one", of="a stranger"))

    def turn_keys(self) -> None:
        """From now on tokens are signed by another key, and the one before is not published any more."""
        self.key = _make_key("two")
        self.published = [self.key]

    def answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/.well-known/openid-configuration":
                return Response(
                    body={
                        "issuer": self.base,
                        "authorization_endpoint": f"{self.base}/authorize?tenant=1",
                        "token_endpoint": f"{self.base}/token",
                        "jwks_uri": f"{self.base}/keys",
                        "token_endpoint_auth_methods_supported": list(self.ways),
                    }
                )
            case "GET", "/keys":
                return Response(body={"keys": [key.as_dict(private=False) for key in self.published]})
            case "GET", "/authorize":
                return self._authorize(request)
            case "POST", "/token":
                return self._give_token(request)
        return Response(404)

    def _authorize(self, request: Request) -> Response:
        asked = request.query
        sound = (
            asked.get("tenant") == "1"
            and asked.get("response_type") == "code"
            and asked.get("client_id") == CLIENT
            and asked.get("redirect_uri") == self.redirect_uri
            and "openid" in asked.get("scope", "").split()
            and asked.get("code_challenge_method") == "S256"
            and len(asked.get("code_challenge", "")) == 43
            and asked.get("state")
            and asked.get("nonce")
        )
        if not sound:
            return Response(400, {"error": "invalid_request"})
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        query = urlencode({"code": code, "state": asked["state"]})
        return Response(302, headers={"Location": f"{self.redirect_uri}?{query}"})

    def _give_token(self, request: Request) -> Response:
        form = dict(parse_qsl(request.body.decode()))
        if not self._is_client(request, form):
            return Response(401, {"error": "invalid_client"})
        asked = self.codes.pop(form.get("code", ""), None)  # once
        challenge = _encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return Response(400, {"error": "invalid_grant"})
        at = int(self.now.timestamp())
        claims = {
            "iss": self.base,
            "aud": CLIENT,
            "iat": at,
            "exp": at + 300,
            "nonce": asked["nonce"],
            **self.person,
        }
        token = self.sign(self.change_claims(claims))
        return Response(body={"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def _is_client(self, request: Request, form: dict[str, str]) -> bool:
        if self.ways == ("client_secret_post",):
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        name, _, secret = b64decode(given).decode().partition(":")
        return scheme == "Basic" and (unquote(name), unquote(secret)) == (CLIENT, SECRET)


def _encode(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
