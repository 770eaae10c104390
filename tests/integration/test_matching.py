"""The same person again, on a real ledger: what joins by itself, what a person decides, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from harness import NOW, PLAYBOOK, Harness, make_lead
from matching_ledger import ANN, RULES, after, item, reasons
from stub_gates import act_at_gate, pass_all

from leadgate import playbook as playbooks
from leadgate.ledger import Ledger, reports
from tasks.batches import run_waiting


@pytest.fixture(autouse=True)
def rita(log_in: Callable[[str], None]) -> None:
    """Rita reviews."""
    log_in("rita")


@pytest.fixture
def harness(ledger: Ledger, tmp_path: Path) -> Harness:
    """A fresh ledger with the tests' playbook, which compares persons."""
    (tmp_path / "playbook.yaml").write_text(RULES, encoding="utf-8")
    return Harness(ledger, playbooks.parse(RULES, path=Path("tests.yaml")))


def test_a_colleague_whose_name_is_alike_is_found_in_another_batch(harness: Harness) -> None:
    names = ["Robert Lindqvist", "Rita Lopez", "Bob Lindqvist", "Lindqvist Robert", "Robert Lindkvist"]
    colleagues = [
        ANN | {"First name": name.split()[0], "Last name": name.split()[1], "Email": f"{number}@web.de", "Phone": ""}
        for number, name in enumerate(names)
    ]
    after(harness, *colleagues[:2])
    for each in colleagues[2:]:
        after(harness, each)
    assert harness.rows("SELECT journey_id, lead_id FROM lookalike ORDER BY 1, 2") == [(3, 1), (4, 1), (5, 1)]


# --- certain ------------------------------------------------------------------------------------------------


def test_the_same_crm_id_joins_whatever_the_address(harness: Harness) -> None:
    first = make_lead(1, **{"External ID": "003A"})
    found = after(harness, first, make_lead(2, **{"External ID": "003A"}), source="partner")
    assert found == [("owned", 1), ("joined", 1)]
    assert harness.rows("SELECT because, claimed FROM lead_join") == [
        (["crm_id:crm"], [["email", "lead2@company2.example"]])
    ]
    # the address that came with it is the same person's from now on
    assert after(harness, make_lead(2))[-1] == ("joined", 1)
    # an id of a source that is no CRM says nothing
    assert after(harness, make_lead(3, **{"External ID": "003A"}))[-1] == ("owned", 4)


def test_a_lead_without_an_address_joins_by_phone_and_name(harness: Harness) -> None:
    bare = make_lead(1, Email="")
    assert after(harness, make_lead(1), bare) == [("owned", 1), ("joined", 1)]
    assert harness.rows("SELECT because FROM lead_join") == [(["phone_and_name"],)]
    assert after(harness, make_lead(2, Email=""), make_lead(2))[2:] == [("owned", 3), ("joined", 3)]
    assert after(harness, make_lead(2, Phone=""))[-1] == ("joined", 3)


def test_a_playbook_that_says_nothing_joins_by_the_address_alone(harness: Harness, ledger: Ledger) -> None:
    plain = Harness(ledger, playbooks.parse(PLAYBOOK, path=Path("tests.yaml")))
    assert after(plain, ANN, ANN | {"Email": "rob@acme.example"}, ANN | {"Email": ""}) == [
        ("owned", 1), ("owned", 2), ("owned", 3),
    ]  # fmt: skip


# --- likely -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("again", "said"),
    [
        (make_lead(2, Phone=ANN["Phone"]) | {"First name": ""}, "the phone number is the same; the e-mail address differs"),
        (
            {"Email": "bob@home.example", "First name": "Bob", "Last name": "Mueller", "Company": "ACME"},
            "the company is the same, the names are alike; the e-mail address differs",
        ),
    ],
)  # fmt: skip
def test_what_is_likely_waits_for_a_person(harness: Harness, again: dict[str, Any], said: str) -> None:
    found = after(harness, ANN, again)
    assert found == [("owned", 1), ("held", 2)]
    ((reason, message),) = reasons(harness)
    assert reason == "likely_duplicate"
    assert message.startswith("This may be lead 1: ")
    assert said.partition(";")[0] in message
    examples = reports.read_summary(harness.ledger, NOW).examples
    assert (examples.review_item, examples.compare_item) == (None, 1)  # nobody can approve it: it is compared


