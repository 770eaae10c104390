"""The learned score in force at qualification: each lead's chance beside its points, and what follows in its role.

Belongs here: which score is in force, what it adds to a decided frame, and the audit share, by which later scores learn
of leads below the threshold. Does not belong here: learning it
(``tasks.score_training``), how it scores (``leadgate.learning.scorer``), or giving it a role (``tasks.score_roles``).

Which score it was is a part of what the stage gathered: the columns ``learned_model`` (its number), ``learned_hash``
and ``learned_role``. A learned score that was kept never changes, so each process reads it once.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import orjson
import pandas as pd
from sqlalchemy import Connection

from leadgate.errors import LeadgateError
from leadgate.json_columns import LearnedPart
from leadgate.ledger import score_models
from leadgate.playbook import Learned, Playbook
from leadgate.vocabulary import LearnedRole, Outcome, QualifiedAs

if TYPE_CHECKING:
    from leadgate.learning.indicators import Value
    from leadgate.learning.scorer import LearnedScore, ScoredLead

_MOST_LOADED: Final = 8
#: By the hash of what each was learned from.
_loaded: dict[str, LearnedScore] = {}


class NotLearnedError(LeadgateError):
    """No score was learned; the message says why, and that the rules alone go on."""


def require_learned(playbook: Playbook) -> Learned:
    """What the playbook says of a learned score. Raises ``NotLearnedError`` where it says nothing."""
    if playbook.learned is None:
        raise NotLearnedError(
            "The playbook asks for no learned score; add a part `learned:` to it, for example `learned: {horizon: 60d}`"
        )
    return playbook.learned


def add_score_in_force(connection: Connection, frame: pd.DataFrame, learned: Learned | None) -> None:
    """Add which learned score is in force, and in which role, to a frame that was gathered; nothing where none is."""
    if learned is None or (given := score_models.find_in_force(connection)) is None:
        return
    if given.data_hash not in _loaded:
        _load(connection, given.model_id)
    frame["learned_model"] = given.model_id
    frame["learned_hash"] = given.data_hash
    frame["learned_role"] = given.role.value


def load_named(connection: Connection, frame: pd.DataFrame) -> None:
    """Read the learned scores that a frame names which was gathered before, so that it can be decided again."""
    if "learned_model" in frame:
        named = frame.loc[frame["learned_model"].notna(), ["learned_model", "learned_hash"]].drop_duplicates()
        for number, hash_ in zip(named["learned_model"], named["learned_hash"], strict=True):
            if hash_ not in _loaded:
                _load(connection, int(number))


def _load(connection: Connection, number: int) -> None:
    from leadgate.learning.scorer import load

    if (model := score_models.find_model(connection, number)) is not None:
        while len(_loaded) >= _MOST_LOADED:
            _loaded.pop(next(iter(_loaded)))
        _loaded[model.data_hash] = load(model.parameters)


def apply_learned_score(frame: pd.DataFrame, playbook: Playbook) -> None:
    """Add each lead's chance to ``details`` of a qualified frame, and decide in its role. From ``advise`` on, it is the
    column ``learned_chance``, too, by which people's lists are ordered.

    ``decide``: a lead in the review band goes on from ``accept_from`` on, if its evidence lets it, and is nurtured
    below ``nurture_below``. Everything else stays as the rules have it: no disqualified lead is let pass.
    """
    learned = playbook.learned
    if learned is None or "learned_model" not in frame or frame.empty:
        return
    number = int(frame["learned_model"].iloc[0])
    score = _loaded.get(frame["learned_hash"].iloc[0])
    if score is None:
        return
    role = find_effective_role(LearnedRole(frame["learned_role"].iloc[0]), learned)
    chances = _add_chances(frame, score, number, role)
    if role is not LearnedRole.SHADOW:
        frame["learned_chance"] = pd.Series(chances, index=frame.index, dtype="float64")
    if role is LearnedRole.DECIDE:
        _decide(frame, learned, number, chances)


def pass_audit_share(frame: pd.DataFrame, playbook: Playbook) -> None:
    """Have a small share of the leads that would be nurtured, a few points below the threshold, go on all the same.

    Which ones is a matter of their numbers alone, so that a lead that is scored again is chosen again. Never one that
    was qualified before, was followed up, or lacks evidence that the verdict requires.
    """
    audit = None if playbook.learned is None else playbook.learned.audit
    if audit is None or frame.empty:
        return
    threshold = playbook.qualification.marketing_qualified
    scores, allowed = frame["score"].to_numpy(dtype="int64"), frame["qualifiable"].to_numpy(dtype="int64")
    chosen = (
        (frame["outcome"] == Outcome.NURTURE).to_numpy()
        & (scores < threshold)
        & (scores >= threshold - audit.within)
        & (allowed > 0)
        & frame["was"].isna().to_numpy()
        & ~frame["finished"].to_numpy(dtype=bool)
        & [zlib.crc32(f"audit {int(lead)}".encode()) < audit.percent / 100 * 2**32 for lead in frame["lead_id"]]
    )
    if not chosen.any():
        return
    said = f"below the threshold, it goes on as one of the {audit.percent:g} % from whom the rules are judged"
    outcomes, verdicts, reasons, details = (
        frame[name].tolist() for name in ("outcome", "qualified_as", "reasons", "details")
    )
    for row in chosen.nonzero()[0].tolist():
        outcomes[row], verdicts[row] = Outcome.CONTINUE.value, QualifiedAs.MARKETING.value
        reasons[row] = [*reasons[row], said]
        details[row] = orjson.dumps({**orjson.loads(details[row]), "audit": True}).decode()
    _put_back(frame, {"outcome": outcomes, "qualified_as": verdicts, "reasons": reasons, "details": details})


def find_effective_role(given: LearnedRole, learned: Learned) -> LearnedRole:
    """What a score may do that was given a role: no more than the playbook says."""
    order = list(LearnedRole)
    return min(given, learned.role, key=order.index)


def _add_chances(frame: pd.DataFrame, score: LearnedScore, number: int, role: LearnedRole) -> list[float]:
    from leadgate.learning.indicators import read_decision

    fields = read_fields(frame, score.fields)
    recorded = list(zip(frame["contributions"].tolist(), frame["evidence"].tolist(), fields, strict=True))
    # many leads of a batch are alike: each kind of them is scored once
    keys = [(contributions, evidence, *values.values()) for contributions, evidence, values in recorded]
    kinds = dict(zip(keys, recorded, strict=True))
    found = dict(zip(kinds, score.score([read_decision(*each) for each in kinds.values()]), strict=True))
    texts = {key: _format_part(each, number, role) for key, each in found.items()}
    details = [
        f'{text[:-1]}{"," if len(text) > 2 else ""}"learned":{texts[key]}}}'  # an object goes on before its end
        for text, key in zip(frame["details"].tolist(), keys, strict=True)
    ]
    frame["details"] = pd.Series(details, index=frame.index, dtype=object)
    return [found[key].chance for key in keys]


def _format_part(scored: ScoredLead, number: int, role: LearnedRole) -> str:
    part: LearnedPart = {
        "model": number,
        "role": role.value,
        "chance": scored.chance,
        "begin": scored.begin,
        "contributions": scored.contributions,
    }
    return orjson.dumps(part).decode()


def read_fields(frame: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Value]]:
    """What these fields say in each row; a field that the frame does not have is missing."""
    from leadgate.learning.indicators import read_value

    columns = {name: [read_value(value) for value in frame[name].tolist()] for name in names if name in frame}
    return [{name: values[row] for name, values in columns.items()} for row in range(len(frame))]


def _decide(frame: pd.DataFrame, learned: Learned, number: int, chances: Sequence[float]) -> None:
    outcomes, verdicts, reasons = (frame[name].tolist() for name in ("outcome", "qualified_as", "reasons"))
    allowed = frame["qualifiable"].tolist()
    for row, chance in enumerate(chances):
        if outcomes[row] != Outcome.REVIEW:
            continue
        if learned.accept_from is not None and chance >= learned.accept_from and allowed[row] > 0:
            outcomes[row], verdicts[row] = Outcome.CONTINUE.value, QualifiedAs.MARKETING.value
            after = f"and from {100 * learned.accept_from:g} % on a lead in the band goes on"
        elif learned.nurture_below is not None and chance < learned.nurture_below:
            outcomes[row] = Outcome.NURTURE.value
            after = f"and below {100 * learned.nurture_below:g} % a lead in the band is nurtured"
        else:
            continue
        said = f"the learned score {number} gives it a chance of {100 * chance:.0f} %"
        reasons[row] = [*reasons[row], f"{said}, {after}"]
    _put_back(frame, {"outcome": outcomes, "qualified_as": verdicts, "reasons": reasons})


def _put_back(frame: pd.DataFrame, columns: Mapping[str, Sequence[object]]) -> None:
    for name, values in columns.items():
        frame[name] = pd.Series(list(values), index=frame.index, dtype=object)
