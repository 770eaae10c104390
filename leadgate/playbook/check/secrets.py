"""The secrets of sources that post: the variables that a playbook names, and what these hold.

Belongs here: names of variables, and that no two sources share a secret. Does not belong here: the form of one secret
(``leadgate.source_secrets``).

A signature proves its source by the secret alone, so a secret that two sources shared would let each post as the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from leadgate import source_secrets
from leadgate.playbook import Loaded
from leadgate.playbook.check.checker import Checker, Found
from leadgate.playbook.yaml_text import Path, PlaybookError, Problem
from leadgate.source_secrets import PREFIX, Secret, SecretError


def check_variables(checker: Checker) -> Found:
    """Each source names a variable of its own, under the prefix that nothing else uses."""
    taken: dict[str, str] = {}
    for name, source in checker.playbook.sources.items():
        if source.http is None:
            continue
        variable, here = source.http.secret_env, _build_path(name)
        if not variable.startswith(PREFIX) or variable == PREFIX:
            yield checker.at(here, f"{variable!r} is no variable for a secret; call it {PREFIX}{name.upper()}")
        other = taken.setdefault(variable, name)
        if other != name:
            message = f"{variable} is the secret of {other!r} already, so each could post as the other; name another"
            yield checker.at(here, message)


def check_values(loaded: Loaded, environ: Mapping[str, str]) -> list[Problem]:
    """What is wrong with the secrets that are set. A variable that is not set is no problem: nobody can post by it."""
    problems: list[Problem] = []
    taken: dict[bytes, str] = {}
    for name, source in loaded.playbook.sources.items():
        if source.http is None:
            continue
        variable = source.http.secret_env
        try:
            found = source_secrets.read(environ.get(variable, ""))
        except SecretError as error:
            problems.append(loaded.document.problem(_build_path(name), f"{variable} {error}"))
            continue
        for other in sorted({taken.setdefault(_read_value(each), name) for each in found} - {name}):
            message = f"{variable} holds a secret of {other!r}, so each could post as the other; make another"
            problems.append(loaded.document.problem(_build_path(name), message))
        if source.http.auth == "hmac" and any(each.key is None for each in found):
            message = (
                f"{variable} holds a secret of the old signature (X-Leadgate-Signature), which the next version will "
                "not read; make one with `leadgate secret new` and have the sender sign by Standard Webhooks"
            )
            problems.append(loaded.document.problem(_build_path(name), message, note=True))
    return sorted(set(problems))


def require_values(loaded: Loaded, environ: Mapping[str, str]) -> list[Problem]:
    """Raises ``PlaybookError`` with every problem of ``check_values``; returns its notes."""
    found = check_values(loaded, environ)
    if wrong := [problem for problem in found if not problem.note]:
        raise PlaybookError(wrong)
    return found


def _build_path(source: str) -> Path:
    return ("sources", source, "http", "secret_env")


def _read_value(secret: Secret) -> bytes:
    return secret.text if secret.key is None else secret.key
