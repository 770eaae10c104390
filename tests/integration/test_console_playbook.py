"""The playbook's pages: rules with their hits, versions, and what a made-up lead would get, without storing it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from console_site import Browser, ConsoleSite, Page
from harness import NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.playbook import LoadedPlaybook
from leadgate.process_user import find_login
from leadgate.vocabulary import Role
from tasks import playbook_in_use
from tasks.playbook_in_use import PlaybookInUse

HOSTILE = "<script>alert(1)</script>\u202e<img src=x onerror=alert(2)>" + "x" * 300


@pytest.fixture
def worked(harness: Harness) -> Harness:
    """Three leads with owners, one that is nurtured, one that is disqualified."""
    harness.begin(
        *[make_lead(number, Title="Chief") for number in range(3)],
        make_lead(3, Company="", Title="Student"),
        make_lead(4, Email="spy@rival.example"),
    )
    return harness


@pytest.fixture
def olga(worked: Harness, console: ConsoleSite) -> Browser:
    return console.sign_in("olga", Role.OPERATOR)


def reload(browser: Browser, path: str) -> Page:
    """The page once its hits are counted, as it comes again by itself."""
    page = browser.get(path)
    while "refresh" in page.headers:
        page = browser.get(path)
    return page


def read_hits(page: Page) -> dict[str, tuple[str, str]]:
    """Of each rule, its hits and when it was hit last."""
    return {
        row.get("id"): tuple(" ".join(cell.text_content().split()) for cell in row.xpath("td[@data-label]"))  # type: ignore[misc]
        for row in page.tree.xpath("//table[contains(@class, 'rules')]/tbody/tr")
    }


def count_rows(harness: Harness) -> dict[str, int]:
    tables = harness.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return {str(name): harness.one(f'SELECT count(*) FROM "{name}"') for (name,) in tables}


def test_rules_are_told_as_sentences_with_their_hits(olga: Browser) -> None:
    page = reload(olga, "/playbook")
    hits = read_hits(page)
    assert hits["contribution-has_company"][0] == "4 80.0 %"
    assert hits["contribution-decides"][0] == "3 60.0 %"
    assert hits["contribution-asked_for_demo"] == ("0", "never hit")
    assert hits["disqualified-competitor"][0] == "1 20.0 %"
    assert hits["verdict-sales_qualified"][0] == "3 60.0 %"
    assert hits["route-all_leads"][0] == hits["pool-everybody"][0] == hits["sla-standard"][0] == "3 100.0 %"
    assert "30 points when the company is given." in page.words
    assert "Wed 4 Mar" in hits["route-all_leads"][1]


def test_rules_that_never_hit_are_listed(olga: Browser) -> None:
    page = reload(olga, "/playbook?show=unused")
    assert "contribution-asked_for_demo" in read_hits(page)
    assert {each[1] for each in read_hits(page).values()} == {"never hit"}


def test_what_was_hit_long_ago_is_not_called_never_hit(worked: Harness, console: ConsoleSite) -> None:
    object.__setattr__(console.site, "options", replace(console.site.options, as_of=NOW.replace(month=8)))
    hits = read_hits(reload(console.sign_in("olga", Role.OPERATOR), "/playbook"))
    assert hits["contribution-decides"][0] == "0"
    assert hits["contribution-decides"][1].startswith("not in 30 days Wed 4 Mar")


@pytest.fixture
def changed(worked: Harness, loaded: LoadedPlaybook) -> LoadedPlaybook:
    """A second version, which a person who may operate has activated."""
    text = PLAYBOOK.replace("points: 25", "points: 26")
    changed = playbooks.parse(text, path=loaded.path)
    playbook_in_use.activate(
        worked.ledger, changed, f"Chiefs decide {HOSTILE[:200]}", by=make_actor("olga"), now=NOW.replace(hour=11)
    )
    return changed


def test_versions_are_listed_with_who_when_why_and_what_changed(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, olga: Browser
) -> None:
    page = reload(olga, "/playbook")
    links = page.tree.xpath("//th/a[starts-with(@href, '/playbook/versions/')]/@href")
    assert links == [f"/playbook/versions/{changed.hash}", f"/playbook/versions/{loaded.hash}"]
    newest, first = (" ".join(row.split()) for row in page.texts("//tr[starts-with(@id, 'activation-')]"))
    for words in ("in use", "Olga", "Chiefs decide <script>", "activated from", "11:00"):
        assert words in newest, newest
    assert "no reason given" in first
    assert find_login().title() in first
    assert "changed file" in first
    assert not page.tree.xpath("//img|//script[not(@src)]")
    assert "\u202e" not in page.text
    newer, older = (olga.get(link) for link in links)
    assert newer.texts("//table/tbody/tr/td[2]") == ["25 points when the job title has “chief”."]
    assert newer.texts("//table/tbody/tr/td[3]") == ["26 points when the job title has “chief”."]
    (difference,) = newer.tree.xpath("//details/pre[1]/text()")[:1]
    signs = [line for line in difference.splitlines() if line[:1] in "+-"]
    assert [(line[0], "decides" in line, "points: 2" in line) for line in signs] == [
        ("-", True, True),
        ("+", True, True),
    ]
    assert "first version" in older.words
    assert olga.get(f"/playbook/versions/{'0' * 64}").status == 404
    assert olga.get("/playbook/versions/1").status == 422


def test_any_two_versions_are_compared(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, olga: Browser
) -> None:
    page = olga.get("/playbook/diff", a=changed.hash, b=loaded.hash)
    assert page.texts("//table/tbody/tr/td[3]") == ["25 points when the job title has “chief”."]
    assert "decide the same" in olga.get("/playbook/diff", a=loaded.hash, b=loaded.hash).words
    assert olga.get("/playbook/diff", a=loaded.hash, b="0" * 64).status == 404
    assert olga.get("/playbook/diff", a=loaded.hash).status == 422
    assert olga.get("/playbook/diff", a=loaded.hash, b="<script>").status == 422


def test_a_reason_is_added_by_who_may_operate_and_once(worked: Harness, console: ConsoleSite, olga: Browser) -> None:
    number = worked.one("SELECT id FROM playbook_activation")
    path = f"/playbook/activations/{number}/reason"
    for _ in range(2):  # a second click
        page = olga.post(path, reason=HOSTILE)
        assert page.status == 200
    assert worked.one("SELECT count(*) FROM playbook_reason WHERE by = 'olga'") == 1
    assert "<script>alert(1)</script>" in page.words
    assert not page.tree.xpath("//img|//script[not(@src)]")
    assert "\u202e" not in page.text
    assert olga.post(path, reason=" ").status == 409
    assert olga.post(path, reason="x" * 8_000).status == 409
    assert olga.post(path, reason="x" * 10_001).status == 422
    assert olga.post("/playbook/activations/999/reason", reason="why").status == 409
    assert olga.post("/playbook/activations/0/reason", reason="why").status == 422
    reviewer = console.sign_in("rita", Role.REVIEWER)
    assert not reviewer.get("/playbook").tree.xpath("//form[contains(@action, '/reason')]")
    for refused in (reviewer, console.sign_in_rep("ana")):
        assert refused.post(path, reason="why").status == 403
    assert worked.one("SELECT count(*) FROM playbook_reason") == 1


def test_a_kept_version_is_made_the_one_in_use_with_a_reason(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, olga: Browser
) -> None:
    page = olga.get(f"/playbook/versions/{loaded.hash}")
    (form,) = page.tree.xpath("//form[contains(@action, '/activate')]")
    fields = dict(form.form_values())
    assert fields["instead_of"] == changed.hash
    for _ in range(2):  # a second click
        page = olga.post(form.get("action"), **fields | {"reason": HOSTILE[:400]})
        assert page.status == 200
    newest = " ".join(page.texts("//tr[starts-with(@id, 'activation-')]")[0].split())
    for words in (loaded.hash[:12], "in use", "Olga", "<script>alert(1)</script>", "rolled back"):
        assert words in newest, newest
    assert not page.tree.xpath("//img|//script[not(@src)]")
    assert "\u202e" not in page.text
    rows = worked.rows("SELECT hash, method, by FROM playbook_activation ORDER BY id")
    assert [row[0] for row in rows] == [loaded.hash, changed.hash, loaded.hash]
    assert tuple(rows[-1][1:]) == ("rollback", "olga")
    assert not olga.get(f"/playbook/versions/{loaded.hash}").tree.xpath("//form[contains(@action, '/activate')]")


def test_going_back_is_offered_beside_the_versions(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, olga: Browser
) -> None:
    (form,) = reload(olga, "/playbook").tree.xpath("//form[contains(@action, '/activate')]")
    assert form.get("action") == f"/playbook/versions/{loaded.hash}/activate"
    olga.post(form.get("action"), **dict(form.form_values()) | {"reason": "it was better before"})
    assert worked.rows("SELECT hash FROM playbook_activation ORDER BY id DESC LIMIT 1") == [(loaded.hash,)]
    assert not reload(olga, "/playbook").tree.xpath("//form[contains(@action, '/activate')]"), "nothing before it"


def test_a_version_is_not_activated_over_one_that_nobody_has_seen(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, olga: Browser
) -> None:
    path = f"/playbook/versions/{loaded.hash}/activate"
    seen = {"instead_of": changed.hash, "reason": "as it was"}
    third = playbooks.parse(PLAYBOOK.replace("points: 25", "points: 27"), path=loaded.path)
    playbook_in_use.activate(worked.ledger, third, "more", by=make_actor("olga"), now=NOW.replace(hour=12))
    refused = olga.post(path, **seen)
    assert refused.status == 409
    assert third.hash[:12] in refused.words
    assert olga.post(path, **seen | {"instead_of": third.hash, "reason": " "}).status == 409
    assert olga.post(path, **seen | {"instead_of": "1"}).status == 422
    assert olga.post(f"/playbook/versions/{'0' * 64}/activate", **seen).status == 409
    assert worked.rows("SELECT hash FROM playbook_activation ORDER BY id DESC LIMIT 1") == [(third.hash,)]


def test_only_who_may_operate_activates_a_version(
    worked: Harness, loaded: LoadedPlaybook, changed: LoadedPlaybook, console: ConsoleSite
) -> None:
    path = f"/playbook/versions/{loaded.hash}"
    for role in (Role.REVIEWER, Role.MANAGER, Role.ADMIN, Role.PRIVACY_OFFICER):
        browser = console.sign_in(f"x{role}", role)
        assert not browser.get(path).tree.xpath("//form[contains(@action, '/activate')]")
        assert not browser.get("/playbook").tree.xpath("//form[contains(@action, '/activate')]")
        assert browser.post(f"{path}/activate", instead_of=changed.hash, reason="why").status == 403
    olga = console.sign_in("olga", Role.OPERATOR)
    sent = {"Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-www-form-urlencoded"}
    assert olga.send("POST", f"{path}/activate", f"instead_of={changed.hash}&reason=why", sent).status == 403
    assert worked.one("SELECT count(*) FROM playbook_activation") == 2


def test_pages_are_read_by_the_playbook_that_is_in_use(
    worked: Harness, console: ConsoleSite, loaded: LoadedPlaybook
) -> None:
    console.site.in_use = PlaybookInUse(worked.ledger, loaded)
    console.site.in_use.settle(NOW)
    olga = console.sign_in("olga", Role.OPERATOR)
    assert "25 points when the job title" in olga.get("/playbook").words
    text = PLAYBOOK.replace("points: 25", "points: 26")
    changed = playbooks.parse(text, path=loaded.path)
    playbook_in_use.activate(worked.ledger, changed, "more", by=make_actor("olga"), now=NOW)
    console.site._followed_at = 0.0
    assert "26 points when the job title" in olga.get("/playbook").words


def test_a_made_up_lead_gets_what_a_real_one_would_and_nothing_is_stored(worked: Harness, olga: Browser) -> None:
    olga.get("/playbook/try")
    before = count_rows(worked)
    page = olga.get(
        "/playbook/try", source="website", email=" Kim@Acme.example", company="Acme", job_title="Chief of Staff",
        did_demo_request="1",
    )  # fmt: skip
    assert page.status == 200
    assert count_rows(worked) == before
    facts = dict(zip(page.texts("//dl[1]/dt"), page.texts("//dl[1]/dd"), strict=True))
    assert facts["Owner"].lower() in {"ana", "bob", "cyn"}
    assert facts["Route"] == "all leads, pool everybody"
    assert facts["First touch due"].startswith("Wed 4 Mar, 14:00")
    values = dict(zip(page.texts("(//dl)[last()]/dt"), page.texts("(//dl)[last()]/dd"), strict=True))
    assert values["email canonical"] == "kim@acme.example"
    assert values["company domain"] == "acme.example by company domain"
    points = dict(zip(page.texts("//table[1]/tbody/tr/th"), page.texts("//table[1]/tbody/tr/td[1]"), strict=True))
    assert {name: points[name] for name in ("has company", "decides", "asked for demo")} == {
        "has company": "+30", "decides": "+25", "asked for demo": "+20",
    }  # fmt: skip


def test_who_would_be_next_is_who_is_next(worked: Harness, olga: Browser) -> None:
    """A real lead that comes then gets the owner that was told."""
    given = {"email": "next@acme.example", "company": "Acme", "job_title": "Chief"}
    page = olga.get("/playbook/try", source="website", **given)
    told = dict(zip(page.texts("//dl[1]/dt"), page.texts("//dl[1]/dd"), strict=True))["Owner"].lower()
    worked.capture({"Email": "next@acme.example", "Company": "Acme", "Title": "Chief"})
    worked.run(NOW)
    assert told == worked.one("SELECT owner FROM assignment ORDER BY id DESC LIMIT 1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"email": "no address", "company": "Acme"}, "Validation would hold this lead"),
        ({"email": "kim@acme.example"}, "nurture"),
        ({"email": "kim@rival.example", "company": "Rival"}, "works for a competitor"),
        ({"email": "kim@acme.example", "phone": "12", "company": "Acme"}, "phone possible, critical"),
        ({}, "there is no e-mail address and no phone number"),
    ],
    ids=["held", "nurture", "disqualified", "phone", "nothing"],
)
def test_a_lead_that_nobody_gets_is_told_so(olga: Browser, values: dict[str, str], said: str) -> None:
    page = olga.get("/playbook/try", source="website", **values)
    assert page.status == 200
    assert said in page.words


def test_values_that_are_there_to_do_harm_are_text(olga: Browser) -> None:
    page = olga.get("/playbook/try", source="website", email="kim@acme.example", company=HOSTILE, message=HOSTILE)
    assert page.status == 200
    assert not page.tree.xpath("//img|//script[not(@src)]")
    assert "\u202e" not in page.tree.xpath("//div[@id='result']")[0].text_content()


@pytest.mark.parametrize(
    "query",
    [
        {"source": "nowhere"},
        {"source": "activities"},
        {"source": "website", "email": "x" * 8_000},
        {"source": "website", "company": "a\x00b"},
        {"source": "website", "did_demo_request": "-1"},
        {"source": "website", "did_demo_request": "51"},
        {"source": "website", "did_demo_request": "१"},
        {"source": "website", "days_ago": "99999"},
        {"source": "website", "owner": "ana"},
    ],
    ids=["source", "kind", "long", "nul", "negative", "often", "digit", "days", "field"],
)
def test_what_no_form_sends_is_refused(olga: Browser, query: dict[str, Any]) -> None:
    assert olga.get("/playbook/try", **query).status == 400


@pytest.mark.parametrize(
    "path", ["/playbook", "/playbook/try", "/playbook/try?source=website", f"/playbook/versions/{'0' * 64}"]
)
def test_a_rep_may_not_see_the_playbook(worked: Harness, console: ConsoleSite, path: str) -> None:
    assert console.sign_in_rep("ana").get(path).status == 403


def test_a_version_of_the_playbook_is_shown_as_text(worked: Harness, olga: Browser) -> None:
    with worked.ledger.transaction() as connection:
        connection.execute(
            text("INSERT INTO playbook_version VALUES (:hash, :content, :at)"),
            {"hash": "a" * 64, "content": "name: " + HOSTILE, "at": NOW.replace(hour=12)},
        )
    page = olga.get(f"/playbook/versions/{'a' * 64}")
    assert not page.tree.xpath("//img|//script[not(@src)]")
    assert "\u202e" not in page.text
    refused = olga.post(f"/playbook/versions/{'a' * 64}/activate", instead_of="0" * 64, reason="why")
    assert 400 <= refused.status < 500, "it is no playbook that can be used"
    assert worked.one("SELECT count(*) FROM playbook_activation") == 1
