"""What the ledger's columns of JSON hold, where code reads it: the same names wherever such a value is made or told.

Belongs here: these shapes. Does not belong here: the columns themselves (``models``), or making a value.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class CandidateLine(TypedDict):
    """``assignment.candidates``: a rep who was considered. One who is named rather than drawn has no pool, turns or
    weight."""

    rep: str
    eligible: bool
    reason: str
    pool: str | None
    turns: int | None
    weight: float | None


class Pointer(TypedDict):
    """``assignment.pointer``: the count of a pool, and that of the owner, before and after the turn. ``given_back``:
    the owner's turns to be filled again, where the lead filled one of them; then no count moves."""

    epoch: int
    position: tuple[int, int]
    turns: tuple[int, int]
    given_back: NotRequired[tuple[int, int]]


class Decay(TypedDict):
    """Points that have decayed: what they were ``of``, and the ``latest`` activity that they are for."""

    of: int
    latest: str


class LearnedPart(TypedDict):
    """A learned score's chance for a lead, by the ``model`` of that number, in the ``role`` that it had: in log-odds
    what it begins with and what each contribution adds, which sum to those of the chance."""

    model: int
    role: str
    chance: float
    begin: float
    contributions: dict[str, float]


class ScoreDetails(TypedDict, total=False):
    """``qualification.details``: which contributions are fit, what decayed of what, and the learned score beside them.
    ``audit``: below the threshold, it went on as one of the audit share. Old scores have none of these."""

    fit: list[str]
    decayed: dict[str, Decay]
    learned: LearnedPart
    audit: bool


class Proof(TypedDict):
    """``qualification.evidence``, of each part: whether it is known, or known not to be there, and what tells: a field
    (never its value), or an activity."""

    known: bool
    negative: NotRequired[bool]
    field: NotRequired[str]
    activity: NotRequired[str]
    at: NotRequired[str]


class Origin(TypedDict, total=False):
    """``lead.provenance``, of each field that a provider filled. ``kept``: the answer was given ``at`` that moment for
    another lead, or for this one before."""

    provider: str
    at: str
    kept: bool


class NotEnriched(TypedDict):
    """``lead.not_enriched``, of each provider that did not answer, or gave what cannot be used: ``why``, without a
    value. ``again_at``: it is worth asking again from then on."""

    why: str
    at: str
    again_at: NotRequired[str]


class ConsideredAccount(TypedDict):
    """``lead.account_candidates``: an account that a lead may be of. ``inherited`` maps a field to the parent that it
    is from."""

    account_id: str
    name: str | None
    score: int
    because: str
    taken: NotRequired[bool]
    inherited: NotRequired[dict[str, str]]


class CheckedPromise(TypedDict):
    """``gate_result.evidence``: a promise, what is promised or wrong in ``words``, and how many rows were checked and
    failed."""

    promise: str
    severity: str
    words: str
    checked: int
    failed: int
    ok: bool


class KeptTurnCounts(TypedDict, total=False):
    """``pool_state.state``, as far as a report tells it (all of it is ``assignment.rotation.PoolState``)."""

    turns: dict[str, int]
    weights: dict[str, int]
    order: str
