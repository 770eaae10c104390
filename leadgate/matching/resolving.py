"""A batch of signals, and whom each is about: somebody new, a known lead, or a question for a person.

Belongs here: deciding over the batch, in the order of its journeys. Does not belong here: one pair of records
(``persons``), or claiming identities and looking candidates up (``ledger.identities``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final, NamedTuple

from leadgate.limits import shorten_key
from leadgate.matching import BY_A_PERSON, CONFLICT, LIKELY
from leadgate.matching.match_keys import MatchKeys, get_block, is_near
from leadgate.matching.persons import (
    ADDRESS_AND_NAME,
    EMAIL,
    NAME_AND_COMPANY,
    NUMBER_AND_NAME,
    PHONE_AND_NAME,
    Comparison,
    Person,
    compare,
    decide_certainty,
    find_proof,
    may_be_same,
    shares_address,
)
from leadgate.matching.ranking import Candidate, rank_candidates
from leadgate.playbook import Matching

#: A kind of identity and its value: two signals that share one are about the same person.
Claim = tuple[str, str]

CRM_ID: Final = "crm_id"
#: Proofs that hold whoever else is alike.
_ALONE: Final = (EMAIL, PHONE_AND_NAME)
#: Candidates that a person is shown.
SHOWN: Final = 5


class Verdict(NamedTuple):
    """What a person said about two leads. ``keep`` is where signals go that are about both, if they are one."""

    same: bool
    keep: int | None = None


class Arrival(NamedTuple):
    """A signal at validation. ``person.lead_id`` is its own lead; ``known``: that lead has been identified before.

    ``keys`` are those of the person, worked out once with the installation's ``secret``.
    """

    journey_id: int
    person: Person
    keys: MatchKeys = MatchKeys()
    claims: tuple[Claim, ...] = ()
    known: bool = False
    secret: bytes = b""

    @property
    def address_key(self) -> int | None:
        """The key of the name beside the e-mail address, which few arrivals need."""
        return self.person.build_address_key(self.secret) if self.secret else None


class Known(NamedTuple):
    """A lead that may be the same person, with what may break a tie."""

    person: Person
    has_owner: bool = False
    size: int | None = None
    name: str = ""


class Match(NamedTuple):
    """Another lead that a signal may be about, and what speaks for it and against it: field -> level."""

    lead_id: int
    score: int
    levels: Mapping[str, str]


class Resolution(NamedTuple):
    """Whom a signal is about. ``because`` names the evidence when that is somebody known; ``hold`` is the reason
    why a person must say it, and ``matches`` are the leads in question, the likeliest first."""

    lead_id: int
    because: tuple[str, ...] = ()
    hold: str | None = None
    matches: tuple[Match, ...] = ()


@dataclass
class Ground:
    """What is known about the arrivals: whose identities they carry, what people said, who shares a key.

    ``by_key`` are ids of leads, by exact keys. ``blocks`` has the keys of names of each block, with their leads.
    ``persons`` has these leads, and those that own the e-mail addresses.
    """

    owners: dict[Claim, int] = field(default_factory=dict)
    verdicts: Mapping[tuple[int, int], Verdict] = field(default_factory=dict)
    by_key: dict[int, list[int]] = field(default_factory=dict)
    blocks: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    persons: dict[int, Known] = field(default_factory=dict)

    def add_keys(self, lead_id: int, keys: MatchKeys) -> None:
        """The lead is found by these keys from now on."""
        for key in keys.exact:
            self.by_key.setdefault(key, []).append(lead_id)
        for key in keys.names:
            self.blocks.setdefault(get_block(key), []).append((key, lead_id))

    def find_leads(self, keys: MatchKeys) -> set[int]:
        """The leads that share an exact key, or have a key near one of a name."""
        found = {lead for key in keys.exact for lead in self.by_key.get(key, ())}
        for key in keys.names:
            found.update(lead for other, lead in self.blocks.get(get_block(key), ()) if is_near(key, keys.swap, other))
        return found

    def find_verdict(self, one: int, other: int) -> Verdict | None:
        return self.verdicts.get(make_pair(one, other)) if self.verdicts else None

    def is_apart(self, one: int, other: int) -> bool:
        verdict = self.find_verdict(one, other)
        return verdict is not None and not verdict.same


def make_pair(one: int, other: int) -> tuple[int, int]:
    """Two leads, whichever is named first."""
    return (one, other) if one < other else (other, one)


def build_claims(
    row: Mapping[str, Any], person: Person, crm_of: Mapping[str, str], rules: Matching
) -> tuple[Claim, ...]:
    """The identities that a signal carries, as the ledger indexes them. ``crm_of``: source -> the CRM whose ids it
    brings."""
    claims: list[Claim] = []
    if person.email:
        claims.append((EMAIL, person.email))
    elif "phone_and_name" in rules.certain and person.phone and person.name and not person.is_guessed:
        claims.append((PHONE_AND_NAME, f"{person.phone} {' '.join(person.name[:3]).strip()}"))
    if crm_of and (crm := crm_of.get(row["source"])) and row["external_id"]:
        claims.append((f"{CRM_ID}:{crm}", str(row["external_id"]).strip()))
    return tuple((kind, shorten_key(value)) for kind, value in claims)


def list_crm_sources(rules: Matching) -> dict[str, str]:
    """Source -> the CRM whose ids of persons it brings, as far as they are certain."""
    if "crm_id" not in rules.certain:
        return {}
    return {source: crm for crm, sources in rules.crm_ids.items() for source in sources}


def should_compare(rules: Matching) -> bool:
    """Whether the playbook asks for more than identities."""
    return bool(rules.likely) or not {"phone_and_name", "joint_evidence"}.isdisjoint(rules.certain)


def resolve(arrivals: Sequence[Arrival], ground: Ground, rules: Matching) -> list[Resolution]:
    """Whom each arrival is about, in the order given. ``ground`` is brought up to date with what was decided:
    an arrival may be about the person of an earlier one."""
    asked = should_compare(rules)
    found = []
    for arrival in arrivals:
        resolution = _resolve(arrival, ground, rules, asked)
        found.append(resolution)
        if resolution.hold is not None:
            continue
        for claim in arrival.claims:
            ground.owners.setdefault(claim, resolution.lead_id)
        if resolution.lead_id == arrival.person.lead_id:
            ground.persons.setdefault(resolution.lead_id, Known(arrival.person))
            if asked:
                ground.add_keys(resolution.lead_id, choose_kept_keys(arrival, resolution, ground.owners))
    return found


def list_doubtful(arrivals: Iterable[Arrival], ground: Ground, rules: Matching) -> list[Arrival]:
    """The arrivals with an e-mail address of a lead of ``ground`` that seems to be somebody else's."""
    if rules.shared_address != "ask":
        return []
    owners = ((arrival, ground.owners.get((EMAIL, shorten_key(arrival.person.email or "")))) for arrival in arrivals)
    return [
        arrival
        for arrival, owner in owners
        if owner in ground.persons and _shares_address(arrival.person, ground.persons[owner].person)
    ]


