"""The playbook as it is for one kind of record: what is the section's, what is shared, and who gets a record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadgate import playbook
from leadgate.assignment.route_matching import list_route_fields, match_routes
from leadgate.assignment.routing import assign
from leadgate.fields import list_columns
from leadgate.playbook import SOURCE_KINDS, Playbook, PlaybookError
from leadgate.scoring import qualify, score
from leadgate.sla.sla_targets import compute_due_times
from leadgate.vocabulary import ForecastCategory, JourneyKind, Outcome, StageName

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=UTC)
RECORDS = [kind for kind in JourneyKind if kind is not JourneyKind.LEAD]


def book(**parts: Any) -> Playbook:
    content: dict[str, Any] = {
        "name": "test",
        "fields": {"use_case": {}},
        "sources": {"web": {}},
        "validation": {"required": ["company"], "default_country": "DE"},
        "scoring": {"fit": [{"name": "german", "when": "country = 'DE'", "points": 50}]},
        "reps": [{"name": "ana", "email": "Ana@Example.com"}, {"name": "ben"}, {"name": "cy"}],
        "pools": [
            {"name": "sales", "sla": "fast", "members": [{"rep": "ana"}, {"rep": "ben"}]},
            {"name": "rest", "sla": "fast", "members": [{"rep": "cy"}]},
        ],
        "routing": [{"name": "everybody", "to": "pool rest"}],
        "slas": [{"name": "fast", "first_touch": "1h"}],
        "gates": {"validated": {"severity": {"email_well_formed": "warning"}}},
    }
    return Playbook.model_validate(content | parts)


def test_the_view_for_leads_is_the_playbook_itself() -> None:
    whole = book(kinds={"opportunity": {}})

    assert whole.kind is JourneyKind.LEAD
    assert whole.for_kind(JourneyKind.LEAD) is whole
    assert whole.columns_at(StageName.ASSIGNMENT) == list_columns(StageName.ASSIGNMENT, {"use_case": "text"})


@pytest.mark.parametrize("kind", RECORDS)
def test_a_view_has_the_rules_of_its_section_and_shares_the_rest(kind: JourneyKind) -> None:
    section = {
        "fields": {"competitor": {}},
        "headers": {"Rival": "competitor"},
        "required": ["name"],
        "scoring": {"fit": [{"name": "rival", "when": "competitor is not null", "points": 5}]},
        "qualification": {"disqualify": [{"name": "test", "when": "name = 'test'", "reason": "A test"}]},
        "routing": [{"name": "own", "to": "record_owner"}],
        "slas": [{"name": "slow", "first_touch": "5d"}],
        "exceptions": [{"to": "deal_desk", "reasons": ["approval_needed"]}],
        "gates": {"validated": {"severity": {"known": "warning"}}},
    }
    whole = book(kinds={kind.value: section})

    view = whole.for_kind(kind)

    assert view.kind is kind
    assert view is whole.for_kind(kind), "made once"
    assert (set(view.fields), view.headers, view.validation.required) == (
        {"competitor"},
        {"Rival": "competitor"},
        ("name",),
    )
    assert [rule.name for rule in view.scoring.fit] == ["rival"]
    assert [rule.name for rule in view.qualification.disqualify] == ["test"]
    assert [route.to for route in view.routing] == ["record_owner"]
    assert {"slow", "fast"} <= {sla.name for sla in view.slas}
    assert [route.to for route in view.exceptions] == ["deal_desk", "revenue_operations"]
    assert set(view.gates["validated"].severity) == {"known"}
    assert (view.reps, view.pools, view.sources) == (whole.reps, whole.pools, whole.sources)
    assert view.validation.default_country == "DE"
    with pytest.raises(ValueError, match="whole playbook"):
        view.for_kind(next(other for other in RECORDS if other is not kind))


@pytest.mark.parametrize("kind", RECORDS)
def test_an_empty_section_and_none_at_all_have_the_same_rules(kind: JourneyKind) -> None:
    empty, without = book(kinds={kind.value: None}), book()

    assert empty.kinds.find(kind) is not None
    assert without.kinds.find(kind) is None
    assert empty.for_kind(kind).model_dump(exclude={"kinds"}) == without.for_kind(kind).model_dump(exclude={"kinds"})


def test_a_changed_copy_has_views_of_its_own() -> None:
    whole = book()
    before = whole.for_kind(JourneyKind.RENEWAL)

    copied = whole.model_copy(update={"pools": whole.pools[1:]})

    assert copied.for_kind(JourneyKind.RENEWAL).pools == whole.pools[1:]
    assert whole.for_kind(JourneyKind.RENEWAL) is before
    assert before.model_copy(update={"reps": whole.reps[:1]}).kind is JourneyKind.RENEWAL
    assert whole == book(), "views are no part of what a playbook says"


def test_what_a_view_is_made_of_is_no_part_of_the_hash(tmp_path: Path) -> None:
    loaded = playbook.load_default()
    written = loaded.canonical
    loaded.playbook.for_kind(JourneyKind.OPPORTUNITY)

    assert loaded.canonical == written
    assert Playbook.model_validate_json(written) == loaded.playbook


@pytest.mark.parametrize("kind", RECORDS)
def test_columns_are_the_kinds_own(kind: JourneyKind) -> None:
    view = book(kinds={kind.value: {"fields": {"competitor": {}}}}).for_kind(kind)

    early, late = view.columns_at(StageName.VALIDATION), view.columns_at(StageName.ASSIGNMENT)

    assert early["amount"] == "number"
    assert early["competitor"] == "text"
    assert not {"email", "score", "account_owner"} & set(early)
    assert "score" not in view.columns_at(StageName.QUALIFICATION)
    assert late["open_opportunities"] == "integer"
    assert late["score"] == "integer"


def make_frame(view: Playbook, *rows: dict[str, Any]) -> pd.DataFrame:
    columns = [*view.columns_at(StageName.ASSIGNMENT), "record_owner"]
    frame = pd.DataFrame([{name: row.get(name) for name in columns} for row in rows], dtype=object)
    frame.insert(0, "journey_id", range(1, len(rows) + 1))
    return frame


def give(view: Playbook, *rows: dict[str, Any]) -> pd.DataFrame:
    frame = make_frame(view, *rows)
    frame = frame.assign(**match_routes(frame, view))
    given = assign(frame, view, {}, {}, NOW).frame
    given[["sla", "due_at", "due_soon_at"]] = compute_due_times(given.assign(priority=frame["priority"]), view, NOW)
    return given


def test_a_record_goes_to_its_owner_then_to_the_accounts_then_to_the_first_pool() -> None:
    view = book().for_kind(JourneyKind.RENEWAL)

    given = give(
        view,
        {"record_owner": "ana@example.com", "account_owner": "ben"},
        {"record_owner": "somebody who left", "account_owner": "cy"},
        {"account_owner": None},
    )

    assert given["owner"].tolist() == ["ana", "cy", "ana"]
    assert given["rule"].tolist() == ["record_owner", "account_owner", "first_pool"]
    assert "owns the record" in given["why"][0]
    assert "none of the reps" in given["why"][1]
    assert list_route_fields(view.routing[0], view) == ["record_owner"]


def test_an_owners_touch_is_due_by_the_sales_stage_and_by_contact_within() -> None:
    stages = [{"name": "proposal", "next_step_within": "7d"}, {"name": "talk"}, {"name": "won", "closed": "won"}]
    whole = book(kinds={"opportunity": {"sales_stages": stages}, "renewal": {"contact_within": "3d"}})

    deals = give(whole.for_kind(JourneyKind.OPPORTUNITY), {"sales_stage": "proposal"}, {"sales_stage": "talk"})
    renewal = give(whole.for_kind(JourneyKind.RENEWAL), {"record_owner": "cy"})

    assert [at.to_pydatetime() - NOW for at in deals["due_at"]] == [timedelta(days=7), timedelta(hours=1)]
    assert renewal["due_at"][0].to_pydatetime() - NOW == timedelta(days=3)


def test_a_priority_of_the_section_comes_before_contact_within() -> None:
    rules = {"priorities": [{"name": "large", "when": "amount > 10", "sla": "fast"}]}
    view = book(kinds={"expansion": {"follow_up": rules}}).for_kind(JourneyKind.EXPANSION)

    assert give(view, {"amount": 20}, {"amount": 5})["sla"].tolist() == ["fast", "contact"]


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_without_points_is_qualified(kind: JourneyKind) -> None:
    disqualify = {"disqualify": [{"name": "test", "when": "name = 'test'", "reason": "A test"}]}
    rules = [{"name": "risky", "when": "amount < 10", "points": -1000}]
    view = book(kinds={kind.value: {"qualification": disqualify, "scoring": {"fit": rules}}}).for_kind(kind)
    frame = make_frame(view, {"name": "a", "amount": 1}, {"name": "test"})
    nothing = pd.DataFrame({"journey_id": [], "kind": [], "occurred_at": []})
    frame = frame.assign(**score(frame, view, nothing, NOW))

    assert frame["score"].tolist() == [-1000, 0]
    assert qualify(frame, view, NOW)["outcome"].tolist() == [Outcome.CONTINUE, Outcome.DISQUALIFIED]


def test_sales_stages_say_where_they_count_in_the_forecast() -> None:
    stages = [
        {"name": "talk"},
        {"name": "offer", "category": "commit"},
        {"name": "won", "closed": "won"},
        {"name": "lost", "closed": "lost"},
    ]
    section = book(kinds={"opportunity": {"sales_stages": stages}}).kinds.opportunity

    assert section is not None
    assert [stage.forecast for stage in section.sales_stages] == [
        ForecastCategory.PIPELINE,
        ForecastCategory.COMMIT,
        ForecastCategory.CLOSED,
        ForecastCategory.OMITTED,
    ]


def test_each_kind_has_a_word_for_its_sources() -> None:
    assert sorted(SOURCE_KINDS.values()) == sorted(JourneyKind)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("kinds: {deal: {}}", "unknown key"),
        ("kinds: {opportunity: {stages: []}}", "sales_stages"),
        ("kinds: {opportunity: {sales_stages: [{name: Closed Won}]}}", "not a name"),
        ("kinds: {renewal: {window: 0d}}", "too little"),
        ("kinds: {expansion: {triggers: [seat]}}", "did you mean"),
        ("kinds: {expansion: {conflict: ask}}", "not possible"),
    ],
)
def test_what_a_section_cannot_be_is_told_with_its_line(section: str, said: str, tmp_path: Path) -> None:
    text = (
        "name: Small\nsources: {web: {}}\nreps: [{name: ann}]\npools: [{name: all, members: [{rep: ann}]}]\n"
        f"routing: [{{name: rest, to: pool all}}]\n{section}\n"
    )

    with pytest.raises(PlaybookError, match="kinds") as caught:
        playbook.parse(text, path=tmp_path / "playbook.yaml")

    assert said in str(caught.value)
    assert {problem.line for problem in caught.value.problems} == {6}


def test_a_list_of_triggers_is_triggers_without_a_condition() -> None:
    listed = book(kinds={"expansion": {"triggers": ["usage", "new_lead"]}}).kinds.expansion
    written = book(kinds={"expansion": {"triggers": {"usage": None, "new_lead": {}}}}).kinds.expansion

    assert listed is not None
    assert listed == written
    assert [rule.when for rule in listed.triggers.values()] == [None, None]
