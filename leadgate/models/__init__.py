"""All tables of the ledger, with the constraints that guard its invariants.

Belongs here: columns, keys, partial unique indexes and checks, and nothing that runs; a file for each subject, and
every table is imported from here. Queries are in ``ledger``.

Three facts are declared with the tables, and ``ledger.verify``, ``docs/ledger.md`` and the tests read them:

- a column that may hold a personal value of a lead is ``PERSONAL``: it can be erased. No other text or JSON column
  holds one; those have ids, reasons, the names of fields and keyed hashes;
- a column that names a colleague (an owner, a reviewer, a process) is ``STAFF``;
- a table whose rows are never changed, apart from erasing, is ``APPEND_ONLY``.
"""

from __future__ import annotations

from leadgate.models.accounts import AccountRow, SignInLink, WebSession
from leadgate.models.assignments import AbsenceOfRep, Assignment, Missed, Pause, PoolTurns
from leadgate.models.columns import APPEND_ONLY, PERSONAL, STAFF
from leadgate.models.crm import CrmConnectionRow, CrmLink, CrmTaskLink
from leadgate.models.crm_positions import CrmPosition
from leadgate.models.crm_record_states import CrmRecordState
from leadgate.models.decision_inputs import DecisionInput
from leadgate.models.delivery import Outbox
from leadgate.models.forecasts import ForecastDay, ForecastSnapshot
from leadgate.models.journeys import GateResult, Handoff, Journey, QualificationRecord, Warned
from leadgate.models.leads import Lead, LeadIdentity, LeadJoin, LeadVerdict, Lookalike, MatchKey
from leadgate.models.lookups import ProviderAnswer, ProviderState
from leadgate.models.operation import (
    Batch,
    BatchHolder,
    Consumer,
    HashKey,
    Host,
    PlaybookActivation,
    PlaybookFile,
    PlaybookReason,
    PlaybookVersion,
)
from leadgate.models.recorded_outcomes import RecordedOutcome
from leadgate.models.records import Record, RecordDeletion, RecordJudgement, RecordSlip, RecordVersion
from leadgate.models.saved_views import ReportMail, SavedViewRow
from leadgate.models.score_models import ScoreModel, ScoreRole
from leadgate.models.shadows import Shadow, ShadowJourney, ShadowPass
from leadgate.models.signals import Activity, CrmChange, ReusedRequest, Signal
from leadgate.models.storage import FILLED, INDEXED_TEXT
from leadgate.models.unmaskings import Unmasking
from leadgate.models.work_items import Action, BreakerRow, Correction, WorkItem

__all__ = [
    "APPEND_ONLY",
    "FILLED",
    "INDEXED_TEXT",
    "PERSONAL",
    "STAFF",
    "AbsenceOfRep",
    "AccountRow",
    "Action",
    "Activity",
    "Assignment",
    "Batch",
    "BatchHolder",
    "BreakerRow",
    "Consumer",
    "Correction",
    "CrmChange",
    "CrmConnectionRow",
    "CrmLink",
    "CrmPosition",
    "CrmRecordState",
    "CrmTaskLink",
    "DecisionInput",
    "ForecastDay",
    "ForecastSnapshot",
    "GateResult",
    "Handoff",
    "HashKey",
    "Host",
    "Journey",
    "Lead",
    "LeadIdentity",
    "LeadJoin",
    "LeadVerdict",
    "Lookalike",
    "MatchKey",
    "Missed",
    "Outbox",
    "Pause",
    "PlaybookActivation",
    "PlaybookFile",
    "PlaybookReason",
    "PlaybookVersion",
    "PoolTurns",
    "ProviderAnswer",
    "ProviderState",
    "QualificationRecord",
    "Record",
    "RecordDeletion",
    "RecordJudgement",
    "RecordSlip",
    "RecordVersion",
    "RecordedOutcome",
    "ReportMail",
    "ReusedRequest",
    "SavedViewRow",
    "ScoreModel",
    "ScoreRole",
    "Shadow",
    "ShadowJourney",
    "ShadowPass",
    "SignInLink",
    "Signal",
    "Unmasking",
    "Warned",
    "WebSession",
    "WorkItem",
]
