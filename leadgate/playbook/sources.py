"""Where leads come from and what is asked of them: fields, sources, validation.

Belongs here: the schema of these parts. Does not belong here: reading files (``connectors``), or cleaning a
value (``normalise``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leadgate.fields import FieldType
from leadgate.playbook.base import Duration, EnvironmentName, Name, Part

#: What the payloads of a source are about. Which of them start journeys, and of which kind, is in ``kinds``.
SourceKind = Literal["leads", "activities", "opportunities", "renewals", "expansions"]


class CustomField(Part):
    type: FieldType = "text"
    label: str = ""
    headers: tuple[str, ...] = ()  # further column names under which exports carry it


#: How a source signs in: by the secret itself, by a signature that any sender can make, or as a vendor does, whose
#: payloads ``leadgate.mapping.webhooks`` reads.
HttpAuth = Literal["bearer", "hmac", "standard_webhooks", "typeform", "calendly", "facebook", "google_leads", "hubspot"]


class AnswersRead(Part):
    """How the answers of a lead are read that a webhook names by its id alone: from Facebook's Graph API.

    The token stays in the environment; so does the app's secret (``HttpCapture.secret_env``), which proves each
    request.
    """

    token_env: EnvironmentName  # a page's access token, or a system user's that reaches every page of the source
    url: str = Field(default="https://graph.facebook.com/v25.0", min_length=1, max_length=500)  # with its version
    allow_private: bool = False  # whether the address may lead to a network that is not public


class HttpCapture(Part):
    """How a source may post to ``/capture/{source}``. The secret itself stays in the environment.

    ``bearer``: ``Authorization: Bearer SECRET``. ``standard_webhooks``: the signature of Standard Webhooks, over the
    request's id, its timestamp and its body, with a secret that no other source has. ``hmac``: the same, or Leadgate's
    signature before it. Every other word is a vendor's own way.
    """

    auth: HttpAuth
    secret_env: EnvironmentName
    verify_env: EnvironmentName | None = None  # facebook: the token by which the address is verified
    answers: AnswersRead | None = None  # facebook; none: each lead is held as a notice with its id
    public_url: str | None = Field(default=None, max_length=2000)  # hubspot: the address that it posts to and signs
    max_bytes: int = Field(default=262_144, ge=256, le=16_777_216)  # of one request's body
    per_second: float = Field(default=100, gt=0, le=100_000)  # signals a second, on average
    burst: int = Field(default=1000, ge=1, le=1_000_000)  # signals at once, on top of the average

    def list_variables(self) -> list[str]:
        """The environment variables that hold its secrets. The token of ``answers`` is none: nobody posts by it."""
        return [self.secret_env, *([] if self.verify_env is None else [self.verify_env])]


class ExpectedSignals(Part):
    """How many signals a source sends at least in a while; fewer of them are a work item.

    ``hours``: only these working hours count as time.
    """

    at_least: int = Field(default=1, ge=1, le=1_000_000)
    within: Duration
    hours: Name | None = None  # a key of the playbook's ``hours``; none means around the clock


class Source(Part):
    """Where signals come from. ``mapping`` maps a column as the export names it to a field."""

    kind: SourceKind = "leads"
    label: str = ""
    mapping: dict[str, str] = {}
    key: str | None = None  # the column that holds the source's own id; of records, the record's
    volatile: tuple[str, ...] = ()  # columns that change from export to export: not part of the key
    default_country: str | None = None  # ISO 3166 alpha-2, for phones and leads without a country
    dates: Literal["day_first", "month_first"] | None = None  # of 05/07; none: by the default country
    decimals: Literal["comma", "point"] | None = None  # of 12.500; none: thousands, where it is an amount
    consent: Literal["asked", "given", "required"] = "asked"
    http: HttpCapture | None = None  # none: files only
    expects: ExpectedSignals | None = None  # none: it may be quiet

    @property
    def signal_key(self) -> str | None:
        """The column by which two payloads are the same signal. The id of a record is no such column: each update of
        the record has it."""
        return self.key if self.kind in ("leads", "activities") else None


class Validation(Part):
    required: tuple[str, ...] = ()  # fields besides a contact that a lead must carry
    default_country: str = "US"
    free_mail_domains: tuple[str, ...] = ()  # on top of the bundled list
    disposable_domains: tuple[str, ...] = ()
    role_addresses: tuple[str, ...] = ()  # local parts, on top of the bundled list
    spam_patterns: tuple[str, ...] = ()  # plain words, matched case-insensitively in name, company, message
    max_links_in_message: int = Field(default=3, ge=0)
