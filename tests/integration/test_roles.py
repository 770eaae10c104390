"""Who may do what: each role with each action about each object, through the functions that commands, forms and pages
call. What is done is rolled back, so that every case begins alike."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from harness import INSISTS, NOW, PLAYBOOK, Harness, make_actor, make_lead
from sqlalchemy import Connection

from leadgate import playbook as playbooks
from leadgate.actors import Actor, ActorError, act_for, identify_account
from leadgate.ledger import Ledger, joins, notes, ownership, reports, reviews
from leadgate.ledger.actions import ActionError
from leadgate.ledger.reports import WorkItemFilter
from leadgate.ledger.undo import undo
from leadgate.ledger.unmaskings import unmask
from leadgate.playbook import LoadedPlaybook
from leadgate.resolutions import Correct, DifferentPerson, Discard, DoneByHand, Resolution, SamePerson, TryAgain
from leadgate.vocabulary import Role
from tasks import reassignments, reruns

LATER = NOW + timedelta(hours=1)
REASONS = {"ana": "country_unknown", "bob": "phone_impossible", "cyn": "email_malformed"}


@pytest.fixture(scope="module")
def loaded() -> LoadedPlaybook:
    """Ana and Bob have one manager, Cyn another. Each is who decides about the work items of one reason."""
    routes = "".join(f"  - {{to: {rep}, within: 8h, reasons: [{reason}]}}\n" for rep, reason in REASONS.items())
    text = (
        PLAYBOOK.removesuffix(INSISTS)
        .replace("{name: cyn, manager: mia}", "{name: cyn, manager: max}")
        .replace("{rep: bob, weight: 2}", "{rep: bob}")
        .replace("exceptions:\n", "exceptions:\n" + routes)
        .replace(", reasons: [email_malformed, phone_impossible]", ", reasons: [score_in_review_band]")
    )
    return playbooks.parse(text + INSISTS, path=Path("tests.yaml"))


class Trial(Ledger):
    """A ledger in which nothing stays done."""

    @contextlib.contextmanager
    def transaction(self, **_: Any) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection  # closing it rolls back


@dataclass
class Ground:
    """A ledger with two owned leads of each rep, one of them waited for, and a work item for each route."""

    ledger: Ledger
    loaded: LoadedPlaybook
    owned: dict[str, int]
    waiting: dict[str, int]
    accepted: dict[str, int]  # numbers of actions that root did for the owner
    items: dict[str, int]
    discarded: int


@pytest.fixture
def ground(harness: Harness) -> Ground:
    def work() -> None:
        harness.capture(
            *(make_lead(number) for number in range(1, 10)),
            make_lead(21, Country="Atlantis"),
            make_lead(22, Phone="12"),
            make_lead(23, Email="no address"),
            make_lead(24, Company="", **{"Job title": "Chief of Nothing"}),
            make_lead(25, Phone="12"),
        )
        harness.run()
        for rep, journeys in list_owned(harness).items():
            by = act_for(make_actor("root"), rep, harness.loaded.playbook)
            until = LATER + timedelta(days=2)
            ownership.wait(harness.ledger, journeys[1], until=until, reason="away", by=by, now=NOW)
            ownership.accept(harness.ledger, journeys[2], by=by, now=NOW)
        last = harness.one("SELECT max(id) FROM work_item WHERE reason = 'phone_impossible'")
        discard = partial(reruns.resolve_items, by=make_actor("root"), now=NOW, playbook=harness.loaded.playbook)
        discard(harness.ledger, reports.list_work_items(harness.ledger, WorkItemFilter(ids=(last,))), Discard("spam"))

    harness.begin_with(f"roles {harness.loaded.hash}", work)
    owned = list_owned(harness)
    acted = {
        (what, journey): number for what, journey, number in harness.rows("SELECT what, journey_id, number FROM action")
    }
    items = dict(harness.rows("SELECT route, id FROM work_item WHERE closed_at IS NULL"))
    assert {*items} == {"ana", "bob", "cyn", "data_quality"}
    return Ground(
        Trial(**{each.name: getattr(harness.ledger, each.name) for each in fields(Ledger)}),
        harness.loaded,
        {rep: journeys[0] for rep, journeys in owned.items()},
        {rep: journeys[1] for rep, journeys in owned.items()},
        {rep: acted["accept", journeys[2]] for rep, journeys in owned.items()},
        items,
        next(number for (what, _), number in acted.items() if what == "discarded"),
    )


def list_owned(harness: Harness) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for rep, journey in harness.rows(
        "SELECT owner, journey_id FROM assignment WHERE ended_at IS NULL ORDER BY journey_id"
    ):
        found.setdefault(rep, []).append(journey)
    assert {rep: len(journeys) for rep, journeys in found.items()} == {"ana": 3, "bob": 3, "cyn": 3}
    return found


def sign_in(*roles: Role, rep: str | None = None, for_: str | None = None) -> Callable[[LoadedPlaybook], Actor]:
    def identified(loaded: LoadedPlaybook) -> Actor:
        actor = identify_account("kim", roles, rep, loaded.playbook)
        return actor if for_ is None else act_for(actor, for_, loaded.playbook)

    return identified


#: Each person, with whose leads they decide about, and which routes' work items.
PEOPLE: Final[dict[str, tuple[Callable[[LoadedPlaybook], Actor], set[str], set[str]]]] = {
    "rep": (sign_in(Role.REP, rep="ana"), {"ana"}, {"ana"}),
    "manager": (sign_in(Role.MANAGER, rep="mia"), {"ana", "bob"}, {"ana", "bob"}),
    "reviewer": (sign_in(Role.REVIEWER), set(), {"ana", "bob", "cyn", "data_quality"}),
    "reviewer named as a rep": (sign_in(Role.REVIEWER, rep="ana"), set(), {"ana", "bob", "cyn", "data_quality"}),
    "operator": (sign_in(Role.OPERATOR), set(), {"ana", "bob", "cyn", "data_quality"}),
    "operator for ana": (sign_in(Role.OPERATOR, for_="ana"), {"ana"}, {"ana", "bob", "cyn", "data_quality"}),
    "operator for mia": (sign_in(Role.OPERATOR, for_="mia"), {"ana", "bob"}, {"ana", "bob", "cyn", "data_quality"}),
    "privacy officer": (sign_in(Role.PRIVACY_OFFICER), set(), set()),
    "admin": (sign_in(Role.ADMIN), set(), set()),
    "rep of nobody": (sign_in(Role.REP, Role.MANAGER), set(), set()),
    "nobody": (sign_in(), set(), set()),
}

Act = Callable[[Ground, str, Actor], object]


def resolve(resolution: Resolution) -> Act:
    def act(ground: Ground, route: str, by: Actor) -> object:
        found = reports.list_work_items(ground.ledger, WorkItemFilter(ids=(ground.items[route],)))
        return reruns.resolve_items(ground.ledger, found, resolution, by=by, now=LATER, playbook=ground.loaded.playbook)

    return act


LEAD_ACTIONS: Final[dict[str, Act]] = {
    "accept": lambda g, rep, by: ownership.accept(g.ledger, g.owned[rep], by=by, now=LATER),
    "reject": lambda g, rep, by: ownership.reject(
        g.ledger, g.owned[rep], by=by, now=LATER, reason="not_a_fit", playbook=g.loaded.playbook
    ),
    "wait": lambda g, rep, by: ownership.wait(
        g.ledger, g.owned[rep], until=LATER + timedelta(days=1), reason="away", by=by, now=LATER
    ),
    "resume": lambda g, rep, by: ownership.resume(g.ledger, g.waiting[rep], by=by, now=LATER),
    "touch": lambda g, rep, by: ownership.touch(
        g.ledger, g.owned[rep], kind="call", rep=rep, by=by, at=NOW, seconds=90, now=LATER
    ),
    "reassign": lambda g, rep, by: reassignments.reassign(
        g.ledger, g.loaded, g.owned[rep], pool="everybody", reason="holiday", by=by, now=LATER
    ),
    "unassign": lambda g, rep, by: reassignments.unassign(
        g.ledger, g.loaded, g.owned[rep], reason="holiday", by=by, now=LATER
    ),
    "transfer": lambda g, rep, by: reassignments.transfer(g.ledger, g.loaded, rep, reason="left", by=by, now=LATER),
    "undo": lambda g, rep, by: undo(g.ledger, g.accepted[rep], by=by, now=LATER),
    "note": lambda g, rep, by: notes.write_note(g.ledger, g.owned[rep], "called", by=by, now=LATER),
    "unmask": lambda g, rep, by: unmask(g.ledger, g.owned[rep], rep, by=by, now=LATER),
    "unjoin": lambda g, rep, by: joins.unjoin(g.ledger, g.owned[rep], by=by, now=LATER),
}
ITEM_ACTIONS: Final[dict[str, Act]] = {
    "take": lambda g, route, by: reviews.take(g.ledger, g.items[route], by=by, now=LATER),
    "rerun": resolve(TryAgain()),
    "correct": resolve(Correct({"company": "Acme"})),
    "done by hand": resolve(DoneByHand("called them")),
    "discard": resolve(Discard("spam")),
    "same": resolve(SamePerson(1)),
    "different": resolve(DifferentPerson()),
}
#: Of these the ground has none that could be done: who may do them hears that, and others that they may not.
ASKS_NOTHING: Final = {"same": "does not ask who", "different": "does not ask who", "unjoin": "nothing to undo"}


def list_done(ground: Ground, action: str, act: Act, by: Actor, objects: set[str]) -> set[str]:
    """For which of ``objects`` the actor's ``action`` is done; a refusal of any other kind fails the test."""
    done = set()
    for each in sorted(objects):
        with contextlib.suppress(ActorError):
            if action in ASKS_NOTHING:
                with pytest.raises(ActionError, match=ASKS_NOTHING[action]):
                    act(ground, each, by)
            else:
                act(ground, each, by)
            done.add(each)
    return done


