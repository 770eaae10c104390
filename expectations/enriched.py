"""Enrichment to qualification: added values are plausible and name their provider, and the contact is unchanged.

A provider that finds nothing, or fails, is a warning: no lead is held for it.
"""

from __future__ import annotations

from typing import Final

from expectations.promises import Promise
from leadgate.vocabulary import Severity

#: Labels of letters, digits and hyphens, at least two of them (RFC 1035, 2.3.1); `values.domains` judges their length.
_DOMAIN: Final = r"^[\pL\pN][\pL\pN_-]*(?:\.[\pL\pN][\pL\pN_-]*)+$"

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="has_contact",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "contact"},
        severity=Severity.CRITICAL,
        reason="no_contact",
        words="The lead can still be reached",
        broken="The lead cannot be reached any more: there is no e-mail address and no phone number",
    ),
    Promise(
        name="contact_unchanged",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "contact_changed", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="contact_changed",
        words="Enrichment left the e-mail address and the phone number as they were",
        broken="Enrichment changed the e-mail address or the phone number",
        shown_column="email",
        required=True,
    ),
    Promise(
        name="attributed",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "unattributed"},
        severity=Severity.CRITICAL,
        reason="value_unattributed",
        words="Every added value names the provider it came from",
        broken="An added value does not name the provider it came from",
        shown_column="unattributed",
    ),
    Promise(
        name="employees_plausible",
        expectation="expect_column_values_to_be_between",
        arguments={"column": "employees", "min_value": 1, "max_value": 5_000_000},
        severity=Severity.WARNING,
        reason="employees_implausible",
        words="The number of employees is between 1 and 5,000,000",
        broken="The number of employees is not between 1 and 5,000,000",
        shown_column="employees",
    ),
    Promise(
        name="company_domain_well_formed",
        expectation="expect_column_values_to_match_regex",
        arguments={"column": "company_domain", "regex": _DOMAIN},
        severity=Severity.WARNING,
        reason="company_domain_malformed",
        words="The company's domain is well-formed",
        broken="The company's domain is not well-formed",
        shown_column="company_domain",
    ),
    Promise(
        name="providers_answered",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "provider_problem"},
        severity=Severity.WARNING,
        reason="provider_failed",
        words="Every provider gave an answer that can be used",
        broken="A provider gave no answer, or one that cannot be used",
    ),
    Promise(
        name="company_known",
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "company"},
        severity=Severity.WARNING,
        reason="company_unknown",
        words="The lead's company is known",
        broken="The lead's company is not known",
    ),
)
