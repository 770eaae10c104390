"""The playbook: loading, its hash, and everything that a check refuses, with line and what to do.

Long as one file: a table of everything that is refused, in the order of the playbook.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pytest

from leadgate import fields, playbook, source_secrets
from leadgate.connectors import providers
from leadgate.playbook import MOST_ACCOUNTS_BYTES, LoadedPlaybook, Playbook, PlaybookError
from leadgate.playbook.check import check, require
from leadgate.playbook.check.added_expectations import EXPECTATIONS
from leadgate.playbook.check.secrets import check_values, require_values
from tasks.playbook_cases import try_cases

SMALL = """\
version: 1
name: Small
fields:
  seats: {type: integer}
sources:
  website: {}
  activities: {kind: activities, mapping: {Who: email, What: kind}}
scoring:
  fit:
    - {name: large, when: employees >= 200, points: 10}
  engagement:
    - {name: demo, activity: demo_request, points: 20}
qualification:
  marketing_qualified: 40
  sales_qualified: 60
  review: {lowest: 30, below: 40}
  disqualify:
    - {name: embargo, when: country = 'KP', reason: We may not sell there}
  evidence:
    budget: {when: budget is not null, value: budget}
reps:
  - {name: ann, time_zone: Europe/Berlin}
  - {name: bob, manager: ann}
hours:
  office:
    time_zone: Europe/Berlin
    week: {mon: [09:00-17:30], tue: [['09:00', '17:30']]}
    holidays: DE
pools:
  - name: first
    members: [{rep: ann, weight: 2}, {rep: bob}]
    hours: office
    sla: fast
    nobody_available: {do: overflow, pool: second}
  - name: second
    members: [{rep: bob}]
    sla: fast
routing:
  - {name: german, when: country = 'DE', to: pool first}
  - {name: rest, to: pool second}
slas:
  - name: fast
    first_touch: 1h
    ladder: [{after: 50, do: remind}, {after: 100, do: escalate, to: ann}]
gates:
  validated:
    severity: {email_well_formed: warning}
    expect:
      - name: company_given
        expectation: expect_column_values_to_not_be_null
        arguments: {column: company}
        why: The company is known
"""
GRADED = "scoring:\n  grades: {fit: {A: 40, B: 20, C: 10}, engagement: {1: 30, 2: 15, 3: 5}}"
OF_GATES = {"validated": {"email_well_formed", "not_spam"}}
PROMISES = {"lead": OF_GATES}

Edit = Callable[[str, str], list[str]]


def parsed(text: str, folder: Path) -> LoadedPlaybook:
    return playbook.parse(text, path=folder / "playbook.yaml")


@pytest.fixture
def problems(tmp_path: Path) -> Edit:
    """What is said about the small playbook when one part of it is replaced, without the folder."""

    def edit(old: str, new: str) -> list[str]:
        assert SMALL.count(old) >= 1, f"{old!r} is not in the playbook"
        text = SMALL.replace(old, new, 1)
        prefix = f"{tmp_path}/"
        try:
            loaded = parsed(text, tmp_path)
        except PlaybookError as error:
            return [str(problem).removeprefix(prefix) for problem in error.problems]
        found = check(loaded, promises=PROMISES)
        return [str(problem).removeprefix(prefix) for problem in found if not problem.note]

    return edit


def test_the_small_playbook_is_right(tmp_path: Path) -> None:
    assert check(parsed(SMALL, tmp_path), promises=PROMISES) == []


# --- CRMs -------------------------------------------------------------------------------------------------

CRM = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    writes: {lead_score: score, hubspot_owner_id: owner}
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("type: hubspot", "type: hubsport", "crm[0].type: no connector is called 'hubsport'; did you mean 'hubspot'?"),
        ("type: hubspot", "type: salesforce", "crm[0].url: every account of salesforce has an address of its own"),
        ("type: hubspot", "type: hubspot\n    create: maybe", "crm[0].create"),
        ("type: hubspot", "type: hubspot\n    creates: false", "crm[0].creates: unknown key; did you mean 'create'?"),
        ("type: hubspot", "type: hubspot\n    url: http://crm.example", "sends credentials unencrypted"),
        ("type: hubspot", "type: hubspot\n    url: ftp://crm.example", "this is no URL"),
        ("type: hubspot", "type: hubspot\n    url: 'https://[crm'", "this is no URL"),
        ("type: hubspot", "type: hubspot\n    url: https://a:b@crm.example", "holds a password"),
        ("type: hubspot", "type: hubspot\n    url: http://127.0.0.1:8000", "127.0.0.1 is this machine"),
        ("type: hubspot", "type: hubspot\n    options: {versoin: v3}", "did you mean 'version'?"),
        ("{token: CRM_TOKEN}", "{tokn: CRM_TOKEN}", "hubspot has no credential 'tokn'; did you mean 'token'?"),
        ("{token: CRM_TOKEN}", "{}", "crm[0].credentials: hubspot needs token, each with the name of a variable"),
        ("{token: CRM_TOKEN}", "{token: pat-na1-123}", "crm[0].credentials.token"),
        ("{token: CRM_TOKEN}", "{token: LEADGATE_SECRET_SITE}", "is a variable for the secret of a source"),
        ("lead_score: score", "lead_score: scoer", "neither a field of a lead nor a fact; did you mean 'score'?"),
        ("lead_score: score", "'a/b': score", "crm[0].writes"),
        ("lead_score: score", "leadgate_id: lead_number", "holds Leadgate's key, which is written by itself"),
        ("lead_score: score", "page: leadgate_link", "nothing says where a lead's page is; add link"),
        ("lead_score: score", "lead_score: {fact: score, policy: alway}", "did you mean 'always'?"),
        ("lead_score: score", "s: {fact: status, values: {owend: X}}", "status is never 'owend'; did you mean 'owned'?"),
        ("    writes", "    task: {subject: 'Call {naem}'}\n    writes", "'naem' is neither a field of a lead nor"),
        ("    writes", "    task: {subject: 'Call {company.__class__}'}\n    writes", "is no name of a fact"),
        ("    writes", "    task: {subject: 'Call {company!r:>{score}}'}\n    writes", "is no name of a fact"),
        ("    writes", "    task: {subject: 'Call {company'}\n    writes", "has a brace that does not belong to a pair"),
        ("    writes", "    link: 'https://l.example/{email}'\n    writes", "a link holds {lead_number} alone"),
        ("    writes", "    link: 'javascript:alert(1)'\n    writes", "is no address of a page"),
        ("    writes", "    record_link: 'https://l.example/{email}'\n    writes", "a link holds {record_id} alone"),
        ("    writes", "    record_link: 'http://l.example/{record_id}'\n    writes", "is no address of a page"),
    ],
)  # fmt: skip
def test_a_crm_that_cannot_work(problems: Edit, old: str, new: str, said: str) -> None:
    assert CRM.count(old) == 1

    found = problems("gates:\n", CRM.replace(old, new) + "gates:\n")

    assert any(said in problem for problem in found), found


def test_a_crm_that_can_work(problems: Edit) -> None:
    assert problems("gates:\n", CRM + "gates:\n") == []
    local = CRM.replace("type: hubspot", "type: hubspot\n    url: http://127.0.0.1:8000\n    allow_private: true")
    assert problems("gates:\n", local + "gates:\n") == []


def test_two_crms_have_two_names_and_reps_name_one_of_them(problems: Edit) -> None:
    twice = problems("gates:\n", CRM + CRM.replace("\ncrm:\n", "") + "gates:\n")
    assert any("crm[1].name: 'sales' is there twice" in problem for problem in twice)

    other = problems("{name: bob, manager: ann}", "{name: bob, manager: ann, crm_ids: {sals: '7'}}")
    assert any("reps[1].crm_ids.sals: unknown CRM 'sals'" in problem for problem in other)


READS = """
crm:
  - name: sales
    type: hubspot
    credentials: {token: CRM_TOKEN}
    reads: {source: contacts}
