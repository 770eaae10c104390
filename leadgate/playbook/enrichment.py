"""The playbook's part ``enrichment``: the providers that are asked about the companies of leads.

Belongs here: the schema of this part. Does not belong here: asking a provider (``connectors``), or the addresses and
field names of a vendor (``provider_presets``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Discriminator, Field, JsonValue, Tag, field_validator, model_validator

from leadgate.expressions.json_paths import LONGEST_PATH, JsonPathError, compile_path
from leadgate.nearest import propose
from leadgate.playbook.base import Duration, Name, Part
from leadgate.playbook.provider_presets import PRESETS
from leadgate.values.url_templates import LONGEST_TEMPLATE, UrlTemplateError, parse_template

#: The types of providers that are part of Leadgate.
BUILT_IN: Final = ("company_domain", "accounts_file", "http")
#: The size limit of an accounts file, in bytes: about half a million companies, all in memory during enrichment.
MOST_ACCOUNTS_BYTES: Final = 64 * 1024**2

#: The name of a variable that holds a provider's key. No other secret has this prefix, so a playbook cannot send one.
ProviderSecretName = Annotated[str, Field(pattern=r"^LEADGATE_PROVIDER_[A-Z0-9_]{1,40}$")]
JsonPath = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]
#: A field name of RFC 9110 (5.1); those that steer a connection are refused below.
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")]
_CONNECTION_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "trailer", "cookie"}
)


class CompanyDomain(Part):
    """The company's domain, from a business e-mail address, else from the website."""

    type: Literal["company_domain"] = "company_domain"
    name: Name = "company_domain"


class AccountsFile(Part):
    """A CSV file of known companies. ``fields`` maps a field of the lead to a column of the file.

    A company is looked up by its domains, and also by its name where ``company`` names the column of the names. An
    account takes the fields in ``inherit`` that it lacks from its parent.
    """

    type: Literal["accounts_file"] = "accounts_file"
    name: Name = "accounts"
    path: str  # below the playbook's folder, relative to it; a regular file
    domain: str = "domain"
    website: str | None = None  # a column with further web addresses, separated by spaces or semicolons
    company: str | None = None  # the column with the company's name; None: look up by domain only
    parent: str | None = None  # the column with the parent's account_id or domain
    inherit: tuple[str, ...] = ()  # fields that a subsidiary takes from its parent when its own are empty
    alike: int = Field(default=92, ge=70, le=100)  # similarity of names, of 100, from which they are the same account
    shown_from: int = Field(default=80, ge=50, le=100)  # similarity from which an account is shown as a candidate
    fields: dict[str, str]


class HeaderAuth(Part):
    """The header that carries a provider's key. The key itself stays in the environment."""

    header: HeaderName = "Authorization"
    secret_env: ProviderSecretName
    prefix: str = Field(default="", max_length=40, pattern=r"^[\x20-\x7e]*$")  # such as "Bearer "

    @field_validator("header")
    @classmethod
    def _refuse_headers_of_connections(cls, header: str) -> str:
        if header.lower() in _CONNECTION_HEADERS:
            raise ValueError(f"{header} steers the connection; name the header in which the service reads the key")
        return header


class NotFound(Part):
    """The answers that mean that the service does not know the company. They are kept like any other answer."""

    status: tuple[Annotated[int, Field(ge=200, le=499)], ...] = (404,)
    where: JsonPath | None = None  # an expression whose result is true or empty in such an answer

    @field_validator("where")
    @classmethod
    def _require_sound_path(cls, where: str | None) -> str | None:
        return where if where is None else _require_path(where)


class HttpProvider(Part):
    """A service that is asked by GET. ``fields`` maps a field of the lead to its JSON path in the answer."""

    type: Literal["http"] = "http"
    name: Name = "http"
    preset: Literal[tuple(PRESETS)] | None = None  # type: ignore[valid-type]  # gives the keys that are left out
    url: str = Field(max_length=LONGEST_TEMPLATE)
    auth: HeaderAuth | None = None
    fields: dict[str, JsonPath] = Field(min_length=1)
    not_found: NotFound = NotFound()
    per_second: float = Field(default=5, gt=0, le=1_000)  # requests a second, of one process
    connections: int = Field(default=32, ge=1, le=64)  # requests at once, of one process
    timeout: Duration = Field(default=timedelta(seconds=10), ge=timedelta(milliseconds=10), le=timedelta(minutes=2))
    batch_timeout: Duration = Field(default=timedelta(seconds=20), ge=timedelta(milliseconds=10), le=timedelta(hours=1))
    cost: int = Field(default=1, ge=0, le=1_000_000)  # units that a request costs
    daily_budget: int | None = Field(default=None, ge=1)  # units a day, by UTC; None: no limit
    ttl: Duration = Field(default=timedelta(days=30), ge=timedelta(0), le=timedelta(days=3650))
    stop_after: int = Field(default=5, ge=1, le=1_000)  # failures in a row after which it is not asked for ``pause``
    pause: Duration = Field(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(days=1))
    allow_private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("preset"), str):
            return given
        preset = PRESETS.get(given["preset"])
        return given if preset is None else {"name": given["preset"], **preset, **given}

    @model_validator(mode="after")
    def _require_encryption(self) -> Self:
        if not parse_template(self.url).is_encrypted and not self.allow_private:
            raise ValueError(
                "the url is not encrypted; write https://, or set allow_private for a service in your own network"
            )
        return self

    @model_validator(mode="after")
    def _require_affordable_requests(self) -> Self:
        if self.daily_budget is not None and self.cost > self.daily_budget:
            raise ValueError(
                f"one request costs {self.cost} units, more than daily_budget allows in a day ({self.daily_budget}); "
                "lower cost or raise daily_budget"
            )
        return self

    @field_validator("url")
    @classmethod
    def _require_sound_url(cls, url: str) -> str:
        try:
            parse_template(url)
        except UrlTemplateError as error:
            raise ValueError(str(error)) from None
        return url

    @field_validator("fields")
    @classmethod
    def _require_sound_paths(cls, paths: dict[str, str]) -> dict[str, str]:
        for path in paths.values():
            _require_path(path)
        return paths


class InstalledProvider(Part):
    """A provider of another package: its entry point named ``type`` in the group ``leadgate.providers``."""

    type: Name
    name: Name | None = None  # None: the same as ``type``
    settings: dict[str, JsonValue] = {}

    @model_validator(mode="before")
    @classmethod
    def _explain_other_keys(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.keys() - {"type", "name", "settings"}:
            kind = str(given.get("type"))
            raise ValueError(
                f"{kind!r} is not a type of provider that is part of Leadgate ({propose(kind, BUILT_IN)}); for a "
                "provider of another package, write its keys under `settings`"
            )
        return given


def _require_path(path: str) -> str:
    try:
        compile_path(path)
    except JsonPathError as error:
        raise ValueError(str(error)) from None
    return path


def _find_tag(given: Any) -> str | None:
    kind = given.get("type") if isinstance(given, dict) else getattr(given, "type", None)
    if not isinstance(kind, str):
        return None
    return kind if kind in BUILT_IN else "installed"


Provider = Annotated[
    Annotated[CompanyDomain, Tag("company_domain")]
    | Annotated[AccountsFile, Tag("accounts_file")]
    | Annotated[HttpProvider, Tag("http")]
    | Annotated[InstalledProvider, Tag("installed")],
    Discriminator(_find_tag),
]


class Enrichment(Part):
    providers: tuple[Provider, ...] = (CompanyDomain(),)
