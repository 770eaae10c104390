"""Answers of services, and the URLs that ask for them: whatever a stranger sends, values have their field's type."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate import playbook as playbooks
from leadgate.expressions.json_paths import JsonPathError, compile_path
from leadgate.fields import FieldType, list_enrichable
from leadgate.limits import find_length_problem
from leadgate.mapping.answers import clean_answers
from leadgate.playbook import CustomField, Playbook
from leadgate.values.url_templates import parse_template

NOW = datetime(2026, 3, 4, tzinfo=UTC)
OWN: dict[str, FieldType] = {
    "own_text": "text", "own_count": "integer", "own_sum": "number", "own_flag": "boolean", "own_day": "date",
    "own_moment": "timestamp",
}  # fmt: skip
TYPES: dict[FieldType, type | tuple[type, ...]] = {
    "text": str, "integer": int, "number": (int, float), "boolean": bool, "date": str, "timestamp": str,
}  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40)
    | st.sampled_from(["1e400", "-1", "51-200", "$1M", "yes", "2026-03-04", "04/03/2026", "DE", "germany", "acme.com",
                       "x" * 8_000, "\x00", "<b>", "NaN", "Infinity", "9" * 400, "\u202e", "٣"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@pytest.fixture(scope="module")
def rules() -> Playbook:
    own = {name: CustomField(type=kind) for name, kind in OWN.items()}
    return playbooks.load_default().playbook.model_copy(update={"fields": own})


@settings(max_examples=tried(60))
@given(
    found=st.lists(st.dictionaries(st.sampled_from([*list_enrichable(OWN), "email", "nobodys"]), VALUES), max_size=3)
)
def test_whatever_a_service_says_values_have_the_type_of_their_field(
    found: list[dict[str, Any]], rules: Playbook
) -> None:
    kinds = list_enrichable(OWN)
    answers = clean_answers(found, rules, NOW)
    assert len(answers) == len(found)
    for answer, given_ in zip(answers, found, strict=True):
        assert answer.values.keys() <= given_.keys() & kinds.keys()
        for name, value in answer.values.items():
            assert isinstance(value, TYPES[kinds[name]]), name
            assert not isinstance(value, str) or find_length_problem(name, value) is None
            assert not isinstance(value, str) or "\x00" not in value
        orjson.loads(orjson.dumps(answer.values))
        assert all(problem.partition(":")[0] in kinds for problem in answer.problems)


@pytest.mark.parametrize(
    "path",
    ["a.b || c", "[?x > `3`].y | [0]", "join(', ', a)", "max_by(@, &b)", "*.*[]", "sort(a)[-1]", "to_number(a)",
     "contains(a, 'x')", "sum(a)", "{a: b}", "length(@)", "a[::2]", "keys(@)", "not_null(a, b)"],
)  # fmt: skip
@settings(max_examples=tried(25))
@given(document=VALUES)
def test_an_expression_finds_a_value_or_says_that_it_does_not_fit(path: str, document: Any) -> None:
    with contextlib.suppress(JsonPathError):
        compile_path(path)(document)


TEMPLATE = parse_template("https://api.example/v1/{company}/find?domain={company_domain}&format=json")


@settings(max_examples=tried(150))
@given(company=st.text(max_size=310), domain=st.text(max_size=310))
def test_a_value_stays_in_its_place_of_the_url(company: str, domain: str) -> None:
    url = TEMPLATE.build({"company": company, "company_domain": domain})
    if url is None:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example", "")
    assert url.isascii()
    assert url.isprintable()
    steps = parts.path.split("/")
    assert (len(steps), steps[1], steps[3]) == (4, "v1", "find")
    assert not {".", ".."} & set(steps)
    assert parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) == {
        "domain": [domain],
        "format": ["json"],
    }


def test_the_bundled_playbook_asks_no_service() -> None:
    text = Path(playbooks.load_default().path).read_text(encoding="utf-8")
    commented = next(line for line in text.splitlines() if "preset: apollo" in line)
    uncommented = text.replace(commented, commented.replace("# ", "", 1))
    asking = playbooks.parse(uncommented, path=playbooks.load_default().path)
    assert [each.type for each in playbooks.load_default().playbook.enrichment.providers].count("http") == 0
    assert [each.type for each in asking.playbook.enrichment.providers].count("http") == 1
