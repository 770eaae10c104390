"""Persons as they are compared, for tests of matching."""

from __future__ import annotations

from typing import Any

from leadgate.matching.persons import Person
from leadgate.playbook import Matching

RULES = Matching(crm_ids={"crm": ("partner",)}, certain=("crm_id", "phone_and_name"), likely=("phone", "name"))
SECRET = b"a key of the tests, long enough to be one"
ROW: dict[str, Any] = {
    "email_canonical": "ann.lee@acme.example", "phone": "+4930111111", "first_name": "Ann", "last_name": "Lee",
    "company": "Acme GmbH", "email_domain": "acme.example", "is_free_mail": False, "website_domain": None,
    "is_role_address": False,
}  # fmt: skip


def human(lead: int, **values: Any) -> Person:
    email = values.get("email_canonical", ROW["email_canonical"])
    domain = values.get("email_domain", email.partition("@")[2] if email else None)
    free = None if email is None else domain in ("gmail.com", "web.de")
    return Person.of(lead, ROW | {"email_domain": domain, "is_free_mail": free} | values)
