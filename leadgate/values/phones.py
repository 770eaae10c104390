"""Phone numbers to E.164, through Google's numbering plans (``phonenumbers``).

Belongs here: how people and CRMs write numbers. Does not belong here: whether anybody answers. A number is
judged by its length for its country (possible), not by whether its block is in use (valid): plans change
faster than releases, and a lead must not be held for a new prefix.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

_LONGEST: Final = 40
#: ITU-T E.164 allows 15 digits, country code included; with fewer than 7 nobody is reached.
_E164_DIGITS: Final = range(7, 16)

#: What CRMs and people put in front: "p:" and "t:" are Facebook's.
_LABEL: Final = re.compile(
    r"(?:(?:phone|telephone|téléphone|telefon|teléfono|telefono|mobile?|móvil|handy|portable|cell|work|office|home|"
    r"direct|whatsapp|tel|tél|mob|ph|fon|p|t|m|c)\b\s*[.:]?|[.:'])\s*",
    re.IGNORECASE,
)
_SEVERAL: Final = re.compile(r"\s*(?:[/;,|&\n]|\bor\b|\bou\b|\boder\b|\band\b)\s*", re.IGNORECASE)
_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"(\+?\d{6,15})\.0")

_PLAIN: Final = re.compile(r"\+?[\d ().-]{6,}", re.ASCII)
_NOT_DIGITS: Final = str.maketrans("", "", "+ ().-")

_TOO_SHORT: Final = "too short for a phone number"
_TOO_LONG: Final = "too long for a phone number"
_NOT_ONE: Final = "not a phone number"


class Phone(NamedTuple):
    """``number`` is E.164, or ``None`` with a ``problem`` and perhaps a ``proposal``."""

    number: str | None
    problem: str | None = None
    proposal: str | None = None
    extension: str | None = None


def read_phone(text: str, region: str | None) -> Phone:
    """The number ``text`` writes, dialled from ``region`` (ISO alpha-2) when it has no country code.

    >>> [read_phone(t, "FR").number for t in ("06 12 34 56 78", "p:0612345678", "0033612345678", "33612345678")]
    ['+33612345678', '+33612345678', '+33612345678', '+33612345678']
    >>> read_phone("(212) 555-1234 ext. 7", "US")
    Phone(number='+12125551234', problem=None, proposal=None, extension='7')
    >>> read_phone("call me", "US").problem, read_phone("12345", "FR").problem
    ('not a phone number', 'too short for a phone number in FR')
    """
    found = _read(text, region)
    if found.problem is None or len(text) > 2 * _LONGEST:
        return found
    pieces = [piece for piece in _SEVERAL.split(text) if piece]
    if len(pieces) > 1:
        for piece in pieces[:3]:
            if (first := _read(piece, region)).number:
                return found._replace(proposal=first.number)
    return found


def _read(text: str, region: str | None) -> Phone:
    text = text.strip()
    while label := _LABEL.match(text):
        text = text[label.end() :]
    if decimal := _DECIMAL.fullmatch(text):
        text = decimal[1]
    if len(text) > _LONGEST:
        return Phone(None, _TOO_LONG)
    if (quick := read_plain_number(text, region)) is not None:
        return Phone(quick)
    if _SHORTENED.fullmatch(text):
        return Phone(None, "a spreadsheet has shortened this number; it has to be entered again")
    digits = "".join(char for char in text if char.isdecimal())
    if text[:2] == "00":
        # the way abroad from most countries, though not from all: where it is not, no number starts with it
        international = _parse_number("+" + text[2:], None)
        if isinstance(international, PhoneNumber):
            return _stabilise(international)
    national = _parse_number(text, region)
    if len(digits) >= 11 and digits[0] != "0" and not _has_plus(text) and not _is_valid(national):
        international = _parse_number("+" + digits, None)
        if _is_valid(international) or (isinstance(national, str) and isinstance(international, PhoneNumber)):
            national = international
    return Phone(None, national) if isinstance(national, str) else _stabilise(national)


def _parse_number(text: str, region: str | None) -> PhoneNumber | str:
    """The number, or why it cannot be one."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            if _has_plus(text):
                return "the country code does not exist"
            return "no country code, and the lead's country is not known"
        if error.error_type == NumberParseException.TOO_LONG:
            return _TOO_LONG
        if error.error_type in (NumberParseException.TOO_SHORT_NSN, NumberParseException.TOO_SHORT_AFTER_IDD):
            return _TOO_SHORT
        return _NOT_ONE
    reason = phonenumbers.is_possible_number_with_reason(number)
    length = len(phonenumbers.national_significant_number(number)) + len(str(number.country_code))
    if reason == ValidationResult.TOO_SHORT or length < _E164_DIGITS.start:
        return _TOO_SHORT + _name_country(number)
    if reason == ValidationResult.TOO_LONG or length >= _E164_DIGITS.stop:
        return _TOO_LONG + _name_country(number)
    if reason in (ValidationResult.IS_POSSIBLE, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        return number
    if reason == ValidationResult.INVALID_LENGTH:
        return f"no phone number{_name_country(number)} has this many digits"
    return "the country code does not exist"


class _Plan(NamedTuple):
    """What is needed of a numbering plan to read the plainest of numbers."""

    code: str
    lengths: frozenset[int]
    abroad: re.Pattern[str] | None
    prefix: re.Pattern[str] | None  # before national numbers
    prefix_is_dropped: bool  # or else rewritten
    whole: re.Pattern[str]


def read_plain_number(text: str, region: str | None) -> str | None:
    """E.164 for the plainest of numbers, which are nearly all; ``None`` for whatever needs a closer look.

    ``phonenumbers`` takes 45 us for a number, this 4. It follows the library's own steps (country code,
    national prefix, possible lengths) and gives up wherever one of them has to weigh two readings. A
    property test holds it to the library's answer for every region.
    """
    if not _PLAIN.fullmatch(text):
        return None
    digits = text.translate(_NOT_DIGITS)
    if text[0] == "+":
        plan = next((p for end in (1, 2, 3) if (p := _plan_of_code(digits[:end])) is not None), None)
        if plan is None:
            return None
        national = digits[len(plan.code) :]
    else:
        plan = _plan_of_region(region) if region else None
        if plan is None or digits.startswith(plan.code) or (plan.abroad and plan.abroad.match(digits)):
            return None
        if len(digits) >= 11 and digits[0] != "0":
            return None  # perhaps a country code without its plus
        national = digits
        if plan.prefix and (prefix := plan.prefix.match(digits)):
            if not plan.prefix_is_dropped or plan.whole.fullmatch(digits):
                return None
            national = digits[prefix.end() :]
    main = _plan_of_code(plan.code)
    if main is None or national[:1] == "0" or not plan.lengths >= {len(national)} <= main.lengths:
        return None
    if any(p.prefix and p.prefix.match(national) for p in (plan, main)):
        return None
    return f"+{plan.code}{national}" if len(plan.code) + len(national) in _E164_DIGITS else None


@cache
def _plan_of_code(code: str) -> _Plan | None:
    region = phonenumbers.region_code_for_country_code(int(code)) if code and code[0] != "0" else "ZZ"
    return _plan_of_region(region)


@cache
def _plan_of_region(region: str) -> _Plan | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.general_desc is None or metadata.general_desc.national_number_pattern is None:
        return None
    prefix = re.compile(found) if (found := metadata.national_prefix_for_parsing) else None
    abroad = re.compile(found) if (found := metadata.international_prefix) else None
    return _Plan(
        code=str(metadata.country_code),
        lengths=frozenset(metadata.general_desc.possible_length),
        abroad=abroad,
        prefix=prefix,
        prefix_is_dropped=prefix is None or (not prefix.groups and not metadata.national_prefix_transform_rule),
        whole=re.compile(metadata.general_desc.national_number_pattern),
    )


def _stabilise(number: PhoneNumber) -> Phone:
    """``number`` in E.164, such that reading it again gives the same.

    A few plans take a national prefix off even after the country code (Argentina's 15, Mexico's 1).
    """
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for _ in range(3):
        prefix = _find_national_prefix(number)
        if prefix is None or not re.match(prefix, phonenumbers.national_significant_number(number)):
            break
        again = _parse_number(e164, None)
        if isinstance(again, str):
            return Phone(None, again)
        number = again
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return Phone(e164, extension=number.extension)


def _find_national_prefix(number: PhoneNumber) -> str | None:
    code = number.country_code or 0
    region = phonenumbers.region_code_for_country_code(code)
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    return metadata.national_prefix_for_parsing if metadata is not None else None


def _is_valid(number: PhoneNumber | str) -> bool:
    return not isinstance(number, str) and bool(phonenumbers.is_valid_number(number))


def _has_plus(text: str) -> bool:
    return "+" in text or "＋" in text


def _name_country(number: PhoneNumber) -> str:
    code = number.country_code or 0
    region = phonenumbers.region_code_for_country_code(code)
    return "" if region in (None, "ZZ", "001") else f" in {region}"