def test_a_batch_is_matched_within_itself_as_over_two(harness: Harness) -> None:
    twin = ANN | {"Email": "rob@home.example"}
    assert after(harness, ANN, twin) == [("owned", 1), ("held", 2)]
    assert after(harness, make_lead(7), twin | {"Email": "r@home.example"})[2:] == [("owned", 3), ("held", 4)]


def test_a_number_that_many_share_proves_nothing(cli: Cli, harness: Harness) -> None:
    for number in range(10, 14):
        after(harness, make_lead(number, Phone="+49301234567"))
        for (open_item,) in harness.rows("SELECT id FROM work_item WHERE closed_at IS NULL AND kind = 'review'"):
            cli("review", f"W{open_item}", "--different", "--now", NOW)
        harness.run(kinds=["intake"])
    # four leads by now, which is more than one person has
    assert after(harness, make_lead(14, Phone="+49301234567"))[-1] == ("owned", 5)


@pytest.fixture
def asked(harness: Harness) -> Harness:
    """Lead 1 is owned; J2 may be the same person, and waits."""
    second = ANN | {"Email": "rob@home.example", "Phone": "", "Message": "the second one"}
    harness.begin_with("perhaps the same person", lambda: after(harness, ANN, second))
    return harness


def test_both_records_are_shown_side_by_side(cli: Cli, asked: Harness) -> None:
    told = join_lines(cli("review", f"W{item(asked)}", "--show-personal"))
    for part in (
        "this one lead 1, score",
        "full name Robert Müller Robert Müller = the same",
        "email rob@home.example lead1@company1.example ≠ differs",
        "company Acme GmbH Acme GmbH = the same",
        f"leadgate review W{item(asked)} --same 1",
        f"leadgate review W{item(asked)} --different",
    ):
        assert part in told
    assert "--approve" not in told
    assert f"leadgate review W{item(asked)} compare both records" in join_lines(cli("explain", "J2"))
    masked = cli("review", f"W{item(asked)}").stdout + cli("review", f"W{item(asked)}", "--json").stdout
    assert "rob@home" not in masked
    assert "Robert" not in masked
    data = read_json(cli("review", f"W{item(asked)}", "--json"))
    assert data["others"][0]["levels"] == {"email": "differs", "phone": "unknown", "name": "same", "company": "same"}


def test_the_same_person_joins_the_open_journey(cli: Cli, asked: Harness) -> None:
    cli("review", f"W{item(asked)}", "--same", 1, "--now", NOW)
    assert after(asked) == [("owned", 1), ("joined", 1)]
    assert asked.rows("SELECT because FROM lead_join") == [(["a_person"],)]
    assert asked.one("SELECT message FROM lead WHERE id = 1") == "the second one"
    assert "rita said that lead 1 and lead 2 are the same person" in join_lines(cli("explain", "J2"))
    # the address is the known lead's from now on
    assert after(asked, ANN | {"Email": "rob@home.example", "Phone": ""})[-1] == ("joined", 1)


def test_a_known_lead_whose_journey_has_ended_is_taken_up_again(cli: Cli, harness: Harness) -> None:
    quiet = {name: value for name, value in ANN.items() if name != "Company"}
    assert after(harness, quiet) == [("nurture", 1)]
    after(harness, ANN | {"Email": "rob@home.example"})
    cli("rerun", "--work-item", item(harness), "--same", 1, "--now", NOW)
    assert after(harness) == [("nurture", 1), ("owned", 1)]
    assert harness.rows("SELECT joined_to, because FROM lead_join") == [(None, ["a_person"])]
    assert harness.one("SELECT count(*) FROM lead") == 1


@pytest.mark.parametrize(("option", "leads"), [("--likeliest", [1, 1, 1]), ("--different", [1, 2, 3])])
def test_questions_of_one_kind_are_answered_together(cli: Cli, asked: Harness, option: str, leads: list[int]) -> None:
    after(asked, ANN | {"Email": "rm@other.example", "Phone": "", "Message": "the third one"})
    assert "add --yes" in cli("rerun", "--reason", "likely_duplicate", option, code=2).stderr
    cli("rerun", "--reason", "likely_duplicate", option, "--yes", "--now", NOW)
    assert [lead for _, lead in after(asked)] == leads


def test_somebody_else_goes_on_and_is_never_asked_about_again(cli: Cli, asked: Harness) -> None:
    did = read_json(cli("review", f"W{item(asked)}", "--different", "--now", NOW, "--json"))
    assert did["did"] == "decided as somebody else"
    assert after(asked) == [("owned", 1), ("owned", 2)]
    assert asked.rows("SELECT low, high, same FROM lead_verdict") == [(1, 2, False)]
    # neither when they come again, nor when they are corrected
    assert after(asked, ANN | {"Message": "x"}, ANN | {"Email": "rob@home.example"})[2:] == [
        ("joined", 1),
        ("joined", 2),
    ]


