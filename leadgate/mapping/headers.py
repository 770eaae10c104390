"""Which lead field a column of an export means by its name, and flat names for nested values.

Belongs here: comparing a name with those that the usual exports give to the lead's fields (``data/column_names.txt``),
and choosing among them. Does not belong here: reading files (``connectors.files``), what webhooks look like
(``shapes``), columns that are known by their values (``contents``), or cleaning values (``normalise``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from leadgate.limits import MAX_HEADER_LENGTH
from leadgate.nearest import propose
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.values.lists import read_lists
from leadgate.values.marks import remove_marks

#: Names that mean the whole name, unless the other half of it has a column of its own.
_REST_OF_NAME: Final = {
    "last_name": ("name", "nom", "naam", "namn", "navn", "nimi"),  # a surname beside a first name
    "first_name": ("nombre", "nome", "jméno", "meno", "الاسم", "имя", "ad"),  # a first name beside a surname
}
#: Those that mean no name at all where the other half has no column: "Ad" is an advertisement, too.
_ONLY_BESIDE_THE_OTHER: Final = frozenset({"ad"})
#: Names that mean the first field in some languages, and the second where another column is the first.
_ELSE: Final = {"kraj": ("country", "state")}  # Polish, Czech
_HALVES: Final = {"last_name": "first_name", "first_name": "last_name"}

#: What forms and exports put around a name. Only tried when the name as it stands is not known.
_AROUND: Final = re.compile(
    r"^(?:what s |what is |please |enter |provide |tell us |your |my |the |lead |contact |person |prospect |visitor |"
    r"customer |user |quel est |quelle est |votre |vos |wie lautet |ihre |ihr |deine |dein |cual es |su |tu |"
    r"seu |sua |il tuo |la tua |tuo |tua |uw |jouw |je |din |ditt |dina |dit |dine |twoj |twoja |twoje |vase |vas |"
    r"ваш |ваша |您的|请输入|请填写)+| (?:required|optional|obligatoire|pflichtfeld|obligatorio|obbligatorio|"
    r"obrigatorio|verplicht|wymagane|povinne|zorunlu|pakollinen|obligatorisk|obligatoriskt|必須|必填|1)$"
)
_IN_BRACKETS: Final = re.compile(
    r"\([^)]*\)|\[[^\]]*\]|\{[^}]*\}|【[^】]*】|（(?:必須|任意|必填|选填|選填|半角[^）]*|全角[^）]*)）"
)
#: How forms write a path, as in ``data[merges][FNAME]``, and what they put before or after a name of their own.
_BRACKET_PATH: Final = re.compile(r"[\w-]{1,100}(?:\[[\w -]{1,100}\]){1,8}")
_NUMBERED: Final = re.compile(r"^q\d{1,4}_(?=\w)")
_VALUE_OF: Final = re.compile(r"\.(?:value|answer)$")
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "’": " "})

#: Objects around a lead's own fields. Not any object: ``Owner.Email`` is somebody else's address.
_WRAPPERS: Final = frozenset(
    {
        "lead", "contact", "person", "prospect", "properties", "fields", "fielddata",
        "usercolumndata", "answers", "data", "formdata", "form", "formresponse", "values",
        "payload", "submission", "address", "mailingaddress", "location",
        "invitee", "attendee", "attendees", "registrant", "respondent", "participant", "applicant", "profile",
        "customer", "subscriber", "client", "visitor", "attributes", "record", "entry", "response", "responses", "item",
        "current", "merges", "mergefields", "customfields", "object", "details", "body", "questions",
        "questionsandanswers", "namedvalues", "humanfields", "rawrequest", "formfields", "defaultaddress", "content",
        "datajson", "contactinfo", "personalinfo", "leaddata", "json",
    }
)  # fmt: skip

#: How web forms list answers: ``[{"name": "email", "values": ["a@b.example"]}, …]``.
_ANSWER_NAMES: Final = ("name", "column_id", "column_name", "key", "field", "label", "question")
_ANSWER_VALUES: Final = ("value", "values", "string_value", "answer")


def map_headers(
    headers: Sequence[str],
    *,
    overrides: Mapping[str, str] = {},
    custom: Mapping[str, Sequence[str]] = {},
    recognised: Mapping[str, str] = {},
) -> dict[str, str]:
    """Header -> lead field. A header that is not in the result is an attribute.

    ``overrides`` maps a header to a field and wins over everything, an empty field makes it an attribute;
    ``custom`` gives the playbook's own fields with further names of theirs, and wins over the bundled names.
    ``recognised`` says what headers are by their values (``contents``): where nothing else says anything.
    A field is given to one header only: the one with the most telling name, then the first. A header of more than
    ``MAX_HEADER_LENGTH`` characters is an attribute, unless ``overrides`` has exactly this header: reading it would
    take time quadratic in its length.
    """
    settled = find_settled(headers, overrides)
    mapped: dict[str, str] = {}
    given: set[str] = set()
    for header, target in settled.items():
        if target and target not in given:
            mapped[header] = target
            given.add(target)

    own = {
        _simplify(name): (field, rank) for field, names in custom.items() for rank, name in enumerate((field, *names))
    }
    found: list[tuple[int, int, int, str, str]] = []
    ambiguous: list[tuple[str, str]] = []
    for place, header in enumerate(headers):
        if header in settled or len(header) > MAX_HEADER_LENGTH:
            continue
        for likeness, plain in enumerate(_list_forms(header)):
            if plain not in own and (plain in _build_rest_of_name() or plain in _ELSE):
                ambiguous.append((header, plain))
                break
            if (meant := own.get(plain) or _build_known().get(plain)) is not None:
                found.append((0 if plain in own else 1 + likeness, meant[1], place, header, meant[0]))
                break
    for _, _, _, header, field in sorted(found):
        if field not in given:
            mapped[header] = field
            given.add(field)
    titled = next((header for header, field in mapped.items() if field == "job_title" and header not in settled), None)
    if titled is not None and not _keep_siblings([(titled, "")], mapped):
        del mapped[titled]
        given.discard("job_title")
    for header, plain in _keep_siblings(ambiguous, mapped):
        meant_field = _choose_by_others(plain, given)
        if meant_field is not None and meant_field not in given:
            mapped[header] = meant_field
            given.add(meant_field)
    for header in headers:
        told = recognised.get(header)
        if told is not None and told not in given and header not in settled and header not in mapped:
            mapped[header] = told
            given.add(told)
    return mapped


def propose_field(name: str, known: Collection[str]) -> str:
    """What to do about ``name``, which is none of the fields ``known``: the field that columns of this name are, else
    the nearest one (``propose``).

    >>> propose_field("surname", ["full_name", "last_name"]), propose_field("fulname", ["full_name", "last_name"])
    ("did you mean 'last_name'?", "did you mean 'full_name'?")
    """
    meant = _build_known().get(_simplify(name)) if len(name) <= MAX_HEADER_LENGTH else None
    return f"did you mean {meant[0]!r}?" if meant is not None and meant[0] in known else propose(name, known)


def find_settled(headers: Sequence[str], overrides: Mapping[str, str]) -> dict[str, str]:
    """Those of ``headers`` of which ``overrides`` says what they are, with the field; an attribute has an empty one."""
    exact = {header.strip().casefold(): field for header, field in overrides.items()}
    wanted: dict[str, str] = {}
    for header, field in overrides.items():
        if len(header) <= MAX_HEADER_LENGTH:
            wanted.setdefault(_simplify(header), field)
    settled: dict[str, str] = {}
    for header in headers:
        target = exact.get(header.strip().casefold())
        if target is None and len(header) <= MAX_HEADER_LENGTH:
            target = wanted.get(_simplify(header))
        if target is not None:
            settled[header] = target
    return settled


def _choose_by_others(plain: str, given: Collection[str]) -> str | None:
    """The field that an ambiguous name means beside the fields that other columns are."""
    if plain in _ELSE:
        return next((field for field in _ELSE[plain] if field not in given), None)
    half = _build_rest_of_name()[plain]
    if _HALVES[half] in given and half not in given:
        return half
    return None if plain in _ONLY_BESIDE_THE_OTHER else "full_name"


def _keep_siblings(headers: list[tuple[str, str]], mapped: Mapping[str, str]) -> list[tuple[str, str]]:
    """Of the ambiguous names in a nested payload those beside the e-mail address, or else the phone number: the name of
    a form, the title of a meeting stand elsewhere."""
    contact = next((header for field in ("email", "phone") for header, found in mapped.items() if found == field), None)
    if contact is None:
        return headers
    inside = _split_path(contact)[:-1]
    parents = [(_split_path(header)[:-1], (header, plain)) for header, plain in headers]
    return [
        each for outside, each in parents if outside == inside or not (outside and (inside or outside[-1] == "form"))
    ]


def _split_path(header: str) -> list[str]:
    """The parts of a name with dots or brackets, without the marks of forms around them."""
    if _BRACKET_PATH.fullmatch(header):
        header = header.replace("[", ".").replace("]", "")
    return [_NUMBERED.sub("", part) for part in _VALUE_OF.sub("", header.strip(". ")).split(".")]


def flatten(payload: JsonObject) -> dict[str, JsonValue]:
    """``payload`` with one level: ``{"a": {"b": 1}}`` is ``{"a.b": 1}``.

    A list of plain values becomes text with commas, a list of answers (``name`` and ``values``) one key an
    answer, any other list JSON text. Salesforce's ``attributes`` (type and address of a record) are left out.
    """
    if not any(isinstance(value, (dict, list)) for value in payload.values()):
        return dict(payload)
    taken: dict[str, int] = {}
    return {make_distinct(name, taken): value for name, value in _list_leaves(payload, "")}


def make_distinct(name: str, taken: dict[str, int]) -> str:
    """``name``, or the first of ``name (2)``, ``name (3)``… that is not taken yet. Takes it.

    ``taken`` holds, for each name, how many copies were given out: or a million equal names would take hours.
    """
    candidate, copy = name, taken.get(name, 1)
    while candidate in taken:
        copy += 1
        candidate = f"{name} ({copy})"
    taken[name] = copy
    taken.setdefault(candidate, 1)
    return candidate


def as_text(value: JsonValue) -> str:
    """A flattened value as the text that a form would have sent; missing is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _list_leaves(value: JsonObject, prefix: str) -> Iterator[tuple[str, JsonValue]]:
    for key, item in value.items():
        name = prefix + key
        if isinstance(item, dict):
            if key == "attributes" and "type" in item and ("url" in item or "referenceId" in item):
                continue
            yield from _list_leaves(item, f"{name}.")
        elif not isinstance(item, list):
            yield name, item
        elif answers := _read_answers(item):
            yield from _list_leaves(answers, f"{name}.")
        elif any(isinstance(part, (dict, list)) for part in item):
            yield name, json.dumps(item, ensure_ascii=False)
        else:
            yield name, ", ".join(map(as_text, item))


