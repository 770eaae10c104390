"""Whose an identity is: claiming it, finding who may be the same person, and what joined whom.

Belongs here: every statement that writes the tables ``identity``, ``lookalike``, ``lead_join`` and ``lead_verdict``.
Does not belong here: deciding whom a signal is about (``matching.resolving``), or the leads' values (``leads``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Connection, text

from leadgate.failpoints import failpoint
from leadgate.ledger import bulk, match_keys
from leadgate.ledger.journeys.locking import decide_again, lock_open_journeys
from leadgate.matching.match_keys import MatchKeys
from leadgate.matching.persons import EMAIL, READ, Person
from leadgate.matching.resolving import (
    Arrival,
    Claim,
    Ground,
    Known,
    Resolution,
    Verdict,
    build_claims,
    choose_kept_keys,
    list_crm_sources,
    list_doubtful,
    make_pair,
    resolve,
    should_compare,
)
from leadgate.playbook import Matching

if TYPE_CHECKING:
    import pandas as pd

#: The columns that ``identify`` adds to a batch.
IDENTIFIED: Final = ("lead_id", "joined_to", "because", "claimed", "hold", "matches")


def identify(connection: Connection, frame: pd.DataFrame, batch_id: int, rules: Matching, key: bytes) -> pd.DataFrame:
    """Claim each row's identities, and say whom it is about.

    ``frame`` (ordered by ``journey_id``) has ``journey_id``, ``generation``, ``lead_id``, ``source``,
    ``external_id`` and the columns of ``persons.READ``. The answer is index-aligned: ``lead_id`` as it is now;
    ``joined_to``, the open journey of the same person, where there is one; it is locked, and another batch that is
    deciding about it decides again; ``because``, the evidence where the person was known, and ``claimed``, the
    identities that are that person's from now on; ``hold``, the reason why somebody must compare the leads in
    ``matches``.

    The loser of a race joins the winner's lead: inserts are sorted, so that two workers cannot deadlock, and wait
    for each other on the same value only. What is held claims nothing. Candidates are found by hashes with ``key``.
    """
    import pandas as pd

    failpoint("apply.identity.before")
    arrivals = _build_arrivals(connection, frame, rules, key)
    claimants = _claim(connection, arrivals)
    ground = Ground(_find_owned_elsewhere(connection))
    failpoint("apply.identity.claimed")
    for arrival in arrivals:
        if arrival.known:
            mine = [claim for claim in arrival.claims if claimants[claim] == arrival.person.lead_id]
            ground.owners |= {claim: arrival.person.lead_id for claim in mine if claim not in ground.owners}
    again = frame.loc[frame["generation"] > 0, "lead_id"]
    ground.verdicts = _read_verdicts(connection, {*bulk.list_values(again), *ground.owners.values()})
    elsewhere = set(ground.owners)
    ground.persons = _read_persons(connection, {owner for (kind, _), owner in ground.owners.items() if kind == EMAIL})
    doubtful = list_doubtful(arrivals, ground, rules)
    wanted = {shared for arrival in doubtful if (shared := arrival.address_key) is not None}
    names: dict[int, int] = {}
    if should_compare(rules):
        new = [arrival for arrival in arrivals if not arrival.known and elsewhere.isdisjoint(arrival.claims)]
        for arrival in (*new, *doubtful):
            wanted.update(arrival.keys.exact)
            names.update(dict.fromkeys(arrival.keys.names, arrival.keys.swap))
    sharing, near = match_keys.find_sharing(connection, wanted), match_keys.find_near(connection, names)
    for shared, lead in sharing:
        ground.add_keys(lead, MatchKeys(exact=[shared]))
    for name, lead in near:
        ground.add_keys(lead, MatchKeys(names=[name]))
    ground.persons |= _read_persons(connection, {lead for _, lead in (*sharing, *near)})
    found = resolve(arrivals, ground, rules)
    _settle(connection, claimants, elsewhere, ground.owners)
    _keep_keys(connection, arrivals, found, ground.owners, bulk.list_values(frame["generation"]))
    joined = _find_joined_to(connection, arrivals, found)
    decide_again(connection, [holder for holder in joined if holder is not None], except_in=batch_id)
    failpoint("apply.identity.after")
    rows = [
        (
            r.lead_id,
            to,
            list(r.because) or None,
            _list_new_claims(a, claimants, elsewhere) if r.because else (),
            r.hold,
            r.matches,
        )
        for a, r, to in zip(arrivals, found, joined, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(IDENTIFIED), index=frame.index, dtype=object)


def _build_arrivals(connection: Connection, frame: pd.DataFrame, rules: Matching, key: bytes) -> list[Arrival]:
    crm_of = list_crm_sources(rules)
    again = frame.loc[frame["generation"] > 0, "lead_id"]
    known = _find_known(connection, bulk.list_values(again)) if len(again) else set()
    names = ("journey_id", "lead_id", "source", "external_id", *READ)
    arrivals = []
    for values in zip(*(bulk.list_values(frame[name]) for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        person = Person.of(row["lead_id"], row)
        claims = build_claims(row, person, crm_of, rules)
        arrivals.append(Arrival(row["journey_id"], person, person.keys(key), claims, row["lead_id"] in known, key))
    return arrivals


def _find_known(connection: Connection, lead_ids: Sequence[int]) -> set[int]:
    """Those leads that are more than the signal of one journey: identified before, or told of by another one."""
    rows = connection.execute(
        text(
            "SELECT l.id FROM unnest(CAST(:ids AS bigint[])) l(id) "
            "WHERE EXISTS (SELECT 1 FROM identity WHERE lead_id = l.id) "
            "OR (SELECT count(*) FROM journey WHERE lead_id = l.id) > 1"
        ),
        {"ids": list(lead_ids)},
    )
    return {row.id for row in rows}


def _claim(connection: Connection, arrivals: Sequence[Arrival]) -> dict[Claim, int]:
    """Insert each claim that is nobody's yet, for the first arrival that carries it. Returns claim -> that lead."""
    import pandas as pd

    claimants: dict[Claim, int] = {}
    for arrival in arrivals:
        for claim in arrival.claims:
            claimants.setdefault(claim, arrival.person.lead_id)
    rows = [(kind, value, lead_id) for (kind, value), lead_id in claimants.items()]
    frame = pd.DataFrame(rows, columns=["kind", "value", "lead_id"], dtype=object)
    bulk.fill_temporary(connection, "claiming", {"kind": "text", "value": "text", "lead_id": "bigint"}, frame)
    connection.execute(
        text(
            "INSERT INTO identity (kind, value, lead_id) SELECT kind, value, lead_id FROM claiming "
            'ORDER BY kind COLLATE "C", value COLLATE "C" ON CONFLICT DO NOTHING'
        )
    )
    return claimants