def choose_kept_keys(arrival: Arrival, resolution: Resolution, owners: Mapping[Claim, int]) -> MatchKeys:
    """The keys by which the arrival's lead is found from now on.

    One is for the name beside an e-mail address that is another lead's, or that a person said is this lead's.
    """
    is_needed = BY_A_PERSON in resolution.because or any(
        kind == EMAIL and owners.get((kind, value)) != resolution.lead_id for kind, value in arrival.claims
    )
    if is_needed and (address_key := arrival.address_key) is not None:
        return arrival.keys._replace(exact=[*arrival.keys.exact, address_key])
    return arrival.keys


def _resolve(arrival: Arrival, ground: Ground, rules: Matching, asked: bool) -> Resolution:
    own = arrival.person.lead_id
    if (said := _find_named_lead(own, ground)) is not None:
        return Resolution(said, (BY_A_PERSON,))
    owned: dict[int, list[str]] = {}
    for claim in arrival.claims:
        owner = ground.owners.get(claim)
        if owner is not None and owner != own and not ground.is_apart(own, owner):
            owned.setdefault(owner, []).append(claim[0])
    if arrival.known and owned:
        owned[own] = []
    if len(owned) > 1:
        return _resolve_conflict(own, owned, ground)
    for lead_id, kinds in owned.items():
        known = ground.persons.get(lead_id)
        alone = kinds == [EMAIL] and rules.shared_address == "ask"  # an id of a CRM beside it is proof enough
        if alone and known is not None and _shares_address(arrival.person, known.person):
            return _resolve_shared_address(arrival, lead_id, ground, rules)
        return Resolution(lead_id, tuple(kinds))
    if arrival.known or not asked:
        return Resolution(own)
    return _compare(arrival.person, arrival.keys, ground, rules)


def _shares_address(one: Person, other: Person) -> bool:
    return shares_address(one, other, compare(one, other))