def test_what_does_not_fit_the_question_is_refused(cli: Cli, asked: Harness) -> None:
    number = item(asked)
    for arguments, hint in (
        (["--same", 7], "it may be lead 1"),
        (["--same", 1, "--different"], "exclude one another"),
        (["--approve"], "--same LEAD"),
    ):
        assert hint in cli("review", f"W{number}", *arguments, code=2).stderr
    asked.capture(make_lead(5, Email="broken"))
    asked.run()
    other = asked.one("SELECT id FROM work_item WHERE reason = 'email_malformed'")
    assert "does not ask who somebody is" in cli("review", f"W{other}", "--different", code=2).stderr
    assert asked.one("SELECT count(*) FROM lead_verdict") == 0


# --- two known leads ----------------------------------------------------------------------------------------


def test_two_known_leads_in_one_signal_are_a_question(cli: Cli, harness: Harness) -> None:
    after(harness, make_lead(1, **{"External ID": "A"}), make_lead(2, **{"External ID": "B"}), source="partner")
    both = make_lead(1, **{"External ID": "B"})
    assert after(harness, both, source="partner")[-1] == ("held", 3)
    ((reason, message),) = reasons(harness)
    assert reason == "two_leads_one_person"
    assert message.endswith("(lead 1: the same e-mail address; lead 2: the same id in crm)")
    assert "correct the wrong value" in cli("review", f"W{item(harness)}", "--different", code=2).stderr
    cli("review", f"W{item(harness)}", "--same", 2, "--now", NOW)
    assert after(harness)[-1] == ("joined", 2)
    # nobody is asked twice; what belongs to one lead alone stays with it
    assert after(harness, both | {"Message": "again"}, source="partner")[-1] == ("joined", 2)
    assert after(harness, make_lead(1))[-1] == ("joined", 1)


def test_a_corrected_address_of_another_known_lead_is_a_question(cli: Cli, harness: Harness) -> None:
    chief = make_lead(1, Company="", **{"Job title": "Chief of Nothing"})  # in the review band
    assert after(harness, chief, make_lead(2)) == [("held", 1), ("owned", 2)]
    cli("review", f"W{item(harness)}", "--set", "email=lead2@company2.example", "--now", NOW)
    assert after(harness) == [("held", 1), ("owned", 2)]
    assert [reason for reason, _ in reasons(harness)] == ["two_leads_one_person"]
    cli("review", f"W{item(harness)}", "--same", 2, "--now", NOW)
    assert after(harness) == [("joined", 2), ("owned", 2)]
    assert harness.one("SELECT lead_id FROM identity WHERE value = 'lead1@company1.example'") == 1
    assert harness.one("SELECT email_canonical FROM lead WHERE id = 1") == "lead1@company1.example"


# --- the way back -------------------------------------------------------------------------------------------


def test_a_join_is_undone_with_what_it_changed(cli: Cli, harness: Harness) -> None:
    first = make_lead(1, Phone="", **{"External ID": "A"})
    after(harness, first, make_lead(2, **{"External ID": "A", "City": "Bonn"}), source="partner")
    assert harness.rows("SELECT phone, city FROM lead") == [("+49301000002", "Bonn")]
    done = read_json(cli("unjoin", "J2", "--now", NOW, "--json"))
    assert (done["lead_id"], sorted(done["restored"])) == (1, ["city", "phone"])
    assert after(harness) == [("owned", 1), ("owned", 2)]
    assert harness.rows("SELECT id, phone, city FROM lead ORDER BY id") == [
        (1, None, None), (2, "+49301000002", "Bonn"),
    ]  # fmt: skip
    assert "rita: unjoin" in join_lines(cli("explain", "J2"))
    # what was the signal's own is its own again; the shared id stays with the first
    assert after(harness, make_lead(2))[-1] == ("joined", 2)
    assert after(harness, make_lead(8, **{"External ID": "A"}), source="partner")[-1] == ("joined", 1)


def test_a_shared_address_can_be_parted(cli: Cli, harness: Harness) -> None:
    after(harness, ANN, ANN | {"First name": "Bob", "Phone": "+49301000777"})
    cli("unjoin", "J2", "--now", NOW)
    assert after(harness) == [("owned", 1), ("owned", 2)]
    assert harness.one("SELECT first_name FROM lead WHERE id = 2") == "Bob"
    # and the next one is known by the name beside the address
    assert after(harness, ANN | {"First name": "Bob", "Phone": ""})[-1] == ("joined", 1)