matching: {crm_ids: {sales: [contacts]}}
"""
CONTACTS = "sources:\n  contacts: {mapping: {email: email}}\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{source: contacts}", "{source: contact}", "crm[0].reads.source: unknown source 'contact'; did you mean"),
        ("{mapping: {email: email}}", "{}", "sources.contacts.mapping: says which of the CRM's fields are read"),
        ("{email: email}", "{'E mail': email}", "no field of a CRM is called 'E mail'"),
        ("{mapping: {email: email}}", "{kind: activities, mapping: {email: email}}", "is a source of activities"),
        ("{source: contacts}", "{source: contacts, only: {email: []}}", "names no value, so no record is read"),
        ("{source: contacts}", "{source: contacts, only: {email: sett}}", "crm[0].reads.only"),
        ("{sales: [contacts]}", "{}", "is found by its address alone; add matching.crm_ids: {sales: [contacts]}"),
    ],
)
def test_records_that_cannot_be_read(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (SMALL + READS).replace("sources:\n", CONTACTS, 1)
    assert check(parsed(text, tmp_path), promises=PROMISES) == []
    assert text.count(old) == 1
    try:
        found = [str(each) for each in check(parsed(text.replace(old, new), tmp_path), promises=PROMISES)]
    except PlaybookError as error:
        found = str(error).splitlines()
    assert any(said in each for each in found), found


@pytest.mark.parametrize(
    ("expects", "said"),
    [
        ("expects: {within: 24h}", None),
        ("expects: {at_least: 5, within: 24h, hours: offic}", "sources.contacts.expects.hours: unknown working hours"),
        ("expects: {within: 31d}", "sources.contacts.expects.within: is a minute or more, and 30 days or less"),
        ("expects: {within: 0s}", "sources.contacts.expects.within: is a minute or more"),
        ("expects: {at_least: 0, within: 24h}", "sources.contacts.expects.at_least"),
        ("expects: {at_least: 5}", "sources.contacts.expects.within"),
        (
            "kind: activities, expects: {within: 24h}",
            "sources.contacts.expects: signals that start journeys are counted alone",
        ),
    ],
)
def test_what_is_expected_of_a_source(tmp_path: Path, expects: str, said: str | None) -> None:
    text = SMALL.replace("sources:\n", f"sources:\n  contacts: {{{expects}}}\n", 1)
    try:
        found = [str(each) for each in check(parsed(text, tmp_path), promises=PROMISES)]
    except PlaybookError as error:
        found = str(error).splitlines()
    assert found == [] if said is None else any(said in each for each in found), found


TOLD = (
    "  told: {http: {auth: hubspot, secret_env: LEADGATE_SECRET_TOLD, public_url: 'https://a.example/capture/told'}}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("webhooks: told", "webhooks: tld", "crm[0].reads.webhooks: unknown source 'tld'; did you mean 'told'?"),
        ("webhooks: told", "webhooks: contacts", "contacts is told of no changes of records"),
        ("type: hubspot", "type: salesforce\n    url: https://a.example", "has webhooks of hubspot, and sales is"),
        ("webhooks: told", "also: [a]", "nobody reads the records that it names; add crm[].reads.webhooks: told"),
    ],
)
def test_webhooks_that_nobody_can_follow(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (SMALL + READS.replace("{source: contacts}", "{source: contacts, webhooks: told}")).replace(
        "sources:\n", CONTACTS + TOLD, 1
    )
    assert check(parsed(text, tmp_path), promises=PROMISES) == []
    assert text.count(old) == 1
    found = check(parsed(text.replace(old, new), tmp_path), promises=PROMISES)
    assert any(said in str(each) for each in found), found


@pytest.mark.parametrize(
    ("reads", "said"),
    [
        ("{owner: follow}", "crm[0].reads.owner: no field is written with fact: owner"),
        ("{only: {email: set}}", "crm[0].reads.only: says which leads become signals"),
        ("{deals: {}}", "crm[0].reads.deals: names no outcome"),
        ("{activities: [calls]}", "crm[0].reads.activities"),
        ("{deals: {created: deal}}", "crm[0].reads.deals.created: unknown outcome 'deal'"),
        ("{deals: {stages: {closedwon: won}}}", "crm[0].reads.deals.stages.closedwon: unknown outcome 'won'"),
    ],
)
def test_what_is_read_without_a_source(problems: Edit, reads: str, said: str) -> None:
    text = READS.partition("matching")[0].replace("{source: contacts}", reads)
    assert any(said in each for each in problems("sources:\n", text.strip("\n") + "\nsources:\n"))


def test_two_crms_are_not_read_into_one_source(problems: Edit) -> None:
    both = READS.replace(
        "matching", CRM.replace("\ncrm:\n", "").replace("sales", "b") + "    reads: {source: contacts}\nmatching"
    )
    found = problems("sources:\n", both.strip("\n") + "\n" + CONTACTS)
    assert any("crm[1].reads.source: contacts is read from another CRM already" in each for each in found), found


def test_what_a_connection_has_by_its_type(tmp_path: Path) -> None:
    connection = parsed(SMALL + CRM, tmp_path).playbook.crm[0]

    assert connection.address == "https://api.hubapi.com"
    assert (connection.unique_field, connection.address_field) == ("leadgate_id", "email")
    assert connection.target == "crm:sales"
    assert connection.writes["lead_score"].policy == "never_clear"


# --- secrets of sources that post -------------------------------------------------------------------------

SIGNS = "website: {http: {auth: hmac, secret_env: %s}}\n  partner: {http: {auth: bearer, secret_env: %s}}"
WEBSITE, PARTNER = "LEADGATE_SECRET_WEBSITE", "LEADGATE_SECRET_PARTNER"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ((WEBSITE, PARTNER), []),
        (("PATH", PARTNER), ["'PATH' is no variable for a secret; call it LEADGATE_SECRET_WEBSITE"]),
        (("LEADGATE_SECRET_", PARTNER), ["call it LEADGATE_SECRET_WEBSITE"]),
        ((WEBSITE, WEBSITE), ["is the secret of 'website' already"]),
    ],
)
def test_each_source_that_posts_names_a_variable_of_its_own(
    problems: Edit, variables: tuple[str, str], words: list[str]
) -> None:
    found = problems("website: {}", SIGNS % variables)
    assert len(found) == len(words)
    assert all(expected in problem for expected, problem in zip(words, found, strict=True))


@pytest.mark.parametrize(
    ("http", "words"),
    [
        ("auth: typeform, secret_env: LEADGATE_SECRET_A", []),
        ("auth: standard_webhooks, secret_env: LEADGATE_SECRET_A", []),
        ("auth: facebook, secret_env: LEADGATE_SECRET_A, verify_env: LEADGATE_SECRET_B", []),
        ("auth: hubspot, secret_env: LEADGATE_SECRET_A, public_url: 'https://x.example/capture/website'", []),
        ("auth: hubspot, secret_env: LEADGATE_SECRET_A", ["hubspot needs `public_url`"]),
        ("auth: hubspot, secret_env: LEADGATE_SECRET_A, public_url: 'http://x.example/a'", ["not the whole address"]),
        ("auth: hubspot, secret_env: LEADGATE_SECRET_A, public_url: /capture/website", ["not the whole address"]),
        ("auth: hubspot, secret_env: LEADGATE_SECRET_A, public_url: 'https://[x'", ["not the whole address"]),
        ("auth: facebook, secret_env: LEADGATE_SECRET_A", ["facebook needs `verify_env`"]),
        ("auth: facebook, secret_env: LEADGATE_SECRET_A, verify_env: LEADGATE_SECRET_A", ["cannot be the secret too"]),
        ("auth: facebook, secret_env: LEADGATE_SECRET_A, verify_env: HOME", ["'HOME' is no variable for a secret"]),
        ("auth: typeform, secret_env: LEADGATE_SECRET_A, verify_env: LEADGATE_SECRET_B", ["means nothing with auth"]),
        (
            "auth: calendly, secret_env: LEADGATE_SECRET_A, public_url: 'https://x.example/'",
            ["means nothing with auth"],
        ),
        ("auth: type_form, secret_env: LEADGATE_SECRET_A", ["typeform"]),
    ],
)
def test_a_way_of_signing_in_has_the_keys_it_needs_and_no_others(problems: Edit, http: str, words: list[str]) -> None:
    found = problems("website: {}", f"website: {{http: {{{http}}}}}")
    assert len(found) == len(words)
    assert all(expected in problem for expected, problem in zip(words, found, strict=True))


def test_a_vendor_that_sends_leads_is_no_source_of_activities(problems: Edit) -> None:
    (found,) = problems(
        "website: {}", "forms: {kind: activities, http: {auth: typeform, secret_env: LEADGATE_SECRET_A}}"
    )
    assert "typeform sends leads" in found


def test_a_token_that_travels_is_not_the_secret(tmp_path: Path) -> None:
    http = "{auth: facebook, secret_env: LEADGATE_SECRET_A, verify_env: LEADGATE_SECRET_B}"
    loaded = parsed(SMALL.replace("website: {}", f"website: {{http: {http}}}"), tmp_path)
    one, other = source_secrets.make(), source_secrets.make()
    assert check_values(loaded, {"LEADGATE_SECRET_A": one, "LEADGATE_SECRET_B": other}) == []
    (same,) = check_values(loaded, {"LEADGATE_SECRET_A": one, "LEADGATE_SECRET_B": f"{other} {one}"})
    assert same.key.endswith("verify_env")
    (weak,) = check_values(loaded, {"LEADGATE_SECRET_A": one, "LEADGATE_SECRET_B": "x"})
    assert "LEADGATE_SECRET_B holds a secret of 1 character" in weak.message


def test_standard_webhooks_has_secrets_of_its_own_form(tmp_path: Path) -> None:
    http = "{auth: standard_webhooks, secret_env: LEADGATE_SECRET_A}"
    loaded = parsed(SMALL.replace("website: {}", f"website: {{http: {http}}}"), tmp_path)
    assert check_values(loaded, {"LEADGATE_SECRET_A": source_secrets.make()}) == []
    (found,) = check_values(loaded, {"LEADGATE_SECRET_A": "the-secret-of-an-old-sender-0123"})
    assert not found.note
    assert "begins with whsec_" in found.message


def test_a_playbook_that_decided_earlier_can_still_be_read(tmp_path: Path) -> None:
    loaded = parsed(SMALL.replace("website: {}", SIGNS % ("PATH", "PATH")), tmp_path)
    assert set(loaded.playbook.sources) == {"website", "partner", "activities"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, []),
        ({WEBSITE: source_secrets.make(), PARTNER: source_secrets.make()}, []),
        ({WEBSITE: f"{source_secrets.make()} {source_secrets.make()}"}, []),
        ({WEBSITE: "x"}, ["LEADGATE_SECRET_WEBSITE holds a secret of 1 character"]),
        ({WEBSITE: " ".join([source_secrets.make()] * 3)}, ["holds 3 secrets"]),
        ({WEBSITE: "the-secret-of-an-old-sender-0123"}, ["note: LEADGATE_SECRET_WEBSITE holds a secret of the old"]),
        ({PARTNER: "the-secret-of-an-old-sender-0123"}, []),
        ({WEBSITE: (same := source_secrets.make()), PARTNER: f"{source_secrets.make()} {same}"}, ["of 'website'"]),
    ],
)
def test_the_secrets_that_are_set_are_strong_and_shared_by_nobody(
    tmp_path: Path, values: dict[str, str], words: list[str]
) -> None:
    loaded = parsed(SMALL.replace("website: {}", SIGNS % (WEBSITE, PARTNER)), tmp_path)
    found = check_values(loaded, values)
    assert len(found) == len(words)
    for expected, problem in zip(words, found, strict=True):
        assert problem.note == expected.startswith("note: ")
        assert expected.removeprefix("note: ") in problem.message
        assert problem.key.endswith(".http.secret_env")
        assert not any(value in str(problem) for value in values.values() if len(value) > 1)
    if any(not problem.note for problem in found):
        with pytest.raises(PlaybookError):
            require_values(loaded, values)


def test_the_bundled_playbook_is_right_and_complete() -> None:
    loaded = playbook.load_default()
    assert check(loaded) == []
    book = loaded.playbook
    assert len(book.pools) == 3
    assert len(book.reps) >= 9
    assert {pool.nobody_available.do for pool in book.pools} == {"assign", "overflow", "wait"}
    assert book.routing[0].to == "account_owner"
    assert book.routing[-1].when == "true"
    assert set(book.qualification.evidence) == {"budget", "authority", "need", "timeline"}
    assert sum(len(gate.expect) for gate in book.gates.values()) == 2


def test_the_bundled_accounts_fit_the_bundled_playbook() -> None:
    loaded = playbook.load_default()
    with (loaded.folder / "data" / "accounts.csv").open(newline="", encoding="utf-8") as file:
        accounts = list(csv.DictReader(file))
    assert len({account["domain"] for account in accounts}) == len(accounts) == 120
    assert all(account["domain"].endswith(".example") for account in accounts)
    reps = {rep.name for rep in loaded.playbook.reps}
    assert {account["owner"] for account in accounts} <= reps | {""}
    assert {account["tier"] for account in accounts} == {"enterprise", "mid_market", "small"}
    assert all(int(account["employees"]) > 0 for account in accounts)


def test_init_gives_a_playbook_that_stands_alone(tmp_path: Path) -> None:
    written = playbook.copy_default(tmp_path / "new")
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "new/playbook.yaml",
        "new/cases.yaml",
        "new/data/accounts.csv",
    ]
    loaded = playbook.load(written[0])
    assert check(loaded) == []
    assert loaded.hash == playbook.load_default().hash


def test_a_minimal_playbook_is_sound_short_and_as_its_cases_expect(tmp_path: Path) -> None:
    written = playbook.copy_minimal(tmp_path)
    assert [path.name for path in written] == ["playbook.yaml", "cases.yaml"]
    loaded = playbook.load(written[0])
    assert check(loaded) == []
    assert 30 <= len(loaded.text.splitlines()) <= 50
    assert [each.mismatches for each in try_cases(loaded)] == [(), (), ()]


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text("mine")
    with pytest.raises(PlaybookError, match="not overwritten"):
        playbook.copy_default(tmp_path)
    assert (tmp_path / "playbook.yaml").read_text() == "mine"
    assert not (tmp_path / "data").exists()


def test_the_hash_is_of_what_is_agreed_not_of_how_it_is_written(tmp_path: Path) -> None:
    loaded = parsed(SMALL, tmp_path)
    for same in (
        "# a comment\n" + SMALL,
        SMALL.replace("version: 1\nname: Small\n", "name: Small\nversion: 1\n"),
        SMALL.replace("{rep: bob}]\n    hours", "{rep: bob, weight: 1}]\n    hours"),
        SMALL.replace("first_touch: 1h", "first_touch: 60m"),
    ):
        assert same != SMALL
        assert parsed(same, tmp_path).hash == loaded.hash
    assert parsed(SMALL.replace("points: 10", "points: 11"), tmp_path).hash != loaded.hash
    assert len(loaded.hash) == 64


@pytest.mark.parametrize("text", [SMALL, playbook.load_default().text])
def test_the_canonical_form_reads_back_as_the_same_playbook(text: str, tmp_path: Path) -> None:
    loaded = parsed(text, tmp_path)
    assert Playbook.model_validate_json(loaded.canonical) == loaded.playbook


def test_yaml_is_read_as_people_mean_it(tmp_path: Path) -> None:
    text = SMALL.replace("holidays: DE", "holidays: NO")
    book = parsed(text, tmp_path).playbook
    assert book.hours["office"].holidays == "NO"  # not false
    assert book.hours["office"].week["mon"] == ((time(9), time(17, 30)),)
    assert book.hours["office"].week["tue"] == ((time(9), time(17, 30)),)
    assert book.slas[0].first_touch == timedelta(hours=1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "  website: {}",
            "  website: {mappnig: {}}",
            "playbook.yaml:6: sources.website.mappnig: unknown key; did you mean 'mapping'?",
        ),
        (
            "weight: 2",
            "wieght: 2",
            "playbook.yaml:31: pools[0].members[0].wieght: unknown key; did you mean 'weight'?",
        ),
        (
            "kind: activities",
            "kind: activites",
            "sources.activities.kind: 'activites' is not possible here; did you mean 'activities'?",
        ),
        ("{do: overflow, pool: second}", "{do: overflw}", "did you mean 'overflow'?"),
        ("{do: overflow, pool: second}", "{do: overflow}", "overflow needs a pool"),
        ("name: Small\n", "", "playbook.yaml:1: name: is missing; add it"),
        ("points: 10", "points: lots", "scoring.fit[0].points: 'lots' is no whole number; write digits, like 10"),
        ("first_touch: 1h", "first_touch: soon", "'soon' is not a duration; write a number and s, m, h or d"),
        ("first_touch: 1h", "first_touch: 0h", "0s is too little; give more than 0"),
        ("points: 10", "points: 2.5", "2.5 is no whole number; write 2 or 3"),
        ("points: 10", "points: [1, 2]", "a list is no whole number"),
        ("weight: 2", "weight: 5000", "5000 is too much; the most is 1000"),
        ("name: Small\n", "name: 12\n", '12 is no text; put it in quotes: "12"'),
        ("name: Small\n", "name: [a]\n", "this is a list; write one text"),
        ("members: [{rep: ann, weight: 2}, {rep: bob}]", "members: ann", "this is 'ann'; write a list"),
        ("members: [{rep: ann, weight: 2}, {rep: bob}]", "members: [ann]", "this is 'ann'; write a group of keys"),
        ("[09:00-17:30]", "[nine to five]", "is not a span of hours; write it like 09:00-17:30"),
        ("name: large", "name: Large One", "is not a name: lower-case letters"),
        (
            "members: [{rep: ann, weight: 2}, {rep: bob}]",
            "members: []",
            "pools[0].members: is empty; add at least one",
        ),
        ("activity: demo_request, points", "points", "give either activity"),
        ("activity: demo_request, points", "activity: d, when: 'true', points", "give either activity"),
        ("{lowest: 30, below: 40}", "{lowest: 40, below: 40}", "is empty; lowest comes first"),
        ("to: pool second", "to: the second pool", "does not have the form it needs"),
        ("activity: demo_request, points", "when: 'true', half_life: 7d, points", "half_life go with activity"),
        ("activity: demo_request, points", "activity: d, half_life: 0d, points", "give more than 0s"),
        ("scoring:\n", "scoring:\n  groups: {pages: {}}\n", "caps nothing; give one of them"),
        ("scoring:\n", "scoring:\n  caps: {fit: {max_points: -1}}\n", "-1 is too little; the least is 0"),
        ("scoring:\n", "scoring:\n  caps: {fitt: {max_points: 1}}\n", "did you mean 'fit'?"),
        ("scoring:\n", f"{GRADED.replace('B: 20', 'B: 50')}\n", "thresholds of fit must fall from A to C"),
        ("scoring:\n", f"{GRADED.replace(', 3: 5', '')}\n", "engagement has no threshold for 3"),
        ("  review", "  grades: {marketing_qualified: [A5]}\n  review", "does not have the form it needs"),
        ("{when: budget is not null, value: budget}", "{value: budget}", "nothing proves it"),
    ],
)  # fmt: skip
def test_one_part_that_is_wrong_by_itself(problems: Edit, old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in problems(old, new)), problems(old, new)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # names
        (
            "  website: {}",
            "  website: {mapping: {Mail: emial}}",
            "playbook.yaml:6: sources.website.mapping.Mail: 'emial' is not a field of a lead; did you "
            "mean 'email'?",
        ),
        (
            "  website: {}",
            "  website: {default_country: UK}",
            "'UK' is not a country's code; did you mean 'GB'?",
        ),
        ("What: kind", "What: knd", "'knd' is not a field of an activity; did you mean 'kind'?"),
        (
            "seats: {type",
            "employees: {type",
            "fields.employees: 'employees' is a name that Leadgate uses itself",
        ),
        ("name: bob, manager", "name: ann, manager", "reps[1].name: 'ann' is there twice"),
        ("name: second\n", "name: first\n", "pools[1].name: 'first' is there twice"),
        ("{rep: bob}]\n    hours", "{rep: ann}]\n    hours", "pools[0].members[1].rep: 'ann' is there twice"),
        ("{rep: bob}]\n    hours", "{rep: bbo}]\n    hours", "unknown rep 'bbo'; did you mean 'bob'?"),
        ("hours: office", "hours: offce", "unknown hours 'offce'; did you mean 'office'?"),
        ("sla: fast", "sla: fst", "unknown SLA 'fst'; did you mean 'fast'?"),
        ("pool: second}", "pool: secnd}", "unknown pool 'secnd'; did you mean 'second'?"),
        ("to: pool second", "to: rep bbo", "unknown rep 'bbo'; did you mean 'bob'?"),
        (
            "gates:",
            "exceptions: [{to: ops, escalate_to: anm}]\ngates:",
            "exceptions[0].escalate_to: unknown rep or exception route 'anm'; did you mean 'ann'?",
        ),
        (
            "escalate, to: ann",
            "escalate, to: anm",
            "unknown rep or exception route 'anm'; did you mean 'ann'?",
        ),
        (
            "gates:\n",
            "notifications: [{to: anm, address_env: NOTIFY}]\ngates:\n",
            "notifications[0].to: unknown rep or exception route 'anm'; did you mean 'ann'?",
        ),
        (
            "gates:\n",
            "notifications: [{to: evrybody, address_env: NOTIFY}]\ngates:\n",
            "did you mean 'everybody'?",
        ),
        (
            "gates:\n",
            "notifications: [{to: ann, address_env: NOTIFY}, {to: ann, address_env: NOTIFY_ANN}]\ngates:\n",
            "notifications[1].to: 'ann' is there twice",
        ),
        ("time_zone: Europe/Berlin}", "time_zone: Europe/Berln}", "did you mean 'Europe/Berlin'?"),
        ("holidays: DE", "holidays: XX", "no holiday calendar for 'XX'"),
        ("mon: [09:00-17:30]", "mon: [09:00-09:00]", "hours.office: "),
        ("name: demo,", "name: large,", "scoring.engagement[0].name: the name 'large' is taken"),
        ("value: budget}", "value: bugdet}", "unknown field 'bugdet'; did you mean 'budget'?"),
        # a pool that can take nothing, a circle
        (
            "{name: bob, manager: ann}",
            "{name: bob, max_per_day: 0}",
            "pools[1].members: nobody in this pool may take a lead",
        ),
        (
            "members: [{rep: bob}]\n    sla: fast",
            "members: [{rep: bob}]\n    sla: fast\n    nobody_available: {do: overflow, pool: first}",
            "overflow goes round in a circle: first → second → first",
        ),
        # leads that would be held because nothing is due
        (
            "members: [{rep: bob}]\n    sla: fast",
            "members: [{rep: bob}]",
            "pools[1]: has no sla, so no first touch is due and every lead of route 'rest' is held (due_missing)",
        ),
        # numbers in order
        ("marketing_qualified: 40", "marketing_qualified: 70", "70 is above sales_qualified (60)"),
        ("below: 40", "below: 45", "past marketing_qualified (40)"),
        ("  review", "  leave: {marketing_qualified: 41}\n  review", "41 is above 40, at which a lead enters"),
        ("  review", "  leave: {sales_qualified: 39}\n  review", "39 is below 40, at which a lead is not even"),
        # groups, grades and evidence that name one another
        ("points: 10}", "points: 10, group: pags}", "scoring.fit[0].group: unknown group 'pags'"),
        ("scoring:\n", "scoring:\n  groups: {fit: {max_points: 5}}\n", "capped by scoring.caps.fit"),
        (
            "scoring:\n  fit:\n    - {name: large, when: employees >= 200, points: 10}\n  engagement:\n    - {name: demo,",
            "scoring:\n  groups: {g: {max_points: 5}}\n  fit:\n    - {name: large, when: employees >= 200, points: 10, group: g}\n"
            "  engagement:\n    - {name: demo, group: g,",
            "scoring.groups.g: 'g' has rules of fit and of engagement",
        ),
        ("country = 'DE'", "grade = 'A1'", "routing[0].when: grade is always empty, for leads have no grades"),
        ("  review", "  grades: {marketing_qualified: [A1]}\n  review", "leads have no grades, so none would ever qualify"),
        ("  review", "  grades: {}\n  review", "no grade qualifies"),
        ("  review", "  leave: {grades: {marketing_qualified: [A1]}}\n  review", "leads qualify by score"),
        ("  review", "  requires: {sales_qualified: [need]}\n  review", "nothing proves need"),
        (
            "  evidence:\n    budget: {when: ",
            "  requires: {sales_qualified: [budget]}\n  evidence:\n    budget: {negative: ",
            "requires.sales_qualified[0]: nothing proves budget",
        ),
        ("{when: budget is not null,", "{negative: bugdet is null,", "evidence.budget.negative: unknown column 'bugdet'"),
        ("after: 100", "after: 50", "50 % does not come after 50 %"),
        ("points: 10", "points: 0", "0 points change nothing"),
        # expressions
        (
            "employees >= 200",
            "employes >= 200",
            "playbook.yaml:10: scoring.fit[0].when: unknown column 'employes'; did you mean 'employees'?",
        ),
        ("employees >= 200", "employees >=", "cannot be read"),
        ("employees >= 200", "score >= 200", "unknown column 'score'"),
        ("employees >= 200", "employees", "gives BIGINT, not true or false"),
        ("employees >= 200", "now() > timestamp '2026-01-01'", "reads the clock"),
        ("employees >= 200", "(select true)", "subquery"),
        ("employees >= 200", "getenv('HOME') = 'x'", "getenv() is not allowed"),
        ("employees >= 200", "annual_revenue > 5", "try_cast(annual_revenue as double)"),
        # rules that can never match
        ("employees >= 200", "employees > 9 and employees < 5", "can never match"),
        ("employees >= 200", "city = 'a' and city = 'b'", "can never match"),
        ("employees >= 200", "\"false\"", "can never match"),
        (
            "country = 'DE'",
            "country = 'Germany'",
            "country is never 'Germany' (at \"country = 'Germany'\"): write 'DE'",
        ),
        ("country = 'DE'", "\"country in ('DE', 'uk')\"", "country is never 'uk'"),
        ("country = 'DE'", "source = 'web'", "source is never 'web'"),
        ("country = 'DE'", "qualified_as = 'sql'", "qualified_as is never 'sql'"),
        ("country = 'DE'", "1 = 1", "routing[1]: can never match: 'german' before it takes every lead"),
        (
            "{name: rest, to",
            "{name: again, when: \"country='DE' -- too\", to: pool first}\n  - {name: rest, to",
            "routing[1].when: can never match: 'german' before it has the same condition",
        ),
        (
            "{name: rest, to",
            "{name: narrow, when: \"country = 'DE' and employees > 9\", to: pool first}\n  - {name: rest, to",
            "routing[1].when: can never match: 'german' before it takes every lead that it would; move it up",
        ),
        (
            "routing:\n  - {name: german, when: country = 'DE', to: pool first}\n",
            "territories: {de: {countries: [DE]}, north: {countries: [DE], postal_prefixes: ['1']}}\nrouting:\n"
            "  - {name: german, territory: de, to: pool first}\n  - {name: north, territory: north, to: rep ann}\n",
            "routing[1]: can never match: 'german' before it takes every lead that it would",
        ),
        (
            "{name: rest, to",
            "{name: atx, when: country = 'AT', to: rep ann}\n  - {name: dach, when: \"country in ('DE', 'AT')\", "
            "to: pool first}\n  - {name: rest, to",
            "routing[2].when: can never match: 'german' and 'atx' before it together take every lead that it would",
        ),
        # territories, people and pools that do not fit
        (
            "routing:\n",
            "territories: {a: {countries: [UK]}}\nrouting:\n",
            "territories.a.countries[0]: 'UK' is not a country's code; did you mean 'GB'?",
        ),
        (
            "when: country = 'DE', to",
            "when: country = 'DE', territory: nort, to",
            "routing[0].territory: unknown territory 'nort'; none is defined",
        ),
        ("{name: bob, manager: ann}", "{name: bob, ramp: 14d}", "reps[1].ramp: a ramp needs the day it begins"),
        (
            "rep: bob}]\n    hours: office",
            "rep: bob}]\n    only_in_hours: true",
            "pools[0].only_in_hours: only_in_hours says nothing about ann, bob, who have no hours",
        ),
        (
            "members: [{rep: bob}]\n",
            "members: [{rep: bob}]\n    language: required\n",
            "pools[1].language: nobody in this pool has languages",
        ),
        (
            "to: pool second}",
            "to: pool second, requires: [Payroll]}",
            "routing[1].requires: nobody in pool 'second' has all of the skills payroll",
        ),
        ("country = 'KP'", "country is null or country is not null or true", "every lead matches this"),
        # follow-up
        ("escalate, to: ann}", "escalate, of: stage}", "slas[0].ladder[1].of: this SLA has no stage, so the step is never"),
        ("escalate, to: ann}", "escalate, of: acceptance}", "this SLA has no accept_within"),
        (
            "first_touch: 1h\n    ladder: [",
            "first_touch: 1h\n    stage: 9h\n    ladder: [{after: 90, do: remind, of: stage}, {after: 90, do: remind, of: stage}, ",
            "slas[0].ladder[1].after: 90 % does not come after 90 %; steps go up",
        ),
        (
            "gates:\n",
            "follow_up: {priorities: [{name: hot, when: score > 9, sla: fst}]}\ngates:\n",
            "follow_up.priorities[0].sla: unknown SLA 'fst'; did you mean 'fast'?",
        ),
        (
            "gates:\n",
            "follow_up: {priorities: [{name: hot, when: scor > 9, sla: fast}]}\ngates:\n",
            "unknown column 'scor'",
        ),
        (
            "gates:\n",
            "follow_up: {priorities: [{name: a, when: 'true', sla: fast}, {name: b, when: score > 9, sla: fast}]}\ngates:\n",
            "follow_up.priorities[1]: can never match: 'a' before it takes every lead",
        ),
        (
            "gates:\n",
            "follow_up: {touches: [call, {kind: call, min_seconds: 9}]}\ngates:\n",
            "follow_up.touches[1].kind: 'call' is there twice",
        ),
        (
            "gates:\n",
            "follow_up: {reject_reasons: [other, {name: other, then: reassign}]}\ngates:\n",
            "follow_up.reject_reasons[1].name: 'other' is there twice",
        ),
        (
            "gates:\n",
            "follow_up: {reject_reasons: [{name: other, after: 3d}]}\ngates:\n",
            "after says when a lead is recycled; add then: recycle",
        ),
        (
            "gates:\n",
            "follow_up: {finished_by: outcome, outcomes: [sold, gone], lost_outcomes: [gonne]}\ngates:\n",
            "follow_up.lost_outcomes[0]: unknown outcome 'gonne'; did you mean 'gone'",
        ),
        (
            "gates:\n",
            "follow_up: {finished_by: outcome}\ngates:\n",
            "follow_up.finished_by: no outcome ends a journey, so none ever ends",
        ),
        # gates
        (
            "email_well_formed:",
            "email_wel_formed:",
            "no promise 'email_wel_formed'; did you mean 'email_well_formed'?",
        ),
        ("name: company_given", "name: not_spam", "the gate has a promise 'not_spam' already"),
        (
            "values_to_not_be_null",
            "values_to_not_be_nul",
            "did you mean 'expect_column_values_to_not_be_null'?",
        ),
        ("expect_column_values_to_not_be_null", "unexpected_rows_expectation", "is not allowed here"),
        ("{column: company}", "{column: compny}", "unknown column 'compny'; did you mean 'company'?"),
        (
            "{column: company}",
            "{column: company, row_condition: 'x'}",
            "arguments.row_condition: row_condition is refused: Great Expectations evaluates it as code",
        ),
        ("{column: company}", "{column: company, condition_parser: pandas}", "condition_parser is refused"),
        ("{column: company}", "{column: company, mostly: 7}", "needs a share above 0 and up to 1"),
        ("{column: company}", "{}", "needs column; add it"),
        ("{column: company}", "{column: account_id}", "unknown column 'account_id'"),
    ],
)  # fmt: skip
def test_parts_that_do_not_agree(problems: Edit, old: str, new: str, said: str) -> None:
    assert any(said in problem for problem in problems(old, new)), problems(old, new)


def test_grades_can_be_used_in_routes_and_are_checked(tmp_path: Path) -> None:
    graded = SMALL.replace("scoring:", GRADED, 1)
    by_grade = "\"grade in ('A1', 'A2') and fit_grade = 'A' and engagement_grade <= 2\""
    right = graded.replace("country = 'DE'", by_grade)
    assert check(parsed(right, tmp_path), promises=PROMISES) == []
    wrong = parsed(graded.replace("country = 'DE'", "grade = 'E1'"), tmp_path)
    assert ["grade is never 'E1'" in problem.message for problem in check(wrong, promises=PROMISES)] == [True]


def test_a_territory_without_a_country_or_a_route_is_worth_a_note(tmp_path: Path) -> None:
    text = SMALL.replace("routing:\n", "territories: {a: {states: [BY]}}\nrouting:\n")
    found = [str(problem) for problem in check(parsed(text, tmp_path), promises=PROMISES) if problem.note]
    assert any("territories.a: names no country" in problem for problem in found)
    assert any("territories.a: no route asks for the territory 'a'" in problem for problem in found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # what an account's or an earlier owner does not take, and a rep who passes on, leaves the rest to others
        ("{name: german, when: country = 'DE', to: pool first}", "{name: german, to: account_owner, when_away: hold}"),
        ("{name: german, when: country = 'DE', to: pool first}", "{name: german, to: earlier_owner}"),
        (
            "{name: german, when: country = 'DE', to: pool first}",
            "{name: german, to: rep ann, when_away: pass_on}\n  - {name: x, when: country = 'DE', to: pool first}",
        ),
        ("{name: rest, to", "{name: wider, when: \"country in ('DE', 'AT')\", to: pool first}\n  - {name: rest, to"),
    ],
)
def test_a_route_that_can_be_reached_is_left_alone(problems: Edit, old: str, new: str) -> None:
    assert [problem for problem in problems(old, new) if "never" in problem] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: pool second}", "to: pool second, when_away: hold}", "when_away is about one person"),
        ("to: pool second}", "to: rep bob, requires: [x]}", "requires chooses among the members of a pool"),
        ("{name: bob,", "{name: bob, languages: [German],", "languages"),
        (
            "{name: bob,",
            "{name: bob, absent: [{first: 2026-03-01, last: 2026-03-01, leaves: 13:00, returns: 12:00}],",
            "the absence of 2026-03-01 ends at 12:00:00 before it begins",
        ),
    ],
)
def test_what_one_part_may_not_say(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(PlaybookError, match=said):
        parsed(SMALL.replace(old, new), tmp_path)


def test_all_problems_come_in_one_pass_by_line(tmp_path: Path) -> None:
    text = (
        SMALL.replace("employees >= 200", "employes >= 200")
        .replace("rep: bob}]\n    hours", "rep: bbo}]\n    hours")
        .replace("column: company", "column: compny")
        .replace("points: 20", "points: 0")
    )
    found = check(parsed(text, tmp_path), promises=PROMISES)
    assert [problem.line for problem in found] == [10, 12, 31, 51]
    with pytest.raises(PlaybookError) as error:
        require(parsed(text, tmp_path), promises=PROMISES)
    assert error.value.problems == tuple(found)
    assert len(str(error.value).splitlines()) == 4


def test_all_problems_of_the_schema_come_in_one_pass(tmp_path: Path) -> None:
    text = SMALL.replace("points: 10", "points: x").replace("first_touch: 1h", "frist_touch: 1h")
    with pytest.raises(PlaybookError) as error:
        parsed(text, tmp_path)
    assert [(problem.line, problem.key) for problem in error.value.problems] == [
        (10, "scoring.fit[0].points"),
        (42, "slas[0].first_touch"),
        (43, "slas[0].frist_touch"),
    ]


def notes(text: str, folder: Path) -> list[str]:
    loaded = parsed(text, folder)
    require(loaded, promises=PROMISES)  # a note stops nothing
    return [problem.message for problem in check(loaded, promises=PROMISES) if problem.note]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{name: rest, to", "{name: rest, when: employees > 3, to", "no route takes every lead"),
        ("to: pool second", "to: rep bob", None),
        ("to: pool first", "to: pool second", "no route leads to pool 'first'"),
        ("manager: ann", "manager: the_boss", "'the_boss' is no rep"),
        ("manager: ann", "manager: boss@acme.example", None),
        ("first_touch: 1h", "first_touch: 1h\n    next_touch: 8h", "never begins to count: the first touch ends"),
        ("  sales_qualified: 60", "  sales_qualified: 60\n  sales_qualified_by: acceptance", None),
        ("gates:", "follow_up: {outcomes: [won]}\ngates:", "nothing looks for them: first_touch ends a journey"),
        (
            "gates:",
            "follow_up: {finished_by: outcome, outcomes: [sold, Closed-Lost]}\ngates:",
            "if 'Closed-Lost' means lost, name it in follow_up.lost_outcomes",
        ),
        (
            "gates:",
            "follow_up: {finished_by: outcome, outcomes: [sold, lost, lostness], lost_outcomes: [lost]}\ngates:",
            None,
        ),
        (
            "members: [{rep: bob}]\n    sla: fast\nrouting:\n  - {name: german, when: country = 'DE', to: pool first}\n"
            "  - {name: rest, to: pool second}",
            "members: [{rep: bob}]\nrouting:\n  - {name: rest, to: pool first}",
            "no sla",  # what overflows into it is due as in the pool before
        ),
        (
            "gates:",
            "exceptions: [{to: ann, reasons: [spam]}]\ngates:",
            "no route takes what the others do not name",
        ),
        ("gates:", "exceptions: [{to: ops, escalate_to: bob, reasons: [spam]}, {to: boss}]\ngates:", None),
        ("gates:", "exceptions: [{to: ops, escalate_to: boss, reasons: [spam]}, {to: boss}]\ngates:", None),
        ("scoring:\n", "scoring:\n  groups: {pages: {max_points: 5}}\n", "no rule is in the group 'pages'"),
    ],
)
def test_notes_are_worth_knowing_and_stop_nothing(tmp_path: Path, old: str, new: str, said: str | None) -> None:
    assert old in SMALL
    found = notes(SMALL.replace(old, new, 1), tmp_path)
    assert found == [] if said is None else any(said in message for message in found)


def test_a_route_to_a_rep_without_an_sla_is_not_sound(tmp_path: Path) -> None:
    text = SMALL.replace("reps:\n", "reps:\n  - {name: cyn}\n").replace("to: pool second}\nslas", "to: rep cyn}\nslas")
    found = [problem.message for problem in check(parsed(text, tmp_path), promises=PROMISES) if not problem.note]
    assert len(found) == 1
    assert "cyn is in no pool with an sla" in found[0]


@pytest.mark.parametrize(
    "more",
    [
        "follow_up: {priorities: [{name: all, when: 'true', sla: fast}]}\ngates:\n",
        "gates:\n  assigned: {severity: {touch_due: warning}}\n  followed_up: {severity: {touch_due: warning}}\n",
    ],
    ids=["every lead has the SLA of a priority", "no gate insists"],
)
def test_a_pool_without_an_sla_that_holds_no_lead_is_sound(tmp_path: Path, more: str) -> None:
    text = SMALL.replace("members: [{rep: bob}]\n    sla: fast", "members: [{rep: bob}]").replace("gates:\n", more, 1)
    promises = {"lead": OF_GATES | {"assigned": {"touch_due"}, "followed_up": {"touch_due"}}}
    assert [problem for problem in check(parsed(text, tmp_path), promises=promises) if not problem.note] == []


def test_an_empty_field_makes_an_attribute_of_a_column(tmp_path: Path) -> None:
    text = SMALL.replace("  website: {}", '  website: {mapping: {Notes: ""}}') + 'headers: {Remarks: ""}\n'
    assert check(parsed(text, tmp_path), promises=PROMISES) == []


def test_a_key_of_an_earlier_version_is_read_and_noted(tmp_path: Path) -> None:
    old = SMALL.replace("slas:\n", "handovers: {on_reassign: keep}\nslas:\n")
    new = old.replace("handovers", "reassignments")
    loaded = parsed(old, tmp_path)
    assert loaded.playbook.reassignments.on_reassign == "keep"
    assert loaded.hash == parsed(new, tmp_path).hash
    assert notes(new, tmp_path) == []
    [note] = loaded.document.notes
    assert (note.key, old.splitlines()[note.line - 1]) == ("handovers", "handovers: {on_reassign: keep}")
    assert notes(old, tmp_path) == [note.message]


def test_a_key_is_not_given_by_its_old_and_its_new_name(problems: Edit) -> None:
    [problem] = problems("slas:\n", "handovers: {}\nreassignments: {}\nslas:\n")
    assert "handovers: is the old name of reassignments" in problem


def test_a_problem_below_an_old_key_has_its_line(tmp_path: Path) -> None:
    text = SMALL.replace("slas:\n", "handovers:\n  on_reassing: keep\nslas:\n")
    with pytest.raises(PlaybookError) as error:
        parsed(text, tmp_path)
    [problem] = error.value.problems
    assert text.splitlines()[problem.line - 1] == "  on_reassing: keep"
    assert "on_reassign" in problem.message


ZONES = """reps:
  - {name: ann, time_zone: Europe/Berlin}
  - {name: bob, manager: ann, time_zone: America/New_York%s}
  - {name: cyn, manager: ann, time_zone: Europe/Madrid}