def _read_answers(items: list[JsonValue]) -> dict[str, JsonValue]:
    """``items`` as question -> answer, or nothing when any of them is not one."""
    answers: dict[str, JsonValue] = {}
    for item in items:
        if not isinstance(item, dict):
            return {}
        name = next((named for key in _ANSWER_NAMES if isinstance(named := item.get(key), str)), None)
        value = next((key for key in _ANSWER_VALUES if key in item), None)
        if not name or value is None or name in answers:
            return {}
        answers[name] = item[value]
    return answers


def _list_forms(header: str) -> Iterator[str]:
    """Plainer and plainer forms of ``header``: as it is, without brackets, out of its wrapper, without phrases."""
    yield _simplify(header)
    bare = _IN_BRACKETS.sub(" ", header)
    yield _simplify(bare)
    path = _split_path(header if _BRACKET_PATH.fullmatch(header) else bare.strip())
    known = next((at for at, part in enumerate(path) if _simplify(part) not in _WRAPPERS), len(path))
    bare = ".".join(path[min(known, len(path) - 1) :])
    yield _simplify(bare)
    bare = re.sub(r"__c$", "", bare.strip(), flags=re.IGNORECASE)  # Salesforce's mark of a custom field
    yield _simplify(_AROUND.sub("", _normalise_words(bare)))


def split_words(header: str) -> list[str]:
    """Words of a name as they are compared: in lower case, without accents and punctuation."""
    return _normalise_words(header).split()


def _normalise_words(header: str) -> str:
    """Lower case words without accents: ``FirstName*`` and ``first_name`` are ``first name``."""
    header = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", header)
    header = remove_marks(header.casefold().translate(_LETTERS))
    return " ".join(re.findall(r"[^\W_]+", header.translate(_LETTERS)))


@lru_cache(maxsize=10_000)
def _simplify(header: str) -> str:
    return _normalise_words(header).replace(" ", "")


@cache
def _build_known() -> dict[str, tuple[str, int]]:
    """Plain name -> field and rank of the name in it."""
    known: dict[str, tuple[str, int]] = {}
    for field, names in read_lists("column_names").items():
        for rank, name in enumerate((field, *names)):
            known.setdefault(_simplify(name), (field, rank))
    return known


@cache
def _build_rest_of_name() -> dict[str, str]:
    return {_simplify(name): half for half, names in _REST_OF_NAME.items() for name in names}
