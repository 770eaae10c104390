"""When two records are about the same person, and which of several accounts a lead belongs to.

Belongs here: the schema of matching. Does not belong here: comparing anything (``leadgate.matching``).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from leadgate.playbook.base import Name, Part

#: What makes two records one person without anybody asked. A canonical e-mail address always does.
Certain = Literal["crm_id", "phone_and_name", "joint_evidence"]
#: What makes two records so alike that a person compares them.
Likely = Literal["phone", "name"]
TieBreaker = Literal["has_owner", "larger", "same_country", "alphabetical"]


class Matching(Part):
    """``crm_ids`` maps a CRM to the sources whose ``external_id`` is that CRM's id of the person."""

    crm_ids: dict[Name, tuple[Name, ...]] = {}
    certain: tuple[Certain, ...] = ("crm_id",)  # nothing is a CRM id unless ``crm_ids`` says so
    likely: tuple[Likely, ...] = ()
    alike: int = Field(default=85, ge=50, le=100)  # how alike names of persons must be, of 100
    #: what becomes of a known e-mail address with another person's name: a role's, a family's or a successor's
    shared_address: Literal["ask", "join"] = "ask"
    shared_phone: int = Field(default=3, ge=1, le=50)  # a number that more leads have proves nothing
    tie_breakers: tuple[TieBreaker, ...] = ("has_owner", "larger", "alphabetical")
