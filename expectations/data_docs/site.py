"""The pages of Data Docs: an index, a page for each suite, a page for each validation, and their style.

Belongs here: which pages there are, their names, and what leads from one to another. Does not belong here: what the
document of a suite or a validation says (``documents``), where pages are kept (``leadgate.data_docs_folder``), or which
validations are shown (``tasks.data_docs``).

A name never changes: the page of a validation has the same address in every build that has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from expectations.data_docs.block_html import write_content
from expectations.promises import Promise
from leadgate.data_docs_folder import INDEX
from leadgate.json_columns import CheckedPromise
from leadgate.plain_text import format_line
from leadgate.vocabulary import GateName


@dataclass(frozen=True)
class Validation:
    """What a gate found in a batch of ``rows``, and the promises of the playbook that the batch was judged by.

    ``held`` journeys were stopped, ``warned`` passed with a broken promise. ``playbook``: its hash.
    """

    id: int
    gate: GateName
    batch: int
    at: datetime
    rows: int
    held: int
    warned: int
    playbook: str
    evidence: Sequence[CheckedPromise]
    promises: Sequence[Promise]

    @property
    def page(self) -> str:
        return f"validation-{self.id}.html"

    @property
    def success(self) -> bool:
        return all(each["ok"] for each in self.evidence)

    @property
    def kept(self) -> int:
        return sum(each["ok"] for each in self.evidence)

    @property
    def unknown(self) -> list[CheckedPromise]:
        """Evidence of promises that neither this version nor that playbook has any more."""
        known = {promise.name for promise in self.promises}
        return [each for each in self.evidence if each["promise"] not in known]


@dataclass(frozen=True)
class Suite:
    """A gate with its promises as they are now, and its latest validations, the newest first."""

    gate: GateName
    promises: Sequence[Promise]
    validations: Sequence[Validation]

    @property
    def page(self) -> str:
        return name_suite_page(self.gate)


def name_suite_page(gate: str) -> str:
    return f"suite-{gate}.html"


def build_pages(suites: Sequence[Suite], *, name: str, built_at: datetime) -> dict[str, str]:
    """The pages by their names. ``name``: of the playbook."""
    from expectations.data_docs import documents  # imports Great Expectations, which takes seconds

    common = {"version": documents.VERSION, "name": name, "built_at": built_at}
    latest = sorted((each for suite in suites for each in suite.validations), key=lambda each: -each.id)
    pages = {
        INDEX: _render("index.html", **common, suites=suites, validations=latest),
        "style.css": files("expectations.data_docs").joinpath("templates", "style.css").read_text(encoding="utf-8"),
    }
    for suite in suites:
        document = documents.render_suite(suite.gate, suite.promises)
        pages[suite.page] = _render("suite.html", **common, sections=_list_sections(document), suite=suite)
        for each in suite.validations:
            document = documents.render_validation(
                each.gate,
                each.promises,
                each.evidence,
                rows=each.rows,
                run_name=f"batch {each.batch}",
                at=each.at,
                about=_describe_batch(each),
            )
            sections = _list_sections(document)
            pages[each.page] = _render("validation.html", **common, sections=sections, suite=suite, validation=each)
    return pages


def _describe_batch(validation: Validation) -> dict[str, Any]:
    return {
        "batch": validation.batch,
        "rows": validation.rows,
        "rows held": validation.held,
        "rows that passed with a warning": validation.warned,
        "playbook": validation.playbook[:12],
    }


@dataclass(frozen=True)
class Section:
    """A section of a document: its name, the anchor that leads to it, and its content as HTML."""

    name: str
    anchor: str
    content: Markup


def _list_sections(document: Mapping[str, Any]) -> list[Section]:
    return [
        Section(str(section["section_name"]), f"section-{number}", write_content(section["content_blocks"]))
        for number, section in enumerate(document["sections"], start=1)
    ]


def _render(template: str, **values: object) -> str:
    return _build_environment().get_template(template).render(**values)


@cache
def _build_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("expectations.data_docs"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_write_as_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = lambda at: f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return environment


def _write_as_text(value: object) -> object:
    """``value`` on one line, without characters that nobody sees; autoescape does the rest."""
    return value if isinstance(value, Markup) else "" if value is None else format_line(str(value), 400)