def _find_owned_elsewhere(connection: Connection) -> dict[Claim, int]:
    rows = connection.execute(
        text(
            "SELECT c.kind, c.value, i.lead_id FROM claiming c "
            "JOIN identity i ON i.kind = c.kind AND i.value = c.value AND i.lead_id <> c.lead_id"
        )
    )
    return {(row.kind, row.value): row.lead_id for row in rows}


def _read_verdicts(connection: Connection, lead_ids: Collection[int]) -> dict[tuple[int, int], Verdict]:
    """The last word about each pair that has one of these leads, in the order in which it was said."""
    if not lead_ids:
        return {}
    rows = connection.execute(
        text(
            "SELECT DISTINCT ON (low, high) id, low, high, same, keep FROM lead_verdict "
            "WHERE low = ANY(:ids) OR high = ANY(:ids) ORDER BY low, high, id DESC"
        ),
        {"ids": sorted(lead_ids)},
    ).fetchall()
    said = sorted(rows, key=lambda row: int(row.id))
    return {(row.low, row.high): Verdict(row.same, row.keep) for row in said}


def _read_persons(connection: Connection, lead_ids: Collection[int]) -> dict[int, Known]:
    """These leads, as they are compared."""
    if not lead_ids:
        return {}
    columns = ", ".join(f"l.{name}" for name in READ)
    rows = connection.execute(
        text(
            f"""
            SELECT l.id, {columns}, l.full_name, l.employees,
                -- a row each: as EXISTS it may read the journeys of all leads
                coalesce((SELECT true FROM journey j WHERE j.lead_id = l.id AND j.status = 'owned' LIMIT 1), false)
                    AS has_owner
            FROM lead l WHERE l.id = ANY(:ids)"""
        ),
        {"ids": sorted(lead_ids)},
    )
    names = ("id", *READ)
    found: dict[int, Known] = {}
    for row in rows:
        person = Person.of(row[0], dict(zip(names, row, strict=False)))
        found[row[0]] = Known(person, row.has_owner, row.employees, row.full_name or "")
    return found


