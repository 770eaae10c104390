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
from leadgate.matching.companies import build_company_key, build_domain_key, build_employer_key, compare_keys
from leadgate.matching.latin import latinise
from leadgate.matching.mail_names import build_local_key, compare_addresses, guess_name, is_numbered
from leadgate.matching.match_keys import MatchKeys, build_keys
from leadgate.matching.names import (
    INITIAL,
    NICKNAME,
    SAME,
    SWAPPED,
    PersonName,
    build_name,
    compare_names,
    is_short_form,
)
from leadgate.matching.shared_addresses import Spelt, is_shared
from leadgate.playbook import Matching

Level = Literal["same", "similar", "differs", "unknown"]
Certainty = Literal["certain", "likely", "no"]

#: What makes it certain that a signal is about somebody known.
EMAIL: Final = "email"
PHONE_AND_NAME: Final = "phone_and_name"
NUMBER_AND_NAME: Final = "number_and_name"
ADDRESS_AND_NAME: Final = "address_and_name"
NAME_AND_COMPANY: Final = "name_and_company"

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
_VOWELS: Final = re.compile("[aeiouyh]")
_DOUBLED: Final = re.compile(r"(.)\1+")
#: What each agreement adds to the score of 100, and a difference takes away. For the order of candidates only.
_WEIGHTS: Final = {"email": 10, "phone": 35, "name": 30, "company": 20}
_UNDECIDED: Final = 20.0


class Person(NamedTuple):
    """A lead as it is compared. ``company`` is a key of ``companies``; ``domain`` none of a free-mail provider.

    ``is_role``: the e-mail address belongs to a function, such as ``info@``; ``is_free``: to somebody of a free-mail
    provider. ``spelt`` is the name as it was given; what it lacks is read from the address, and ``is_guessed`` then.
    """

    lead_id: int
    email: str | None = None
    phone: str | None = None
    name: PersonName | None = None
    company: str = ""
    domain: str | None = None
    is_role: bool = False
    spelt: Spelt = Spelt()
    is_guessed: bool = False
    is_free: bool = False

    @classmethod
    def of(cls, lead_id: int, values: Mapping[str, Any]) -> Person:
        """From a lead's validated columns (``READ``)."""
        own = values["email_domain"] if values["is_free_mail"] is False else None
        email, is_role = values["email_canonical"], values["is_role_address"] is True
        spelt = Spelt(values["first_name"], values["last_name"])
        name = build_name(spelt.given, spelt.family)
        guessed = _complete_name(spelt, email.partition("@")[0]) if name is None and email and not is_role else None
        return cls(
            lead_id,
            email,
            values["phone"],
            name or guessed,
            build_company_key(values["company"]) if values["company"] else "",
            own or values["website_domain"],
            is_role,
            spelt,
            guessed is not None,
            values["is_free_mail"] is True,
        )

    @property
    def companies(self) -> tuple[str, ...]:
        """What names the company: its name and its domain, which are the same for most."""
        return _list_companies(self.company, self.domain)

    @property
    def employers(self) -> tuple[str, ...]:
        """What names the company, whatever its country or division."""
        return _list_companies(build_employer_key(self.company), self.domain)

    @property
    def local(self) -> str:
        """What is before the @ of a personal address, as far as it tells one person from another."""
        return build_local_key(self.email.partition("@")[0]) if self.email and not self.is_role else ""

    def keys(self, secret: bytes) -> MatchKeys:
        """Two records that may be one person's share one of these: the phone, the part before the @, or, where their
        names are alike, the company and both initials, the beginning of its name and the letters of the surname, or
        the beginning of what is before the @ and the name.

        Keyed hashes, because they are kept: ``secret`` is the installation's key. Two texts with the same hash would
        cost a comparison, and nothing else.
        """
        texts = [f"phone {self.phone}"] if self.phone else []
        if self.local:
            texts.append(f"local {self.local}")
        if self.name is None:
            return build_keys(secret, texts, (), "", "")
        letters, blocks = _build_skeleton(self.name.last), []
        for initials in self.name.initials:
            blocks += [f"{initials} {employer}" for employer in self.employers]
            if self.company:  # a domain is seldom misspelt
                blocks.append(f"{initials} {letters} {_build_block(self.company.replace(' ', ''))}")
            if self.local and not self.domain:
                blocks.append(f"{initials} {letters} {self.local[:3]}@")
        return build_keys(secret, texts, blocks, self.name.first, self.name.last)

    def build_address_key(self, secret: bytes) -> int | None:
        """By what the person of this name is found among those who share the e-mail address; None without a name."""
        spelt = " ".join(latinise(" ".join(filter(None, self.spelt))).split())
        name = " ".join(self.name[:3]) if self.name and not self.is_guessed else spelt
        if self.email is None or not name:
            return None
        return compute_keyed_hash(secret, "match", f"address {self.email} {name}")


