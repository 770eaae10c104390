"""Cases of a playbook: made-up leads and records with what each is expected to get, in YAML files beside it.

Belongs here: the schema of a case, where the files are, and reading them with limits. Does not belong here: whether the
names in a case exist (``playbook.check.cases``), or trying a case (``tasks.playbook_cases``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError, model_validator

from leadgate.playbook.base import Name, Part
from leadgate.playbook.loading import CASES_FILE_NAME, LoadedPlaybook
from leadgate.playbook.yaml_text import MAX_BYTES, Document, PlaybookError, Problem, describe_problems, read
from leadgate.regular_files import UnusableFile, open_regular
from leadgate.vocabulary import ForecastCategory, JourneyKind, Outcome

CASES_FOLDER_NAME: Final = "cases"
#: Cases of a playbook, the files and bytes that they are in: they are tried each time a playbook is checked.
MOST_CASES: Final = 1_000
MOST_FILES: Final = 100
MOST_BYTES: Final = 2 * MAX_BYTES
#: Different moments, each with who is away then: pools are asked for each of them.
MOST_MOMENTS: Final = 200
#: The most activities of one kind, and how many days ago.
MOST_TIMES: Final = 50
MOST_DAYS: Final = 3_650
#: When leads come in where neither a case nor its file says so: a Wednesday morning, in Europe and in America.
USUAL_MOMENT: Final = datetime(2027, 3, 3, 14, 0, tzinfo=UTC)


def _read_moment(value: Any) -> Any:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError(f"{value[:40]!r} is no moment; write it like 2027-03-03T14:00Z") from None
    return value


def _make_aware(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no moment in UTC; write it like 2027-03-03T14:00Z") from None


def _require_usual_year(moment: datetime) -> datetime:
    if not 2000 <= moment.year <= 2100:
        raise ValueError("a case plays between 2000 and 2100")
    return moment


#: Without an offset, it is UTC.
Moment = Annotated[
    datetime, BeforeValidator(_read_moment), AfterValidator(_make_aware), AfterValidator(_require_usual_year)
]
#: A value as YAML reads it: text, numbers, yes and no, dates; nothing is no value.
Value = str | int | float | bool | datetime | date | None
#: One name, or a list of them.
Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
Verdict = Literal["marketing_qualified", "sales_qualified", "review", "nurture", "disqualified", "held"]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$")]
Phrase = Annotated[str, StringConstraints(min_length=1, max_length=500)]


def format_value(value: Value) -> str:
    """``value`` as a source sends it: a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value.isoformat() if isinstance(value, date) else str(value)


class Times(Part):
    """How often a lead did something, and how long ago."""

    times: Annotated[int, Field(ge=0, le=MOST_TIMES)] = 1
    days_ago: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 0


class Points(Part):
    """Points that are expected: exactly so many, or a range."""

    at_least: int | None = None
    at_most: int | None = None

    @model_validator(mode="after")
    def _require_sense(self) -> Points:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is more than at_most")
        return self


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_Times = Annotated[Times, BeforeValidator(lambda value: {"times": value} if _is_count(value) else value)]
_Points = Annotated[
    Points, BeforeValidator(lambda value: {"at_least": value, "at_most": value} if _is_count(value) else value)
]


class StageOutcomes(Part):
    """What a stage decides. A lead that validation holds is tried further, as if somebody had let it go on."""

    validation: Literal[Outcome.CONTINUE, Outcome.HOLD] | None = None
    qualification: (
        Literal[Outcome.CONTINUE, Outcome.REVIEW, Outcome.NURTURE, Outcome.DISQUALIFIED] | None
    ) = None  # fmt: skip
    assignment: Literal[Outcome.OWNED, Outcome.WAIT, Outcome.HOLD] | None = None


class _ExpectedOwner(Part):
    """Who gets a lead or an update, by when, and with which values."""

    route: str | None = None
    pool: str | None = None
    owner: str | None = None
    sla: str | None = None
    priority: str | None = None
    due: Moment | None = None
    values: dict[str, Value] = {}


class Expected(_ExpectedOwner):
    """What a lead is expected to get. Only what is named is compared."""

    verdict: Verdict | None = None
    score: _Points | None = None
    fit: _Points | None = None
    engagement: _Points | None = None
    grade: Annotated[str, Field(pattern=r"^[A-D][1-4]$")] | None = None
    points: dict[str, int] = {}  # by rule; 0: the rule gives nothing
    stages: StageOutcomes = StageOutcomes()
    held_by: Names = ()  # promises
    warned_by: Names = ()
    reason: Phrase | None = None


class Case(Part):
    """A lead, what it finds, and what it is expected to get."""

    name: Label
    source: Name | None = None  # else the playbook's first source of leads
    lead: dict[str, Value] = {}  # by field
    row: dict[str, Value] = {}  # instead, as the source's export has it: by column
    did: dict[str, _Times] = {}
    received: Moment | None = None
    enriched: dict[str, str | int | float | bool | None] = {}
    away: Names = ()
    earlier_owner: str | None = None
    expect: Expected

    @model_validator(mode="after")
    def _require_one_input(self) -> Case:
        if self.lead and self.row:
            raise ValueError("give lead, which has fields, or row, which has columns of an export, not both")
        return self


