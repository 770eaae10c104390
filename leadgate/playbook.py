"""The playbook: the one agreed definition of what a good lead is and what happens to it.

Belongs here: the schema (frozen pydantic, unknown keys forbidden), defaults, loading, the hash.
Does not belong here: evaluating anything (``rules``, ``scoring``, ``routing``), nor the checks that
need more than one part of the playbook at once (``playbook_check``), nor YAML (``playbook_text``).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)

from leadgate.fields import FieldType
from leadgate.playbook_text import MAX_BYTES, Document, PlaybookError, Problem, problems_of, read

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{2,62}$")]
Expression = Annotated[str, Field(min_length=1, max_length=2000)]
Severity = Literal["critical", "warning"]
Stage = Literal["capture", "validation", "enrichment", "qualification", "assignment", "follow_up"]
Gate = Literal["captured", "validated", "enriched", "qualified", "assigned", "followed_up"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)\s*$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number and s, m, h or d, like 30m or 4h")
    return timedelta(**{_UNITS[match[2]]: float(match[1])})


#: ``30m``, ``4h``, ``2d``. On a business clock it is business time: a working day of 8 hours is ``8h``.
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda d: f"{d / timedelta(seconds=1):.6f}".rstrip("0").rstrip(".") + "s", return_type=str),
]


def _span(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    first, dash, last = value.partition("-")
    if not dash:
        raise ValueError(f"{value!r} is not a span of hours; write it like 09:00-17:30")
    return first.strip(), last.strip()


#: ``09:00-17:30``, or the two times as a list.
Span = Annotated[tuple[time, time], BeforeValidator(_span)]


class Part(BaseModel):
    """A part of the playbook: immutable, and a key that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


class CustomField(Part):
    type: FieldType = "text"
    label: str = ""
    headers: tuple[str, ...] = ()  # further column names under which exports carry it


class HttpCapture(Part):
    """How a source may post to ``/capture/{source}``. The secret itself stays in the environment.

    ``bearer``: ``Authorization: Bearer SECRET``. ``hmac``: ``X-Leadgate-Timestamp`` (Unix seconds) and
    ``X-Leadgate-Signature: sha256=HEX``, the HMAC-SHA256 of ``TIMESTAMP.BODY`` with the secret as its key.
    """

    auth: Literal["bearer", "hmac"]
    secret_env: EnvironmentName
    max_bytes: int = Field(default=262_144, ge=256, le=16_777_216)  # of one request's body
    per_second: float = Field(default=100, gt=0, le=100_000)  # signals a second, on average
    burst: int = Field(default=1000, ge=1, le=1_000_000)  # signals at once, on top of the average


class Source(Part):
    """Where signals come from. ``mapping`` maps a column as the export names it to a lead field."""

    kind: Literal["leads", "activities"] = "leads"
    label: str = ""
    mapping: dict[str, str] = {}
    key: str | None = None  # the column that holds the source's own id
    volatile: tuple[str, ...] = ()  # columns that change from export to export: not part of the key
    default_country: str | None = None  # ISO 3166 alpha-2, for phones and leads without a country
    consent: Literal["asked", "given", "required"] = "asked"
    http: HttpCapture | None = None  # none: files only


class Validation(Part):
    required: tuple[str, ...] = ()  # fields besides a contact that a lead must carry
    default_country: str = "US"
    free_mail_domains: tuple[str, ...] = ()  # on top of the bundled list
    disposable_domains: tuple[str, ...] = ()
    role_addresses: tuple[str, ...] = ()  # local parts, on top of the bundled list
    spam_patterns: tuple[str, ...] = ()  # plain words, matched case-insensitively in name, company, message
    max_links_in_message: int = Field(default=3, ge=0)


class CompanyDomain(Part):
    """The company's domain, from a business e-mail address, else from the website."""

    type: Literal["company_domain"] = "company_domain"
    name: Name = "company_domain"


class AccountsFile(Part):
    """A CSV of known companies, looked up by domain. ``fields`` maps a lead field to the file's column."""

    type: Literal["accounts_file"] = "accounts_file"
    name: Name = "accounts"
    path: str  # relative to the playbook's folder
    domain: str = "domain"
    fields: dict[str, str]


Provider = Annotated[CompanyDomain | AccountsFile, Field(discriminator="type")]


class Enrichment(Part):
    providers: tuple[Provider, ...] = (CompanyDomain(),)


class FitRule(Part):
    name: Name
    when: Expression
    points: int = Field(ge=-1000, le=1000)
    why: str = ""


class EngagementRule(Part):
    """Points for what the lead did. Give ``activity`` (a kind of activity) or ``when``, not both."""

    name: Name
    activity: Name | None = None
    when: Expression | None = None
    points: int = Field(ge=-1000, le=1000)
    count: Literal["once", "each"] = "once"
    max_points: int | None = None  # for ``each``: no more than this in sum
    within: Duration | None = None  # only activities this recent
    why: str = ""

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.activity is None) == (self.when is None):
            raise ValueError("give either activity (a kind of activity) or when (an expression)")
        if self.when is not None and (self.count == "each" or self.within is not None):
            raise ValueError("count: each and within go with activity, not with when")
        if self.max_points is not None and self.count != "each":
            raise ValueError("max_points goes with count: each")
        return self


