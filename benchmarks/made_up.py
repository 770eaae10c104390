"""People, companies and their dirty variants, the same for the same seed: what ``benchmarks.matching`` measures on.

Each variant is a way in which one person comes twice, each lookalike one in which two persons look like one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

_FIRST = (
    "Robert", "Elizabeth", "William", "Katharina", "Michael", "Susan", "Thomas", "Margaret", "James", "Patricia",
    "Daniel", "Jennifer", "Matthew", "Christopher", "Andrew", "Deborah", "Joseph", "Nicholas", "Alexander",
    "Victoria", "Benjamin", "Samuel", "Jörg", "Günther", "François", "Zoë", "Søren", "Björn", "Łukasz", "Małgorzata",
    "José", "Inés", "Andrés", "Chloé", "Aleksandra", "Jürgen", "Kateřina", "Dmitri", "Olga", "Fatima", "Yusuf",
    "Mei", "Hiroshi", "Priya", "Arjun", "Amara", "Kwame", "Ingrid", "Lars", "Giulia", "Matteo", "Bettina", "Ulrich",
    "Wolfgang", "Renate", "Heike", "Aoife", "Siobhán", "Ioana", "Radu", "Péter", "Ágnes", "Emre", "Elif", "Noor",
    "Omar", "Leila", "Tomás", "Beatriz", "Henrik", "Anneli", "Mikael", "Ronan", "Clara", "Hugo", "Nadia", "Viktor",
    "Sabine",
)  # fmt: skip
_LAST = (
    "Müller", "Schmidt", "Weiß", "Großmann", "Schröder", "Smith", "Johnson", "Williams", "Brown", "Miller", "Davis",
    "Wilson", "Anderson", "Taylor", "Moore", "Jackson", "Thompson", "Robinson", "Mitchell", "Campbell", "O'Brien",
    "McDonald", "Fitzgerald", "García", "Rodríguez", "Martínez", "López", "Fernández", "Dubois", "Lefèvre", "Moreau",
    "Bernard", "Rousseau", "Rossi", "Bianchi", "Ferrari", "Esposito", "Kowalski", "Wiśniewski", "Nowak", "Novák",
    "Dvořák", "Horváth", "Nagy", "Ionescu", "Popescu", "Petrov", "Ivanova", "Sokolov", "Hansen", "Jørgensen",
    "Nielsen", "Lindqvist", "Åkesson", "Virtanen", "Korhonen", "Yılmaz", "Kaya", "Demir", "Haddad", "Khan", "Patel",
    "Sharma", "Gupta", "Chen", "Wang", "Tanaka", "Suzuki", "Nguyen", "Okafor", "Adeyemi", "Mensah", "Silva",
    "Santos", "Oliveira", "Pereira", "Costa", "Keller", "Baumgartner", "Hoffmann", "Schneider", "Zimmermann",
    "Lehmann", "Krüger", "Vogel", "Winkler", "Lorenz", "Steiner", "Brandt", "Peeters", "Janssen",
)  # fmt: skip
#: Lookalikes who have another person's address.
_ONE_ADDRESS = frozenset({"successor at the same address", "family at one address and phone"})
#: Variants that say nothing when the address is a role's.
_OF_THE_ADDRESS = frozenset({"same address, other spelling", "slip in the address", "same address at another domain"})
_NICKNAMES = {
    "Robert": "Bob", "Elizabeth": "Liz", "William": "Bill", "Michael": "Mike", "Susan": "Sue", "Thomas": "Tom",
    "Margaret": "Peggy", "James": "Jim", "Patricia": "Tricia", "Daniel": "Dan", "Matthew": "Matt",
    "Christopher": "Chris", "Andrew": "Andy", "Deborah": "Debbie", "Joseph": "Joe", "Nicholas": "Nick",
    "Alexander": "Alex", "Victoria": "Vicky", "Benjamin": "Ben", "Samuel": "Sam", "Ulrich": "Uli",
}  # fmt: skip
_PLAIN = str.maketrans("öüäÖÜÄßøåçéèěëêíóúñłśšřžýáàâıİŁŚÅØıąęőűŞşğ", "ouaOUAsoaceeeeeiounlssrzyaaaiILSAOiaeouSsg")
_SPELT = {"ö": "oe", "ü": "ue", "ä": "ae", "ß": "ss", "ø": "oe", "å": "aa"}
_THINGS = (
    "North", "Blue", "Silver", "Alpine", "Harbour", "Quantum", "Vertex", "Cedar", "Granite", "Falcon", "Aurora",
    "Summit", "Meridian", "Copper", "Nova", "Orbit", "Pioneer", "Delta", "Lumen", "Atlas", "Zephyr", "Ember",
    "Cobalt", "Juniper", "Sterling", "Vega", "Marble", "Onyx", "Tundra", "Willow", "Magnet", "Prism", "Echo",
    "Saffron", "Indigo", "Raven", "Condor", "Basalt", "Maple", "Pegasus",
)  # fmt: skip
_TRADES = (
    "Logistics", "Software", "Foods", "Robotics", "Energy", "Pharma", "Textiles", "Analytics", "Insurance", "Optics",
    "Steel", "Media", "Packaging", "Chemicals", "Automotive", "Ceramics", "Security", "Aviation", "Engineering",
    "Consulting", "Instruments", "Biotech", "Freight", "Networks", "Furniture", "Printing", "Systems", "Medical",
    "Capital", "Motors",
)  # fmt: skip
_PLACES = (
    "Hamburg", "Leeds", "Lyon", "Porto", "Graz", "Malmö", "Gdańsk", "Turin", "Ghent", "Cork", "Utrecht", "Bilbao",
    "Brno", "Tampere", "Aarhus", "Zürich", "Boston", "Denver", "Austin", "Toronto",
)  # fmt: skip
_FORMS = ("GmbH", "Inc.", "Ltd", "S.A.", "AG", "SAS", "S.p.A.", "B.V.", "LLC", "GmbH & Co. KG", "AB", "Sp. z o.o.", "")


@dataclass(frozen=True)
class Record:
    """A row of a labelled file. ``person`` is the label: equal for two rows about the same person."""

    person: str
    kind: str
    email: str = ""
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    company: str = ""
    website: str = ""
    country: str = "DE"
    crm_id: str = ""


def companies(count: int, draw: random.Random) -> list[tuple[str, str]]:
    """Names without legal form, with their domains; no two alike."""
    made: dict[str, str] = {}
    while len(made) < count:
        words = [draw.choice(_THINGS), draw.choice(_TRADES)]
        if len(made) > 900:  # the shorter names run out
            words.insert(draw.randrange(3), draw.choice((*_PLACES, *_THINGS)))
        name = " ".join(words)
        made.setdefault(name, f"{_ascii(name).replace(' ', draw.choice(('', '-')))}.example")
    return list(made.items())


def with_form(name: str, draw: random.Random) -> str:
    """A company's name as somebody else writes it."""
    written = f"{name} {draw.choice(_FORMS)}".strip()
    return draw.choice((written, written.upper(), written.lower(), f"The {name}", written.replace(" ", "  ")))


