"""Points, and what they make of a lead: pure, and as of a moment.

Belongs here: the points each rule contributes and their exact sum (``points``), the evidence of budget,
authority, need and timeline (``evidence``), the verdict (``verdict``), and when the passing of time alone will
change it (``forecast``).
Does not belong here: how an expression is evaluated (``rules``), or where a verdict is kept.
"""

from __future__ import annotations

from leadgate.scoring.forecast import find_next_changes
from leadgate.scoring.points import list_scoring_fields, score
from leadgate.scoring.verdict import qualify

__all__ = ["find_next_changes", "list_scoring_fields", "qualify", "score"]