def _settle(
    connection: Connection,
    claimants: Mapping[Claim, int],
    elsewhere: Collection[Claim],
    owners: Mapping[Claim, int],
) -> None:
    """Claims that were made before it was known whom they are about go to that lead, or are given up."""
    import pandas as pd

    moved = [
        (kind, value, owners.get((kind, value)))
        for (kind, value), claimant in claimants.items()
        if (kind, value) not in elsewhere and owners.get((kind, value)) != claimant
    ]
    if not moved:
        return
    frame = pd.DataFrame(moved, columns=["kind", "value", "lead_id"], dtype=object)
    bulk.fill_temporary(connection, "settling", {"kind": "text", "value": "text", "lead_id": "bigint"}, frame)
    which = "FROM settling s WHERE i.kind = s.kind AND i.value = s.value AND s.lead_id IS"
    connection.execute(text(f"UPDATE identity i SET lead_id = s.lead_id {which} NOT NULL"))
    connection.execute(text(f"DELETE FROM identity i USING {which.removeprefix('FROM ')} NULL"))


def _list_new_claims(arrival: Arrival, claimants: Mapping[Claim, int], elsewhere: Collection[Claim]) -> list[Claim]:
    """The claims that nobody had made before this arrival."""
    own = arrival.person.lead_id
    return [claim for claim in arrival.claims if claim not in elsewhere and claimants[claim] == own]


def _keep_keys(
    connection: Connection,
    arrivals: Sequence[Arrival],
    found: Sequence[Resolution],
    owners: Mapping[Claim, int],
    generations: Sequence[int],
) -> None:
    """By what the leads are found when somebody like them arrives."""
    new: list[tuple[int, int]] = []
    others: set[tuple[int, int]] = set()
    for arrival, resolution, generation in zip(arrivals, found, generations, strict=True):
        if resolution.hold is not None:
            continue
        pairs = [(key, resolution.lead_id) for key in choose_kept_keys(arrival, resolution, owners).list_kept()]
        if generation == 0 and resolution.lead_id == arrival.person.lead_id:
            new += dict.fromkeys(pairs)
        else:
            others.update(pairs)
    match_keys.insert(connection, new, others)


def _find_joined_to(
    connection: Connection, arrivals: Sequence[Arrival], found: Sequence[Resolution]
) -> list[int | None]:
    """The open journey of each arrival's lead, unless it is the arrival's own."""
    known = {r.lead_id for a, r in zip(arrivals, found, strict=True) if r.lead_id != a.person.lead_id}
    open_of = lock_open_journeys(connection, known)
    joined: list[int | None] = []
    for arrival, resolution in zip(arrivals, found, strict=True):
        if resolution.hold is not None:
            joined.append(None)
            continue
        holder = open_of.setdefault(resolution.lead_id, arrival.journey_id)
        joined.append(None if holder == arrival.journey_id else holder)
    return joined


def keep_lookalikes(connection: Connection, frame: pd.DataFrame, now: datetime) -> None:
    """What speaks for each lead in question, of rows on ``hold``."""
    rows = [
        (journey_id, generation, match.lead_id, match.score, orjson.dumps(match.levels).decode(), now)
        for journey_id, generation, matches in zip(
            bulk.list_values(frame["journey_id"]), bulk.list_values(frame["generation"]), frame["matches"], strict=True
        )
        for match in matches
    ]
    bulk.copy_rows(connection, "lookalike", ["journey_id", "generation", "lead_id", "score", "levels", "at"], rows)


