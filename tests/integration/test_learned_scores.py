"""A learned score at qualification: shown beside the points, an order for reviewers, decisions within the review band."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import orjson
import pytest
from commands import Cli, join_lines, read_json
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_lead
from kept_scores import CHANCES, LATER, RULES, keep_score, leads, make_playbook, outcomes, prepare

from leadgate import playbook as playbooks
from leadgate.ledger.score_samples import count_leads
from leadgate.playbook.check import check


@pytest.fixture
def with_role(harness: Harness) -> Callable[[str, str], Harness]:
    """A ledger with a learned score in force, in the role given by a person and the one that the playbook lets it have."""
    return partial(prepare, harness)


def test_a_shadow_is_kept_and_shown_and_decides_nothing(
    with_role: Callable[[str, str], Harness], cli: Cli, tmp_path: Path
) -> None:
    harness = with_role("decide", "shadow")  # the playbook has the last word
    harness.capture(*leads("DE", "FR", "AT"))
    harness.run()
    assert outcomes(harness) == {"DE": "held", "FR": "held", "AT": "held"}
    for country, details in harness.rows(
        "SELECT l.country, q.details -> 'learned' FROM qualification q JOIN lead l ON l.id = q.journey_id"
    ):
        assert (details["model"], details["role"]) == (1, "shadow")
        assert details["chance"] == pytest.approx(CHANCES[country], abs=1e-6)
        told = details["begin"] + sum(details["contributions"].values())
        assert told == pytest.approx(log(details["chance"] / (1 - details["chance"])), abs=1e-9)
        assert set(details["contributions"]) == {"has_company", "field country"} - (
            {"field country"} if country == "AT" else set()
        )
    assert harness.find_broken() == []

    (tmp_path / "playbook.yaml").write_text(make_playbook("shadow"), encoding="utf-8")
    german = harness.one("SELECT id FROM lead WHERE country = 'DE'")
    told = join_lines(cli("explain", german, "--now", LATER))
    assert "Learned score 1 (shadow): a chance of 73 %" in told
    assert "it begins with -14.4 points, " in told
    assert "has_company +14.4" in told
    first = read_json(cli("review", "--json", "--now", LATER))["items"]
    assert [each["id"] for each in first] == sorted(each["id"] for each in first)  # by due time, as ever


def test_one_that_decides_does_so_within_the_review_band_alone(with_role: Callable[[str, str], Harness]) -> None:
    harness = with_role("decide", "decide")
    harness.capture(*leads("DE", "FR", "AT"))
    harness.capture(  # not in the band: no company, or no clerk; or disqualified, whatever its chance
        make_lead(11, Country="DE", Company=""),
        make_lead(12, Country="FR"),
        make_lead(13, Country="DE", Email="a@rival.example", **{"Job Title": "Clerk"}),
    )
    harness.run()
    assert outcomes(harness) | {"DE": "", "FR": ""} == {"AT": "held", "DE": "", "FR": ""}
    by_lead = dict(
        harness.rows("SELECT l.email, j.status FROM journey j JOIN lead l ON l.id = j.lead_id")  # type: ignore[arg-type]
    )
    assert [by_lead[f"lead{n}@company{n}.example"] for n in (1, 2, 3, 11, 12)] == [
        "owned", "nurture", "held", "nurture", "owned",
    ]  # fmt: skip
    assert by_lead["a@rival.example"] == "disqualified"
    reasons, verdict = harness.rows(
        "SELECT reasons, qualified_as FROM qualification q JOIN lead l ON l.id = q.journey_id WHERE l.email LIKE 'lead1@%'"
    )[0]
    assert verdict == "marketing_qualified"
    assert "the learned score 1 gives it a chance of 73 %, and from 60 % on a lead in the band goes on" in reasons
    assert harness.find_broken() == []


def test_evidence_that_a_verdict_requires_is_required_of_a_good_chance_too(
    with_role: Callable[[str, str], Harness],
) -> None:
    harness = with_role("decide", "decide")
    requiring = make_playbook("decide").replace(
        "  review: {lowest: 20, below: 30}\n",
        "  review: {lowest: 20, below: 30}\n  requires: {marketing_qualified: [budget]}\n"
        "  evidence: {budget: {when: budget is not null}}\n",
    )
    harness.loaded = playbooks.parse(requiring, path=Path("tests.yaml"))
    harness.capture(*leads("DE"))
    harness.run()
    assert outcomes(harness) == {"DE": "held"}


def test_the_report_shows_the_chances_of_the_score_in_force_beside_what_came_of_them(
    harness: Harness, cli: Cli, tmp_path: Path
) -> None:
    harness.begin(make_lead(1))
    (tmp_path / "playbook.yaml").write_text(make_playbook("shadow"), encoding="utf-8")

    def read_tables() -> Any:
        return read_json(cli("report", "--section", "conversion", "--json", "--now", LATER))["conversion"]

    assert "learned_score" not in read_tables()
    groups = [
        {"lowest": 0.1, "highest": 0.3, "chance": 0.2, "won": 10, "leads": 50},
        {"lowest": 0.4, "highest": 0.9, "chance": 0.6, "won": 33, "leads": 50},
    ]
    keep_score(harness, "shadow", reliability=groups)
    rows = read_tables()["learned_score"]
    assert [(row["chance"], row["leads"], row["came"], row["share"]) for row in rows] == [
        (0.2, 50, 10, 0.2), (0.6, 50, 33, 0.66),
    ]  # fmt: skip
    page = tmp_path / "report.html"
    cli("report", "--section", "conversion", "--html", page, "--now", LATER)
    written = page.read_text(encoding="utf-8")
    assert "Chances of learned score 1" in written
    assert "chance 60 %" in written


def test_a_score_that_has_drifted_goes_back_with_a_work_item(
    with_role: Callable[[str, str], Harness], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadgate.learning.drift.LEAST_RIPE", 5)
    harness = with_role("advise", "decide")
    harness.capture(*leads(*["DE"] * 6, title="Chief of Staff"))  # each with a chance of 73 %, and nobody accepts
    harness.run()
    (tmp_path / "playbook.yaml").write_text(make_playbook("decide"), encoding="utf-8")
    early = read_json(cli("score", "check", "--json", "--now", LATER))
    assert (early["drift"]["ripe"], early["problems"], early["sent_back"]) == (0, [], False)
    ripe = NOW + timedelta(days=61)
    looked = read_json(cli("score", "check", "--json", "--only-look", "--now", ripe, code=1))
    assert (looked["drift"]["ripe"], looked["drift"]["won"], looked["sent_back"]) == (6, 0, False)
    assert "it is a shadow from now on" in join_lines(cli("score", "check", "--now", ripe, code=1))
    cli("score", "check", "--now", ripe, code=1)  # it is a shadow already
    ((route, message, closed),) = harness.rows(
        "SELECT route, message, closed_at FROM work_item WHERE reason = 'score_drifted'"
    )
    assert (route, closed) == ("revenue_operations", None)
    assert "of 6 leads whose time is up 0 % came to it, and their chances said 73 %" in message
    assert harness.rows("SELECT role, by FROM score_role ORDER BY id")[1:] == [("shadow", "leadgate")]
    promote = ("score", "promote", "--reason", "we know why", "--now", ripe, "--role")
    refused = cli(*promote, "advise", code=2).stderr
    assert "score 1 has drifted: of 6 leads whose time is up 0 % came to it" in refused
    assert "score train" in refused
    cli(*promote, "shadow")  # somebody has looked
    assert harness.one("SELECT closed_at FROM work_item WHERE reason = 'score_drifted'") == ripe
    assert harness.find_broken() == []


def test_a_score_that_scored_none_of_the_latest_leads_is_judged_by_them_before_it_is_promoted(
    with_role: Callable[[str, str], Harness], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they said when they were decided about is read: a correction since then is no drift."""
    monkeypatch.setattr("leadgate.learning.drift.LEAST_RECENT", 5)
    monkeypatch.setattr("tasks.score_drift.LEAST_RECENT", 5)
    harness = with_role("shadow", "decide")
    harness.loaded = playbooks.parse(RULES + INSISTS, path=Path("tests.yaml"))  # no score is asked for any lead
    harness.capture(*leads(*["DE"] * 4, *["FR"] * 4, title="Chief of Staff"))
    harness.run()
    assert harness.one("SELECT count(*) FROM qualification WHERE details ? 'learned'") == 0
    harness.rows("UPDATE lead SET country = 'FR' RETURNING id")
    (tmp_path / "playbook.yaml").write_text(make_playbook("decide"), encoding="utf-8")

    def judge_by(low: int, high: int) -> None:
        """Have the score judged by so many leads with chances below one half, and above."""
        groups = [
            {"lowest": 0.0, "highest": 0.5, "chance": 0.02, "won": 0, "leads": low},
            {"lowest": 0.5, "highest": 1.0, "chance": 0.73, "won": 9, "leads": high},
        ]
        harness.rows(
            "UPDATE score_model SET quality = jsonb_set(quality, '{learned,reliability}', CAST(:told AS jsonb)) "
            "RETURNING id",
            told=orjson.dumps(groups).decode(),
        )

    promote = ("score", "promote", "--reason", "better", "--now", LATER, "--role", "advise")
    judge_by(5, 995)
    assert "the last 8 leads are others than those that judged it" in cli(*promote, code=2).stderr
    assert harness.one("SELECT count(*) FROM score_role") == 1
    judge_by(500, 500)
    assert "in force as `advise`" in join_lines(cli(*promote))


