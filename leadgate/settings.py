"""Where Leadgate keeps its things and how it behaves, as one typed object that is passed in.

Belongs here: everything that differs from one installation to the next, read from the environment
once. Does not belong here: what a team agrees on, which is the playbook's.

Read by hand, not by pydantic-settings: every command needs its settings, and importing that library takes 40 to 56 ms
of CPU time with Pydantic already there, a fifth of a whole ``leadgate --help``; reading them here takes 0.2 ms.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from leadgate.errors import LeadgateError
from leadgate.hashing import LEAST_KEY_BYTES

_SHOWN: Final = 60  # characters of a value in an error message


class SettingsError(LeadgateError, ValueError):
    """An environment variable has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """``home`` is the data folder: the embedded PostgreSQL and, with it, the ledger."""

    home: Path
    database_url: str | None = field(default=None, repr=False)  # may carry a password
    playbook: Path | None = None  # none: ./playbook.yaml where there is one, else the bundled default
    shadow: Path | None = None  # a draft that decides beside the playbook in use; none: whichever is started
    lease_seconds: float = 30.0
    batch_limit: int = 20_000
    prefect_port: int = 4200
    capture_port: int = 8420
    console_port: int = 8421
    console_url: str | None = None  # by which people reach the console; none: this machine and the port
    clock_skew_limit: float = 30.0  # seconds by which this host's clock may be off before it takes nothing
    brake_from: int = 10_000  # waiting leads from which answers of HTTP capture are held back; 0: never
    file_memory_mb: int = 1024  # of the process that reads one file
    file_silent_seconds: float = 120.0  # for which it may give no row
    file_seconds: float = 1800.0  # for which it may read in all
    stalled_after: float = 60.0  # seconds for which the lead that waits longest may stand still
    metrics_token: str | None = field(default=None, repr=False)  # none: no metrics are served
    key: str | None = field(default=None, repr=False)  # of hashes; none: the file `key` in the data folder
    mail_server: str | None = field(default=None, repr=False)  # of reports by e-mail; none: they wait
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose X-Forwarded-For HTTP capture believes

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read ``LEADGATE_*`` variables. Raises ``SettingsError`` for a value that cannot be used."""
        env = os.environ if environ is None else environ
        playbook, home, shadow = (env.get(f"LEADGATE_{name}") for name in ("PLAYBOOK", "HOME", "SHADOW"))
        local = Path("playbook.yaml")
        return cls(
            home=Path(home or ".leadgate").expanduser().absolute(),
            database_url=env.get("LEADGATE_DATABASE_URL") or None,
            playbook=Path(playbook) if playbook else local if local.is_file() else None,
            shadow=Path(shadow) if shadow else None,
            lease_seconds=_read_number(env, "LEADGATE_LEASE_SECONDS", cls.lease_seconds, least=0.2),
            batch_limit=_read_whole(env, "LEADGATE_BATCH_LIMIT", cls.batch_limit, least=1),
            prefect_port=_read_port(env, "LEADGATE_PREFECT_PORT", cls.prefect_port),
            capture_port=_read_port(env, "LEADGATE_CAPTURE_PORT", cls.capture_port),
            console_port=_read_port(env, "LEADGATE_CONSOLE_PORT", cls.console_port),
            console_url=_read_url(env, "LEADGATE_CONSOLE_URL"),
            clock_skew_limit=_read_number(env, "LEADGATE_CLOCK_SKEW_LIMIT", cls.clock_skew_limit, least=1),
            brake_from=_read_whole(env, "LEADGATE_BRAKE_FROM", cls.brake_from, least=0),
            file_memory_mb=_read_whole(env, "LEADGATE_FILE_MEMORY_MB", cls.file_memory_mb, least=64),
            file_silent_seconds=_read_number(env, "LEADGATE_FILE_SILENT_SECONDS", cls.file_silent_seconds, least=1),
            file_seconds=_read_number(env, "LEADGATE_FILE_SECONDS", cls.file_seconds, least=1),
            stalled_after=_read_number(env, "LEADGATE_STALLED_AFTER", cls.stalled_after, least=1),
            metrics_token=env.get("LEADGATE_METRICS_TOKEN") or None,
            key=_read_key(env.get("LEADGATE_KEY")),
            mail_server=env.get("LEADGATE_MAIL_SERVER", "").strip() or None,
            trusted_proxies=_read_networks(env, "LEADGATE_TRUSTED_PROXIES"),
        )


def list_variables() -> frozenset[str]:
    """The environment variables that settings are read from: one for each setting."""
    return frozenset(f"LEADGATE_{setting.name.upper()}" for setting in fields(Settings))


def _shorten(text: str) -> str:
    """The value of a variable as an error message quotes it: its first characters, when it is a long one."""
    return repr(text) if len(text) <= _SHOWN else f"{text[:_SHOWN]!r}… ({len(text):,} characters)"


def _read_number(env: Mapping[str, str], name: str, default: float, *, least: float) -> float:
    text = env.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(f"{name}={_shorten(text)} is not a number; unset it or give a number, like {default:g}")
    if value < least:
        raise SettingsError(f"{name}={_shorten(text)} is too small; the least is {least:g}")
    return value


def _read_whole(env: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    value = _read_number(env, name, default, least=least)
    if value != int(value):
        raise SettingsError(f"{name}={_shorten(env[name])} is no whole number; give one, like {default}")
    return int(value)


def _read_key(text: str | None) -> str | None:
    """White space around it does not count: the variable and the file `key` may hold the same text."""
    key = (text or "").strip()
    if key and len(key.encode()) < LEAST_KEY_BYTES:
        raise SettingsError(
            f"LEADGATE_KEY has {len(key.encode())} bytes and needs {LEAST_KEY_BYTES}; `openssl rand -hex 32` makes one"
        )
    return key or None


def _read_port(env: Mapping[str, str], name: str, default: int) -> int:
    port = _read_whole(env, name, default, least=1)
    if port > 65_535:
        raise SettingsError(f"{name}={_shorten(env[name])} is no port; the last one is 65535")
    return port


def _read_url(env: Mapping[str, str], name: str) -> str | None:
    text = env.get(name, "").strip().rstrip("/")
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise SettingsError(f"{name}={_shorten(text)} is no address; write it like https://leads.example.com")
    return text


def _read_networks(env: Mapping[str, str], name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(each) for each in env.get(name, "").replace(",", " ").split())
    except ValueError as error:
        problem = str(error) if len(str(error)) <= _SHOWN + 60 else f"{_shorten(env[name])} has another value"
        raise SettingsError(
            f"{name} is no list of addresses: {problem}; write it like 127.0.0.1, 10.0.0.0/24"
        ) from None
