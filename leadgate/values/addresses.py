"""E-mail addresses: read, judged, brought to the one form that identifies a person, and classified.

Belongs here: the syntax (through email-validator), what providers disregard, and the kinds of addresses.
Does not belong here: whether a mailbox exists; nothing here asks the network.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final, NamedTuple

from email_validator import EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH, LOCAL_PART_MAX_LENGTH

from leadgate.limits import find_max_length
from leadgate.playbook import Validation
from leadgate.values.domains import explain_error, find_registered, has_known_ending, read_mail_domain
from leadgate.values.lists import read_words
from leadgate.values.typos import find_intended, find_intended_ending

_LONGEST: Final = find_max_length("email")

#: A plain local part needs no second opinion; a property test holds it to email-validator's answer.
_PLAIN_LOCAL: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|\.(?!\.|$))*")
_BEFORE: Final = " \t\r\n'\"‘’“”`´«»<>()[]{}:;,"
_AFTER: Final = _BEFORE + ".?!"
_PREFIX: Final = re.compile(r"(?:mailto|e-?mail|courriel|correo|mail)\s*:\s*", re.IGNORECASE)
_PIECES: Final = re.compile(r"[\s,;/|]+")
#: "jane doe@acme.com": the word may be half of the local part, or a name, and only a person knows which.
_WORD_BEFORE: Final = re.compile(r"[^\s@,;:/|<(\[]+[ \t]+[^\s@]+@[^\s@]+")
_AT: Final = re.compile(r"\s*[\[({]\s*(?:at|arobase|a)\s*[\])}]\s*|\s+(?:at|arobase)\s+|＠|﹫", re.IGNORECASE)
_DOT: Final = re.compile(r"\s*[\[({]\s*(?:dot|punkt|point|punto)\s*[\])}]\s*|\s+dot\s+", re.IGNORECASE)

#: Providers that deliver ``name+anything`` to ``name``: Gmail (support.google.com/mail/answer/22370),
#: Outlook.com ("plus addressing"), iCloud Mail, Fastmail ("plus addressing"), Proton ("+ aliases").
_TAGGED: Final = frozenset(
    {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "icloud.com",
        "me.com", "mac.com", "fastmail.com", "fastmail.fm", "proton.me", "protonmail.com", "protonmail.ch",
        "pm.me",
    }
)  # fmt: skip
#: Gmail also disregards dots (support.google.com/mail/answer/7436150), and has two names for one mailbox.
_GMAIL: Final = frozenset({"gmail.com", "googlemail.com"})


class Address(NamedTuple):
    """An address as read. ``email`` is the well-formed one, else the text as it came with a ``problem``.

    ``canonical`` identifies the mailbox; ``domain`` is the registered domain; both ``None`` with a problem
    that makes the address unusable. ``proposal`` is what was probably meant.
    """

    email: str
    canonical: str | None = None
    domain: str | None = None
    problem: str | None = None
    proposal: str | None = None
    is_free: bool | None = None
    is_disposable: bool | None = None
    is_role: bool | None = None


class Kinds(NamedTuple):
    """The lists addresses are classified by: the bundled ones and the playbook's."""

    free: frozenset[str]
    disposable: frozenset[str]
    roles: frozenset[str]

    @classmethod
    def of(cls, validation: Validation) -> Kinds:
        free, disposable, roles = _load_bundled()
        return cls(
            _extend(free, validation.free_mail_domains),
            _extend(disposable, validation.disposable_domains),
            _extend(roles, validation.role_addresses),
        )


def read_address(text: str, kinds: Kinds) -> Address:
    """Read one address.

    >>> kinds = Kinds.of(Validation())
    >>> read_address("<mailto:Ann.Lee+news@GoogleMail.com>", kinds).canonical
    'annlee@gmail.com'
    >>> read_address("ann@gmial.com", kinds)[3:5]
    ('the domain gmial.com looks like a typo of gmail.com', 'ann@gmail.com')
    >>> read_address("Ann Lee", kinds).problem
    'an email address must have an @'
    """
    if len(text) > _LONGEST:
        return Address(text, problem="too long for an e-mail address")
    bare = _strip(text)
    local, domain, problem = _split(bare)
    if problem is not None:
        return Address(text, problem=problem, proposal=_repair(bare, kinds))
    name, ascii_domain, _ = read_mail_domain(domain)
    email = f"{local}@{name}"
    if ascii_domain not in kinds.free and (meant := find_intended(ascii_domain)) is not None:
        typo = f"the domain {ascii_domain} looks like a typo of {meant}"
        return _classify(email, local, ascii_domain, kinds)._replace(problem=typo, proposal=f"{local}@{meant}")
    if not has_known_ending(ascii_domain) and (meant := find_intended_ending(ascii_domain)) is not None:
        typo = f"no top-level domain is called {ascii_domain.rpartition('.')[2]}; {meant} was probably meant"
        return Address(email, problem=typo, proposal=f"{local}@{meant}")
    return _classify(email, local, ascii_domain, kinds)


