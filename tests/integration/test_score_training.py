"""Learning a score from the ledger: which leads teach, what is read of them, what is kept and told."""

from __future__ import annotations

import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from commands import Cli, join_lines, read_json
from forked import Child
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.ledger import open_ledger
from leadgate.ledger.score_samples import count_leads, read_samples
from leadgate.playbook import LoadedPlaybook
from leadgate.settings import Settings
from leadgate.vocabulary import LearnedRole
from tasks.learned_scores import NotLearnedError
from tasks.score_promotion import promote
from tasks.score_training import is_training_due, train_score

LEARNED = PLAYBOOK.removesuffix(INSISTS) + "learned: {horizon: 30d}\n" + INSISTS
HORIZON = timedelta(days=30)
RIPE = NOW + timedelta(days=31)
LEADS = 1_040
#: Of a hundred leads with this title: how many are accepted. Their points say the opposite of students.
ACCEPTED = {"Chief of Staff": 55, "Student": 80, "Clerk": 15}


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    return playbooks.parse(LEARNED, path=Path("tests.yaml"))


@pytest.fixture
def history(harness: Harness) -> Harness:
    """Leads of three kinds that were scored, with what a file says became of each a week later."""

    def work() -> None:
        titles = list(ACCEPTED)
        harness.capture(
            *(make_lead(number, **{"Job Title": titles[number % 3]}) for number in range(1, LEADS + 1)), now=NOW
        )
        harness.run(NOW)
        with harness.ledger.transaction() as connection:
            rows = connection.execute(text("SELECT id, job_title FROM lead ORDER BY id")).all()
            for lead, title in rows:
                won = zlib.crc32(f"lead {lead}".encode()) % 100 < ACCEPTED[title]
                record(connection, lead, "accepted" if won else "rejected", NOW + timedelta(days=7))

    harness.begin_with("leads to learn a score from", work)
    return harness


def record(connection: Any, lead: int, kind: str, at: Any) -> None:
    """What a file says became of the lead's first journey."""
    connection.execute(
        text(
            "INSERT INTO recorded_outcome (journey_id, lead_id, kind, occurred_at, by, recorded_at) "
            "SELECT min(id), lead_id, :kind, :at, 'tests', :at FROM journey WHERE lead_id = :lead GROUP BY lead_id"
        ),
        {"lead": lead, "kind": kind, "at": at},
    )


def samples(harness: Harness, *, label: str = "accepted", history: bool = False, now: Any = RIPE) -> list[Any]:
    with harness.ledger.transaction() as connection:
        return read_samples(connection, label=label, outcomes=["deal"], horizon=HORIZON, history=history, now=now)


def won_among(harness: Harness, **more: Any) -> dict[int, bool]:
    return {each.lead_id: each.won for each in samples(harness, **more)}


def test_a_score_is_learned_kept_once_and_told(history: Harness, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "playbook.yaml").write_text(LEARNED, encoding="utf-8")
    first = read_json(cli("score", "train", "--json", "--now", RIPE))
    accepted = history.one("SELECT count(*) FROM recorded_outcome WHERE kind = 'accepted'")
    assert (first["counts"]["leads"], first["counts"]["won"], first["new"]) == (LEADS, accepted, True)
    quality = first["quality"]
    assert quality["is_better"]
    assert quality["learned"]["auc"][0] > quality["rules"]["auc"][0]
    again = read_json(cli("score", "train", "--json", "--now", RIPE + timedelta(days=1)))
    assert (again["id"], again["new"]) == (first["id"], False)
    assert history.one("SELECT count(*) FROM score_model") == 1

    told = join_lines(cli("score", "show"))
    assert f"{accepted:,} of them accepted within 30 days" in told
    assert "the score is right only for leads like those that were followed up" in told
    assert "student +" in told  # its points are negative
    assert [each["id"] for each in read_json(cli("score", "history", "--json"))["scores"]] == [first["id"]]
    assert "better" in join_lines(cli("score", "history"))
    assert read_json(cli("score", "show", first["id"], "--json"))["parameters"] == first["parameters"]
    assert "There is no score 99" in cli("score", "show", 99, code=2).stderr


