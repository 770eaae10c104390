"""Write the example files beside this one: made-up people at made-up companies, with the dirt of real forms.

    python examples/make_signals.py [FOLDER]

Word lists, a fixed seed and no clock: the same rows every time. Addresses are under ``.example``, or at a
mail provider with ``example`` in the name. Phone numbers are from ranges that regulators keep for fiction
(US 555-01xx, UK 020 7946 0xxx, Germany 030 23125 xxx, France 01 99 00 xx xx, Australia 5550 xxxx).

Long as one file: the word lists and the dirt of each file are read together, and the script needs nothing beside it.

Belongs here: the example data. Does not belong here: what Leadgate makes of it.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import sys
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from openpyxl import Workbook

Row = dict[str, str]
Choices = Sequence[tuple[int, str]]  # how often, and the choices of that kind, parted by |

HERE = Path(__file__).parent
ACCOUNTS = HERE.parent / "leadgate" / "data" / "accounts.csv"
START = datetime(2025, 9, 29, 7, 4, tzinfo=UTC)


# --- people ---------------------------------------------------------------------------------------------


class Country(NamedTuple):
    """A space parts names; ``_`` is a space inside one, and what follows a slash is its Latin spelling."""

    often: int
    spellings: str
    first_names: str
    last_names: str
    phones: str = ""


COUNTRIES = {
    "US": Country(
        74, "United States|USA|US|U.S.|united states|United States of America",
        "Avery Jordan Dana Casey Marcus Priya Elena Terrence Naomi Wesley Imani Hector Ruth Glenn",
        "Bennett Whitlow Okonkwo Castellano Prescott Hargrove Lindqvist Ramaswamy Delacroix Yates Ferrante Boyd",
        "({us}) 555-01{a:02}|+1 {us} 555 01{a:02}|{us}.555.01{a:02}|{us}5550 1{a:02}|+1 ({us}) 555-01{a:02} ext. 4",
    ),
    "DE": Country(
        9, "Germany|Deutschland|DE|germany|Allemagne",
        "Jürgen Käthe Annika Björn Sönke Mareike Thorsten Ulrike Cem Franziska",
        "Großmann Weiß Bäcker Schönfeld Yıldız Hollerbach Krüger Möllendorf Ziegenhals Petersen",
        "030 23125 {b:03}|+49 30 23125{b:03}|0049 (0)30 23125-{b:03}",
    ),
    "GB": Country(
        8, "United Kingdom|UK|GB|England|Great Britain|U.K.",
        "Imogen Rhys Saoirse Alistair Nikhil Beatrix Tamsin Gareth",
        "Ashdown Penhaligon Mukherjee Fairweather O'Donnell Thistlewood Blackwood-Hayes Pryce",
        "020 7946 0{b:03}|+44 20 7946 0{b:03}|07700 900{b:03}|0044 20 7946 0{b:03}",
    ),
    "FR": Country(
        5, "France|FR|france", "Élodie Benoît Chloé Thibault Maëlle Gaëtan Inès",
        "Lefèvre d'Aubigny Béranger Châtelain Rouvière Garçon Noël-Dumas",
        "01 99 00 {a:02} {c:02}|+33 1 99 00 {a:02} {c:02}|06 39 98 {a:02} {c:02}",
    ),
    "CA": Country(
        8, "Canada|CA|CANADA", "Maude Étienne Harpreet Colleen Noah",
        "Tremblay-Roy Sandhu MacAllister Gervais Osei", "({ca}) 555-01{a:02}|+1 {ca} 555 01{a:02}",
    ),
    "NL": Country(
        4, "Netherlands|The Netherlands|NL|Nederland", "Sanne Joris Fenna Maarten",
        "van_der_Velde Hoekstra de_Wit Brouwer",
    ),
    "CH": Country(2, "Switzerland|Schweiz|CH|Suisse", "Reto Ladina Beat Océane", "Ammann Zürcher Frey-Bühler"),
    "AT": Country(3, "Austria|Österreich|AT", "Leopold Resi Valentin", "Grünwald Höllerer Neuwirth"),
    "ES": Country(3, "Spain|España|ES", "Íñigo Begoña Martín Lucía", "Peña Núñez Zubizarreta Ibáñez"),
    "IT": Country(2, "Italy|Italia|IT", "Ginevra Niccolò Chiara", "Bellandi De_Santis Morosini"),
    "IE": Country(2, "Ireland|IE|Éire", "Aoife Cillian Niamh", "Ó_Briain McNamara Delaney"),
    "AU": Country(
        2, "Australia|AU", "Darcy Kirra Lachlan", "Wentworth Nguyen-Reid Flinders",
        "(02) 5550 {b:04}|+61 2 5550 {b:04}",
    ),
    "IN": Country(2, "India|IN|india", "Ananya Rohan Kavita", "Chakraborty Iyengar Deshpande"),
    "BR": Country(2, "Brazil|Brasil|BR", "João Thaís Luan", "Araújo Gonçalves Figueiredo"),
    "JP": Country(1, "Japan|日本|JP", "健太/kenta 美咲/misaki さくら/sakura", "山田/yamada 佐々木/sasaki"),
    "UA": Country(1, "Ukraine|Україна", "Оксана/oksana Тарас/taras", "Шевчук/shevchuk Бондар/bondar"),
    "PL": Country(1, "Poland|Polska", "Łucja Zbigniew", "Wójcik Świątek"),
}  # fmt: skip
#: Each has a hundred numbers that belong to nobody (555-0100 to 555-0199).
_US_AREAS = (
    201, 202, 203, 206, 212, 213, 214, 215, 216, 303, 305, 310, 312, 313, 314, 404, 408, 412, 415, 503, 504, 512,
    513, 602, 612, 615, 617, 619, 646, 702, 704, 713, 718, 720, 773, 801, 816, 818, 858, 904, 919, 949, 972,
)  # fmt: skip
_CA_AREAS = (204, 403, 416, 514, 604, 613, 780, 902)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "ł": "l", "'": "", "_": ""})

TITLES: Choices = (
    (15, "CEO|Co-Founder & CEO|Chief Revenue Officer|CMO|Founder|COO|President"),
    (30, "VP Sales|Head of Marketing|Sales Director|Director of Revenue Operations|Head of Demand Generation|"
         "VP Growth|Head of CRM|Director, Business Operations"),
    (30, "Marketing Manager|RevOps Manager|Sales Operations Manager|CRM manager|SALES MANAGER|Growth Lead|"
         "Account Manager|Product Manager"),
    (25, "Account Executive|Data Analyst|Consultant|Software Engineer|Office Assistant|Accountant|Teacher||"),
)  # fmt: skip
GERMAN_TITLES: Choices = (
    (20, "Geschäftsführer|Geschäftsführerin|CEO|Vorstand"),
    (35, "Leiter Vertrieb|Leiterin Marketing|Head of Sales|Vertriebsleiter|Director Marketing|Leiter CRM"),
    (25, "Marketing Manager|Sales Manager|Teamleiter Sales|Key Account Manager"),
    (20, "Sachbearbeiterin|Einkäufer|Berater|Ingenieurin|"),
)
FIRMS = (
    "Tallow & Finch|Ninefold|Peppercorn Data|Blaustein Werke|Quiet Harbour|Copperleaf Mills|Sundial Robotics|"
    "Lumenkraft|Atelier Boréal|Driftwood Digital|Hinterland Foods|Papillon Mobilité|Kestrel & Vane|Morning Loom|"
    "Zweistrom|Gullwing Parts|Saltmarsh Studio|Orbit Nine|Thimble Health|Cloverfield Farms|Pixelhof|"
    "Ravenna Textiles|Bright Meridian|Fjordline Cargo"
)
SIZES: Choices = (
    (12, "1-10"), (30, "11-50"), (22, "51-200"), (12, "201-500"), (6, "501-1,000"), (3, "1,001-5,000"), (15, ""),
)  # fmt: skip
INDUSTRIES: Choices = (
    (34, "Software|Software|SaaS"), (22, "Manufacturing|Logistics"), (14, "Financial services|Healthcare"),
    (26, "Retail|Education|Professional services"), (14, ""),
)  # fmt: skip


def in_latin(text: str) -> str:
    """As people spell their names where an address has no letter for it."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_UMLAUTS))
    return plain.encode("ascii", "ignore").decode()


