"""A lead's score in words: what it is made of, what decayed, and what is known.

Belongs here: telling one row of ``qualification``. Does not belong here: the rest of a lead's story (``trigger``,
``evidence``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.answers import Answer, format_iso_moment, show_value
from console.redaction import SHOWN
from console.report.tables import format_percent
from console.screen import format_moment, format_span
from leadgate.fields import PERSONAL
from leadgate.figures import POINTS_PER_LOG_ODDS

if TYPE_CHECKING:
    from leadgate.json_columns import Decay, LearnedPart, Proof
    from leadgate.ledger.story_rows import LeadRow, QualificationRow
    from leadgate.values.json_types import JsonValue


def tell(answer: Answer, scored: QualificationRow, lead: LeadRow | None) -> None:
    """The score, its verdict, its contributions and the evidence, as sentences of ``answer``.

    The evidence names fields; their values are those that ``lead`` has now.
    """
    grade = f", grade {scored.grade}" if scored.grade else ""
    answer.say(
        f"Score {scored.score}{grade}, the sum of fit {scored.fit} and engagement {scored.engagement}: "
        f"{'; '.join(scored.reasons)}."
    )
    if scored.was:
        answer.say(f"Before, it was {scored.was.replace('_', '-')}.")
    answer.say(*_describe_contributions(scored))
    if (learned := scored.details.get("learned")) is not None:
        answer.say(describe_learned(learned))
    if known := [_describe_known(part, proof, _read_value(proof, lead)) for part, proof in scored.evidence.items()]:
        words = ", ".join(known)
        answer.say(f"{words[0].upper()}{words[1:]}.")
    if scored.changes_at:
        answer.say(f"Without news, its verdict or its grade changes {format_moment(scored.changes_at)} UTC.")


def describe_learned(learned: LearnedPart) -> str:
    """The chance by a learned score, in points of which ten double the odds: they sum to those of the chance."""
    parts = sorted(learned["contributions"].items(), key=lambda each: -abs(each[1]))
    told = [f"{name} {POINTS_PER_LOG_ODDS * added:+.1f}" for name, added in parts]
    begins = f"it begins with {POINTS_PER_LOG_ODDS * learned['begin']:+.1f} points"
    return (
        f"Learned score {learned['model']} ({learned['role']}): a chance of {format_percent(learned['chance'])}; "
        f"{begins}{''.join(f', {each}' for each in told)}, and ten points double the odds."
    )


def _describe_contributions(scored: QualificationRow) -> list[str]:
    """Fit and engagement, a sentence each; a score of earlier times does not say which is which."""
    details = scored.details
    decayed = details.get("decayed", {})
    points = dict.fromkeys(decayed, 0) | scored.contributions
    told = {rule: _describe_points(rule, number, decayed.get(rule), scored) for rule, number in points.items()}
    if "fit" not in details:
        return [f"Points: {', '.join(told.values()) or 'none'}."]
    fit = [words for rule, words in told.items() if rule in details["fit"]]
    engagement = [words for rule, words in told.items() if rule not in details["fit"]]
    return [f"{name}: {', '.join(words) or 'none'}." for name, words in (("Fit", fit), ("Engagement", engagement))]


def _describe_points(rule: str, number: int, decayed: Decay | None, scored: QualificationRow) -> str:
    if decayed is None:
        return f"{rule} {number:+}"
    age = format_span(scored.at - datetime.fromisoformat(decayed["latest"]))
    return f"{rule} {number:+} of {decayed['of']:+} (the latest {age} before)"


def _read_value(proof: Proof, lead: LeadRow | None) -> JsonValue:
    """What the lead says in the field that is the proof; None when that is personal, or nothing."""
    name = proof.get("field")
    if lead is None or name is None or name in PERSONAL:
        return None
    value: JsonValue = getattr(lead, name) if hasattr(lead, name) else (lead.custom or {}).get(name)
    return value


def _describe_known(part: str, proof: Proof, value: JsonValue) -> str:
    field = f"{proof['field']}: {show_value(value)[:SHOWN]}" if value is not None else ""
    if proof.get("negative"):
        return f"there is no {part}" + (f" ({field})" if field else "")
    if not proof.get("known"):
        return f"{part} is not known"
    if "activity" in proof:
        return f"{part} is known ({proof['activity']}, {format_iso_moment(proof['at'])} UTC)"
    if field:
        return f"{part} is known ({field})"
    return f"{part} is known" + (f" (from {proof['field']})" if "field" in proof else "")