@lru_cache(maxsize=100_000)
def _list_companies(company: str, domain: str | None) -> tuple[str, ...]:
    named = {company.replace(" ", ""), build_domain_key(domain) if domain else ""}
    return tuple(sorted(named - {""}))


@lru_cache(maxsize=100_000)
def _complete_name(spelt: Spelt, local: str) -> PersonName | None:
    """The name with what is missing of it read from the address; None where the address says something else."""
    guess = guess_name(local)
    if guess is None:
        return None
    given, family = latinise(spelt.given or ""), latinise(spelt.family or "")
    if family and family in guess:
        return build_name(guess[1 - guess.index(family)], spelt.family)
    if given and given in guess:
        return build_name(spelt.given, guess[1 - guess.index(given)])
    if given and guess[0] == given[0]:
        return build_name(spelt.given, guess[1])
    return None if given or family else build_name(*guess)


@lru_cache(maxsize=100_000)
def _build_skeleton(surname: str) -> str:
    """Its first letter and the next consonants, which a slip in a vowel or a doubled letter leaves."""
    return surname[0] + _VOWELS.sub("", _DOUBLED.sub(r"\1", surname[1:]))[:2]


@lru_cache(maxsize=100_000)
def _build_block(employer: str) -> str:
    """How its name begins; numbers in names must be the same."""
    return employer[:4] + "".join(_DIGITS.findall(employer[4:]))


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
    email: Level = "unknown"
    if one.email is not None and other.email is not None:
        email = compare_addresses(one.email, other.email)
        if email == "similar" and (one.is_role or other.is_role):
            email = "differs"
    phone: Level = "unknown"
    if one.phone is not None and other.phone is not None:
        phone = "same" if one.phone == other.phone else "differs"
    likeness_, name = _compare_names(one, other)
    company = _compare_companies(one, other)
    score = _UNDECIDED
    for field, level in (("email", email), ("phone", phone), ("name", name), ("company", company)):
        weight = _WEIGHTS[field]
        score += {"same": weight, "similar": weight * 0.75, "unknown": 0, "differs": -weight * 0.5}[level]
    return Comparison(email, phone, name, company, max(0, min(100, round(score))), likeness_)


def may_be_same(one: Person, other: Person, rules: Matching) -> bool:
    """Whether ``decide_certainty`` may say anything but "no". Most who share a key are colleagues of these initials."""
    if one.email is not None and one.email == other.email:
        return True
    return (one.phone is not None and one.phone == other.phone) or _compare_names(one, other)[0] >= rules.alike


def decide_certainty(
    one: Person, other: Person, found: Comparison, rules: Matching, *, phone_shared: bool
) -> Certainty:
    """What the playbook makes of it. Symmetric. ``phone_shared``: more leads have the number than one person's."""
    same_phone = found.phone == "same" and not phone_shared
    if find_proof(one, other, found, rules, phone_shared=phone_shared) is not None:
        return "certain"
    if found.email == "same":
        return "likely"
    if "phone" in rules.likely and same_phone and _may_have_one_phone(one, other, found):
        return "likely"
    if "name" not in rules.likely or found.likeness < rules.alike or _has_two_addresses(one, other, found):
        return "no"
    if found.company in ("same", "similar") and not _has_other_job(one, other, found):
        return "likely"
    # two companies make addresses of one name alike
    return "likely" if found.email == "similar" and "differs" not in (found.phone, found.company) else "no"


