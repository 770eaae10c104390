"""Cases of a playbook: each kind of expectation, alone and without a ledger; and files that nobody should have written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from leadgate import playbook
from leadgate.playbook import LoadedPlaybook, PlaybookError
from leadgate.playbook.cases import MOST_CASES, MOST_FILES
from tasks.playbook_cases import TriedCase, require_cases, try_cases

PLAYBOOK = """
version: 1
name: Cases
fields:
  seats: {type: integer}
sources:
  website: {default_country: DE}
  shop: {consent: required}
  activities: {kind: activities}
scoring:
  grades: {fit: {A: 40, B: 20, C: 10}, engagement: {1: 20, 2: 10, 3: 5}}
  fit:
    - {name: has_company, when: "company is not null", points: 30}
    - {name: decides, when: "job_title ilike '%chief%'", points: 25}
    - {name: many, when: "employees >= 100", points: 10}
  engagement:
    - {name: asked_for_demo, activity: demo_request, points: 20, half_life: 10d}
qualification:
  marketing_qualified: 30
  sales_qualified: 50
  review: {lowest: 20, below: 30}
  disqualify:
    - {name: competitor, when: "email_domain = 'rival.example'", reason: Works for a competitor}
hours:
  office: {time_zone: Europe/Berlin, week: {mon: [09:00-17:00], wed: [09:00-17:00]}}
reps:
  - {name: ana, manager: mia}
  - {name: bob, manager: mia}
pools:
  - name: everybody
    members: [{rep: ana}, {rep: bob}]
    hours: office
    sla: standard
    nobody_available: {do: wait}
routing:
  - {name: returning, to: earlier_owner}
  - {name: all_leads, to: pool everybody}
slas:
  - {name: standard, first_touch: 4h}
follow_up:
  priorities:
    - {name: urgent, when: "timeline = 'now'", sla: standard}
exceptions:
  - {to: revenue_operations, within: 24h}
gates:
  validated:
    severity: {phone_possible: critical}
    expect:
      - name: city_given
        expectation: expect_column_values_to_not_be_null
        arguments: {column: city}
        severity: warning
        why: The city is known
        broken: The city is not known
      - name: short_city
        expectation: expect_column_value_lengths_to_be_between
        arguments: {column: city, max_value: 40}
        severity: warning
        why: The city is short
        broken: The city is long
