"""Whether two records are about the same person: what agrees, what differs, and what that comes to.

Belongs here: two records. Does not belong here: a batch of them (``resolving``), or finding the second one.

Evidence for and against is weighed by rules that can be told in a sentence, not by a model: a reviewer must be
able to say why two records were put side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from leadgate.hashing import compute_keyed_hash
from leadgate.matching.companies import build_company_key, build_domain_key, compare_keys
from leadgate.matching.latin import latinise
from leadgate.matching.names import NICKNAME, SAME, PersonName, build_name, compare_names
from leadgate.matching.shared_addresses import Spelt, is_shared
from leadgate.playbook import Matching

Level = Literal["same", "similar", "differs", "unknown"]
Certainty = Literal["certain", "likely", "no"]

#: Fields that are compared, in the order in which they are told.
COMPARED: Final = ("email", "phone", "name", "company")
#: The columns of a lead that a ``Person`` is made of.
READ: Final = ("email_canonical", "phone", "first_name", "last_name", "company", "email_domain", "is_free_mail",
               "is_role_address", "website_domain")  # fmt: skip

#: Company names at least so alike may be one company's, for the question whether a person is the same.
_SAME_COMPANY: Final = 88
#: Names less alike than this are two names, and no slip of the pen.
_OTHER_NAME: Final = 70
_DIGITS: Final = re.compile(r"\d+")
#: What each agreement adds to the score of 100, and a difference takes away. For the order of candidates only.
_WEIGHTS: Final = {"email": 10, "phone": 35, "name": 30, "company": 20}
_UNDECIDED: Final = 20.0


class Person(NamedTuple):
    """A lead as it is compared. ``company`` is a key of ``companies``; ``domain`` none of a free-mail provider.

    ``is_role``: the e-mail address belongs to a function, such as ``info@``. ``spelt`` is the name as it was given.
    """

    lead_id: int
    email: str | None = None
    phone: str | None = None
    name: PersonName | None = None
    company: str = ""
    domain: str | None = None
    is_role: bool = False
    spelt: Spelt = Spelt()

    @classmethod
    def of(cls, lead_id: int, values: Mapping[str, Any]) -> Person:
        """From a lead's validated columns (``READ``)."""
        own = values["email_domain"] if values["is_free_mail"] is False else None
        return cls(
            lead_id,
            values["email_canonical"],
            values["phone"],
            build_name(values["first_name"], values["last_name"]),
            build_company_key(values["company"]) if values["company"] else "",
            own or values["website_domain"],
            values["is_role_address"] is True,
            Spelt(values["first_name"], values["last_name"]),
        )

    @property
    def companies(self) -> tuple[str, ...]:
        """What names the company: its name and its domain, which are the same for most."""
        return _list_companies(self.company, self.domain)

    def keys(self, secret: bytes) -> list[int]:
        """Two records that may be one person's share one of these: the phone, or the company and both initials.

        Keyed hashes, because they are kept: ``secret`` is the installation's key. Two texts with the same hash would
        cost a comparison, and nothing else.
        """
        found = [f"phone {self.phone}"] if self.phone else []
        if self.name is not None:
            found += [f"{self.name.initials} {company}" for company in self.companies]
        return [compute_keyed_hash(secret, "match", text) for text in found]

    def build_address_key(self, secret: bytes) -> int | None:
        """By what the person of this name is found among those who share the e-mail address; None without a name."""
        name = " ".join(self.name[:3]) if self.name else " ".join(latinise(" ".join(filter(None, self.spelt))).split())
        if self.email is None or not name:
            return None
        return compute_keyed_hash(secret, "match", f"address {self.email} {name}")


@lru_cache(maxsize=100_000)
def _list_companies(company: str, domain: str | None) -> tuple[str, ...]:
    named = {company.replace(" ", ""), build_domain_key(domain) if domain else ""}
    return tuple(sorted(named - {""}))


class Comparison(NamedTuple):
    """What agrees between two records. ``score`` is from 0 to 100; ``likeness`` that of the names."""

    email: Level
    phone: Level
    name: Level
    company: Level
    score: int
    likeness: int = 0

    @property
    def levels(self) -> dict[str, Level]:
        return {field: getattr(self, field) for field in COMPARED}