def _resolve_shared_address(arrival: Arrival, owner: int, ground: Ground, rules: Matching) -> Resolution:
    """The e-mail address of a known lead, beside another name: somebody who was told from that lead, or a question."""
    own = arrival.person.lead_id
    named = {
        lead
        for lead in ground.by_key.get(arrival.address_key or 0, ())
        if lead != own and not ground.is_apart(own, lead)
    }
    if len(named) == 1:
        return Resolution(named.pop(), (EMAIL,))
    return _compare(arrival.person, arrival.keys, ground, rules, [owner])


def _find_named_lead(own: int, ground: Ground) -> int | None:
    """The lead that a person said this signal is about."""
    if not ground.verdicts:
        return None
    keeps = [verdict.keep for leads, verdict in ground.verdicts.items() if own in leads]
    return next((keep for keep in reversed(keeps) if keep is not None and keep != own), None)


def _resolve_conflict(own: int, owned: Mapping[int, Sequence[str]], ground: Ground) -> Resolution:
    """Evidence of two leads in one signal: a person has said which it is, or must."""
    verdicts = [ground.find_verdict(one, other) for one, other in combinations(owned, 2)]
    keeps = {verdict.keep for verdict in verdicts if verdict is not None}
    keep = keeps.pop() if len(keeps) == 1 and None not in verdicts else None
    if keep is not None and keep in owned:
        return Resolution(keep, (BY_A_PERSON,))
    matches = [Match(lead, 100, dict.fromkeys(kinds, "same")) for lead, kinds in sorted(owned.items()) if lead != own]
    return Resolution(own, hold=CONFLICT, matches=tuple(matches))


def _compare(person: Person, keys: MatchKeys, ground: Ground, rules: Matching, also: Sequence[int] = ()) -> Resolution:
    """The leads that share a key with ``person``, and ``also`` these, compared with it."""
    found = {lead for lead in ground.find_leads(keys) if not ground.is_apart(person.lead_id, lead)}
    others = {*found, *also} - {person.lead_id}
    known = {lead: ground.persons[lead] for lead in others if lead in ground.persons}  # a key outlives its lead
    if not known:
        return Resolution(person.lead_id)
    phones = sum(person.phone is not None and each.person.phone == person.phone for each in known.values())
    shared = phones > rules.shared_phone
    known = {lead: each for lead, each in known.items() if lead in also or may_be_same(person, each.person, rules)}
    compared = {lead: compare(person, each.person) for lead, each in known.items()}
    judged = {
        lead: decide_certainty(person, each.person, compared[lead], rules, phone_shared=shared)
        for lead, each in known.items()
    }
    matching = [lead for lead, verdict in judged.items() if verdict != "no" or lead in also]
    certain = [lead for lead in matching if judged[lead] == "certain"]
    if len(certain) == 1:
        lead = certain[0]
        proof = find_proof(person, known[lead].person, compared[lead], rules, phone_shared=shared) or ""
        if proof in _ALONE or len(matching) == 1:  # joint evidence speaks for one lead where no other is alike
            return Resolution(lead, (proof,))
    if not matching:
        return Resolution(person.lead_id)
    order = rank_candidates((_build_candidate(known[lead], compared[lead]) for lead in matching), rules.tie_breakers)
    matches = tuple(Match(int(each.id), each.score, compared[int(each.id)].levels) for each in order[:SHOWN])
    return Resolution(person.lead_id, hold=LIKELY, matches=matches)


def _build_candidate(known: Known, comparison: Comparison) -> Candidate:
    lead = known.person.lead_id
    return Candidate(lead, comparison.score, known.name, has_owner=known.has_owner, size=known.size)


def describe_keys(kinds: Iterable[str]) -> str:
    """Why a signal is about somebody known, in words.

    >>> describe_keys(["email", "crm_id:hubspot"]), describe_keys(["a_person"])
    ('the same e-mail address, the same id in hubspot', 'what a person said')
    """
    words = {
        NUMBER_AND_NAME: "the same phone number and name",
        ADDRESS_AND_NAME: "the same name and an e-mail address alike",
        NAME_AND_COMPANY: "the same name at the same company, and a private e-mail address",
        EMAIL: "the same e-mail address",
        PHONE_AND_NAME: "the same phone number and name, and no other e-mail address",
        BY_A_PERSON: "what a person said",
    }
    return ", ".join(words.get(kind) or f"the same id in {kind.partition(':')[2] or 'the CRM'}" for kind in kinds)