"""

EXAMPLES = Path(__file__).parents[2] / "examples"
GOOD = "lead: {email: kim@acme.example, company: Acme, job_title: Chief, city: Kiel}"


@pytest.fixture
def loaded(tmp_path: Path) -> LoadedPlaybook:
    path = tmp_path / "playbook.yaml"
    path.write_text(PLAYBOOK, encoding="utf-8")
    return playbook.load(path)


@pytest.fixture
def try_text(loaded: LoadedPlaybook) -> Callable[[str], list[TriedCase]]:
    def try_cases_of(text: str) -> list[TriedCase]:
        (loaded.folder / "cases.yaml").write_text(text, encoding="utf-8")
        return try_cases(loaded)

    return try_cases_of


def write_case(lead: str, expect: str, name: str = "one") -> str:
    return f"cases:\n  - name: {name}\n    {lead}\n    expect: {expect}\n"


@pytest.mark.parametrize(
    ("lead", "right", "wrong", "found"),
    [
        (GOOD, "verdict: sales_qualified", "verdict: nurture", "sales_qualified"),
        (GOOD, "score: 55", "score: 54", "55 (has_company +30, decides +25)"),
        (GOOD, "score: {at_least: 50, at_most: 60}", "score: {at_least: 56}", "55"),
        (GOOD, "fit: 55", "fit: {at_most: 54}", "55"),
        (GOOD, "engagement: 0", "engagement: 1", "0"),
        (GOOD, "grade: A4", "grade: B4", "A4"),
        (GOOD, "points: {decides: 25, many: 0}", "points: {many: 10}", "0"),
        (GOOD, "route: all_leads", "route: returning", "all_leads"),
        (GOOD, "pool: everybody, owner: ana", "owner: bob", "ana (Route all_leads."),
        (GOOD, "sla: standard", "priority: urgent", "nothing"),
        (GOOD, "values: {company: Acme, phone: null}", "values: {company: null}", "Acme"),
        (GOOD, "stages: {validation: continue, assignment: owned}", "stages: {validation: hold}", "continue"),
        (GOOD, "due: 2027-03-08T10:00Z", "due: 2027-03-03T15:00Z", "2027-03-08T10:00Z"),
        ("lead: {email: a@rival.example}", "reason: competitor", "reason: student", "Works for a competitor"),
        ("lead: {email: a@rival.example}", "reason: for a competitor", "route: all_leads", "ends as disqualified"),
        ("lead: {email: nobody}", "verdict: held, held_by: email_well_formed", "verdict: nurture", "held"),
        ("lead: {email: nobody}", "reason: email_malformed", "held_by: phone_possible", "email_well_formed"),
        ("lead: {phone: '12'}", "held_by: phone_possible", "held_by: [phone_possible, email_well_formed]", "phone"),
        ("lead: {email: a@b.example}", "warned_by: city_given", "held_by: city_given", "nothing"),
        ("lead: {email: a@b.example}", "verdict: nurture", "warned_by: short_city", "cannot judge"),
        ("lead: {email: a@b.example}, source: shop", "reason: consent_refused", "verdict: review", "held"),
        ("lead: {email: a@b.example, seats: 7}", "values: {seats: 7}", "values: {seats: 8}", "7"),
        ("lead: {email: a@b.example}, enriched: {employees: 250}", "score: 10", "values: {employees: 249}", "250"),
        ("lead: {email: a@b.example}, did: {demo_request: 1}", "verdict: review, score: 20", "score: 19", "20"),
        (
            "lead: {email: a@b.example}, did: {demo_request: {days_ago: 10}}",
            "engagement: 10, verdict: nurture", "engagement: 20", "10",
        ),
        ("row: {Firma: Acme, E-Mail: a@b.example, Sitze: 7}", "score: 30, values: {company: Acme}", "score: 1", "30"),
        (f"{GOOD}, away: ana", "owner: bob", "owner: ana", "bob"),
        (f"{GOOD}, away: [ana, bob]", "stages: {assignment: wait}", "owner: ana", "nobody"),
        (f"{GOOD}, away: [ana, bob]", "reason: nobody_available", "reason: no_route", "nobody_available"),
        (f"{GOOD}, earlier_owner: bob", "route: returning, owner: bob", "pool: everybody", "nothing"),
        (f"{GOOD}, received: 2027-03-08T08:00+01:00", "due: 2027-03-08T12:00Z", "due: 2027-03-08T11:00Z", "12:00Z"),
    ],
)  # fmt: skip
def test_what_a_case_expects_is_compared(
    try_text: Callable[[str], list[TriedCase]], lead: str, right: str, wrong: str, found: str
) -> None:
    def write(name: str, expect: str) -> str:
        return f"  - {{name: {name}, {lead}, expect: {{{expect}}}}}\n"

    passed, failed = try_text("cases:\n" + write("right", right) + write("wrong", wrong))
    assert passed.mismatches == ()
    (mismatch,) = failed.mismatches
    assert found in mismatch.found
    assert (failed.line, mismatch.line) == (3, 3)


def test_no_case_hangs_on_another(try_text: Callable[[str], list[TriedCase]]) -> None:
    """Each finds the pool at the beginning of its turns, and nobody has the lead already."""
    cases = "".join(f"  - {{name: case {number}, {GOOD}, expect: {{owner: ana}}}}\n" for number in range(5))
    assert not any(each.failed for each in try_text(f"received: 2027-03-03T10:00Z\ncases:\n{cases}"))


def test_a_row_that_capture_would_hold_fails_its_case_alone(try_text: Callable[[str], list[TriedCase]]) -> None:
    row = f"row: {{E-Mail: a@b.example, Company: {'x' * 9_000}}}"
    held, other = try_text(write_case(row, "{score: 30}") + f"  - {{name: two, {GOOD}, expect: {{score: 55}}}}\n")
    assert "9,000 characters" in held.mismatches[0].found
    assert not other.failed


def test_a_long_value_is_compared_whole_and_told_in_short(try_text: Callable[[str], list[TriedCase]]) -> None:
    long = "x" * 8_000
    lead = f"lead: {{email: a@b.example, message: {long}}}"
    (same,) = try_text(write_case(lead, f"{{values: {{message: {long}}}}}"))
    (other,) = try_text(write_case(lead, f"{{values: {{message: {long}y}}}}"))
    assert not same.failed
    assert len(str(other.mismatches[0])) < 600


def test_cases_of_a_file_and_of_a_folder_are_all_tried(loaded: LoadedPlaybook) -> None:
    folder = loaded.folder / "cases"
    folder.mkdir()
    (loaded.folder / "cases.yaml").write_text(write_case(GOOD, "{score: 55}"), encoding="utf-8")
    (folder / "b.yaml").write_text(write_case(GOOD, "{score: 1}"), encoding="utf-8")
    (folder / "a.yml").write_text(write_case(GOOD, "{score: 2}"), encoding="utf-8")
    (folder / "notes.txt").write_text("no case", encoding="utf-8")
    tried = try_cases(loaded)
    assert [(Path(each.file).name, each.failed) for each in tried] == [
        ("cases.yaml", False),
        ("a.yml", True),
        ("b.yaml", True),
    ]
    with pytest.raises(PlaybookError, match=r"b\.yaml:2: case 'one': score: expected 1, found 55"):
        require_cases(loaded)


def test_a_playbook_without_cases_has_none_that_fails(loaded: LoadedPlaybook) -> None:
    assert try_cases(loaded) == []
    require_cases(loaded)


def test_the_cases_of_the_bundled_playbook_show_each_kind_of_expectation() -> None:
    default = playbook.load_default()
    tried = try_cases(default)
    assert [str(found) for each in tried for found in each.mismatches] == []
    assert default.bundled_cases is not None
    text = default.bundled_cases.read_text(encoding="utf-8")
    for kind in ("verdict:", "score:", "grade:", "points:", "route:", "pool:", "owner:", "reason:", "held_by:",
                 "warned_by:", "values:", "due:", "stages:", "away:", "earlier_owner:", "enriched:", "did:", "row:"):  # fmt: skip
        assert kind in text


def test_the_cases_of_the_examples_are_as_expected() -> None:
    tried = try_cases(playbook.load(EXAMPLES / "crm" / "playbook.yaml"))
    assert len(tried) == 4
    assert [str(found) for each in tried for found in each.mismatches] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cases: [{name: a, lead: {compny: x}, expect: {score: 1}}]", "did you mean 'company'?"),
        ("cases: [{name: a, lead: {}, expect: {values: {compny: x}}}]", "did you mean 'company'?"),
        ("cases: [{name: a, lead: {}, expect: {verdct: held}}]", "did you mean 'verdict'?"),
        ("cases: [{name: a, lead: {}, expect: {verdict: hold}}]", "did you mean 'held'?"),
        ("cases: [{name: a, lead: {}, expect: {owner: anna}}]", "did you mean 'ana'?"),
        ("cases: [{name: a, lead: {}, expect: {route: all_lead}}]", "did you mean 'all_leads'?"),
        ("cases: [{name: a, lead: {}, expect: {pool: x}}]", "known are: everybody"),
        ("cases: [{name: a, lead: {}, expect: {points: {decide: 1}}}]", "did you mean 'decides'?"),
        ("cases: [{name: a, lead: {}, expect: {held_by: email_wellformed}}]", "did you mean 'email_well_formed'?"),
        ("cases: [{name: a, lead: {}, did: {demo: 1}, expect: {score: 1}}]", "known are: demo_request"),
        ("cases: [{name: a, lead: {}, did: {demo_request: 51}, expect: {score: 1}}]", "the most is 50"),
        ("cases: [{name: a, lead: {}, away: bop, expect: {score: 1}}]", "did you mean 'bob'?"),
        ("cases: [{name: a, lead: {}, enriched: {employes: 1}, expect: {score: 1}}]", "did you mean 'employees'?"),
        ("cases: [{name: a, source: web, expect: {score: 1}}]", "did you mean 'website'?"),
        ("cases: [{name: a, source: activities, expect: {score: 1}}]", "known are: shop, website"),
        ("cases: [{name: a, lead: {}}]", "expect: is missing"),
        ("cases: [{name: a, lead: {}, expect: {}}]", "cannot fail"),
        ("cases: [{name: a, lead: {}, expect: {stages: {}}}]", "cannot fail"),
        ("cases: [{name: a, lead: {}, expect: {score: {}}}]", "at_least"),
        ("cases: [{name: a, lead: {}, expect: {score: {at_least: 9, at_most: 3}}}]", "more than at_most"),
        ("cases: [{name: a, expect: {score: 1}}, {name: a, expect: {score: 1}}]", "there twice"),
        ("cases: [{name: a, received: yesterday, expect: {score: 1}}]", "2027-03-03T14:00Z"),
        ("cases: [{name: a, received: 9999-12-31T23:00-10:00, expect: {score: 1}}]", "cases[0].received"),
        ("received: 0001-01-01T00:00+10:00\ncases: []", "received"),
        ('cases: [{name: "red \\e[31m", expect: {score: 1}}]', "without control characters"),
        ("cases: [{name: a, lead: {email: x}, row: {Mail: x}, expect: {score: 1}}]", "not both"),
        ("cases: {name: a}", "write a list"),
        ("[]", "not a mapping"),
        ("", "is empty"),
        ("cases: [{name: a, lead: {email: 'x\\0'}, expect: {score: !!python/object:os.system x}}]", "not allowed"),
        ('cases: [{name: a, lead: {email: "x\\0"}, expect: {score: 1}}]', "NUL"),
        (f"cases: [{{name: {'n' * 8000}, expect: {{score: 1}}}}]", "the most"),
        (f"cases: [{{name: a, lead: {{email: {'n' * 8000}}}, expect: {{score: 1}}}}]", "8,000 characters, at most 320"),
        (f"cases: [{{name: a, lead: {{? {'n' * 8000} : x}}, expect: {{score: 1}}}}]", "no field of a lead"),
        (f"cases: [{{name: a, ? {'n' * 8000} : x, expect: {{score: 1}}}}]", "unknown key"),
        (f"cases: [{{name: a, expect: {{owner: {'n' * 8000}}}}}]", "no rep"),
        (f"cases: [{{name: a, expect: {{held_by: [{'n' * 8000}]}}}}]", "no promise"),
        (f"cases: [{{name: a, expect: {{values: {{? {'n' * 8000} : x}}}}}}]", "no field of a lead"),
        ("cases:\n" + "".join(f"- {{name: c{i}, expect: {{score: 1}}}}\n" for i in range(MOST_CASES + 1)), "1,000"),
        ("cases:\n" + "".join(
            f"- {{name: c{i}, received: 2027-03-03T{i // 60:02}:{i % 60:02}Z, expect: {{score: 1}}}}\n" for i in range(201)
        ), "201 moments"),
        ("cases:\n" + "- {name: c, expect: {score: 1}}\n" * 100_000, "250,000 bytes"),
        ("a: &a [x, x, x, x, x, x, x, x, x]\n"
         + "".join(f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True))
         + "cases: []\n", "aliases"),
        ("cases: " + "[" * 5_000, "nested too deeply"),
    ],
    ids=lambda value: value[:60],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_with_its_line(
    try_text: Callable[[str], list[TriedCase]], text: str, said: str
) -> None:
    with pytest.raises(PlaybookError) as raised:
        try_text(text)
    assert said in str(raised.value)
    assert "cases.yaml:" in str(raised.value)
    assert all(len(str(problem)) < 600 for problem in raised.value.problems)


def test_what_is_no_file_is_refused_and_not_waited_for(loaded: LoadedPlaybook) -> None:
    os.mkfifo(loaded.folder / "cases.yaml")
    with pytest.raises(PlaybookError, match="not a regular file"):
        try_cases(loaded)


def test_a_folder_has_so_many_files_at_the_most(loaded: LoadedPlaybook) -> None:
    folder = loaded.folder / "cases"
    folder.mkdir()
    for number in range(MOST_FILES + 1):
        (folder / f"{number}.yaml").write_text("cases: []")
    with pytest.raises(PlaybookError, match=f"more than {MOST_FILES} files"):
        try_cases(loaded)