def test_each_role_does_each_action_to_the_leads_and_work_items_that_are_theirs_and_to_no_others(
    ground: Ground,
) -> None:
    #: What these roles do about every lead.
    of_all = {
        "note": {Role.OPERATOR},
        "unmask": {Role.MANAGER, Role.REVIEWER, Role.OPERATOR, Role.PRIVACY_OFFICER},
        "unjoin": {Role.REVIEWER, Role.OPERATOR},
    }
    wrong = []
    for person, (identified, leads, routes) in PEOPLE.items():
        by = identified(ground.loaded)
        for action, act in LEAD_ACTIONS.items():
            expected = leads
            if action == "transfer" and person == "operator":  # the command names the rep already
                expected = {*ground.owned}
            if of_all.get(action, frozenset()) & by.roles:
                expected = {*ground.owned}
            if (done := list_done(ground, action, act, by, {*ground.owned})) != expected:
                wrong.append(f"{person}: {action} of the leads of {sorted(done)}, not {sorted(expected)}")
        for action, act in ITEM_ACTIONS.items():
            if (done := list_done(ground, action, act, by, {*ground.items})) != routes:
                wrong.append(f"{person}: {action} of the work items of {sorted(done)}, not {sorted(routes)}")
    assert wrong == []


def test_a_decision_is_undone_by_those_who_may_decide_or_who_made_it(ground: Ground) -> None:
    may = {
        person
        for person, (identified, *_) in PEOPLE.items()
        if list_done(
            ground,
            "undo",
            lambda g, _, by: undo(g.ledger, g.discarded, by=by, now=LATER),
            identified(ground.loaded),
            {"it"},
        )
    }
    assert may == {person for person, (_, _, routes) in PEOPLE.items() if "bob" in routes}
    assert undo(ground.ledger, ground.discarded, by=Actor("root"), now=LATER).journeys  # root discarded it