def keep_joins(connection: Connection, frame: pd.DataFrame, columns: Sequence[str], now: datetime) -> None:
    """Which rows turned out to be about a known lead, why, and what each changes of it.

    To be called when the leads of the batch's own have been written, and before those of ``frame`` are: it tells
    what ``leads.refresh_leads`` and ``leads.fill_from_joined`` are about to do with ``columns``, in their order.
    """
    if frame.empty:
        return
    wanted = ", ".join(columns)
    leads = connection.execute(
        text(f"SELECT id, {wanted} FROM lead WHERE id = ANY(:ids)"), {"ids": bulk.list_values(frame["lead_id"])}
    ).mappings()
    standing = {row["id"]: {name: row[name] for name in columns} for row in leads}
    rows = []
    names = ("journey_id", "generation", "lead_id", "joined_to", "because", "claimed", *columns)
    for values in zip(*(bulk.list_values(frame[name]) for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        lead, changed = standing[row["lead_id"]], {}
        for name in columns:
            after = _merge_value(lead[name], row[name], fills=row["joined_to"] is not None)
            if after != lead[name]:
                changed[name] = [lead[name], after]
                lead[name] = after
        told = [orjson.dumps(each).decode() if each else None for each in (row["because"], changed, row["claimed"])]
        rows.append((row["journey_id"], row["generation"], row["lead_id"], row["joined_to"], *told, now))
    kept_as = ["journey_id", "generation", "lead_id", "joined_to", "because", "changed", "claimed", "at"]
    bulk.copy_rows(connection, "lead_join", kept_as, rows)


def _merge_value(before: Any, said: Any, *, fills: bool) -> Any:
    """A joining signal fills what its lead lacks; one that takes its lead up again has the last word."""
    if isinstance(before, dict) or isinstance(said, dict):
        return before if fills else (before or {}) | (said or {})
    return (before if before is not None else said) if fills else (said if said is not None else before)


def release(connection: Connection, lead_id: int, claims: Sequence[Sequence[str]]) -> None:
    """These identities (kind, value) are not the lead's any more: the signal that brought them is somebody else's."""
    for kind, value in claims:
        connection.execute(
            text("DELETE FROM identity WHERE kind = :kind AND value = :value AND lead_id = :lead"),
            {"kind": kind, "value": value, "lead": lead_id},
        )


def forget(connection: Connection, claims: Sequence[tuple[str, str]]) -> set[str]:
    """These identities (kind, value) are nobody's any more. Returns the values of those that were somebody's."""
    rows = connection.execute(
        text(
            "DELETE FROM identity i USING unnest(CAST(:kinds AS text[]), CAST(:values AS text[])) AS c(kind, value) "
            "WHERE i.kind = c.kind AND i.value = c.value RETURNING i.value"
        ),
        {"kinds": [kind for kind, _ in claims], "values": [value for _, value in claims]},
    )
    return {row.value for row in rows}


def move(connection: Connection, kind: str, values: Mapping[str, str]) -> None:
    """Whose these identities are has the others from now on, unless these are somebody's."""
    connection.execute(
        text(
            """
            WITH moving AS (
                DELETE FROM identity i USING unnest(CAST(:old AS text[]), CAST(:new AS text[])) AS m(old, new)
                WHERE i.kind = :kind AND i.value = m.old RETURNING i.lead_id, m.new)
            INSERT INTO identity (kind, value, lead_id) SELECT CAST(:kind AS text), new, lead_id FROM moving
            ORDER BY new COLLATE "C" ON CONFLICT DO NOTHING"""
        ),
        {"kind": kind, "old": list(values), "new": list(values.values())},
    )


def record_verdict(
    connection: Connection,
    journey_id: int,
    one: int,
    other: int,
    *,
    keep: int | None,
    item: int | None,
    by: str,
    now: datetime,
) -> None:
    """What a person said about two leads when they decided the journey: the same, and which to ``keep``, or not."""
    low, high = make_pair(one, other)
    connection.execute(
        text(
            "INSERT INTO lead_verdict (low, high, same, keep, journey_id, work_item_id, by, at) "
            "VALUES (:low, :high, :same, :keep, :journey, :item, :by, :now)"
        ),
        {
            "low": low,
            "high": high,
            "same": keep is not None,
            "keep": keep,
            "journey": journey_id,
            "item": item,
            "by": by,
            "now": now,
        },
    )
