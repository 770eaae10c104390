"""The environment variables that each process of an installation gets: those it needs, and no secret of another one.

Belongs here: the lists of variables, and selecting them from an environment. Does not belong here: starting processes.
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
#: For the console only: signing in through other servers, with their secrets.
_SIGN_IN_FAMILIES: Final = ("LEADGATE_OIDC_", "LEADGATE_TRUSTED_HEADER")
#: For the processes that send reports by e-mail; its value holds a password.
MAIL_SERVER: Final = "LEADGATE_MAIL_SERVER"
METRICS_TOKEN: Final = "LEADGATE_METRICS_TOKEN"  # noqa: S105 - the name of a variable


def list_source_secrets(playbook: Playbook) -> set[str]:
    """List the variables that hold the secrets of sources that post over HTTP."""
    posting = [source.http for source in playbook.sources.values() if source.http is not None]
    return {variable for http in posting for variable in http.list_variables()}


def list_provider_keys(playbook: Playbook) -> set[str]:
    """List the variables that hold the keys of enrichment providers."""
    return {
        provider.auth.secret_env
        for provider in playbook.enrichment.providers
        if isinstance(provider, HttpProvider) and provider.auth is not None
    }


def list_answer_credentials(playbook: Playbook) -> set[str]:
    """List the variables needed to read the answers of leads whose webhook sends only an id (``http.answers``).

    They are the token, and the secret of the app, which is also the secret of the source.
    """
    read = [source.http for source in playbook.sources.values() if source.http is not None]
    return {name for http in read if http.answers is not None for name in (http.answers.token_env, http.secret_env)}


def list_delivery_addresses(playbook: Playbook) -> set[str]:
    """List the variables that hold the addresses to which messages are sent."""
    return {notification.address_env for notification in playbook.notifications}


def list_crm_credentials(playbook: Playbook) -> set[str]:
    """List the variables that hold the credentials of CRMs."""
    return {variable for connection in playbook.crm for variable in connection.credentials.values()}


def select_for_prefect_server(environ: Mapping[str, str]) -> dict[str, str]:
    """Select what the Prefect server needs: Prefect's own variables, and nothing of Leadgate."""
    return _select(environ, families=_PREFECT_FAMILIES)


def select_for_flows(environ: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """Select what the consumer and the worker need.

    Left out are the token for metrics, and the secrets of sources, except those needed to read answers.
    """
    answers = list_answer_credentials(playbook)
    excluded = (list_source_secrets(playbook) - answers) | {METRICS_TOKEN}
    own = list_delivery_addresses(playbook) | list_crm_credentials(playbook) | list_provider_keys(playbook) | answers
    names = {*settings.list_variables(), *_PROXIES, *own} - excluded
    return _select(environ, names, (*_LEDGER_FAMILIES, *_PREFECT_FAMILIES), excluded)


def select_for_http_capture(environ: Mapping[str, str], playbook: Playbook) -> dict[str, str]:
    """Select what HTTP capture needs: no variable of Prefect, no address of messages, no credentials of CRMs."""
    names = settings.list_variables() | list_source_secrets(playbook)
    return _select(environ, names, _LEDGER_FAMILIES, {MAIL_SERVER})


def select_for_console(environ: Mapping[str, str]) -> dict[str, str]:
    """Select what the console needs: no secrets of sources, credentials, addresses of messages or token for metrics."""
    names = {*settings.list_variables(), *_PROXIES}
    return _select(environ, names, (*_LEDGER_FAMILIES, *_SIGN_IN_FAMILIES), {METRICS_TOKEN, MAIL_SERVER})


def _select(
    environ: Mapping[str, str],
    names: Iterable[str] = (),
    families: tuple[str, ...] = (),
    excluded: Iterable[str] = (),
) -> dict[str, str]:
    """Select the variables in ``names``, and those that begin with one of ``families``, except ``excluded``."""
    names, families, excluded = {*_SYSTEM, *names}, (*_SYSTEM_FAMILIES, *families), set(excluded)
    chosen = {
        name: value
        for name, value in environ.items()
        if (name in names or name.upper() in names or name.startswith(families)) and name not in excluded
    }
    return chosen | {"PYTHONSAFEPATH": "1"}
