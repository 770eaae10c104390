"""How sources that post sign in: the keys that go together, the variables that a playbook names, and what these hold.

Belongs here: names of variables, what a way of signing in needs, and that no two share a secret, receivers of events
included. Does not belong here: the form of one secret (``leadgate.source_secrets``).

A signature proves its source by the secret alone, so a secret that two sources shared would let each post as the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from leadgate import source_secrets
from leadgate.playbook import HttpCapture, LoadedPlaybook
from leadgate.playbook.check.addresses import find_address_fault
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path, PlaybookError, Problem
from leadgate.source_secrets import PREFIX, Secret, SecretError

#: Ways of signing in whose payloads are no activities.
_LEADS_ONLY: Final = ("typeform", "facebook", "google_leads", "hubspot")
_NEEDED_FOR: Final = {
    "verify_env": "it names the variable with the token by which Facebook verifies the address",
    "public_url": "it is the address that HubSpot posts to, for HubSpot signs that too",
}


def check_variables(checker: Checker) -> Found:
    """Each source names a variable of its own, under the prefix that nothing else uses."""
    taken: dict[str, str] = {}
    for name, source in checker.playbook.sources.items():
        if source.http is None:
            continue
        for key, variable in _list_variables(source.http):
            here = _build_path(name, key)
            if not variable.startswith(PREFIX) or variable == PREFIX:
                yield checker.at(here, f"{variable!r} is no variable for a secret; call it {PREFIX}{name.upper()}")
            other = taken.setdefault(variable, name)
            if other != name:
                message = (
                    f"{variable} is the secret of {other!r} already, so each could post as the other; name another"
                )
                yield checker.at(here, message)
        if source.http.verify_env == source.http.secret_env:
            message = "travels in the address of a request, so it cannot be the secret too; name another variable"
            yield checker.at(_build_path(name, "verify_env"), message)


def check_ways(checker: Checker) -> Found:
    """Each source that posts has the keys that its way of signing in needs, and no others."""
    for name, source in checker.playbook.sources.items():
        if (http := source.http) is None:
            continue
        for key, needed, given in (
            ("verify_env", "facebook", http.verify_env),
            ("public_url", "hubspot", http.public_url),
        ):
            if http.auth == needed and given is None:
                yield checker.at(_build_path(name, "auth"), f"{needed} needs `{key}` beside it; {_NEEDED_FOR[key]}")
            if http.auth != needed and given is not None:
                yield checker.at(_build_path(name, key), f"means nothing with auth: {http.auth}; remove it")
        if http.public_url is not None and not _is_public_url(http.public_url):
            message = "is not the whole address that HubSpot posts to; write it like https://leads.example/capture/NAME"
            yield checker.at(_build_path(name, "public_url"), message)
        if source.kind != "leads" and http.auth in _LEADS_ONLY:
            message = f"{http.auth} sends leads, so the source has no kind: {source.kind}"
            yield checker.at(_build_path(name, "auth"), message)


def check_answers(checker: Checker) -> Found:
    """Whose answers are read can be asked for them: of Facebook alone, over an address that tokens may travel to."""
    for name, source in checker.playbook.sources.items():
        if (http := source.http) is None:
            continue
        here = _build_path(name, "answers")
        if http.answers is None:
            continue
        if http.auth != "facebook":
            yield checker.at(here, f"means nothing with auth: {http.auth}; remove it")
        if http.answers.token_env.startswith(PREFIX):
            message = f"{http.answers.token_env} is a variable for the secret of a source; name another"
            yield checker.at((*here, "token_env"), message)
        fault = find_address_fault(http.answers.url, allow_private=http.answers.allow_private)
        if fault is not None:
            yield checker.at((*here, "url"), fault)


def _is_public_url(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.netloc) and address.isascii() and address.isprintable()


def check_values(loaded: LoadedPlaybook, environ: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the secrets that are set. A variable that is not set is no problem: nobody can post by it."""
    problems: list[Problem] = []
    taken: dict[bytes, str] = {}
    for name, source in loaded.playbook.sources.items():
        if source.http is None:
            continue
        of_source: dict[str, list[Secret]] = {}
        for key, variable in _list_variables(source.http):
            here = _build_path(name, key)
            try:
                found = of_source[key] = source_secrets.read(environ.get(variable, ""))
            except SecretError as error:
                problems.append(loaded.document.problem(here, f"{variable} {error}"))
                continue
            for other in sorted({taken.setdefault(_read_value(each), name) for each in found} - {name}):
                message = f"{variable} holds a secret of {other!r}, so each could post as the other; make another"
                problems.append(loaded.document.problem(here, message))
        variable, found = source.http.secret_env, of_source.get("secret_env", [])
        if {each.text for each in found} & {each.text for each in of_source.get("verify_env", [])}:
            message = "holds the secret itself, and travels in the address of a request; make another"
            problems.append(loaded.document.problem(_build_path(name, "verify_env"), message))
        if source.http.auth == "standard_webhooks" and any(each.key is None for each in found):
            message = (
                f"{variable} holds no secret of Standard Webhooks, which begins with whsec_; see where it was made"
            )
            problems.append(loaded.document.problem(_build_path(name), message))
        if source.http.auth == "hmac" and any(each.key is None for each in found):
            message = (
                f"{variable} holds a secret of the old signature (X-Leadgate-Signature), which the next version will "
                "not read; make one with `leadgate secret new` and have the sender sign by Standard Webhooks"
            )
            problems.append(loaded.document.problem(_build_path(name), message, note=True))
    problems += _check_receivers(loaded, environ, taken)
    return sorted(set(problems))


def _check_receivers(
    loaded: LoadedPlaybook, environ: Mapping[str, str], taken: Mapping[bytes, str]
) -> Iterator[Problem]:
    """A receiver of events with the secret of a source could post as that source."""
    for position, receiver in enumerate(loaded.playbook.events):
        here: Path = ("events", position, "secret_env")
        try:
            found = source_secrets.read(environ.get(receiver.secret_env, ""))
        except SecretError as error:
            yield loaded.document.problem(here, f"{receiver.secret_env} {error}")
            continue
        if any(each.key is None for each in found):
            message = f"{receiver.secret_env} holds no secret of Standard Webhooks; `leadgate secret new` makes one"
            yield loaded.document.problem(here, message)
        for other in sorted({taken[value] for each in found if (value := _read_value(each)) in taken}):
            message = f"{receiver.secret_env} holds a secret of {other!r}, so its receiver could post as that source; "
            yield loaded.document.problem(here, message + "make another")


def require_values(loaded: LoadedPlaybook, environ: Mapping[str, str]) -> list[Problem]:
    """Raises ``PlaybookError`` with every problem of ``check_values``; returns its notes."""
    found = check_values(loaded, environ)
    if wrong := [problem for problem in found if not problem.note]:
        raise PlaybookError(wrong)
    return found


def _list_variables(http: HttpCapture) -> list[tuple[str, str]]:
    """Each key that names a variable, with the variable."""
    return [("secret_env", http.secret_env), *([] if http.verify_env is None else [("verify_env", http.verify_env)])]


def _build_path(source: str, key: str = "secret_env") -> Path:
    return ("sources", source, "http", key)


def _read_value(secret: Secret) -> bytes:
    return secret.text if secret.key is None else secret.key