class Scoring(Part):
    fit: tuple[FitRule, ...] = ()
    engagement: tuple[EngagementRule, ...] = ()


class Disqualifier(Part):
    name: Name
    when: Expression
    reason: str


class EvidenceRule(Part):
    """Budget, authority, need or timeline is known when ``when`` holds; ``value`` is what proves it."""

    when: Expression
    value: str | None = None  # a field, shown as the evidence


class Band(Part):
    """Scores from ``lowest`` up to, not including, ``below`` wait for a person."""

    lowest: int
    below: int

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.lowest >= self.below:
            raise ValueError(f"the band from {self.lowest} to below {self.below} is empty; lowest comes first")
        return self


class Qualification(Part):
    marketing_qualified: int = 40
    sales_qualified: int = 60
    sales_qualified_by: Literal["threshold", "acceptance"] = "threshold"
    review: Band | None = None
    disqualify: tuple[Disqualifier, ...] = ()
    evidence: dict[Literal["budget", "authority", "need", "timeline"], EvidenceRule] = {}


class Absence(Part):
    first: date
    last: date  # included; days of the rep's time zone

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"the absence ends ({self.last}) before it begins ({self.first})")
        return self


class Rep(Part):
    name: Name
    label: str = ""
    email: str | None = None
    manager: str | None = None
    time_zone: str = "UTC"
    max_per_day: int | None = Field(default=None, ge=0)  # midnight of the rep's time zone
    max_open: int | None = Field(default=None, ge=0)
    absent: tuple[Absence, ...] = ()


class Hours(Part):
    """Working hours. ``week`` maps a weekday to spans; a day left out is free."""

    time_zone: str = "UTC"
    week: dict[Weekday, tuple[Span, ...]] = {}
    holidays: str | None = None  # ISO country, or country-subdivision as in DE-BY
    closed: tuple[date, ...] = ()  # further free days


class Member(Part):
    rep: Name
    weight: int = Field(default=1, ge=1, le=1000)


class NobodyAvailable(Part):
    """What happens to a lead when no member of its pool can take it."""

    do: Literal["wait", "overflow", "assign", "hold"] = "hold"
    pool: Name | None = None  # for overflow
    rep: Name | None = None  # for assign
    retry_after: Duration = Field(default=timedelta(hours=1), gt=timedelta(0))  # for wait

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do == "overflow" and self.pool is None:
            raise ValueError("overflow needs a pool to go to; add pool: NAME")
        if self.do == "assign" and self.rep is None:
            raise ValueError("assign needs a rep; add rep: NAME")
        return self


class Pool(Part):
    name: Name
    label: str = ""
    members: tuple[Member, ...] = Field(min_length=1)
    hours: Name | None = None  # a key of the playbook's ``hours``; none means around the clock
    sla: Name | None = None
    nobody_available: NobodyAvailable = NobodyAvailable()


class Route(Part):
    """First match wins. ``to`` is ``pool NAME``, ``rep NAME`` or ``account_owner``."""

    name: Name
    when: Expression = "true"
    to: Annotated[str, Field(pattern=r"^(pool [a-z][a-z0-9_]*|rep [a-z][a-z0-9_]*|account_owner)$")]
    why: str = ""


class LadderStep(Part):
    """``after`` is a share of the SLA in percent: 50 is halfway, 100 the due time, 200 twice the SLA."""

    after: int = Field(gt=0, le=10_000)
    do: Literal["remind", "escalate", "reassign"]
    to: str | None = None  # escalate: a rep or a route's name; none means the owner's manager


class Sla(Part):
    name: Name
    first_touch: Duration = Field(gt=timedelta(0))
    clock: Literal["pool", "wall"] = "pool"
    ladder: tuple[LadderStep, ...] = ()
    due_soon: int = Field(default=75, gt=0, lt=100)  # percent of the SLA after which it counts as due soon


class FollowUp(Part):
    touches: tuple[str, ...] = ("call", "email", "meeting")  # kinds of activity by a rep that count
    reject_reasons: tuple[str, ...] = ("not_a_fit", "wrong_territory", "duplicate", "unreachable", "other")
    rejected: Literal["nurture", "reassign"] = "nurture"


class ExceptionRoute(Part):
    """Who decides a work item, and by when. ``reason`` is a promise's or a hold's reason."""

    to: str
    within: Duration = timedelta(hours=24)
    escalate_to: str | None = None  # a rep or a route, told when nobody took it in time; none: the last route
    reasons: tuple[str, ...] = ()  # none: every reason that no other route names
    stages: tuple[Stage, ...] = ()


class Expect(Part):
    """One more promise for a gate: an allow-listed expectation type with allow-listed arguments."""

    name: Name
    expectation: str
    arguments: dict[str, Any] = {}
    severity: Severity = "warning"
    why: str


class GateRules(Part):
    severity: dict[str, Severity] = {}  # promise -> severity, in place of the built-in one
    expect: tuple[Expect, ...] = ()