class People:
    """Draws people. No address comes twice, unless somebody is meant to come again."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - sample data, and it has to be the same every time
        with ACCOUNTS.open(encoding="utf-8", newline="") as file:
            self.accounts = list(csv.DictReader(file))
        self._addresses: set[str] = set()

    def draw(self, titles: Choices = TITLES, countries: str = "") -> Row:
        """A clean person. ``countries``: only from these, parted by spaces."""
        while True:
            person = self._draw(titles, countries.split() or list(COUNTRIES))
            if person["email"] not in self._addresses:
                self._addresses.add(person["email"])
                return person

    def pick(self, choices: str | Choices) -> str:
        """One of ``choices``."""
        if not isinstance(choices, str):
            choices = self.random.choices([kind for _, kind in choices], [often for often, _ in choices])[0]
        return self.random.choice(choices.split("|"))

    def _draw(self, titles: Choices, countries: Sequence[str]) -> Row:
        code = self.pick([(COUNTRIES[code].often, code) for code in countries])
        country = COUNTRIES[code]
        first, first_latin = self._name(country.first_names)
        last, last_latin = self._name(country.last_names)
        local = self.pick(
            f"{first_latin}.{last_latin}|{first_latin[0]}.{last_latin}|{first_latin}{last_latin[0]}"
            f"|{first_latin}_{last_latin}"
        )
        known = [account for account in self.accounts if account["country"] == code]
        size, industry = self.pick(SIZES), self.pick(INDUSTRIES)
        if known and self.random.random() < 0.5:
            account = self.random.choice(known)
            company, domain, size, industry = account["name"], account["domain"], "", ""
        elif self.random.random() < 0.25:
            local, domain = f"{local}.example", self.pick("gmail.com|outlook.com|yahoo.com|hotmail.com|gmx.de")
            company = self.pick([(6, FIRMS), (1, "")])
        else:
            company = self.pick(FIRMS)
            domain = "-".join(re.findall("[a-z]+", in_latin(company))) + ".example"
        own = company and domain.endswith(".example")
        return {
            "first": first, "last": last, "name": f"{first_latin}.{last_latin}", "local": local, "domain": domain,
            "email": f"{local}@{domain}",
            "phone": self._phone(country) if self.random.random() < 0.7 else "",
            "country": self.pick(country.spellings), "company": company,
            "website": self.pick(f"|www.{domain}|HTTPS://{domain}/|{domain}") if own else "",
            "size": size, "industry": industry, "title": self.pick(titles),
        }  # fmt: skip

    def _name(self, names: str) -> tuple[str, str]:
        written, _, latin = self.random.choice(names.split()).partition("/")
        return written.replace("_", " "), latin or in_latin(written)

    def _phone(self, country: Country) -> str:
        a, b, c = (self.random.randrange(most) for most in (100, 1000, 100))
        us, ca = (codes[b % len(codes)] for codes in (_US_AREAS, _CA_AREAS))
        return self.pick(country.phones).format(a=a, b=b, c=c, us=us, ca=ca)

    def untidy(self, text: str) -> str:
        """Now and then the case and the space that people and browsers put in; nothing that is wrong."""
        changed = (text.upper(), text.lower(), f" {text} ", f"{text}  ", text.replace(" ", "  "))
        return self.random.choice((*changed, *[text] * 20))

    def spread(self, rows: list[Row], odd: Sequence[Row]) -> None:
        """Each of ``odd`` over a row of its own. Names in braces stand for that row's clean values."""
        for position, changes in zip(self.random.sample(range(len(rows)), len(odd)), odd, strict=True):
            rows[position] = changed(rows[position], changes) | {"odd": "yes"}