def find_proof(one: Person, other: Person, found: Comparison, rules: Matching, *, phone_shared: bool) -> str | None:
    """What makes it certain that two records are one person's, as ``describe_keys`` tells it. Symmetric."""
    same_phone = found.phone == "same" and not phone_shared
    if found.email == "same":
        return None if rules.shared_address == "ask" and shares_address(one, other, found) else EMAIL
    without_email = one.email is None or other.email is None
    if "phone_and_name" in rules.certain and without_email and same_phone and found.name == "same":
        return PHONE_AND_NAME
    if "joint_evidence" not in rules.certain or found.likeness < rules.alike:
        return None
    if _has_two_addresses(one, other, found) or found.phone == "differs":
        return None
    if same_phone:
        return NUMBER_AND_NAME
    if found.likeness < SWAPPED:
        return None
    if found.email == "similar" and (found.company == "same" or is_numbered(one.local)):
        return ADDRESS_AND_NAME
    is_private = without_email or one.is_free or other.is_free
    is_employer = found.company == "same" or not set(one.employers).isdisjoint(other.employers)
    return NAME_AND_COMPANY if is_private and is_employer else None


def shares_address(one: Person, other: Person, found: Comparison) -> bool:
    """Whether two persons seem to share an e-mail address that is both records'. Symmetric, where they are equal.

    ``other`` may have had another one when it was written down: one address is enough to be a role's.
    """
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


def _compare_names(one: Person, other: Person) -> tuple[int, Level]:
    """How alike the names are. One that is read from an address is similar at most."""
    if one.name is None or other.name is None or one.name.last.isascii() != other.name.last.isascii():
        return 0, "unknown"
    likeness = compare_names(one.name, other.name)
    if one.is_guessed or other.is_guessed:
        return min(likeness, INITIAL), "similar" if likeness >= INITIAL else "unknown"
    return likeness, "same" if likeness == SAME else "similar" if likeness >= _OTHER_NAME else "differs"


def _compare_companies(one: Person, other: Person) -> Level:
    if not one.companies or not other.companies:
        return "unknown"
    if (one.domain and one.domain == other.domain) or set(one.companies) & set(other.companies):
        return "same"
    if set(one.employers) & set(other.employers):
        return "similar"
    first, second = build_employer_key(one.company), build_employer_key(other.company)
    return "similar" if first and second and compare_keys(first, second) >= _SAME_COMPANY else "differs"


def _may_have_one_phone(one: Person, other: Person, found: Comparison) -> bool:
    """Whether the names leave room for one person: alike, unknown, or a new surname at the same company.

    Two other names on one number are a family, or colleagues who share the office's.
    """
    if found.name != "differs" or one.name is None or other.name is None:
        return True
    if one.name.generation != other.name.generation:
        return False
    return found.company in ("same", "similar") and is_short_form(one.name.first, other.name.first)


def _has_two_addresses(one: Person, other: Person, found: Comparison) -> bool:
    """One mail domain that gave the two different addresses, because there are two of them.

    ``john.smith@`` and ``john.smith2@`` are told apart by a number; Anna and Anne Keller have a letter between
    them, but one address each. The same name may still have a second address, such as ``j.smith@``.
    """
    if found.email == "same" or one.email is None or other.email is None:
        return False
    local, _, domain = one.email.partition("@")
    other_local, _, other_domain = other.email.partition("@")
    if domain != other_domain or one.domain is None:
        return False
    if found.email == "similar":
        return found.name != "same"
    return found.likeness < NICKNAME or _DIGITS.sub("", local) == _DIGITS.sub("", other_local)


def _has_other_job(one: Person, other: Person, found: Comparison) -> bool:
    """A namesake: the phone number differs, and so does the company's domain."""
    apart = one.domain is not None and other.domain is not None and one.domain != other.domain
    return found.phone == "differs" and found.email != "same" and apart