def test_a_touch_is_logged_by_who_did_it_or_for_them(ground: Ground) -> None:
    """Ana's lead, and what Bob did about it."""

    def log(g: Ground, _: str, by: Actor) -> object:
        return ownership.touch(g.ledger, g.owned["ana"], kind="call", rep="bob", by=by, at=NOW, seconds=90, now=LATER)

    may = {
        person
        for person, (identified, *_) in PEOPLE.items()
        if list_done(ground, "touch", log, identified(ground.loaded), {"it"})
    }
    assert may == {"manager", "operator for mia"}


def test_a_work_item_that_somebody_has_taken_is_theirs_to_decide(harness: Harness, ground: Ground) -> None:
    """A reviewer who is a rep besides takes one; without the role of a reviewer they still decide about that one."""
    both = sign_in(Role.REP, Role.REVIEWER, rep="ana")(ground.loaded)
    rep, item = sign_in(Role.REP, rep="ana")(ground.loaded), ground.items["data_quality"]
    reviews.take(harness.ledger, item, by=both, now=LATER)
    assert list_done(ground, "rerun", resolve(TryAgain()), rep, {*ground.items}) == {"ana", "data_quality"}


def test_what_somebody_does_is_on_record_by_who_they_are(harness: Harness, ground: Ground) -> None:
    rep = sign_in(Role.REP, rep="ana")(ground.loaded)
    reviewer = sign_in(Role.REVIEWER)(ground.loaded)
    operator = sign_in(Role.OPERATOR, for_="bob")(ground.loaded)
    ownership.accept(harness.ledger, ground.owned["ana"], by=rep, now=LATER)
    ownership.accept(harness.ledger, ground.owned["bob"], by=operator, now=LATER)
    reviews.take(harness.ledger, ground.items["bob"], by=reviewer, now=LATER)
    told = harness.rows("SELECT what, by, acted_for FROM action WHERE at = :at ORDER BY id", at=LATER)
    assert told == [("accept", "ana", None), ("accept", "kim", "bob"), ("take", "kim", None)]
