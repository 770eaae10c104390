"""The documents that Great Expectations' renderers make of a suite and of a validation, without a context.

Belongs here: our promises and evidence as its suites and results, and calling its renderers. Imported when the first
document is made, because it imports Great Expectations. Does not belong here: HTML (``view``).

A result has counts and no values: none is in the ledger's evidence, so none can get into a document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import great_expectations as gx
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.renderer.page_renderer import ExpectationSuitePageRenderer, ValidationResultsPageRenderer

from expectations import prepared  # noqa: F401 - what Great Expectations reads when it is imported is set there
from expectations.promises import Promise
from leadgate.json_columns import CheckedPromise
from leadgate.vocabulary import GateName, Severity

VERSION: Final[str] = gx.__version__

#: Columns of a table of results beside those of Great Expectations.
_COLUMNS: Final = ("Promise", "If broken")
_NO_COLUMN: Final = "Table-Level Expectations"  # of which a section is named in place of a column
_SEVERITIES: Final = {Severity.CRITICAL: "the row is held", Severity.WARNING: "the row passes with a warning"}
_NOT_CHECKED: Final = {
    "raised_exception": True,
    "exception_message": "it could not be checked, so the batch was held",
    "exception_traceback": "",
}


def render_suite(gate: GateName, promises: Sequence[Promise]) -> dict[str, Any]:
    """The document of a gate's suite, in the form of ``RenderedDocumentContent.to_json_dict``."""
    suite = gx.ExpectationSuite(
        name=gate.value,
        expectations=[_configure(promise).to_domain_obj() for promise in promises],
        meta={"great_expectations_version": VERSION},
    )
    document: dict[str, Any] = ExpectationSuitePageRenderer().render(suite).to_json_dict()
    return document


def render_validation(
    gate: GateName,
    promises: Sequence[Promise],
    evidence: Sequence[CheckedPromise],
    *,
    rows: int,
    run_name: str,
    at: datetime,
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """The document of what a gate found in a batch of ``rows``. ``about``: what else is known of the batch.

    ``promises`` are those of the playbook that the batch was judged by; evidence about others is left out.
    """
    known = {promise.name: promise for promise in promises}
    checked = [(known[each["promise"]], each) for each in evidence if each["promise"] in known]
    results = [_build_result(promise, found, rows) for promise, found in checked]
    successes = sum(result.success for result in results)
    validation = ExpectationSuiteValidationResult(
        success=all(each["ok"] for each in evidence),
        results=results,
        suite_name=gate.value,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": successes,
            "unsuccessful_expectations": len(results) - successes,
            "success_percent": 100 * successes / len(results) if results else None,
        },
        meta={
            "run_id": RunIdentifier(run_name=run_name, run_time=at),
            "batch_spec": {"data_asset_name": "handoff", **about},
        },
    )
    document: dict[str, Any] = ValidationResultsPageRenderer().render(validation).to_json_dict()
    _add_columns(document, checked)
    return document


def _configure(promise: Promise) -> ExpectationConfiguration:
    """The plain expectation of a promise: the ones that gates ask are the same, made to answer faster."""
    note = f"{promise.words}. If not, {_SEVERITIES[promise.severity]}: {promise.broken}."
    if promise.required:
        note += " A missing value breaks the promise."
    return ExpectationConfiguration(
        type=promise.expectation,
        kwargs=dict(promise.arguments),
        meta={"promise": promise.name},
        severity=promise.severity,
        notes=note,
    )


def _build_result(promise: Promise, found: CheckedPromise, rows: int) -> ExpectationValidationResult:
    """``found`` as a result of Great Expectations, with counts alone."""
    result = {
        "element_count": rows,
        "missing_count": rows - found["checked"],
        "missing_percent": 100 * (rows - found["checked"]) / rows,
        "unexpected_count": found["failed"],
        "unexpected_percent": 100 * found["failed"] / (found["checked"] or rows),
        "unexpected_percent_total": 100 * found["failed"] / rows,
        "partial_unexpected_list": [],
    }
    was_checked = found["checked"] or found["ok"]
    return ExpectationValidationResult(
        success=found["ok"],
        expectation_config=_configure(promise),
        result=result if was_checked else {},
        exception_info=None if was_checked else _NOT_CHECKED,
    )


def _add_columns(document: dict[str, Any], checked: Sequence[tuple[Promise, CheckedPromise]]) -> None:
    """Beside each result what is promised in plain words, and what a broken promise does.

    A section has the results of one column of the frame in their order, as the renderer groups them.
    """
    groups: dict[str, list[tuple[Promise, CheckedPromise]]] = {}
    for promise, found in checked:
        groups.setdefault(promise.arguments.get("column", _NO_COLUMN), []).append((promise, found))
    for section in document["sections"]:
        group = groups.get(section["section_name"], [])
        for block in section["content_blocks"]:
            if block["content_block_type"] == "table" and "header_row" in block and len(block["table"]) == len(group):
                block["header_row"] += _COLUMNS
                for row, (promise, found) in zip(block["table"], group, strict=True):
                    row += [promise.words, _SEVERITIES[Severity(found["severity"])]]
