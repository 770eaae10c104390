"""Tokens of the fake org: who may ask for one, by which grant, and how long one is valid."""

from __future__ import annotations

import base64
import binascii
import itertools
import time
from dataclasses import dataclass
from typing import Any, Final

import jwt

from crm_fakes.serving import Request, Response

_LONGEST_ASSERTION: Final = 180  # seconds
_LEEWAY: Final = 1  # seconds: a client may round the time when its assertion expires


@dataclass
class App:
    """An External Client App: who may ask for tokens, and how."""

    consumer_key: str
    username: str
    public_key: str = ""
    consumer_secret: str = ""
    audience: str = "https://login.salesforce.com"


class Tokens:
    """``valid_until`` is by ``time.time()``, by token."""

    def __init__(self, *apps: App) -> None:
        self.apps = {app.consumer_key: app for app in apps}
        self.length = 112
        self.user_id = "005"  # whom every token is of
        self.valid_until: dict[str, float] = {}
        self._numbers = itertools.count(1)

    def give(self) -> str:
        token = f"00D5g!fake{next(self._numbers)}.".ljust(self.length, "x")
        self.valid_until[token] = time.time() + 3_600
        return token

    def are_shown_by(self, request: Request) -> bool:
        """Whether the request has a token that is valid."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme in ("Bearer", "OAuth") and self.valid_until.get(token, 0) >= time.time()

    def answer(self, request: Request) -> Response:
        if request.method != "POST" or "form-urlencoded" not in request.headers.get("content-type", ""):
            return _refuse("invalid_request", "must use HTTP POST with a form")
        form = Request("GET", "/?" + request.body.decode(), {}, b"").query
        grant = form.get("grant_type")
        if grant == "client_credentials":
            if (refusal := self._check_secret(*_read_client(request, form))) is not None:
                return refusal
        elif grant == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            if isinstance(refused := self._read_assertion(form.get("assertion", "")), str):
                return _refuse("invalid_grant", refused)
        else:
            return _refuse("unsupported_grant_type", "grant type not supported")
        base = f"http://{request.headers.get('host', '')}"
        body = {"access_token": self.give(), "instance_url": base, "token_type": "Bearer", "scope": "api"}
        return Response(
            200, {**body, "id": f"{base}/id/00D/{self.user_id}", "issued_at": str(int(time.time() * 1_000))}
        )

    def _check_secret(self, consumer_key: str, secret: str) -> Response | None:
        app = self.apps.get(consumer_key)
        if app is None or not app.consumer_secret:
            return _refuse("invalid_client_id", "client identifier invalid")
        return None if secret == app.consumer_secret else _refuse("invalid_client", "invalid client credentials")

    def _read_assertion(self, assertion: str) -> App | str:
        try:
            issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss", "")
            if (app := self.apps.get(issuer)) is None or not app.public_key:
                return "client identifier invalid"
            required: Any = {"require": ["iss", "sub", "aud", "exp"]}
            claims = jwt.decode(assertion, app.public_key, ["RS256"], audience=app.audience, options=required)
        except jwt.ExpiredSignatureError:
            return "assertion has expired"
        except jwt.InvalidAudienceError:
            return "audience is invalid"
        except jwt.PyJWTError:
            return "invalid assertion"
        if int(claims["exp"]) > time.time() + _LONGEST_ASSERTION + _LEEWAY:
            return "expiration is too far in the future"
        return app if claims["sub"] == app.username else "user hasn't approved this consumer"


def _read_client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """The consumer's key and secret, from the header of HTTP's basic scheme or from the form."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def _refuse(error: str, description: str) -> Response:
    return Response(400, {"error": error, "error_description": description})