def compare(one: Person, other: Person) -> Comparison:
    """What agrees. Symmetric."""
    email = _compare_values(one.email, other.email)
    phone = _compare_values(one.phone, other.phone)
    likeness_ = compare_names(one.name, other.name) if one.name and other.name else 0
    name: Level = "unknown"
    if one.name and other.name:
        name = "same" if likeness_ == SAME else "similar" if likeness_ >= _OTHER_NAME else "differs"
    company = _compare_companies(one, other)
    score = _UNDECIDED
    for field, level in (("email", email), ("phone", phone), ("name", name), ("company", company)):
        weight = _WEIGHTS[field]
        score += {"same": weight, "similar": weight * 0.75, "unknown": 0, "differs": -weight * 0.5}[level]
    return Comparison(email, phone, name, company, max(0, min(100, round(score))), likeness_)


def decide_certainty(
    one: Person, other: Person, found: Comparison, rules: Matching, *, phone_shared: bool
) -> Certainty:
    """What the playbook makes of it. Symmetric. ``phone_shared``: more leads have the number than one person's."""
    same_phone = found.phone == "same" and not phone_shared
    without_email = one.email is None or other.email is None
    if found.email == "same":
        return "likely" if rules.shared_address == "ask" and shares_address(one, other, found) else "certain"
    if "phone_and_name" in rules.certain and without_email and same_phone and found.name == "same":
        return "certain"
    if "phone" in rules.likely and same_phone and not _is_colleague(one, other, found):
        return "likely"
    if (
        "name" in rules.likely
        and found.company in ("same", "similar")
        and found.likeness >= rules.alike
        and not _has_two_addresses(one, other, found)
        and not _has_other_job(one, other, found)
    ):
        return "likely"
    return "no"


def shares_address(one: Person, other: Person, found: Comparison) -> bool:
    """Whether two persons seem to share the e-mail address that both records have. Symmetric."""
    return is_shared(
        one.email or "",
        (one.spelt, one.name),
        (other.spelt, other.name),
        is_role=one.is_role or other.is_role,
        phone=found.phone,
    )


def describe_levels(levels: Mapping[str, str]) -> str:
    """What agrees and what differs, in a sentence without any value; identities, such as ``crm_id:hubspot``, aside.

    >>> describe_levels({"email": "differs", "phone": "same", "name": "similar", "company": "unknown"})
    'the phone number is the same, the names are alike; the e-mail address differs'
    """
    agreeing = [_WORDS[field][0] for field, level in levels.items() if level == "same" and field in _WORDS]
    agreeing += [_WORDS[field][1] for field, level in levels.items() if level == "similar"]
    differing = [_WORDS[field][2] for field, level in levels.items() if level == "differs"]
    return "; ".join(", ".join(part) for part in (agreeing, differing) if part)


_WORDS: Final = {
    "email": ("the e-mail address is the same", "the e-mail addresses are alike", "the e-mail address differs"),
    "phone": ("the phone number is the same", "the phone numbers are alike", "the phone number differs"),
    "name": ("the name is the same", "the names are alike", "the name differs"),
    "company": ("the company is the same", "the companies are alike", "the company differs"),
}


def _compare_values(one: str | None, other: str | None) -> Level:
    if one is None or other is None:
        return "unknown"
    return "same" if one == other else "differs"


def _compare_companies(one: Person, other: Person) -> Level:
    if not one.companies or not other.companies:
        return "unknown"
    if (one.domain and one.domain == other.domain) or set(one.companies) & set(other.companies):
        return "same"
    if one.company and other.company and compare_keys(one.company, other.company) >= _SAME_COMPANY:
        return "similar"
    return "differs"


def _is_colleague(one: Person, other: Person, found: Comparison) -> bool:
    """Two names, each with an address of its own in one company: they share the office's number."""
    return found.name == "differs" and found.email == "differs" and found.company == "same"


def _has_two_addresses(one: Person, other: Person, found: Comparison) -> bool:
    """One mail domain that gave the two different addresses, because there are two of them.

    ``john.smith@`` and ``john.smith2@`` are told apart by a number; Anna and Anne Keller have a letter between
    them, but one address each. The same name may still have a second address, such as ``j.smith@``.
    """
    if found.email != "differs" or one.email is None or other.email is None:
        return False
    local, _, domain = one.email.partition("@")
    other_local, _, other_domain = other.email.partition("@")
    if domain != other_domain or one.domain is None:
        return False
    return found.likeness < NICKNAME or _DIGITS.sub("", local) == _DIGITS.sub("", other_local)


def _has_other_job(one: Person, other: Person, found: Comparison) -> bool:
    """A namesake: the phone number differs, and so does the company's domain."""
    apart = one.domain is not None and other.domain is not None and one.domain != other.domain
    return found.phone == "differs" and found.email == "differs" and apart