class Breaker(Part):
    """Parks a source when too many of its last rows break the same promise."""

    window: int = Field(default=50, ge=20, le=1000)  # rows looked back on
    at_least: int = Field(default=20, ge=20)  # rows seen before it may open
    share: float = Field(default=0.5, gt=0, le=1)
    cool_down: Duration = timedelta(minutes=15)  # open for this long, then half-open
    probes: int = Field(default=5, ge=1)  # rows let through while half-open


class Notification(Part):
    """Where messages to a rep or to an exception's route are sent: an Apprise address, kept in the environment.

    ``to`` is a rep's name, a route's name, or ``everybody``, for those whom no other entry names.
    """

    to: str
    address_env: EnvironmentName


class Retention(Part):
    """How long Prefect keeps what it shows. The ledger is never pruned: it is the record."""

    flow_runs: Duration = Field(default=timedelta(days=7), ge=timedelta(hours=1))
    artifacts: Duration = Field(default=timedelta(days=7), ge=timedelta(hours=1))


class Playbook(Part):
    """Everything a team has agreed on. See ``leadgate/default_playbook.yaml`` for a worked one."""

    version: Literal[1] = 1
    name: str
    fields: dict[Name, CustomField] = {}
    headers: dict[str, str] = {}  # column name -> lead field, for every source
    sources: dict[Name, Source] = Field(min_length=1)
    validation: Validation = Validation()
    enrichment: Enrichment = Enrichment()
    scoring: Scoring = Scoring()
    qualification: Qualification = Qualification()
    hours: dict[Name, Hours] = {}
    reps: tuple[Rep, ...] = Field(min_length=1)
    pools: tuple[Pool, ...] = Field(min_length=1)
    routing: tuple[Route, ...] = Field(min_length=1)
    slas: tuple[Sla, ...] = ()
    follow_up: FollowUp = FollowUp()
    exceptions: tuple[ExceptionRoute, ...] = (ExceptionRoute(to="revenue_operations"),)
    gates: dict[Gate, GateRules] = {}
    breaker: Breaker = Breaker()
    notifications: tuple[Notification, ...] = ()
    retention: Retention = Retention()


FILE = "playbook.yaml"
_BUNDLED = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Loaded:
    """A playbook as it was read: ``text`` as written, ``path`` of its file, and ``hash``.

    ``hash`` is the SHA-256, in hex, of ``canonical``: equal for playbooks that decide the same, so
    comments, order of keys and defaults written out do not change it. The content of a reference
    file (accounts) is data, not agreement: it is not part of the hash; what it gave a lead is in
    that lead's provenance.
    """

    playbook: Playbook
    text: str
    hash: str
    path: Path
    document: Document

    @property
    def canonical(self) -> str:
        """The playbook as JSON with sorted keys; ``Playbook.model_validate_json`` reads it back."""
        return _canonical(self.playbook)

    @property
    def folder(self) -> Path:
        """What the paths in the playbook are relative to."""
        return self.path.parent


def load(path: Path) -> Loaded:
    """The playbook in the file ``path``. Raises ``PlaybookError`` with every problem of its schema."""
    file = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlaybookError([Problem(file, 1, "", f"is larger than {MAX_BYTES:,} bytes; this is no playbook")])
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlaybookError([Problem(file, 1, "", "is not UTF-8 text; save it as UTF-8")]) from error
    except FileNotFoundError as error:
        missing = "does not exist; make one with `leadgate playbook init`"
        raise PlaybookError([Problem(file, 1, "", missing)]) from error
    except OSError as error:
        raise PlaybookError([Problem(file, 1, "", f"cannot be read: {error.strerror}")]) from error
    return parse(text, path=path)


@lru_cache(maxsize=16)
def parse(text: str, *, path: Path) -> Loaded:
    """The playbook in ``text``; ``path`` is where it belongs, for messages and relative paths."""
    document = read(text, str(path))
    try:
        playbook = Playbook.model_validate(document.data)
    except ValidationError as error:
        raise PlaybookError(problems_of(error, document, Playbook)) from error
    digest = hashlib.sha256(_canonical(playbook).encode()).hexdigest()
    return Loaded(playbook, text, digest, path, document)


def default() -> Loaded:
    """The bundled playbook for B2B SaaS, used until a team has its own."""
    return load(_BUNDLED / "default_playbook.yaml")


def init(folder: Path) -> list[Path]:
    """Copies the bundled playbook and its accounts file into ``folder``; returns what was written.

    Raises ``PlaybookError`` when one of them is there already: a team's agreement is never overwritten.
    """
    copies = {
        folder / FILE: _BUNDLED / "default_playbook.yaml",
        folder / "data" / "accounts.csv": _BUNDLED / "data" / "accounts.csv",
    }
    if there := [target for target in copies if target.exists()]:
        raise PlaybookError(
            Problem(str(target), 1, "", "is there already and is not overwritten; choose another folder")
            for target in there
        )
    for target, source in copies.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            file.write(source.read_bytes())
    return list(copies)


def _canonical(playbook: Playbook) -> str:
    return orjson.dumps(playbook.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS).decode()
