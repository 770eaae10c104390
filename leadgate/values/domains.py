"""Domain names: well-formed or not, what is registered of them, and websites.

Belongs here: everything after an @ or a //. Does not belong here: asking the DNS, or anybody else; the public
suffix list is the one that tldextract carries.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final, NamedTuple

import email_validator
from email_validator import EmailNotValidError, validate_email

from leadgate.values.lists import read_words

_LONGEST_WEBSITE: Final = 2_000

#: Lower-case ASCII host names, the bulk of all: a property test holds it to email-validator's answer.
#: A label with two hyphens may be Punycode or reserved, and goes the long way.
_PLAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_LONGEST_PLAIN: Final = 200
_FOR_EXAMPLES: Final = frozenset({"example", "test"})  # RFC 2606
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}://|//)?(?:[^/?#@\s]*@)?([^/?#:@\s]+)", re.IGNORECASE)


class Domain(NamedTuple):
    """A mail domain: ``name`` in its own script, ``ascii`` as the DNS sees it, or a ``problem``."""

    name: str
    ascii: str
    problem: str | None = None


@lru_cache(maxsize=20_000)
def read_mail_domain(text: str) -> Domain:
    """The domain of an address, judged by email-validator; no top-level domain has a single letter.

    >>> read_mail_domain("Bücher.example").ascii, read_mail_domain("test.c").problem
    ('xn--bcher-kva.example', 'the part after the @ ends in no existing top-level domain')
    """
    plain = text.lower()
    if (
        plain.isascii()
        and len(plain) <= _LONGEST_PLAIN
        and "--" not in plain
        and _PLAIN.fullmatch(plain)
        and plain.rpartition(".")[2] not in _load_special_use()
    ):
        return Domain(plain, plain)
    try:
        found = validate_email(f"a@{text}", check_deliverability=False)
    except EmailNotValidError as error:
        return Domain(text, text, explain_error(error))
    if len(found.ascii_domain.rpartition(".")[2]) < 2:
        return Domain(text, text, "the part after the @ ends in no existing top-level domain")
    return Domain(found.domain, found.ascii_domain)


def explain_error(error: EmailNotValidError) -> str:
    """email-validator's reason, without the parentheses in which it repeats parts of the address."""
    reason = re.sub(r"\s*\([^)]*\)?", "", str(error)).rstrip(".").replace(". ", ": ", 1)
    return reason[:1].lower() + reason[1:].replace("@-sign", "@").replace("SPACE", "a space")


@lru_cache(maxsize=20_000)
def find_registered(host: str) -> str:
    """What somebody has registered of a host name, by the public suffix list with its private part.

    A name under no known suffix counts two labels, as the list's own algorithm says (its rule "*").

    >>> [find_registered(h) for h in ("www.acme.co.uk", "shop.myshopify.com", "mail.acme.example")]
    ['acme.co.uk', 'shop.myshopify.com', 'acme.example']
    """
    found = _build_extractor().extract_str(host)
    if found.suffix:
        return str(found.top_domain_under_public_suffix) or host
    return ".".join(host.split(".")[-2:])


@lru_cache(maxsize=20_000)
def has_known_ending(host: str) -> bool:
    """Whether ``host`` ends in a top-level domain of the public suffix list, or one that is reserved for examples."""
    return host.rpartition(".")[2] in _FOR_EXAMPLES or bool(_build_extractor().extract_str(host).suffix)


def find_website_domain(text: str) -> str | None:
    """The registered domain of a website, or ``None`` when ``text`` holds none.

    Pages on shared sites (a company's LinkedIn page) say nothing about the company's domain: ``None``, too.

    >>> [find_website_domain(t) for t in ("https://www.Acme.co.uk/en", "acme.com", "linkedin.com/company/acme")]
    ['acme.co.uk', 'acme.com', None]
    """
    return find_domain_owner(host) if (host := find_website_host(text)) else None


def find_domain_owner(host: str) -> str | None:
    """The registered domain of a website's host, unless it is a shared site's."""
    domain = find_registered(host)
    return None if domain in read_words("shared_hosts") else domain


def find_website_host(text: str) -> str | None:
    """The host of a website in lower-case ASCII, or ``None`` when ``text`` is no web address.

    >>> find_website_host("info@acme.com"), find_website_host("we have none"), find_website_host("http://localhost:80")
    ('acme.com', None, None)
    """
    if len(text) > _LONGEST_WEBSITE:
        return None
    found = _HOST.match(text.strip())
    if found is None:
        return None
    domain = read_mail_domain(found[1].strip(".,;").lower())
    return None if domain.problem else domain.ascii


@cache
def _load_special_use() -> frozenset[str]:
    return frozenset(name.rpartition(".")[2] for name in email_validator.SPECIAL_USE_DOMAIN_NAMES)


@cache
def _build_extractor():  # type: ignore[no-untyped-def]
    from tldextract import TLDExtract  # 0.3 s to import: only once a domain is looked at

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