def test_training_that_is_killed_leaves_nothing_and_is_done_again(
    history: Harness, settings: Settings, loaded: LoadedPlaybook
) -> None:
    def train_in_child() -> None:
        with open_ledger(settings) as ledger:
            train_score(ledger, loaded, by="tests", now=RIPE)

    for point in ("score.model.before", "score.model.after", "score.role.before", "score.role.after"):
        assert Child(train_in_child, failpoint=point).killed
        assert history.one("SELECT count(*) FROM score_model") == 0
        assert history.one("SELECT count(*) FROM score_role") == 0
    assert train_score(history.ledger, loaded, by="tests", now=RIPE).is_new
    assert history.rows("SELECT count(*), min(role) FROM score_role") == [(1, "shadow")]


def test_nothing_that_came_after_the_decision_changes_the_score(history: Harness, loaded: LoadedPlaybook) -> None:
    before = train_score(history.ledger, loaded, by="tests", now=RIPE)
    read = samples(history)
    with history.ledger.transaction() as connection:
        for statement in (
            # values of leads go to other leads; owners, routes and clocks are others
            "UPDATE lead SET job_title = o.job_title, company = o.company, country = o.country FROM lead o "
            "WHERE o.id = (SELECT min(id) FROM lead WHERE id > lead.id)",
            "UPDATE assignment SET owner = 'somebody', pool = NULL, rule = 'another', why = 'shuffled', turn = false, "
            "sla = NULL, due_at = due_at + interval '3 days', touched_at = assigned_at + interval '1 hour'",
            # every journey is scored again later, by other rules
            "INSERT INTO qualification (journey_id, generation, fit, engagement, score, contributions, outcome, evidence, "
            "playbook_hash, at) SELECT journey_id, 1, 0, 99, 99, '{\"asked_for_demo\": 99}', outcome, '{}', playbook_hash, "
            "at + interval '2 days' FROM qualification WHERE generation = 0",
        ):
            connection.execute(text(statement))
    for lead in range(1, 40):
        history.activity("demo_request", f"lead{lead}@company{lead}.example", at=NOW + timedelta(days=3))
    history.run(NOW + timedelta(days=3))  # they are scored again, as journeys of their own
    assert history.one("SELECT count(*) FROM journey WHERE trigger <> 'signal'") > 0

    assert samples(history) == read
    after = train_score(history.ledger, loaded, by="tests", now=RIPE + timedelta(days=1))
    assert (after.is_new, after.model.id) == (False, before.model.id)


def test_fields_are_read_as_they_were_when_the_lead_was_scored(history: Harness) -> None:
    asking = LEARNED.replace("{horizon: 30d}", "{horizon: 30d, fields: [job_title]}")
    loaded = playbooks.parse(asking, path=Path("tests.yaml"))
    before = train_score(history.ledger, loaded, by="tests", now=RIPE)
    read = {each.get("value") for each in before.model.parameters["indicators"] if each["name"] == "job_title"}
    assert read == set(ACCEPTED)
    with history.ledger.transaction() as connection:
        connection.execute(text("UPDATE lead SET job_title = 'Accepted'"))
    assert not train_score(history.ledger, loaded, by="tests", now=RIPE).is_new
    with history.ledger.transaction() as connection:
        connection.execute(text("DELETE FROM decision_input"))
    with pytest.raises(NotLearnedError, match=r"not enough yet \(0 of 1,000"):
        train_score(history.ledger, loaded, by="tests", now=RIPE)


def test_the_newest_score_is_a_shadow_unless_one_advises(history: Harness, loaded: LoadedPlaybook) -> None:
    first = train_score(history.ledger, loaded, by="tests", now=RIPE).model
    with history.ledger.transaction() as connection:
        record(
            connection,
            history.one("SELECT min(lead_id) FROM recorded_outcome WHERE kind = 'rejected'"),
            "won",
            NOW + timedelta(days=9),
        )
    second = train_score(history.ledger, loaded, by="tests", now=RIPE).model
    roles = "SELECT model_id, role FROM score_role ORDER BY id"
    assert history.rows(roles) == [(first.id, "shadow"), (second.id, "shadow")]
    advising = playbooks.parse(LEARNED.replace("{horizon", "{role: advise, horizon"), path=Path("tests.yaml")).playbook
    promote(history.ledger, advising, LearnedRole.ADVISE, "better", number=second.id, by=make_actor("root"), now=RIPE)
    with history.ledger.transaction() as connection:
        connection.execute(text("DELETE FROM recorded_outcome WHERE kind = 'won'"))
        record(
            connection,
            history.one("SELECT max(lead_id) FROM recorded_outcome WHERE kind = 'rejected'"),
            "won",
            NOW + timedelta(days=9),
        )
    third = train_score(history.ledger, loaded, by="tests", now=RIPE)
    assert third.is_new
    assert history.rows(roles)[-1] == (second.id, "advise")


