"""What a learned score is to learn: which outcome, within which time, how often.

Belongs here: the schema of this part. Does not belong here: learning (``leadgate.learning``).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from leadgate.playbook.base import Duration, Part


class Learned(Part):
    """A score learned from leads whose time is up."""

    label: Literal["accepted", "opportunity"] = "accepted"  # what a good lead comes to
    horizon: Duration = Field(default=timedelta(days=60), gt=timedelta(0))  # within this, from its decision on
    train_every: Duration = Field(default=timedelta(days=7), ge=timedelta(days=1))