def changed(row: Row, changes: Row, **more: str) -> Row:
    """``row`` with ``changes``, in which names in braces stand for values of ``row`` and ``more``."""
    return row | {name: value.format_map(row | more) for name, value in changes.items()}


def each(field: str, *values: str, **more: str) -> list[Row]:
    """A change of ``field`` for each of ``values``; ``more`` changes with it."""
    return [{field: value, **more} for value in values]


# --- website.csv: forms, the largest source -------------------------------------------------------------
WEBSITE_COLUMNS = {
    "submission_id": "id", "submitted_at": "at", "First name": "first", "Last name": "last", "Email": "email",
    "Phone": "phone", "Company": "company", "Website": "website", "Job title": "title", "Country": "country",
    "Industry": "industry", "Number of employees": "size", "Budget range": "budget", "Urgency": "urgency",
    "Use case": "use_case", "Seats": "seats", "Current tool": "tool", "Lead message": "message",
    "Marketing consent": "consent", "utm_source": "utm_source", "utm_campaign": "utm_campaign",
    "exported_at": "exported_at",
}  # fmt: skip
ANSWERS: dict[str, Choices] = {
    "budget": [(2, ""), (6, "10k-50k|€50.000|none|unknown|100k+|$5,000")],
    "urgency": [(2, ""), (5, "this quarter|next year|ASAP|just looking|High")],
    "use_case": [
        (2, ""),
        (5, "Lead routing|Faster follow-up|Cleaning our CRM|Reporting for the board|Replacing spreadsheets"),
    ],
    "seats": [(2, ""), (6, "5|10|25|50|1,200|80")],
    "tool": [(1, ""), (5, "spreadsheets|an in-house script|HubSpot|Salesforce|nothing yet")],
    "consent": [(1, ""), (4, "Yes|yes|true|I agree to be contacted")],
    "utm_source": [(1, "google|newsletter||linkedin")],
    "utm_campaign": [(1, "autumn-launch||brand")],
    "message": [
        (3, ""),
        (
            9,
            "We would like to see how routing works for three sales teams.|"
            "Please call me about pricing for the team plan.|"
            "Our forms feed two CRMs and nobody knows who owns what. Can you help?|"
            "Nous cherchons à remplacer nos tableurs avant la fin de l'année.|"
            "Wir möchten unsere Leads schneller verteilen.\nAm besten noch in diesem Quartal.|"
            "Is there a connector for our data warehouse?|"
            "Looking for a demo 🙂 next week if possible|"
            "We compared three tools, and yours is the only one that explains itself.|hi",
        ),
    ],
}
WEBSITE_ODD: list[Row] = [
    *each("email", "{local}{domain}", "{local}@@{domain}", "{local} at {domain}", "n.n.", "{local}@",
          "{local}@{domain},{first}@{domain}", "{local}(at){domain}"),
    *each("email", "{name}.example@gmial.com", "{name}.example@gmail.con", "{name}.example@hotmial.com",
          "{name}.example@outlok.com", "{name}.example@yahooo.com", "{name}.example@gmal.com"),
    *each("phone", "call me", "on request", "12345", "+999 555 0100", "555-01", "ask for {first}", "00000"),
    *each("country", "Narnia", "EMEA", "Worldwide", "Mars", "Europe/Asia"),
    *each("consent", "No", "no", "I do not agree", "false"),
    {"message": "Cheap links for {company} http://a.example http://b.example http://c.example http://d.example"},
    {"message": "We sell SEO services, page one guaranteed", "first": "SEO", "last": "Expert"},
    {"message": "http://win-a-prize.example/?id=77"},
    {"message": "crypto investment, 300 % in a week", "first": "Visit www.coins.example/now"},
    {"message": "Hello dear, casino bonus for you"},
    *each("email", "{local}@mailinator.com", "{local}@guerrillamail.com", "{local}@10minutemail.com",
          "{local}@yopmail.com"),
    *each("seats", "about twenty", "5 to 10 maybe", "TBD soon"),
    *each("phone", "", "-", "", email=""),
    *each("title", "Student", "PhD student", "Étudiante", "Intern", "student (M.Sc.)", use_case="Thesis"),
    *each("message", "Please find my CV attached", "Is there a job opening in your team?",
          "I am looking for a job in sales", "I would like to apply for the position of account executive"),
    *each("email", "{local}@rivalcrm.example", "{local}.mystery@rivalcrm.example", company="Rival CRM", website=""),
    {"email": "{local}@otherleads.example", "company": "Other Leads Inc.", "website": ""},
    *each("message", "We offer outsourced lead lists for every industry",
          "Our agency offers link building and design", "A partnership proposal for your marketing team",
          "Outsourcing services from 9 dollars an hour", title="Founder"),
    {"country": "Iran", "phone": ""},
    *each("email", "info@ninefold.example", "sales@orbit-nine.example", "no-reply@pixelhof.example"),
    # odd, and not wrong: kept as text, and shown escaped
    {"company": "=cmd|' /C calc'!A0"},
    {"first": "@SUM(1+1)", "last": "<b>Bold</b>"},
    {"message": "[bold red]markup[/bold red] and <script>alert('hi')</script>, a long enough question"},
    {"message": 'An escape \x1b[31mred\x1b[0m, and a "quoted" word; then\nthree\nlines'},
    {"first": "🚀 {first}", "last": "{last} 🎉"},
    {"first": "{first} {last}", "last": ""},
    *each("email", "mailto:{local}@{domain}", "<{local}@{domain}>;", "{local}@{domain}."),
]  # fmt: skip
#: The same person again, and what differs then. A tag in an address is the provider's to disregard.
WEBSITE_AGAIN: list[Row] = [
    *[{"message": "Any news? I wrote last week already."}] * 5,
    *[{"email": "{shouted}", "message": "Please send the price list, thanks!"}] * 3,
    *[{"email": "{tagged}", "use_case": "Reporting for the board"}] * 4,
    *[{"phone": "", "company": "{company} Group"}] * 3,
]
#: Records with commas that nobody quoted, or that broke off.
WEBSITE_BROKEN = {
    61: "W-90001,2025-09-30 21:40,Dana,Yates,dana.yates@ninefold.example,,Ninefold, Inc.,,VP Sales,US\n",
    158: "W-90002,2025-10-03 08:15,Rhys,Pryce,rhys.pryce@ninefold.example,020 7946 0111,Ninefold\n",
    240: "W-90003,2025-10-05,Reto,Frey,reto@lumenkraft.example,,Lumenkraft,,Leiter,Schweiz,SaaS,11-50,,,,5,,"
         "Hallo, ich hätte gern ein Angebot, danke,Yes,google,brand,2025-10-06T06:00:00Z\n",
}  # fmt: skip


