"""Phone numbers to E.164, through Google's numbering plans (``phonenumbers``).

Belongs here: how people and CRMs write numbers. Does not belong here: whether anybody answers, and which country a
lead may be from (``phone_countries``). Where the country is known, a number is judged by its length for the country
(possible), not by whether its block is in use (valid): plans change faster than releases, and a lead must not be held
for a new prefix. Where the country is a guess, only a valid number speaks for the guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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
#: What people put behind a whole number in brackets, such as "(mobil)": letters there are no digits of a keypad.
_REMARK: Final = re.compile(r"(\+?[\d ().\-/]{7,40}?)\s*\([^\W\d_][^\W\d]{1,20}\.?\)")
_SEVERAL: Final = re.compile(r"\s*(?:[/;,|&\n]|\bor\b|\bou\b|\boder\b|\band\b)\s*", re.IGNORECASE)
_SHORTENED: Final = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"(\+?\d{6,15})\.0")

_PLAIN: Final = re.compile(r"\+?[\d ().-]{6,}", re.ASCII)
_NOT_DIGITS: Final = str.maketrans("", "", "+ ().-")

#: The kinds of numbers that a valid number is one of, by the library's names.
_KINDS: Final = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip

_TOO_SHORT: Final = "too short for a phone number"
_TOO_LONG: Final = "too long for a phone number"
_NOT_ONE: Final = "not a phone number"


class Phone(NamedTuple):
    """``number`` is E.164, or ``None`` with a ``problem`` and perhaps a ``proposal``.

    ``guessed`` is the country by which it was read, where nobody said which, or where its digits have two readings.
    """

    number: str | None
    problem: str | None = None
    proposal: str | None = None
    extension: str | None = None
    guessed: str | None = None


def read_phone(text: str, region: str | None) -> Phone:
    """The number ``text`` writes, dialled from ``region`` (ISO alpha-2) when it has no country code.

    >>> [read_phone(t, "FR").number for t in ("06 12 34 56 78", "p:0612345678", "0033612345678", "33612345678")]
    ['+33612345678', '+33612345678', '+33612345678', '+33612345678']
    >>> read_phone("(212) 555-1234 ext. 7", "US")[:4]
    ('+12125551234', None, None, '7')
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
    text = _remove_labels(text)
    if len(text) <= 2 * _LONGEST and (remarked := _REMARK.fullmatch(text)) is not None:
        text = remarked[1]
    if decimal := _DECIMAL.fullmatch(text):
        text = decimal[1]
    if len(text) > _LONGEST:
        return Phone(None, _TOO_LONG)
    if (quick := read_plain_number(text, region)) is not None:
        return Phone(quick)
    if _SHORTENED.fullmatch(text):
        return Phone(None, "a spreadsheet has shortened this number; it has to be entered again")
    digits = "".join(_list_digits(text))
    if text[:2] == "00":
        # the way abroad from most countries, though not from all: where it is not, no number starts with it
        international = _parse_number("+" + text[2:], None)
        if isinstance(international, PhoneNumber):
            return _stabilise(international)
    national = _parse_number(text, region)
    if len(digits) >= 11 and digits[0] != "0" and not _has_plus(text):
        international = _parse_number("+" + digits, None)
        if _is_valid(national):
            # of a plan with long numbers both readings are valid: "4917612345678" has Germany's code once, not twice
            if _begins_with_code(digits, region) and _is_valid(international):
                national = international
        elif _is_valid(international) or (isinstance(national, str) and isinstance(international, PhoneNumber)):
            national = international
    elif digits[:1] != "0" and not _has_plus(text) and _begins_with_code(digits, region) and _is_valid(national):
        international = _parse_number("+" + digits, None)
        if isinstance(international, PhoneNumber) and _is_valid(international) and international != national:
            # without its zero, or without its plus: nobody knows which is missing
            return _stabilise(international)._replace(guessed=region)
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