def test_a_few_leads_just_below_the_threshold_go_on_and_are_marked(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    text = (
        RULES.replace("  review: {lowest: 20, below: 30}\n", "")
        + "learned: {audit: {percent: 5, within: 6}}\n"
        + INSISTS
    )
    harness.loaded = playbooks.parse(text, path=Path("tests.yaml"))
    below = range(1, 161)  # 25 points, of 30; then one far below, and one that is disqualified
    harness.capture(
        *leads(*["DE"] * len(below)),
        make_lead(901, Company="", Country="DE"),
        make_lead(902, Country="DE", Email="a@rival.example", **{"Job Title": "Clerk"}),
    )
    harness.run()
    marked = harness.rows(
        "SELECT q.score, q.qualified_as, q.reasons, j.status, j.lead_id FROM qualification q JOIN journey j "
        "ON j.id = q.journey_id WHERE q.details -> 'audit' IS NOT NULL"
    )
    assert 2 <= len(marked) <= 20
    for score, verdict, reasons, status, _ in marked:
        assert (score, verdict, status) == (25, "marketing_qualified", "owned")
        assert reasons[-1] == "below the threshold, it goes on as one of the 5 % from whom the rules are judged"
    assert harness.count_statuses() == {
        "owned": len(marked), "nurture": len(below) - len(marked) + 1, "disqualified": 1,
    }  # fmt: skip
    assert harness.find_broken() == []
    with harness.ledger.transaction() as connection:
        counts = count_leads(connection, horizon=timedelta(days=60), history=False, now=LATER)
    assert (counts.followed_up, counts.audited) == (len(marked), len(marked))
    assert "goes on as one of the 5 %" in join_lines(cli("explain", marked[0][4], "--now", LATER))


def test_a_trial_is_by_the_rules_alone_for_its_leads_have_no_numbers_yet(
    cli: Cli, tmp_path: Path, write_csv: Callable[..., Path]
) -> None:
    text = (
        RULES.replace("  review: {lowest: 20, below: 30}\n", "")
        + "learned: {audit: {percent: 5, within: 6}}\n"
        + INSISTS
    )
    (tmp_path / "playbook.yaml").write_text(text, encoding="utf-8")
    told = join_lines(cli("try", write_csv(leads(*["DE"] * 80)), "--source", "website", "--now", LATER))
    assert "nurture 80" in told
    assert "marketing qualified" not in told


def test_without_a_score_in_force_there_is_nothing_to_check(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    harness.begin(make_lead(1))
    (tmp_path / "playbook.yaml").write_text(make_playbook("decide"), encoding="utf-8")
    assert "No learned score is in force" in cli("score", "check", "--now", LATER, code=2).stderr


def test_without_the_part_of_the_playbook_nothing_is_asked_or_kept(harness: Harness) -> None:
    keep_score(harness, "decide")
    harness.loaded = playbooks.parse(RULES + INSISTS, path=Path("tests.yaml"))
    harness.capture(*leads("DE"))
    harness.run()
    assert outcomes(harness) == {"DE": "held"}
    assert harness.one("SELECT details ? 'learned' FROM qualification") is False


def test_a_score_comes_into_force_by_a_persons_word_and_not_unless_it_is_better(
    harness: Harness, cli: Cli, tmp_path: Path
) -> None:
    harness.begin(make_lead(1))
    keep_score(harness, "shadow", better=False)
    (tmp_path / "playbook.yaml").write_text(make_playbook("advise"), encoding="utf-8")

    def promote(role: str, *more: Any, code: int = 0) -> Any:
        return cli("score", "promote", "--role", role, "--reason", "we looked at it", *more, "--now", LATER, code=code)

    assert "is not shown to be better" in promote("advise", code=2).stderr
    assert "at most `advise`" in promote("decide", code=2).stderr
    assert "there is no score 7" in promote("shadow", 7, code=2).stderr
    assert harness.one("SELECT count(*) FROM score_role") == 1
    assert "in force as `shadow`" in join_lines(promote("shadow"))
    with harness.ledger.transaction() as connection:
        connection.exec_driver_sql("UPDATE score_model SET quality = quality || '{\"is_better\": true}'")
    assert read_json(promote("advise", "--json"))["role"] == "advise"
    assert read_json(cli("score", "show", "--json"))["role"] == "advise"
    assert "It is in force as `advise`: we looked at it" in join_lines(cli("score", "show"))
    roles = read_json(cli("score", "history", "--json"))["roles"]
    assert [each["role"] for each in roles] == ["advise", "shadow", "shadow"]
    (tmp_path / "playbook.yaml").write_text(PLAYBOOK, encoding="utf-8")
    assert "asks for no learned score" in promote("shadow", code=2).stderr


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{fields: [contry]}", "did you mean 'country'"),
        ("{fields: [email]}", "is personal"),
        ("{fields: [country, country]}", "country"),
        ("{role: decide, accept_from: 0.5}", "qualification.review names none"),
        ("{audit: {percent: 2, within: 9}}", "leads qualify by grade"),
    ],
)
def test_a_part_that_does_not_fit_the_playbook_is_refused(written: str, problem: str) -> None:
    text = PLAYBOOK.replace("  review: {lowest: 20, below: 30}\n", "").removesuffix(INSISTS)
    if "grade" in problem:
        grades = "  grades: {fit: {A: 9, B: 5, C: 1}, engagement: {1: 9, 2: 5, 3: 1}}\nqualification:\n"
        text = text.replace("qualification:\n", f"{grades}  grades: {{marketing_qualified: [A1]}}\n", 1)
    found = check(playbooks.parse(f"{text}learned: {written}\n{INSISTS}", path=Path("tests.yaml")))
    assert [str(each) for each in found if problem in str(each) and "learned" in str(each)]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{role: decide}", "needs accept_from"),
        ("{role: decide, accept_from: 0.1, nurture_below: 0.4}", "is above accept_from"),
        ("{accept_from: 60}", "less than 1"),
    ],
)
def test_chances_that_make_no_sense_are_refused(written: str, problem: str) -> None:
    with pytest.raises(playbooks.PlaybookError, match=problem):
        playbooks.parse(f"{PLAYBOOK.removesuffix(INSISTS)}learned: {written}\n{INSISTS}", path=Path("tests.yaml"))


def test_details_are_json_with_the_parts_that_were_there(with_role: Callable[[str, str], Harness]) -> None:
    harness = with_role("shadow", "shadow")
    harness.capture(*leads("DE"))
    harness.run()
    (text,) = harness.rows("SELECT CAST(details AS text) FROM qualification")[0]
    assert set(orjson.loads(text)) == {"fit", "learned"}