class RecordExpected(_ExpectedOwner):
    """What an update of a record is expected to get. Only what is named is compared."""

    verdict: Literal["goes_on", "held", "nurture", "disqualified", "done"] | None = None
    asks: Literal["owner", "manager"] | None = None  # whom a question is put to
    reason: Phrase | None = None
    held_by: Names = ()  # promises of validation
    tells: Names = ()  # who hears of it beside its owner
    category: ForecastCategory | None = None
    again: Moment | None = None  # when the record is looked at by itself
    score: _Points | None = None
    points: dict[str, int] = {}


class RecordCase(Part):
    """An update of an opportunity, a renewal or an expansion, and what it is expected to get."""

    name: Label
    kind: Literal[JourneyKind.OPPORTUNITY, JourneyKind.RENEWAL, JourneyKind.EXPANSION]
    source: Name | None = None  # else the playbook's first source of the kind
    record: dict[str, Value] = {}  # by field
    row: dict[str, Value] = {}  # instead, as the source's export has it: by column
    before: dict[str, Value] = {}  # by field, as it was told and accepted before; none: it is new
    time: bool = False  # nothing is told: the record's own time has come
    did: dict[str, _Times] = {}
    received: Moment | None = None
    enriched: dict[str, str | int | None] = {}  # what is known of the account
    away: Names = ()
    expect: RecordExpected

    @model_validator(mode="after")
    def _require_one_input(self) -> RecordCase:
        if self.record and self.row:
            raise ValueError("give record, which has fields, or row, which has columns of an export, not both")
        return self


class CaseFile(Part):
    """The cases of a file: of leads, and of records of other kinds."""

    received: Moment = USUAL_MOMENT
    cases: tuple[Case, ...] = ()
    records: tuple[RecordCase, ...] = ()

    @model_validator(mode="after")
    def _require_cases(self) -> CaseFile:
        if not self.model_fields_set & {"cases", "records"}:
            raise ValueError("give cases, of leads, or records, or both")
        return self


@dataclass(frozen=True, slots=True)
class ReadCases:
    """The cases of one file, with the line of each."""

    file: CaseFile
    document: Document


def has_cases(loaded: LoadedPlaybook) -> bool:
    """Whether there is a file of cases beside a playbook, or something in its place."""
    try:
        return bool(_list_files(loaded))
    except PlaybookError:
        return True


def read_cases(loaded: LoadedPlaybook) -> list[ReadCases]:
    """The cases beside a playbook, by file: ``cases.yaml``, then those of the folder ``cases`` by name; an empty list
    where there are none. Raises ``PlaybookError`` with every problem of their schema."""
    found: list[ReadCases] = []
    problems: list[Problem] = []
    left = MOST_BYTES
    for path in _list_files(loaded):
        try:
            text = _read_text(path, left)
            left -= len(text.encode())
            found.append(_parse(text, str(path)))
        except PlaybookError as error:
            problems += error.problems
    if problems:
        raise PlaybookError(problems)
    count = sum(len(each.file.cases) + len(each.file.records) for each in found)
    if count > MOST_CASES:
        last = found[-1].document
        raise PlaybookError(
            [Problem(last.file, 1, "cases", f"there are {count:,} cases; the most of a playbook is {MOST_CASES:,}")]
        )
    moments = {
        (received or each.file.received, away)
        for each in found
        for received, away in (
            *((case.received, case.away) for case in each.file.cases),
            *((case.received, case.away) for case in each.file.records),
        )
    }
    if len(moments) > MOST_MOMENTS:
        last = found[-1].document
        message = f"leads come in at {len(moments):,} moments, by who is away; the most of a playbook is {MOST_MOMENTS}"
        raise PlaybookError([Problem(last.file, 1, "cases", message)])
    return found


def _list_files(loaded: LoadedPlaybook) -> list[Path]:
    if loaded.bundled_cases is not None:
        return [loaded.bundled_cases]
    folder = loaded.folder / CASES_FOLDER_NAME
    try:
        within = list(_list_yaml(folder)) if folder.is_dir() else []
    except OSError as error:
        raise PlaybookError([Problem(str(folder), 1, "", f"cannot be read: {error.strerror}")]) from error
    first = loaded.folder / CASES_FILE_NAME
    return [*([first] if first.is_symlink() or first.exists() else []), *sorted(within)]


def _list_yaml(folder: Path) -> Iterator[Path]:
    count = 0
    for path in folder.iterdir():
        if path.suffix in (".yaml", ".yml") and not path.name.startswith("."):
            count += 1
            if count > MOST_FILES:
                raise PlaybookError(
                    [Problem(str(folder), 1, "", f"has more than {MOST_FILES} files of cases; put them into fewer")]
                )
            yield path


def _read_text(path: Path, most: int) -> str:
    file = str(path)
    try:
        with open_regular(path) as opened:
            content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise PlaybookError([Problem(file, 1, "", f"is larger than {MAX_BYTES:,} bytes; remove cases")])
        if len(content) > most:
            raise PlaybookError(
                [Problem(file, 1, "", f"with it, the cases have more than {MOST_BYTES:,} bytes; remove some")]
            )
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PlaybookError([Problem(file, 1, "", "is not UTF-8 text; save it as UTF-8")]) from error
    except UnusableFile as error:
        raise PlaybookError([Problem(file, 1, "", f"cannot be read: it {error.strerror}")]) from error
    except OSError as error:
        raise PlaybookError([Problem(file, 1, "", f"cannot be read: {error.strerror}")]) from error


def _parse(text: str, file: str) -> ReadCases:
    document = read(text, file)
    try:
        return ReadCases(CaseFile.model_validate(document.data), document)
    except ValidationError as error:
        raise PlaybookError(describe_problems(error, document, CaseFile)) from error