def test_a_lead_that_was_taken_up_gets_back_what_it_said(cli: Cli, harness: Harness) -> None:
    quiet = ANN | {"Company": "", "City": "Bonn"}
    assert after(harness, quiet) == [("nurture", 1)]
    assert after(harness, ANN | {"City": "Köln"})[-1] == ("owned", 1)
    cli("unjoin", "J2", "--now", NOW)
    # what is known of the first has changed, so it was scored again
    assert after(harness) == [("nurture", 1), ("owned", 2), ("nurture", 1)]
    assert harness.rows("SELECT company, city FROM lead ORDER BY id") == [(None, "Bonn"), ("Acme GmbH", "Köln")]
    assert harness.one("SELECT end_reason FROM assignment ORDER BY id LIMIT 1") == "unjoined"


def test_what_never_joined_is_not_undone(cli: Cli, asked: Harness) -> None:
    assert "not taken for another lead's" in cli("unjoin", "J1", code=2).stderr
    assert "not taken for another lead's" in cli("unjoin", "J2", code=2).stderr
    assert "there is no journey J9" in cli("unjoin", "J9", code=2).stderr


# --- races --------------------------------------------------------------------------------------------------


def test_two_workers_with_the_same_new_person_make_one_lead(harness: Harness) -> None:
    """By other evidence each: the first brings address and id, the second the id alone."""
    harness.capture(make_lead(1, **{"External ID": "A"}), source="partner")

    def second() -> None:
        harness.capture(make_lead(2, **{"External ID": "A"}), source="partner")
        run_waiting(harness.worker("second"), lambda: NOW, check=pass_all)

    run_waiting(harness.worker("first"), lambda: NOW, check=act_at_gate("validated", second))
    assert sorted(harness.rows("SELECT status, lead_id FROM journey")) == [("joined", 2), ("owned", 2)]
    assert harness.rows("SELECT DISTINCT lead_id FROM identity") == [(2,)]
    assert harness.find_broken() == []


# --- accounts -----------------------------------------------------------------------------------------------

ACCOUNTS = """domain,name,parent,owner,tier,size
acme.example,Acme Holding AG,,ana,key,900
acme-cloud.example,Acme Cloud GmbH,acme.example,,,40
gmail.com,Freelancers,,bob,small,1
"""
PROVIDERS = """
enrichment:
  providers:
    - {type: company_domain}
    - type: accounts_file
      path: accounts.csv
      company: name
      parent: parent
      inherit: [account_owner, account_tier]
      fields: {account_name: name, account_owner: owner, account_tier: tier, employees: size}
scoring:
"""


@pytest.fixture
def enriched(ledger: Ledger, tmp_path: Path) -> Harness:
    """A fresh ledger with a playbook that knows accounts."""
    (tmp_path / "accounts.csv").write_text(ACCOUNTS, encoding="utf-8")
    text = PLAYBOOK.replace("scoring:\n", PROVIDERS.lstrip("\n"), 1)
    (tmp_path / "playbook.yaml").write_text(text, encoding="utf-8")
    return Harness(ledger, playbooks.load(tmp_path / "playbook.yaml"))


def test_every_account_that_was_considered_is_kept_and_told(cli: Cli, enriched: Harness) -> None:
    private = make_lead(1, Email="ann@web.de", Company="ACME Cloud Ltd", Website="")
    alike = make_lead(2, Email="bob@web.de", Company="Acne Cloud")
    free = make_lead(3, Email="cyn@gmail.com", Company="", Website="gmail.com")
    enriched.capture(private, alike, free)
    enriched.run(kinds=["intake"])
    assert enriched.rows("SELECT account_id, account_owner, account_tier, employees FROM lead ORDER BY id") == [
        ("acme-cloud.example", "ana", "key", 40), (None, None, None, None), (None, None, None, None),
    ]  # fmt: skip
    assert enriched.rows("SELECT company_domain, account_candidates FROM lead WHERE id = 3") == [(None, None)]
    taken = join_lines(cli("explain", 1))
    assert "Acme Cloud GmbH (acme-cloud.example) 98 its name yes; its owner and tier from Acme Holding AG" in taken
    shown = join_lines(cli("explain", 2))
    assert "Acme Cloud GmbH (acme-cloud.example) 87 a similar name no" in shown
    assert enriched.find_broken() == []