def _begins_with_code(digits: str, region: str | None) -> bool:
    """Whether ``digits`` begin with the region's country code, where national numbers would begin with a zero."""
    metadata = PhoneMetadata.metadata_for_region(region) if region else None
    return metadata is not None and metadata.national_prefix == "0" and digits.startswith(str(metadata.country_code))


def guess_phone(text: str, regions: Sequence[str]) -> Phone:
    """The number ``text`` writes, where nobody said from which country; ``guessed`` is the country that was tried.

    ``regions`` are tried in their order, those first in which numbers are written as ``text`` is. A number without a
    country code has to be valid in one of them: a guess that is only possible would be invented.

    >>> guess_phone("06 12 34 56 78", ["FR", "US"])[::4], guess_phone("(212) 555-1234", ["DE", "US"])[::4]
    (('+33612345678', 'FR'), ('+12125551234', 'US'))
    >>> guess_phone("06 12 34 56 78", ["US"]).problem
    'no country code, and not a number of US; the country of the lead is not known'
    """
    if is_international(text):
        return read_phone(text, None)
    readings = {region: read_phone(text, region) for region in regions}
    valid = [
        found._replace(guessed=country)
        for region, found in readings.items()
        if found.number is not None and (country := find_country(found.number, region)) is not None
    ]
    if valid:
        nationally = (found for found in valid if len(valid) > 1 and _is_written_nationally(text, found))
        return next(nationally, valid[0])
    unread = [found for found in readings.values() if found.number is None]
    if unread and len(unread) == len(readings):
        return unread[-1]
    tried = " or ".join(regions)
    return Phone(None, f"no country code, and not a number of {tried}; the country of the lead is not known")


def is_international(text: str) -> bool:
    """Whether a number begins with the way abroad: no country has to be known to read it."""
    text = _remove_labels(text)
    return _has_plus(text) or text[:2] == "00"


def find_country(number: str, region: str) -> str | None:
    """The country of a valid number in E.164, where several share a country code; None where it is not valid.

    ``region`` is the answer for numbers of no country (freephone). A property test holds this to ``phonenumbers``,
    which takes twenty times as long.
    """
    code = next((number[1:end] for end in (2, 3, 4) if number[1:end].isdecimal() and _list_valid(number[1:end])), "")
    national = number[1 + len(code) :]
    for country, leading, valid in _list_valid(code):
        if leading.match(national) if leading is not None else valid.fullmatch(national):
            return (region if country == "001" else country) if valid.fullmatch(national) else None
    return None


@cache
def _list_valid(code: str) -> tuple[tuple[str, re.Pattern[str] | None, re.Pattern[str]], ...]:
    """The countries of a country code, in the order in which the library looks at them: the first digits of those that
    have numbers of their own within it, and all their valid numbers."""
    found = []
    countries = phonenumbers.region_codes_for_country_code(int(code)) if code and code[0] != "0" else ()
    for country in countries:
        metadata = PhoneMetadata.metadata_for_region_or_calling_code(int(code), country)
        if metadata is None:
            continue
        kinds = [getattr(metadata, kind) for kind in _KINDS]
        patterns = [kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern]
        leading = metadata.leading_digits if len(countries) > 1 else None
        found.append((country, re.compile(leading) if leading else None, re.compile("|".join(patterns))))
    return tuple(found)


def _is_written_nationally(text: str, found: Phone) -> bool:
    """Whether ``text`` has the digits with which the number is written within its country, its leading zero too."""
    number = phonenumbers.parse(found.number or "", None)
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return _list_digits(text) == _list_digits(written)


def _remove_labels(text: str) -> str:
    text = text.strip()
    while label := _LABEL.match(text):
        text = text[label.end() :]
    return text


def _list_digits(text: str) -> list[str]:
    return [char for char in text if char.isdecimal()]


def _has_plus(text: str) -> bool:
    return "+" in text or "＋" in text


def _name_country(number: PhoneNumber) -> str:
    code = number.country_code or 0
    region = phonenumbers.region_code_for_country_code(code)
    return "" if region in (None, "ZZ", "001") else f" in {region}"
