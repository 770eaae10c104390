"""Which environment variables each process of an installation gets: those it needs, and no secrets of the others.

Belongs here: the lists, and choosing from an environment by them. Does not belong here: starting processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from leadgate import settings
from leadgate.playbook import HttpProvider, Playbook

#: What any program needs: where programs, modules, certificates and temporary files are, language, time zone.
_SYSTEM: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TERM", "VIRTUAL_ENV", "LD_LIBRARY_PATH"),
    *("XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
_SYSTEM_FAMILIES: Final = ("LC_", "PYTHON")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_LEDGER_FAMILIES: Final = ("PG", "LEADGATE_FAILPOINT")  # PG…: what PostgreSQL's client library reads
_PREFECT_FAMILIES: Final = ("PREFECT_", "DO_NOT_TRACK")
#: Of the console alone: how people sign in by other servers, with the secrets for it.
_SIGN_IN_FAMILIES: Final = ("LEADGATE_OIDC_", "LEADGATE_TRUSTED_HEADER")
#: Of the processes that send reports by e-mail: it has a password.
MAIL_SERVER: Final = "LEADGATE_MAIL_SERVER"
METRICS_TOKEN: Final = "LEADGATE_METRICS_TOKEN"  # noqa: S105 - the name of a variable


def list_source_secrets(playbook: Playbook) -> set[str]:
    """The variables with the secrets of sources that post."""
    posting = [source.http for source in playbook.sources.values() if source.http is not None]
    return {variable for http in posting for variable in http.list_variables()}


def list_provider_keys(playbook: Playbook) -> set[str]:
    """The variables with the keys of services that are asked about companies."""
    return {
        provider.auth.secret_env
        for provider in playbook.enrichment.providers
        if isinstance(provider, HttpProvider) and provider.auth is not None
    }


def list_answer_credentials(playbook: Playbook) -> set[str]:
    """The variables by which the answers of leads are read that webhooks only name: tokens, and the secrets of their
    apps, which are those of their sources, too."""
    read = [source.http for source in playbook.sources.values() if source.http is not None]
    return {name for http in read if http.answers is not None for name in (http.answers.token_env, http.secret_env)}


def list_delivery_addresses(playbook: Playbook) -> set[str]:
    """The variables with the addresses that messages go to."""
    return {notification.address_env for notification in playbook.notifications}


def list_crm_credentials(playbook: Playbook) -> set[str]:
    """The variables with the credentials of CRMs."""
    return {variable for connection in playbook.crm for variable in connection.credentials.values()}


def select_for_prefect_server(environ: Mapping[str, str]) -> dict[str, str]:
    """No address of the ledger, secrets of sources, addresses of messages, or credentials of CRMs and services."""
    return _select(environ, families=_PREFECT_FAMILIES)


def select_for_flows(environ: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """For the consumer and the worker: no secrets of sources but those by which answers are read, no token for
    metrics."""
    answers = list_answer_credentials(playbook)
    never = (list_source_secrets(playbook) - answers) | {METRICS_TOKEN}
    own = list_delivery_addresses(playbook) | list_crm_credentials(playbook) | list_provider_keys(playbook) | answers
    names = {*settings.list_variables(), *_PROXIES, *own} - never
    return _select(environ, names, (*_LEDGER_FAMILIES, *_PREFECT_FAMILIES), never)


def select_for_http_capture(environ: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """Nothing of Prefect, no addresses of messages, no credentials of CRMs."""
    names = settings.list_variables() | list_source_secrets(playbook)
    return _select(environ, names, _LEDGER_FAMILIES, {MAIL_SERVER})


def select_for_console(environ: Mapping[str, str]) -> dict[str, str]:
    """No secrets of sources, addresses of messages, or credentials of CRMs and services; no token for metrics."""
    names = {*settings.list_variables(), *_PROXIES}
    return _select(environ, names, (*_LEDGER_FAMILIES, *_SIGN_IN_FAMILIES), {METRICS_TOKEN, MAIL_SERVER})


def _select(
    environ: Mapping[str, str],
    names: Iterable[str] = (),
    families: tuple[str, ...] = (),
    never: Iterable[str] = (),
) -> dict[str, str]:
    names, families, never = {*_SYSTEM, *names}, (*_SYSTEM_FAMILIES, *families), set(never)
    chosen = {
        name: value
        for name, value in environ.items()
        if (name in names or name.upper() in names or name.startswith(families)) and name not in never
    }
    return chosen | {"PYTHONSAFEPATH": "1"}