def website(people: People) -> list[Row]:
    rows = []
    for _ in range(312):
        row = people.draw() | {name: people.pick(choices) for name, choices in ANSWERS.items()}
        rows.append(row | {k: people.untidy(row[k]) for k in ("first", "last", "email", "company", "country")})
    people.spread(rows, WEBSITE_ODD)
    for changes in WEBSITE_AGAIN:
        tagged = changes.get("email") == "{tagged}"
        before = people.random.choice([row for row in rows[:250] if "gmail.com" in row["email"] or not tagged])
        email = before["email"].strip()
        again = changed(before, changes, shouted=email.upper(), tagged=email.replace("@", "+leadgate@"))
        rows.insert(people.random.randrange(rows.index(before) + 1, len(rows)), again)
    return [
        row | {
            "id": f"W-{10_000 + 7 * number}",
            "at": f"{START + timedelta(minutes=37 * number):%Y-%m-%d %H:%M}",
            "exported_at": "2025-10-06T06:00:00Z",
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip


def website_csv(rows: Sequence[Row]) -> bytes:
    """UTF-8 with a byte-order mark, as spreadsheets write it."""
    records = _records(WEBSITE_COLUMNS, rows)
    for position, broken in WEBSITE_BROKEN.items():
        records.insert(position, broken)
    return "".join(records).encode("utf-8-sig")


# --- trade_show.csv: badge scans; German, semicolons, latin-1 ---------------------------------------------
TRADE_SHOW_COLUMNS = {
    "Vorname": "first", "Nachname": "last", "Firma": "company", "Position": "title", "E-Mail": "email",
    "Telefon": "phone", "Land": "country", "Branche": "industry", "Mitarbeiter": "size", "Notes": "note",
    "Scanned at": "at", "Stand": "stand",
}  # fmt: skip
TRADE_SHOW_ODD: list[Row] = [
    *each("email", "{local}@{domain},de", "{local}(a)gmx", "www.{domain}", "{local}@", "siehe Karte"),
    *each("phone", "s. Karte", "030 23", "keine"),
    *[{"email": "", "phone": ""}] * 4,
    {"country": "DACH region"},
    {"title": "Studentin", "note": "nur Kugelschreiber"},
    {"title": "Student", "email": "{local}.uni@{domain}"},
]
TRADE_SHOW_BROKEN = {
    31: "Resi;Neuwirth;Zweistrom;Leiterin Marketing;resi@zweistrom.example;;Österreich;Software;11-50;"
        "will A; B und C;07.10.2025;A12\r\n",
    58: "Beat;Ammann;Lumenkraft\r\n",
}  # fmt: skip


def trade_show(people: People, before: Sequence[Row]) -> list[Row]:
    rows = []
    for number in range(60):
        rows.append(
            people.draw(GERMAN_TITLES, "DE AT CH NL FR IT GB")
            | {
                "note": people.pick("|Demo gewünscht|ruft nächste Woche zurück|Preisliste schicken|"),
                "stand": people.pick("A12|A12|B3"),
                "at": f"{datetime(2025, 10, 7, 9, tzinfo=UTC) + timedelta(minutes=9 * number):%d.%m.%Y %H:%M}",
            }
        )
    people.spread(rows, TRADE_SHOW_ODD)
    # they wrote through the website, and then came to the booth
    met = [row for row in before if row["email"].endswith(".example") and row["country"] in ("Germany", "UK")]
    return rows + [row | {"note": "kennt uns", "stand": "A12", "at": "09.10.2025 17:20"} for row in met[:7]]


def trade_show_csv(rows: Sequence[Row]) -> bytes:
    """Latin-1 with CRLF, as a scanner writes it; a letter that it does not have becomes a question mark."""
    records = _records(TRADE_SHOW_COLUMNS, rows, ";", "\r\n")
    for position, broken in TRADE_SHOW_BROKEN.items():
        records.insert(position, broken)
    return "".join(records).encode("latin-1", "replace")


# --- partner.jsonl: referrals, nested, one a line -----------------------------------------------------------
PARTNER_ODD: list[Row] = [
    *each("email", "{local} @ {domain} (assistant)", "{first} {last}"),
    *each("phone", "unknown, ask reception", "tel. 11"),
    {"consent": "refused"},
    {"country": "Benelux"},
]
PARTNER_BROKEN = (
    '{"referral_id": "R9999", "Partner": "Studio Quetzal", "contact": {"firstName": "Luan", "email": "luan@\n'
)


def partner_jsonl(people: People, before: Sequence[Row]) -> bytes:
    rows = [people.draw() | {"consent": "yes"} for _ in range(45)]
    people.spread(rows, PARTNER_ODD)
    known = [row for row in before if row["email"].endswith(".example")]
    rows += [row | {"consent": "yes"} for row in people.random.sample(known, 3)]
    lines = []
    for number, row in enumerate(rows):
        contact = {
            "firstName": row["first"], "lastName": row["last"], "email": row["email"],
            "phone": row["phone"] or None, "jobTitle": row["title"] or None,
        }  # fmt: skip
        referral = {
            "referral_id": f"R{2_000 + number}",
            "Partner": people.pick("Nordlicht Consulting|Harbour & Hill|Studio Quetzal"),
            "contact": contact,
            **{name: row[name] for name in ("company", "website", "country", "industry", "consent")},
            "employees": row["size"],
            "product": people.pick("Routing|Gates|"),
            "created_at": f"2025-10-{number % 9 + 1:02}T10:00:00+02:00",
        }
        lines.append(json.dumps(referral, ensure_ascii=False) + "\n")
    lines.insert(17, PARTNER_BROKEN)
    return "".join(lines).encode()


# --- linkedin_ads.xlsx: lead forms of a source that requires consent ------------------------------------------
LINKEDIN_COLUMNS = {
    "leadId": "id", "Form Name": "form", "First Name": "first", "Last Name": "last", "Email Address": "email",
    "Company Name": "company", "Job Title": "title", "Country/Region": "country", "Company Size": "size",
    "Industry": "industry", "Opt-in": "consent", "Created at": "at",
}  # fmt: skip


def linkedin_ads(people: People, before: Sequence[Row]) -> Workbook:
    rows = [people.draw() for _ in range(22)] + [row for row in before if row["title"].startswith("VP")][:2]
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Leads"
    sheet.append(list(LINKEDIN_COLUMNS))
    for number, row in enumerate(rows):
        consent = {3: "", 9: "No", 15: ""}.get(number, "Yes")
        form = {"id": f"urn-{88_000 + number}", "form": "Guide: six gates", "consent": consent}
        values = {**row, **form, "at": datetime(2025, 10, 8, 9, number)}  # noqa: DTZ001 - cells have no zone
        sheet.append([values[key] for key in LINKEDIN_COLUMNS.values()])
    return book


def without_clock(book: Workbook) -> bytes:
    """The workbook as a file that does not tell when it was made."""
    made, fixed = io.BytesIO(), io.BytesIO()
    book.save(made)
    with zipfile.ZipFile(made) as before, zipfile.ZipFile(fixed, "w") as after:
        for name in before.namelist():
            part = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2025-10-08T09:00:00Z", before.read(name))
            after.writestr(zipfile.ZipInfo(name, (2025, 10, 8, 9, 0, 0)), part)
    return fixed.getvalue()


# --- webinar.csv: somebody changed the form: from the fifth row on, phone and e-mail are swapped --------------
WEBINAR_COLUMNS = {
    "Registration time": "at", "First name": "first", "Last name": "last", "Email": "email", "Phone": "phone",
    "Organization": "company", "Job title": "title", "Country": "country", "Questions & comments": "question",
    "Attended": "attended", "Time in session": "time",
}  # fmt: skip


def webinar(people: People) -> Iterator[Row]:
    for number in range(24):
        row = people.draw(countries="US") | {"phone": f"+1 212 555 01{number:02}"}
        yield row | {
            "email": row["phone" if number >= 4 else "email"],
            "phone": row["email" if number >= 4 else "phone"],
            "at": (START + timedelta(minutes=3 * number)).isoformat(),
            "question": people.pick("||Will there be a recording?"),
            "attended": people.pick("Yes|No"),
            "time": f"{people.random.randrange(5, 58)} minutes",
        }


# --- activities.csv: what leads did; touches.csv: what reps did afterwards ------------------------------------
ACTIVITY_COLUMNS = {name: name for name in ("Email", "Activity", "Date", "Rep")}
#: Ages instead of dates, so that what counts for 14 or 30 days counts whenever the example is run.
AGES = "2 hours ago|yesterday|3 days ago|5 days ago|9 days ago|12 days ago|25 days ago|6 weeks ago"
BEHAVIOUR: Choices = (
    (5, "Pricing page view"), (4, "Page view"), (2, "Webinar attended"), (3, "Demo request|Email reply|Email open"),
)  # fmt: skip


def activities(people: People, leads: Sequence[Row]) -> Iterator[Row]:
    for _ in range(74):
        yield _activity(people.random.choice(leads)["email"], people.pick(BEHAVIOUR), people.pick(AGES))
    for lead in people.random.sample(leads, 2):
        yield _activity(lead["email"].upper(), "Unsubscribed", "4 days ago")
    yield _activity("nobody.known@ninefold.example", "Page view", "yesterday")
    yield _activity("", "Demo request", "yesterday")
    yield _activity(leads[8]["email"], "Call", "8 days ago", "Maya Johnson")


def touches(leads: Sequence[Row], accounts: Sequence[Row]) -> list[Row]:
    """Calls, e-mails and meetings by the owners of accounts, made just now: after the leads were assigned."""
    owners = {account["domain"]: account["owner"] for account in accounts if account["owner"]}
    mine = [lead for lead in leads if lead["domain"] in owners][:12]
    kinds = itertools.cycle(("Call", "Email", "Meeting"))
    return [_activity(lead["email"], next(kinds), "just now", owners[lead["domain"]]) for lead in mine]


def _activity(email: str, kind: str, when: str, rep: str = "") -> Row:
    return {"Email": email.strip(), "Activity": kind, "Date": when, "Rep": rep}


# --- files --------------------------------------------------------------------------------------------------


def _records(columns: Row, rows: Iterable[Row], delimiter: str = ",", end: str = "\n") -> list[str]:
    """The header and the rows as CSV, a text each: one may hold several lines."""
    return [
        _record(columns, delimiter, end),
        *(_record((row[k] for k in columns.values()), delimiter, end) for row in rows),
    ]


def _record(cells: Iterable[str], delimiter: str, end: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerow(cells)
    return text.getvalue()


def main(folder: Path) -> None:
    """Write all files into ``folder``."""
    people = People(seed=7)
    forms = website(people)
    clean = [row for row in forms if "odd" not in row and "+" not in row["email"]]
    (folder / "website.csv").write_bytes(website_csv(forms))
    (folder / "trade_show.csv").write_bytes(trade_show_csv(trade_show(people, forms)))
    (folder / "partner.jsonl").write_bytes(partner_jsonl(people, forms))
    (folder / "linkedin_ads.xlsx").write_bytes(without_clock(linkedin_ads(people, forms)))
    for name, columns, rows in (
        ("webinar.csv", WEBINAR_COLUMNS, webinar(people)),
        ("activities.csv", ACTIVITY_COLUMNS, activities(people, clean)),
        ("touches.csv", ACTIVITY_COLUMNS, touches(clean, people.accounts)),
    ):
        (folder / name).write_bytes("".join(_records(columns, rows)).encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
