"""Conditions of a playbook in plain words."""

from __future__ import annotations

import pytest

from leadgate.expressions.syntax import RuleError
from leadgate.expressions.wording import describe_condition


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("true", "every lead"),
        ("country in ('DE', 'AT')", "the country is DE or AT"),
        ("not (country in ('DE', 'AT'))", "the country is none of DE, AT"),
        ("employees between 20 and 1999", "the number of employees is from 20 to 1,999"),
        ("20 < employees", "the number of employees is above 20"),
        ("account_id is not null", "the account's id is given"),
        ("not (account_id is not null)", "the account's id is not given"),
        ("is_free_mail", "the e-mail address is of a free mail service"),
        ("not is_role_address", "the e-mail address is of a person"),
        ("wants_trial", "“Wants a trial” is yes"),
        ("renewal_date < date '2027-01-01'", "the renewal date is below 2027-01-01"),
        ("lower(budget) <> 'no budget'", "the budget is not “no budget”"),
        ("length(trim(message)) >= 20", "the length of the message is at least 20"),
        (r"regexp_matches(lower(job_title), '\b(vp|head)\b')", "the job title has the word “vp” or “head”"),
        ("regexp_matches(industry, '(saas|financ)')", "the industry has “saas” or “financ”"),
        ("regexp_matches(company, '^a.*b')", "the company has the pattern `^a.*b`"),
        ("company ilike '%gmbh' or company not like 'Ac%'", "the company ends with “gmbh” or the company does not begin with “Ac”"),
        ("country = 'DE' and (seats > 5 or seats is null)", "the country is DE and (the number of seats is above 5 or the number of seats is not given)"),
        ("coalesce(employees, 0) + 1 > 5", "`coalesce(employees, 0) + 1 > 5`"),
        ("case when seats > 5 then true else false end", "`case when seats > 5 then true else false end`"),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_condition_is_told_in_words_and_shown_as_it_is_where_there_are_none(when: str, words: str) -> None:
    assert describe_condition(when, {"wants_trial": "Wants a trial"}) == words


def test_what_is_no_condition_is_refused() -> None:
    with pytest.raises(RuleError):
        describe_condition("select 1")
