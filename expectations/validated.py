"""Validation to enrichment: contact data is well-formed, and we may and want to use it.

The patterns here do not repeat validation's rules. They are the shape that every later stage relies on,
checked against the value itself, so that a fault in validation stops here and not in a CRM. RE2 matches them,
whose ``\\s`` is ASCII only: other white space is named.

A promise about one field (``shows``) whose value validation may refuse (``problem``) and that is only a warning lets
the lead pass without that value: what nobody can read must not keep a good lead waiting. The e-mail address is
critical, whatever else there is: it decides who the person is, whose account they belong to and so who gets them, and
most faulty ones are typos that a person corrects at a glance.
"""

from __future__ import annotations

from typing import Final

import pycountry

from expectations.promises import Promise
from leadgate.vocabulary import Severity

#: ISO 3166-1 alpha-2, and XK: user-assigned, but what numbering plans and the EU write for Kosovo.
#: A pattern and not a set of values, because Great Expectations copies its arguments many times a run.
_COUNTRY: Final = f"^(?:{'|'.join(sorted({c.alpha_2 for c in pycountry.countries} | {'XK'}))})$"

#: One @, a dot in the domain, no space; what is between them was judged by email-validator.
_SPACE: Final = r"\s\x0b\x1c-\x1f\x{85}\pZ"
_EMAIL: Final = rf"^[^@{_SPACE}]+@[^@.{_SPACE}]+(?:\.[^@.{_SPACE}]+)+$"

#: E.164: a plus sign and at most 15 digits, the first of them not 0 (ITU-T E.164, 6.2).
_PHONE: Final = r"^\+[1-9][0-9]{6,14}$"

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        name="email_well_formed",
        expectation="expect_column_values_to_match_regex",
        arguments={"column": "email", "regex": _EMAIL},
        severity=Severity.CRITICAL,
        reason="email_malformed",
        words="The e-mail address is well-formed",
        broken="The e-mail address is not well-formed",
        shown_column="email",
        problem_column="email_problem",
    ),
    Promise(
        name="phone_possible",
        expectation="expect_column_values_to_match_regex",
        arguments={"column": "phone", "regex": _PHONE},
        severity=Severity.WARNING,
        reason="phone_impossible",
        words="The phone number is possible, or it is left out",
        broken="The phone number is not a possible one",
        shown_column="phone",
        problem_column="phone_problem",
    ),
    Promise(
        name="has_contact",  # after the two above: a malformed address is a better reason than none at all
        expectation="expect_column_values_to_not_be_null",
        arguments={"column": "contact"},
        severity=Severity.CRITICAL,
        reason="no_contact",
        words="The lead can be reached: there is an e-mail address or a phone number",
        broken="The lead cannot be reached: there is no e-mail address and no phone number",
    ),
    Promise(
        name="country_known",
        expectation="expect_column_values_to_match_regex",
        arguments={"column": "country", "regex": _COUNTRY},
        severity=Severity.WARNING,
        reason="country_unknown",
        words="The country is a country, or it is left out",
        broken="The country is not a known one",
        shown_column="country",
        problem_column="country_problem",
    ),
    Promise(
        name="consent_not_refused",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "consent_problem"},
        severity=Severity.CRITICAL,
        reason="consent_refused",
        words="The person agreed to be contacted, as far as the source asks for it",
        broken="The person did not agree to be contacted",
        shown_column="consent",
    ),
    Promise(
        name="not_spam",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "spam_reason"},
        severity=Severity.CRITICAL,
        reason="spam",
        words="The lead does not look like spam",
        broken="The lead looks like spam",
        shown_column="message",
    ),
    Promise(
        name="email_lasting",
        expectation="expect_column_values_to_be_in_set",
        arguments={"column": "is_disposable", "value_set": [False]},
        severity=Severity.CRITICAL,
        reason="email_disposable",
        words="The e-mail address is not a disposable one",
        broken="The e-mail address is a disposable one",
        shown_column="email",
    ),
    Promise(
        name="fields_valid",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "field_problem"},
        severity=Severity.CRITICAL,
        reason="field_invalid",
        words="Required fields are filled, those with a type by a value of that type",
        broken="A required field is empty, or a value is not of its field's type",
    ),
    Promise(
        name="fields_readable",
        expectation="expect_column_values_to_be_null",
        arguments={"column": "unreadable_problem"},
        severity=Severity.WARNING,
        reason="field_unreadable",
        words="Dates, numbers and answers of yes or no could be read, or they are left out",
        broken="A date, a number or an answer of yes or no could not be read",
    ),
)