def test_only_ripe_leads_teach_and_only_what_came_in_time_counts(harness: Harness) -> None:
    harness.begin(*(make_lead(number) for number in range(1, 7)))
    quick, late, deal, nothing, lost, withdrawn = (lead for (lead,) in harness.rows("SELECT id FROM lead ORDER BY id"))
    with harness.ledger.transaction() as connection:
        record(connection, quick, "accepted", NOW + timedelta(days=29))
        record(connection, late, "accepted", NOW + timedelta(days=31))
        record(connection, deal, "deal", NOW + timedelta(days=2))
        record(connection, lost, "rejected", NOW + timedelta(days=2))
        record(connection, withdrawn, "won", NOW + timedelta(days=2))
        connection.execute(text("UPDATE recorded_outcome SET withdrawn_at = :at WHERE kind = 'won'"), {"at": NOW})
    assert won_among(harness) == {
        quick: True, late: False, deal: True, nothing: False, lost: False, withdrawn: False,
    }  # fmt: skip
    assert [lead for lead, won in won_among(harness, label="opportunity").items() if won] == [deal]
    assert samples(harness, now=NOW + timedelta(days=29)) == []
    with harness.ledger.transaction() as connection:
        counts = count_leads(connection, horizon=HORIZON, history=False, now=NOW + timedelta(days=29))
    assert (counts.scored, counts.followed_up, counts.not_ripe) == (6, 6, 6)


def test_acceptance_by_its_owner_counts_from_the_decision_on(harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2))
    first, _ = (lead for (lead,) in harness.rows("SELECT id FROM lead ORDER BY id"))
    with harness.ledger.transaction() as connection:
        connection.execute(
            text("UPDATE assignment SET accepted_at = :at WHERE journey_id = :first"),
            {"at": NOW + timedelta(days=3), "first": first},
        )
    assert list(won_among(harness).values()) == [True, False]
    assert list(won_among(harness, label="opportunity").values()) == [False, False]


def test_a_lead_that_nobody_followed_up_teaches_nothing(harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2, Company="", **{"Job Title": "Student"}))
    nurtured = harness.one("SELECT lead_id FROM journey WHERE status = 'nurture'")
    assert nurtured not in won_among(harness)
    with harness.ledger.transaction() as connection:
        counts = count_leads(connection, horizon=HORIZON, history=False, now=RIPE)
    assert (counts.scored, counts.followed_up) == (2, 1)


def test_an_outcome_that_was_known_before_the_score_counts_for_history_alone(harness: Harness) -> None:
    harness.begin(make_lead(1), make_lead(2))
    first, second = (lead for (lead,) in harness.rows("SELECT id FROM lead ORDER BY id"))
    with harness.ledger.transaction() as connection:
        record(connection, first, "won", NOW - timedelta(days=300))
    assert won_among(harness) == {second: False}
    found = samples(harness, history=True, now=NOW)
    assert [(each.lead_id, each.won, each.decided_at) for each in found] == [(first, True, NOW - timedelta(days=300))]


def test_too_few_leads_and_a_playbook_that_asks_for_none_are_told(harness: Harness, cli: Cli, tmp_path: Path) -> None:
    harness.begin(make_lead(1))
    assert "add a part `learned:` to it" in cli("score", "train", "--now", RIPE, code=2).stderr
    (tmp_path / "playbook.yaml").write_text(LEARNED, encoding="utf-8")
    assert "not enough yet (1 of 1,000 leads" in cli("score", "train", "--now", RIPE, code=2).stderr
    assert "No score was learned yet" in cli("score", "show", code=2).stderr
    assert "No score was learned yet" in join_lines(cli("score", "history"))


def test_the_schedule_waits_for_the_time_that_the_playbook_says(history: Harness, loaded: LoadedPlaybook) -> None:
    plain = playbooks.parse(PLAYBOOK, path=Path("tests.yaml")).playbook
    assert not is_training_due(history.ledger, plain, RIPE)
    assert is_training_due(history.ledger, loaded.playbook, RIPE)
    train_score(history.ledger, loaded, by="tests", now=RIPE)
    assert not is_training_due(history.ledger, loaded.playbook, RIPE + timedelta(days=6))
    assert is_training_due(history.ledger, loaded.playbook, RIPE + timedelta(days=7))
    with pytest.raises(NotLearnedError, match="asks for no learned score"):
        train_score(history.ledger, playbooks.parse(PLAYBOOK, path=Path("tests.yaml")), by="tests", now=RIPE)