hours:
  east: {time_zone: America/New_York, week: {mon: [09:00-17:00]}}
"""


@pytest.mark.parametrize(
    ("of_bob", "clock", "told"),
    [
        ("", "pool", ["SLA fast runs by the clock of office (Europe/Berlin)", "bob (America/New_York)", "clock: rep"]),
        (", hours: east", "pool", ["bob"]),
        ("", "rep", ["bob"]),
        (", hours: east", "rep", []),
        ("", "wall", []),
    ],
)
def test_nobody_is_due_by_the_clock_of_another_zone(tmp_path: Path, of_bob: str, clock: str, told: list[str]) -> None:
    text = SMALL.replace(
        "reps:\n  - {name: ann, time_zone: Europe/Berlin}\n  - {name: bob, manager: ann}\nhours:\n", ZONES % of_bob
    )
    text = text.replace("first_touch: 1h", f"first_touch: 1h\n    clock: {clock}")
    text = text.replace("{rep: bob}]\n    hours: office", "{rep: bob}, {rep: cyn}]\n    hours: office")
    found = [note for note in notes(text, tmp_path) if "runs by the clock" in note]
    assert len(found) == bool(told)
    assert all(part in found[0] for part in told)
    assert not any("cyn" in note for note in found), "in Madrid it is as late as in Berlin"


def test_an_account_owner_takes_not_every_lead(tmp_path: Path) -> None:
    text = SMALL.replace("when: country = 'DE', to: pool first", "to: account_owner")
    assert not [p for p in check(parsed(text, tmp_path), promises=PROMISES) if not p.note]


def test_severities_are_only_checked_when_the_promises_are_known(tmp_path: Path) -> None:
    loaded = parsed(SMALL.replace("email_well_formed:", "whatever:"), tmp_path)
    assert check(loaded) == []
    assert len(check(loaded, promises=PROMISES)) == 1


ACCOUNTS = """\
enrichment:
  providers:
    - {type: accounts_file, path: accounts.csv, domain: domain, fields: {employees: staff, account_owner: owner}}