def _classify(email: str, local: str, domain: str, kinds: Kinds) -> Address:
    owner = find_registered(domain)
    role = local.lower().partition("+")[0]
    return Address(
        email=email,
        canonical=_build_canonical(local, domain),
        domain=owner,
        is_free=domain in kinds.free or owner in kinds.free,
        is_disposable=domain in kinds.disposable or owner in kinds.disposable,
        is_role=role in kinds.roles or role.rstrip("0123456789") in kinds.roles,
    )


def _build_canonical(local: str, domain: str) -> str:
    """One form for a mailbox: no tag, no dots, lower case (RFC 5321 allows other, no provider uses it)."""
    local = local.lower()
    if domain in _TAGGED:
        local = local.partition("+")[0] or local
    if domain in _GMAIL:
        return f"{local.replace('.', '') or local}@gmail.com"
    return f"{local}@{domain}"


def _split(bare: str) -> tuple[str, str, str | None]:
    """Local part and domain of a well-formed address, normalised, or the problem."""
    local, _, domain = bare.rpartition("@")
    if len(local.encode()) > LOCAL_PART_MAX_LENGTH:
        return local, domain, f"the part before the @ is longer than {LOCAL_PART_MAX_LENGTH} bytes"
    if (
        _PLAIN_LOCAL.fullmatch(local)
        and len(bare) <= EMAIL_MAX_LENGTH
        and local.lower() not in CASE_INSENSITIVE_MAILBOX_NAMES
        and bare.isascii()
    ):
        return local, domain, read_mail_domain(domain).problem
    try:
        found = validate_email(bare, check_deliverability=False)
    except EmailNotValidError as error:
        return local, domain, explain_error(error)
    return found.local_part, found.domain, read_mail_domain(found.domain).problem


def _strip(text: str) -> str:
    """``text`` without what people and exports put around an address, in compatibility form (NFKC)."""
    previous = None
    while text != previous:
        previous = text
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        opened = text.rfind("<")
        if opened >= 0 and "@" in text[opened:]:
            text = text[opened + 1 :].partition(">")[0]
        text = text.lstrip(_BEFORE).rstrip(_AFTER)
        if prefix := _PREFIX.match(text):
            text = text[prefix.end() :].partition("?")[0]
    return text


def _repair(bare: str, kinds: Kinds) -> str | None:
    """The address that was probably meant by a malformed one, for a person to confirm."""
    plain = _DOT.sub(".", _AT.sub("@", bare))
    if _WORD_BEFORE.fullmatch(plain):
        return None
    squeezed = re.sub(r"\s+", "", plain).replace(",", ".").replace(";", ".")
    squeezed = re.sub(r"@{2,}", "@", re.sub(r"\.{2,}", ".", squeezed))
    for candidate in (*_PIECES.split(plain)[:4], squeezed):
        candidate = _strip(candidate)
        local, at, domain = candidate.rpartition("@")
        if not at or not local:
            continue
        if domain.lower() not in kinds.free and (meant := find_intended(domain.lower())) is not None:
            candidate = f"{local}@{meant}"
        local, domain, problem = _split(candidate)
        if problem is None and candidate != bare:
            return f"{local}@{read_mail_domain(domain).name}"
    return None


@cache
def _load_bundled() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    from disposable_email_domains import blocklist

    free = read_words("free_mail")
    return free, frozenset(blocklist) - free, read_words("role_addresses")


def _extend(bundled: frozenset[str], more: tuple[str, ...]) -> frozenset[str]:
    return bundled | {entry.strip().lower() for entry in more} if more else bundled
