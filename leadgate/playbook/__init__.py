"""The playbook: the one agreed definition of what a good lead is and what happens to it.

Belongs here: the schema (frozen pydantic, unknown keys forbidden, a file for each group of parts), defaults,
loading, the hash.
Does not belong here: evaluating anything (``rules``, ``scoring``, ``routing``), nor the checks that
need more than one part of the playbook at once (``playbook.check``), nor YAML (``playbook.yaml_text``).
"""

from __future__ import annotations

from leadgate.playbook.base import (
    Duration,
    EnvironmentName,
    Expression,
    Name,
    Part,
    Span,
    Weekday,
)
from leadgate.playbook.follow_up import (
    FollowUp,
    LadderStep,
    OwnedState,
    Priority,
    RejectReason,
    Sla,
    Stale,
    Target,
    Touch,
)
from leadgate.playbook.gates import Breaker, ExceptionRoute, Expect, GateRules, Notification, Retention
from leadgate.playbook.loading import FILE, Loaded, copy_default, load, load_default, parse
from leadgate.playbook.matching import Certain, Likely, Matching, TieBreaker
from leadgate.playbook.routing import (
    Absence,
    Hours,
    Member,
    NobodyAvailable,
    Pool,
    Reassignments,
    Rep,
    Route,
    Territory,
)
from leadgate.playbook.schema import Playbook
from leadgate.playbook.scoring import (
    Band,
    ByGrade,
    Cap,
    Disqualifier,
    EngagementRule,
    EvidenceRule,
    FitRule,
    Grades,
    Leave,
    Qualification,
    Scoring,
)
from leadgate.playbook.sources import (
    MOST_ACCOUNTS_BYTES,
    AccountsFile,
    CompanyDomain,
    CustomField,
    Enrichment,
    HttpCapture,
    Provider,
    Source,
    Validation,
)
from leadgate.playbook.yaml_text import PlaybookError, Problem

__all__ = [
    "FILE",
    "MOST_ACCOUNTS_BYTES",
    "Absence",
    "AccountsFile",
    "Band",
    "Breaker",
    "ByGrade",
    "Cap",
    "Certain",
    "CompanyDomain",
    "CustomField",
    "Disqualifier",
    "Duration",
    "EngagementRule",
    "Enrichment",
    "EnvironmentName",
    "EvidenceRule",
    "ExceptionRoute",
    "Expect",
    "Expression",
    "FitRule",
    "FollowUp",
    "GateRules",
    "Grades",
    "Hours",
    "HttpCapture",
    "LadderStep",
    "Leave",
    "Likely",
    "Loaded",
    "Matching",
    "Member",
    "Name",
    "NobodyAvailable",
    "Notification",
    "OwnedState",
    "Part",
    "Playbook",
    "PlaybookError",
    "Pool",
    "Priority",
    "Problem",
    "Provider",
    "Qualification",
    "Reassignments",
    "RejectReason",
    "Rep",
    "Retention",
    "Route",
    "Scoring",
    "Sla",
    "Source",
    "Span",
    "Stale",
    "Target",
    "Territory",
    "TieBreaker",
    "Touch",
    "Validation",
    "Weekday",
    "copy_default",
    "load",
    "load_default",
    "parse",
]
