"""A connection of the playbook as an open ``Crm``: credentials from the environment, the vendor's connector.

Belongs here: which connector a type is, and what each is given. Does not belong here: a vendor's quirks (a file for
each), or what is written.

Another vendor is a package with an entry point in the group ``leadgate.connectors``: a function that takes a
``CrmSettings`` and returns a ``Crm``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from leadgate import plug_ins
from leadgate.errors import NotAvailableError
from leadgate.playbook import CrmConnection

if TYPE_CHECKING:
    from requests import PreparedRequest

    from leadgate.connectors.crm import Crm


class CrmNotConfiguredError(NotAvailableError):
    """A connection cannot be opened as it is; the message names the variable or the type, and no value."""

    def __init__(self, message: str, *, variable: str | None = None) -> None:
        super().__init__(message)
        self.variable = variable  # that is not set


@dataclass(frozen=True)
class CrmSettings:
    """What a connector is made from. ``credentials`` are values: they are never logged or kept."""

    connection: CrmConnection
    credentials: Mapping[str, str] = field(repr=False)
    address: str
    key_field: str


def open_crm(connection: CrmConnection, environ: Mapping[str, str]) -> Crm:
    """The CRM that ``connection`` names. Nothing is sent yet. Raises ``CrmNotConfiguredError``."""
    credentials = {}
    for word, variable in connection.credentials.items():
        value = environ.get(variable, "").strip()
        if not value:
            raise CrmNotConfiguredError(f"{variable} is not set, which {connection.name} needs", variable=variable)
        credentials[word] = value
    if connection.address is None or connection.unique_field is None:
        raise CrmNotConfiguredError(f"{connection.name} has no url or key_field; `leadgate playbook check` tells more")
    settings = CrmSettings(connection, credentials, connection.address, connection.unique_field)
    opener = _find_opener(connection.type)
    try:
        return opener(settings)
    except NotAvailableError:
        raise
    except Exception as error:  # whatever the code of another package raises
        raise CrmNotConfiguredError(f"{connection.name} cannot be opened ({type(error).__name__})") from None


def _find_opener(kind: str) -> Callable[[CrmSettings], Crm]:
    if kind in _BUILT_IN:
        return _BUILT_IN[kind]
    try:
        opener: Callable[[CrmSettings], Crm] = plug_ins.load(plug_ins.CONNECTORS, kind)
    except plug_ins.PlugInError as error:
        raise CrmNotConfiguredError(str(error)) from error
    return opener


def _open_hubspot(settings: CrmSettings) -> Crm:
    from leadgate.connectors.hubspot import DEFAULT_VERSION, HubSpot
    from leadgate.connectors.service_session import Policy, ServiceSession

    def add_token(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {settings.credentials['token']}"
        return request

    policy = Policy(allow_private=settings.connection.allow_private)
    session = ServiceSession("HubSpot", auth=add_token, policy=policy, secrets=[settings.credentials["token"]])
    version = settings.connection.options.get("version", DEFAULT_VERSION)
    return HubSpot(settings.address, session, version=version, key_property=settings.key_field)


def _open_salesforce(settings: CrmSettings) -> Crm:
    from leadgate.connectors.salesforce import DEFAULT_VERSION, ClientCredentials, JwtCredentials, Salesforce
    from leadgate.connectors.service_session import Policy, ServiceSession

    known = settings.credentials
    credentials: ClientCredentials | JwtCredentials
    if "client_secret" in known:
        credentials = ClientCredentials(known["client_id"], known["client_secret"])
    else:
        credentials = JwtCredentials(known["client_id"], known["username"], known["private_key"])
    session = ServiceSession("Salesforce", policy=Policy(allow_private=settings.connection.allow_private))
    options = settings.connection.options
    return Salesforce(
        settings.address,
        session,
        credentials,
        api_version=options.get("version", DEFAULT_VERSION),
        key_field=settings.key_field,
        closed_status=options.get("closed_status", "Completed"),
        permission_set=options.get("permission_set"),
    )


_BUILT_IN: Final[Mapping[str, Callable[[CrmSettings], Crm]]] = {
    "hubspot": _open_hubspot,
    "salesforce": _open_salesforce,
}