def slip(word: str, draw: random.Random) -> str:
    """A slip of the pen after the first letter."""
    if len(word) < 5:
        return word
    at = draw.randrange(1, len(word) - 1)
    return draw.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )


def labelled(people: int, seed: int = 11) -> list[Record]:
    """``people`` known persons, and after them in any order their dirty variants and persons who look like them."""
    draw = random.Random(seed)
    firms = companies(max(people // 5, 1), draw)
    known = [_person(number, *draw.choice(firms), draw) for number in range(people)]
    later: list[Record] = []
    for each in known:
        is_role = each.email.startswith("info@")
        kinds = [kind for kind in _VARIANTS if not (is_role and kind in _OF_THE_ADDRESS)]
        later += [replace(_VARIANTS[kind](each, draw), kind=kind) for kind in draw.sample(kinds, 2)]
        if draw.random() < 0.5:
            kind = draw.choice(list(_LOOKALIKES))
            stranger = replace(each, person=f"{each.person}-{kind}", crm_id="")
            later.append(replace(_LOOKALIKES[kind](stranger, draw), kind=kind))
    draw.shuffle(later)
    return _number_addresses(known + later, draw)


def _number_addresses(records: list[Record], draw: random.Random) -> list[Record]:
    """No two persons have one address by accident: the second gets a number. On purpose, roles and families do."""
    owner: dict[str, str] = {}
    numbered = []
    for each in records:
        while (
            each.email
            and not each.email.startswith("info@")
            and each.kind not in _ONE_ADDRESS
            and owner.setdefault(each.email.lower(), each.person) != each.person
        ):
            local, _, domain = each.email.partition("@")
            each = replace(each, email=f"{local}{draw.randrange(10, 99)}@{domain}")
        numbered.append(each)
    return numbered


def _person(number: int, company: str, domain: str, draw: random.Random) -> Record:
    first, last = _draw_often(_FIRST, draw), _draw_often(_LAST, draw)
    local = _ascii(f"{first}.{last}")
    chance = draw.random()
    private = f"{local}{number}@gmail.com" if chance < 0.1 else f"info@{domain}" if chance < 0.13 else ""
    email = private or f"{local}@{domain}"
    phone = f"+49 30 {draw.randrange(10_000_000, 99_999_999)}"
    return Record(f"P{number}", "known", email, first, last, phone, company, "", "DE", f"C{number}")


def _draw_often(names: tuple[str, ...], draw: random.Random) -> str:
    """A name, some of which many people have."""
    return names[int(len(names) * draw.random() ** 2)]


def _ascii(text: str) -> str:
    return "".join(c for c in text.translate(_PLAIN).lower() if c.isascii() and (c.isalnum() or c in ". "))


def _private(each: Record, draw: random.Random) -> str:
    return f"{_ascii(each.first_name)[:1]}{_ascii(each.last_name)}{draw.randrange(1000, 9999)}@web.de"


def _same_address(each: Record, draw: random.Random) -> Record:
    local, _, domain = each.email.partition("@")
    if domain == "gmail.com":
        tagged = f"{local.replace('.', '')}+news@googlemail.com"
        return replace(each, email=tagged, phone="", crm_id="", company="")
    return replace(each, email=f" {local.upper()}@{domain.title()}", first_name="", phone="", crm_id="")


def _typo(each: Record, draw: random.Random) -> Record:
    last = slip(each.last_name, draw)
    return replace(
        each, email=_private(each, draw), last_name=last, company=with_form(each.company, draw), phone="", crm_id=""
    )


def _nickname(each: Record, draw: random.Random) -> Record:
    nick = _NICKNAMES.get(each.first_name, each.first_name[:1] + ".")
    company = with_form(each.company, draw)
    return replace(each, email=_private(each, draw), first_name=nick, company=company, phone="", crm_id="")


def _swapped(each: Record, draw: random.Random) -> Record:
    return replace(
        each, email=_private(each, draw), first_name=each.last_name, last_name=each.first_name, phone="", crm_id=""
    )


def _spelt(each: Record, draw: random.Random) -> Record:
    first, last = each.first_name, each.last_name
    for letter, letters in _SPELT.items():
        first, last = first.replace(letter, letters), last.replace(letter, letters)
    if (first, last) == (each.first_name, each.last_name):
        first, last = first.translate(_PLAIN), last.translate(_PLAIN).upper()
    company = with_form(each.company, draw)
    return replace(
        each, email=_private(each, draw), first_name=first, last_name=last, company=company, phone="", crm_id=""
    )


def _no_address(each: Record, draw: random.Random) -> Record:
    digits = each.phone.replace("+49 ", "0").replace(" ", "")
    phone = draw.choice((f"({digits[:3]}) {digits[3:7]}-{digits[7:]}", f"0049 {digits[1:]}", digits))
    return replace(each, email="", phone=phone, company="", crm_id="")


def _new_job(each: Record, draw: random.Random) -> Record:
    company, domain = draw.choice(companies(50, random.Random(99)))
    local = each.email.partition("@")[0]
    return replace(each, email=f"{local}@new-{domain}", company=f"New {company}", crm_id="")


def _crm(each: Record, draw: random.Random) -> Record:
    return replace(each, email=_private(each, draw), company="", phone="", last_name=draw.choice(_LAST))


def _second_alias(each: Record, draw: random.Random) -> Record:
    domain = each.email.partition("@")[2]
    local = f"{_ascii(each.first_name)[:1]}{_ascii(each.last_name)}"
    return replace(each, email=f"{local}@{domain}", phone="", crm_id="")


def _nothing_in_common(each: Record, draw: random.Random) -> Record:
    return replace(each, email=_private(each, draw), company="", phone="", crm_id="")


def _new_surname(each: Record, draw: random.Random) -> Record:
    last = draw.choice(_LAST)
    domain = each.email.partition("@")[2]
    return replace(each, email=f"{_ascii(each.first_name)}.{_ascii(last)}@{domain}", last_name=last, crm_id="")


def _unnamed(each: Record, draw: random.Random) -> Record:
    first, last = _ascii(each.first_name), _ascii(each.last_name)
    local = draw.choice((f"{first}.{last}", f"{first[:1]}{last}", f"{last}.{first}", f"{first[:1]}.{last}"))
    return replace(each, email=f"{local}@web.de", first_name="", last_name="", phone="", crm_id="")


def _slip_in_address(each: Record, draw: random.Random) -> Record:
    local, _, domain = each.email.partition("@")
    return replace(each, email=f"{slip(local, draw)}@{domain}", phone="", crm_id="")


def _other_ending(each: Record, draw: random.Random) -> Record:
    local, _, domain = each.email.partition("@")
    other = draw.choice(("web.de", "gmx.net")) if domain == "gmail.com" else f"{domain.partition('.')[0]}.com"
    return replace(each, email=f"{local}@{other}", phone="", company="", crm_id="")


def _division(each: Record, draw: random.Random) -> Record:
    company = f"{each.company} {draw.choice(('IT', 'Deutschland', 'Germany GmbH', 'Services', 'International'))}"
    return replace(each, email=_private(each, draw), company=company, phone="", crm_id="")


def _company_slip(each: Record, draw: random.Random) -> Record:
    words = each.company.split()
    at = draw.randrange(len(words))
    words[at] = slip(words[at], draw)
    return replace(each, email=_private(each, draw), company=with_form(" ".join(words), draw), phone="", crm_id="")


def _new_address_same_phone(each: Record, draw: random.Random) -> Record:
    return replace(each, email=_private(each, draw), company=draw.choice((each.company, "")), crm_id="")


_VARIANTS: dict[str, Callable[[Record, random.Random], Record]] = {
    "same address, other spelling": _same_address,
    "slip in the name, private address": _typo,
    "nickname or initial, private address": _nickname,
    "names swapped, private address": _swapped,
    "umlauts and accents, private address": _spelt,
    "no address, other phone format": _no_address,
    "new job, same phone": _new_job,
    "same CRM id": _crm,
    "second address at work": _second_alias,
    "only the name in common": _nothing_in_common,
    "private address, same phone": _new_address_same_phone,
    "new surname, same phone": _new_surname,
    "no name but in the address": _unnamed,
    "slip in the address": _slip_in_address,
    "same address at another domain": _other_ending,
    "company's division or country": _division,
    "slip in the company": _company_slip,
}


def _namesake(each: Record, draw: random.Random) -> Record:
    company, domain = draw.choice(companies(50, random.Random(98)))
    local = each.email.partition("@")[0]
    return replace(each, email=f"{local}@other-{domain}", company=f"Other {company}", phone=_other_phone(draw))


def _numbered(each: Record, draw: random.Random) -> Record:
    local, _, domain = each.email.partition("@")
    return replace(each, email=f"{local}{draw.randrange(2, 9)}@{domain}", phone=_other_phone(draw))


def _reception(each: Record, draw: random.Random) -> Record:
    first, last = draw.choice(_FIRST), draw.choice(_LAST)
    domain = each.email.partition("@")[2]
    return replace(each, first_name=first, last_name=last, email=f"{_ascii(first)}.{_ascii(last)}.x@{domain}")


def _son(each: Record, draw: random.Random) -> Record:
    domain = each.email.partition("@")[2]
    return replace(each, last_name=f"{each.last_name} Jr.", email=f"junior.{_ascii(each.last_name)}@{domain}", phone="")


def _sister(each: Record, draw: random.Random) -> Record:
    first = draw.choice([name for name in _FIRST if name[0] == each.first_name[0]] or _FIRST)
    domain = each.email.partition("@")[2]
    return replace(each, first_name=f"{first}a", email=f"{_ascii(first)}a.{_ascii(each.last_name)}@{domain}", phone="")


def _successor(each: Record, draw: random.Random) -> Record:
    return replace(each, first_name=draw.choice(_FIRST), last_name=draw.choice(_LAST), phone=_other_phone(draw))


def _role(each: Record, draw: random.Random) -> Record:
    domain = each.email.partition("@")[2]
    email = f"info@{domain}" if domain != "gmail.com" else each.email
    return _successor(replace(each, email=email), draw)


def _family(each: Record, draw: random.Random) -> Record:
    return replace(each, first_name=draw.choice([name for name in _FIRST if name[0] != each.first_name[0]]))


def _other_phone(draw: random.Random) -> str:
    return f"+49 40 {draw.randrange(10_000_000, 99_999_999)}"


_LOOKALIKES: dict[str, Callable[[Record, random.Random], Record]] = {
    "namesake at another company": _namesake,
    "namesake at the same company": _numbered,
    "colleague on the reception's phone": _reception,
    "son of the same name": _son,
    "relative at the same company": _sister,
    "successor at the same address": _successor,
    "another person at the role's address": _role,
    "family at one address and phone": _family,
}


def leads_of(accounts: list[tuple[str, str]], count: int, seed: int = 12) -> Iterator[tuple[str | None, str, str, str]]:
    """``count`` leads as (domain or None, company, how it is written, the account's domain or "")."""
    draw = random.Random(seed)
    for _ in range(count):
        name, domain = draw.choice(accounts)
        chance = draw.random()
        if chance < 0.4:
            yield domain, "", "domain", domain
        elif chance < 0.6:
            yield None, with_form(name, draw), "legal form", domain
        elif chance < 0.75:
            words = name.split()
            at = draw.randrange(len(words))
            words[at] = slip(words[at], draw)
            yield None, with_form(" ".join(words), draw), "slip", domain
        else:
            stranger = f"{draw.choice(_LAST)} {draw.choice(_TRADES)} {draw.choice(_PLACES)}"
            yield None, with_form(stranger, draw), "no account", ""