"""


@pytest.mark.parametrize(
    ("content", "fields_", "said"),
    [
        ("domain,staff,owner\n", None, None),
        (None, None, "does not exist"),
        ("domain,stuff,owner\n", None, "accounts.csv has no column 'staff'; did you mean 'stuff'?"),
        ("site,staff,owner\n", None, "has no column 'domain'"),
        ("domain,staff,owner\n", "{employees: staff}, company: nam", "has no column 'nam'"),
        ("domain,staff,owner\n", "{employees: staff}, inherit: [employees]", "nothing says who the parent is"),
        (
            "domain,staff,owner\n",
            "{employees: staff}, parent: owner, inherit: [staff]",
            "unknown field of this provider 'staff'",
        ),
        ("domain,staff,owner\n", "{employees: staff}, alike: 80, shown_from: 90", "is above alike (80)"),
        (
            "domain,staff,owner\n",
            "{employes: staff}",
            "'employes' is no field that a provider can fill; did you mean 'employees'?",
        ),
    ],
)
def test_the_accounts_file_is_there_with_its_columns(
    tmp_path: Path, content: str | None, fields_: str | None, said: str | None
) -> None:
    if content is not None:
        (tmp_path / "accounts.csv").write_text(content)
    text = SMALL + ACCOUNTS
    if fields_ is not None:
        text = text.replace("{employees: staff, account_owner: owner}", fields_)
    found = check(parsed(text, tmp_path), promises=PROMISES)
    assert found == [] if said is None else any(said in str(problem) for problem in found)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "accounts.csv")


def _endless_device(folder: Path) -> None:
    (folder / "accounts.csv").symlink_to("/dev/zero")


def _file_elsewhere(folder: Path) -> None:
    (folder / "accounts.csv").symlink_to("/etc/passwd")


def _folder(folder: Path) -> None:
    (folder / "accounts.csv").mkdir()


def _huge_file(folder: Path) -> None:
    with (folder / "accounts.csv").open("wb") as file:
        file.truncate(MOST_ACCOUNTS_BYTES + 1)


def _binary(folder: Path) -> None:
    (folder / "accounts.csv").write_bytes(b"secret\xff\xfe\x00")


def _other_text(folder: Path) -> None:
    (folder / "accounts.csv").write_text("secret:x:0:0,secret2\nsecret3,secret4\n")


ASKING = providers.Asking(datetime(2026, 3, 4, tzinfo=UTC))
LOOKED_UP = pd.DataFrame(
    {"company_domain": ["company1.example"], "website_domain": [None], "company": [None], "country": [None]}
)
UNUSABLE = [_pipe, _endless_device, _file_elsewhere, _folder, _huge_file, _binary, _other_text]


@pytest.mark.parametrize("make", UNUSABLE)
def test_the_accounts_file_is_a_regular_one_below_the_playbook_and_is_never_quoted(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "team").mkdir()
    make(tmp_path / "team")
    loaded = parsed(SMALL + ACCOUNTS, tmp_path / "team")
    found = [problem for problem in check(loaded, promises=PROMISES) if "accounts.csv" in problem.message]
    assert found
    with pytest.raises(providers.ProviderError) as error:
        providers.build_providers(loaded, ASKING)[0].look_up(LOOKED_UP)
    for message in (*(problem.message for problem in found), str(error.value)):
        assert "secret" not in message
        assert "root:" not in message
        assert "0xff" not in message


@pytest.mark.parametrize("path", ["/etc/passwd", "../accounts.csv", "data/../../accounts.csv"])
def test_an_accounts_file_outside_of_the_playbooks_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "team" / "data").mkdir(parents=True)
    (tmp_path / "accounts.csv").write_text("domain,staff,owner\n")
    found = check(parsed(SMALL + ACCOUNTS.replace("accounts.csv", path), tmp_path / "team"), promises=PROMISES)
    assert any("outside of the folder" in problem.message for problem in found)


def test_an_accounts_file_may_be_a_link_within_the_playbooks_folder(tmp_path: Path) -> None:
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "accounts.csv").write_text("domain,staff,owner\ncompany1.example,7,ana\n")
    (tmp_path / "accounts.csv").symlink_to("v2/accounts.csv")
    loaded = parsed(SMALL + ACCOUNTS, tmp_path)
    assert check(loaded, promises=PROMISES) == []
    assert providers.build_providers(loaded, ASKING)[0].look_up(LOOKED_UP)["employees"].tolist() == [7]


@pytest.mark.parametrize("make", [_pipe, _endless_device, _folder])
def test_a_playbook_is_a_regular_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    with pytest.raises(PlaybookError):
        playbook.load(tmp_path / "accounts.csv")


@pytest.mark.parametrize(
    ("crm_ids", "said"),
    [
        ("{hubspot: [website]}", None),
        ("{hubspot: [websit]}", "unknown source of leads 'websit'; did you mean 'website'?"),
        ("{hubspot: [website], other: [website]}", "the ids of 'website' are those of 'hubspot' already"),
    ],
)
def test_crm_ids_come_from_sources_of_one_crm(tmp_path: Path, crm_ids: str, said: str | None) -> None:
    found = check(parsed(SMALL + f"matching: {{crm_ids: {crm_ids}}}\n", tmp_path), promises=PROMISES)
    assert found == [] if said is None else any(said in str(problem) for problem in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty; start from"),
        ("- a\n- b\n", "is not a mapping"),
        ("name: [x", "playbook.yaml:1: is not YAML"),
        ("a:\n\t- b\n", "playbook.yaml:2: is not YAML"),
        (
            "name: a\nversion: 1\nname: b\n",
            "playbook.yaml:3: name: is given twice; the first one is in line 1",
        ),
        ("sources:\n  web: {}\n  web: {}\n", "playbook.yaml:3: sources.web: is given twice"),
        ("name: !!python/object/apply:os.system [x]\n", "is"),
        ("name: !!python/name:os.system x\n", "the tag 'os.system' is not allowed"),
        ("<<: {name: a}\n", "merging with << is not supported"),
        ("a: &a [*a]\n", "repeats itself through aliases"),
        ("a: 2026-15-45\n", "'2026-15-45' is not a date"),
        ("? [a, b]\n: c\n", "a key is a plain name"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("name: \0\n", "is not YAML"),
        ("[" * 3000, "nested too deeply"),
        ("- " * 3000, "nested too deeply"),
        ("x" * 260_000, "larger than 250,000 bytes"),
    ],
)
def test_what_is_no_playbook_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PlaybookError, match=r"playbook\.yaml:") as error:
        parsed(text, tmp_path)
    assert said in str(error.value)


def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(PlaybookError, match="repeats itself through aliases"):
        parsed("\n".join(lines), tmp_path)


def test_an_ordinary_alias_is_fine(tmp_path: Path) -> None:
    text = SMALL.replace("holidays: DE", "holidays: &land DE").replace("  website: {}", "  website: {}")
    text += "validation: {default_country: *land}\n"
    assert parsed(text, tmp_path).playbook.validation.default_country == "DE"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"name: \xff\xfe\n"), "is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * 260_000), "larger than"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    path = tmp_path / "playbook.yaml"
    make(path)
    with pytest.raises(PlaybookError, match=said):
        playbook.load(path)


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "playbook.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert playbook.load(path).playbook.name == "Small"


def test_of_one_text_in_two_files_each_problem_and_note_names_its_own(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    noted = SMALL + "handovers: {}\n"
    for folder in folders:
        loaded = parsed(noted, folder)
        (note,) = loaded.document.notes
        assert (note.file, loaded.document.file) == (str(loaded.path),) * 2
        assert loaded.folder == folder
        with pytest.raises(PlaybookError) as refused:
            parsed(SMALL.replace("fields:", "feilds:", 1), folder)
        assert {problem.file for problem in refused.value.problems} == {str(folder / "playbook.yaml")}
    assert parsed(noted, folders[0]).hash == parsed(noted, folders[1]).hash


def test_no_expectation_takes_a_condition_or_a_query() -> None:
    assert EXPECTATIONS
    arguments = {name for allowed in EXPECTATIONS.values() for name in allowed}
    assert not arguments & {"row_condition", "condition_parser", "query", "unexpected_rows_query"}


def test_custom_fields_stand_beside_the_standard_ones() -> None:
    book = playbook.load_default().playbook
    assert not set(book.fields) & set(fields.list_columns("follow_up"))


def test_a_lead_has_no_record_owner(problems: Edit) -> None:
    found = problems("{name: german, when: country = 'DE', to: pool first}", "{name: own, to: record_owner}")

    assert len(found) == 1
    assert "routing[0].to" in found[0]
    assert "account_owner" in found[0]
