"""Capture of records: the columns of each update become fields of its kind, as text.

Belongs here: what this stage loads and decides. Does not belong here: the mapping (``updates``), or cleaning values
(``validation``). Nothing is stored: the signal keeps the update as received, and validation reads it again.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
from sqlalchemy import Connection

from leadgate.ledger import actions, signals
from leadgate.vocabulary import Outcome, StageName
from tasks.capture import read_raw
from tasks.records.updates import read_updates
from tasks.stage import Decided, Gathered, Stage, Work


def gather(connection: Connection, work: Work) -> Gathered[pd.DataFrame]:
    """Beside the signals, the corrections that people gave for them: ``journey_id``, ``field``, ``value``."""
    return Gathered(
        signals.read_captured(connection, work.batch.id),
        actions.read_corrections(connection, work.batch.id, StageName.CAPTURE),
    )


def decide(gathered: Gathered[pd.DataFrame], work: Work) -> Decided:
    frame = read_updates(gathered.frame, gathered.context, work.rules)
    frame["signal_key"] = frame["key"]
    frame["record_key"] = frame["told"].map(lambda told: told.get("external_id"))
    frame["source_known"] = frame["source"].isin(work.rules.sources)
    frame["value"] = frame["payload"].where(frame["unreadable"].notna(), None).map(read_raw, na_action="ignore")
    frame["outcome"] = Outcome.CONTINUE
    return Decided(frame)


def store(connection: Connection, work: Work, decided: Decided) -> pd.DataFrame:
    return decided.frame


STAGE: Final = Stage(name=StageName.CAPTURE, gather=gather, decide=decide, store=store)
