"""Qualification: points for fit and engagement, and what they make of the lead.

Belongs here: what this stage loads and stores. Does not belong here: the arithmetic (``leadgate.scoring``).
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.fields import ENRICHED, STANDARD, VALIDATED
from leadgate.ledger import activities, bulk, leads, outbox, qualifications
from leadgate.scoring import find_next_changes, qualify, score
from leadgate.vocabulary import Outcome, QualifiedAs, StageName
from tasks import learned_scores
from tasks.stage import Decided, Gathered, Stage, Work

#: The reason of a lead that a person qualifies.
IN_REVIEW_BAND: Final = "score_in_review_band"


def gather(connection: Connection, work: Work) -> Gathered[pd.DataFrame]:
    """Beside the leads, their activities: ``journey_id``, ``kind``, ``occurred_at``."""
    frame = leads.read_leads_at(
        connection, work.batch.id, StageName.QUALIFICATION, [*STANDARD, *VALIDATED, *ENRICHED, "custom"]
    )
    frame = leads.expand_custom(frame, {name: f.type for name, f in work.rules.fields.items()})
    before = qualifications.read_previous_verdicts(connection, work.batch.id).set_index("journey_id")
    frame["was"] = before["was"].reindex(frame["journey_id"]).astype(object).to_numpy()
    frame["engaged_before"] = pd.to_numeric(before["engaged_before"]).reindex(frame["journey_id"]).to_numpy()
    frame["finished"] = before["finished"].reindex(frame["journey_id"]).eq(True).to_numpy()
    learned_scores.add_score_in_force(connection, frame, work.rules.learned)
    return Gathered(frame, activities.read_lead_activities(connection, work.batch.id, StageName.QUALIFICATION))


def decide(gathered: Gathered[pd.DataFrame], work: Work) -> Decided:
    frame = gathered.frame.copy()
    scored = score(frame, work.rules, gathered.context, work.now)
    frame[list(scored.columns)] = scored
    verdict = qualify(frame, work.rules, work.now, gathered.context)
    frame[list(verdict.columns)] = verdict
    learned_scores.apply_learned_score(frame, work.rules)
    learned_scores.pass_audit_share(frame, work.rules)
    frame["changes_at"] = find_next_changes(frame, work.rules, gathered.context, work.now)
    frame["reason_missing"] = (frame["outcome"] == Outcome.DISQUALIFIED) & (frame["reasons"].map(len) == 0)
    frame["playbook_hash"] = work.playbook.hash
    said = frame["reasons"].map("; ".join)
    frame["reason"] = said.where(frame["outcome"] != Outcome.CONTINUE, None)
    review = frame["outcome"] == Outcome.REVIEW
    frame["item_message"] = said.where(review, None)
    frame.loc[review, "reason"] = IN_REVIEW_BAND
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    return decided.frame


def finish(connection: Connection, work: Work, frame: pd.DataFrame) -> None:
    """The score is kept whatever came of it; only a lead that broke the gate has none."""
    scored = frame[~frame["outcome"].isin((Outcome.HOLD, Outcome.PARKED))]
    if not scored.empty:
        qualifications.insert_qualifications(
            connection,
            scored.assign(
                at=work.now,
                reasons=[qualifications.format_json_list(reasons) for reasons in bulk.list_values(scored["reasons"])],
            ),
        )
    outbox.tell_last_owners(
        connection, [int(journey) for journey in frame.loc[_find_warmer(frame), "journey_id"]], work.now
    )


def _find_warmer(frame: pd.DataFrame) -> pd.Series:
    """Which leads that were followed up, and stay so, have reached a better verdict or grade since."""
    risen = (frame["was"] == QualifiedAs.MARKETING) & (frame["qualified_as"] == QualifiedAs.SALES)
    keener = pd.to_numeric(frame["engagement_grade"]) < frame["engaged_before"]
    return (frame["outcome"] == Outcome.DONE) & (risen | keener)


STAGE: Final = Stage(name=StageName.QUALIFICATION, gather=gather, decide=decide, store=store, finish=finish)
