"""Which lead field a column of an export means, and flat names for nested values.

Belongs here: the names that the usual exports give to the lead's fields, and choosing among them.
Does not belong here: reading files (``connectors.files``) or cleaning values (``normalise``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from leadgate.limits import MAX_HEADER_LENGTH
from leadgate.values.json_types import JsonObject, JsonValue
from leadgate.values.marks import remove_marks

#: Field -> names, the most telling first: of two columns for one field the earlier name wins, and the
#: other column stays an attribute. English and vendors' API names first, then French, German, Spanish,
#: Italian, Dutch, Portuguese. Spelling, case, accents, spaces and punctuation do not matter.
_SYNONYMS: Final[dict[str, str]] = {
    "email": """email, e-mail, email address, e-mail address, primary email, work email, business email,
        company email, corporate email, professional email, email 1, mail, mail address, emails,
        personal email, email id,
        courriel, adresse e-mail, adresse mail, adresse électronique, adresse courriel, e-mail professionnel,
        email pro, mél,
        e-mail-adresse, mailadresse, geschäftliche e-mail, e-mail geschäftlich,
        correo, correo electrónico, dirección de correo electrónico, correo corporativo, e-mail corporativo,
        posta elettronica, indirizzo e-mail, indirizzo mail, mailadres, e-mailadres, endereço de e-mail,
        correio eletrónico""",
    "phone": """phone, phone number, telephone, telephone number, tel, primary phone, work phone,
        work phone number, business phone, business phone number, office phone, direct phone, mobile phone,
        mobile phone number, mobile, mobile number, cell phone, cell, cell phone number, contact number,
        phone no, tel no, phone 1, phones, whatsapp, whatsapp number, whatsapp phone number, home phone,
        téléphone, numéro de téléphone, tél, n° de téléphone, téléphone portable, téléphone mobile, portable,
        téléphone professionnel, téléphone fixe,
        telefon, telefonnummer, rufnummer, handy, handynummer, mobil, mobiltelefon, mobilnummer,
        telefon geschäftlich,
        teléfono, número de teléfono, teléfono móvil, móvil, celular, teléfono celular,
        telefono, numero di telefono, cellulare, telefoon, telefoonnummer, mobiel, mobiel nummer,
        telefone, número de telefone, telemóvel""",
    "salutation": """salutation, honorific, name prefix, prefix, courtesy title, civilité, anrede,
        tratamiento, titolo di cortesia, aanhef, tratamento""",
    "first_name": """first name, firstname, given name, forename, fname, name first, first,
        prénom, prénoms, vorname, rufname, nombre de pila, primer nombre, voornaam, primeiro nome,
        nome proprio""",
    "last_name": """last name, lastname, surname, family name, lname, name last, second name, last,
        nom de famille, nachname, familienname, zuname, apellidos, apellido, apellido paterno,
        cognome, achternaam, sobrenome, apelido""",
    "full_name": """full name, fullname, contact name, lead name, person name, your name, complete name,
        first and last name, first name and last name, contact person, display name,
        nom complet, nom et prénom, prénom et nom, nom prénom, prénom nom, nom du contact,
        vollständiger name, vor- und nachname, name vorname, vorname nachname, ansprechpartner,
        kontaktname, kontaktperson, nombre completo, nombre y apellidos, nombre y apellido,
        persona de contacto, nome completo, nome e cognome, nominativo, volledige naam, contactpersoon""",
    "job_title": """job title, jobtitle, title, position, role, job role, job position, job function,
        occupation, designation, contact title, function,
        fonction, poste, intitulé du poste, intitulé de poste, titre du poste, métier, profession, titre,
        jobbezeichnung, berufsbezeichnung, stellenbezeichnung, position im unternehmen, funktion, beruf, titel,
        cargo, puesto, puesto de trabajo, ocupación, profesión,
        ruolo, qualifica, mansione, posizione, functie, functietitel, função, profissão""",
    "company": """company, company name, company / account, name of company, organization, organization name,
        organisation, organisation name, account name, account, employer, business name, business, firm,
        associated company, primary associated company, current company, your company,
        entreprise, nom de l'entreprise, nom entreprise, société, nom de la société, nom société,
        raison sociale, organisme, compagnie,
        firma, firmenname, unternehmen, unternehmensname, name des unternehmens, name der firma, betrieb,
        empresa, nombre de la empresa, nombre de empresa, compañía, organización, razón social,
        azienda, nome azienda, società, ragione sociale, bedrijf, bedrijfsnaam, organisatie,
        nome da empresa, companhia""",
    "website": """website, website url, web site, company website, company website url, company domain name,
        company domain, company url, homepage, home page, domain, domain name, web address, web page, web, url,
        site web, site internet, site, webseite, internetseite, webadresse, internetadresse,
        sitio web, página web, web de la empresa, sito web, sito, indirizzo web""",
    "industry": """industry, industry sector, company industry, sector, vertical, line of business,
        business segment, secteur, secteur d'activité, domaine d'activité, branche, industrie, wirtschaftszweig,
        industria, sector de actividad, settore, setor, ramo""",
    "company_size": """number of employees, no of employees, numberofemployees, num employees, employees,
        employee count, employee range, company size, company headcount, headcount, team size,
        organization size, organisation size, business size, size,
        nombre d'employés, nombre de salariés, effectif, effectifs, taille de l'entreprise, taille entreprise,
        taille de la société,
        mitarbeiterzahl, mitarbeiteranzahl, anzahl mitarbeiter, anzahl der mitarbeiter, mitarbeiter,
        unternehmensgröße, unternehmensgroesse, firmengröße, betriebsgröße,
        número de empleados, empleados, tamaño de la empresa, tamaño empresa, plantilla,
        numero dipendenti, numero di dipendenti, dipendenti, dimensione azienda,
        aantal medewerkers, aantal werknemers, medewerkers, bedrijfsgrootte, número de funcionários,
        funcionários, tamanho da empresa""",
    "annual_revenue": """annual revenue, annualrevenue, yearly revenue, company revenue, revenue,
        revenue range, turnover, annual turnover,
        chiffre d'affaires, chiffre d'affaires annuel, ca annuel, umsatz, jahresumsatz,
        ingresos anuales, ingresos, facturación, facturación anual, fatturato, fatturato annuo, omzet,
        jaaromzet, faturamento, faturação, receita anual""",
    "street": """street, street address, address, address line 1, address 1, street 1, mailing street,
        mailing address, billing street, street name, street and number,
        adresse, rue, adresse postale, n° et rue, numéro et rue, adresse 1,
        straße, strasse, straße und hausnummer, straße und nr, straße hausnummer, anschrift,
        dirección, calle, domicilio, dirección postal, indirizzo, adres, straat, endereço, rua, morada""",
    "city": """city, town, city town, town city, locality, municipality, mailing city, billing city,
        ville, commune, localité, ort, stadt, wohnort, ciudad, localidad, población, municipio,
        città, comune, plaats, woonplaats, stad, cidade""",
    "postal_code": """postal code, postalcode, zip code, zip, post code, postcode, zip postal code,
        postal zip code, zip or postal code, mailing postal code, mailing zip, billing postal code,
        code postal, cp, plz, postleitzahl, código postal, codice postale, cap, codigo postal, cep""",
    "state": """state, state region, state province, province, region, state or region, state or province,
        state code, county, mailing state, billing state,
        département, région, état, bundesland, kanton, provincia, comunidad autónoma, estado, regione,
        provincie, província""",
    "country": """country, country region, country name, country code, country or region, mailing country,
        billing country, nation, ip country,
        pays, pays région, land, staat, país, paese, nazione""",
    "language": """language, preferred language, contact language, language code, locale, lang, langue,
        langue préférée, sprache, bevorzugte sprache, korrespondenzsprache, idioma, idioma preferido, lingua,
        taal, língua""",
    "product": """product, product interest, product of interest, products, product name, interested in,
        area of interest, interest, solution, solution interest, produit, produit souhaité,
        produit d'intérêt, centre d'intérêt, produkt, produktinteresse, interesse an, producto,
        producto de interés, prodotto, prodotto di interesse, produto""",
    "budget": """budget, budget range, estimated budget, project budget, monthly budget, budget amount,
        budget estimé, budget prévu, geplantes budget, presupuesto, presupuesto estimado, orçamento""",
    "timeline": """timeline, time line, timeframe, time frame, purchase timeframe, purchase timeline,
        buying timeframe, purchase time frame, buying time frame, project timeline, implementation timeline,
        decision timeframe, when do you plan to buy, urgency, délai, échéance, échéance du projet,
        délai du projet, zeitrahmen, zeitplan, kaufzeitraum, dringlichkeit, plazo, plazo de compra, urgencia,
        tempistica, tempistiche, termijn, prazo""",
    "message": """message, lead message, your message, message body, comments, comment, comments questions,
        questions or comments, inquiry, enquiry, question, how can we help, how can we help you,
        tell us about your project, additional information, details, description, notes, note, remarks,
        votre message, commentaire, commentaires, remarque, remarques, demande,
        nachricht, ihre nachricht, mitteilung, kommentar, kommentare, bemerkung, bemerkungen, anmerkung,
        anmerkungen, anfrage, notizen, notiz, mensaje, comentario, comentarios, consulta, observaciones, notas,
        messaggio, commenti, richiesta, bericht, opmerking, opmerkingen, mensagem, observações""",
    "consent": """consent, marketing consent, gdpr consent, email consent, consent to contact, gdpr,
        opt in, email opt in, marketing opt in, newsletter opt in, opted in, accepts marketing,
        email marketing consent, accepts email marketing, consent given, privacy consent,
        legal basis for processing contact's data, newsletter,
        consentement, consentement rgpd, consentement marketing, rgpd, optin,
        einwilligung, einwilligung marketing, zustimmung, dsgvo, dsgvo einwilligung, datenschutz,
        consentimiento, acepto, acepto la política de privacidad, consenso, consenso marketing, toestemming,
        consentimento""",
    "lead_source": """lead source, leadsource, source, original source, original source type,
        original traffic source, traffic source, latest source, latest traffic source, hs analytics source,
        acquisition source, lead origin, origin, utm source, campaign source, how did you hear about us,
        where did you hear about us, channel, platform,
        source du lead, source du prospect, origine, provenance, origine du contact,
        quelle, lead quelle, herkunft, leadherkunft, lead-quelle,
        fuente, origen, fuente del lead, origen del lead, fonte, fonte del lead, bron, leadbron, origem""",
    "occurred_at": """occurred at, created time, created at, create date, created date, creation date,
        created on, created, date created, datetime created, submitted at, submitted on, submit date,
        submission date, submission time, submission timestamp, submit time, date submitted, conversion date,
        first contact date, lead date, inquiry date, timestamp, datetime, date time, event time, date,
        créé le, date de création, date de soumission, date de la demande, horodateur,
        erstellt am, erstelldatum, erstellungsdatum, eingegangen am, eingangsdatum, zeitstempel, datum,
        fecha, fecha de creación, creado el, fecha de envío, marca temporal, marca de tiempo,
        data di creazione, data creazione, creato il, informazioni cronologiche, aangemaakt op, datum aangemaakt,
        tijdstempel, data de criação, criado em, carimbo de data hora""",
    "external_id": """external id, lead id, leadid, fb lead id, facebook lead id, leadgen id,
        google lead id, record id, record id contact, contact id, hs object id, vid, prospect id, person id,
        mql id, response id, submission id, entry id, form response id, respondent id, network user id, token,
        lead number, unique id, uuid, guid, id,
        identifiant, id du lead, kontakt-id, lead-nr, lead-id, identificador, id del lead""",
}

#: Names that mean the whole name, unless the other half of it has a column of its own.
_REST_OF_NAME: Final = {
    "last_name": ("name", "nom", "naam"),  # a surname beside a first name
    "first_name": ("nombre", "nome"),  # a first name beside a surname
}
_HALVES: Final = {"last_name": "first_name", "first_name": "last_name"}

#: What forms and exports put around a name. Only tried when the name as it stands is not known.
_AROUND: Final = re.compile(
    r"^(?:what s |what is |please |enter |provide |tell us |your |my |the |lead |contact |person |prospect |visitor |"
    r"customer |user |quel est |quelle est |votre |vos |wie lautet |ihre |ihr |cual es |su |tu |il tuo |la tua |uw |"
    r"je )+| (?:required|optional|obligatoire|pflichtfeld|obligatorio)$"
)
_IN_BRACKETS: Final = re.compile(r"\([^)]*\)|\[[^\]]*\]|\{[^}]*\}")
_LETTERS: Final = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "ı": "i", "đ": "d", "’": " "})

#: Objects around a lead's own fields. Not any object: ``Owner.Email`` is somebody else's address.
_WRAPPERS: Final = frozenset(
    {
        "lead", "contact", "person", "prospect", "properties", "fields", "fielddata",
        "usercolumndata", "answers", "data", "formdata", "form", "formresponse", "values",
        "payload", "submission", "address", "mailingaddress", "location",
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
) -> dict[str, str]:
    """Header -> lead field. A header that is not in the result is an attribute.

    ``overrides`` maps a header to a field and wins over everything, an empty field makes it an attribute;
    ``custom`` gives the playbook's own fields with further names of theirs, and wins over the bundled names.
    A field is given to one header only: the one with the most telling name, then the first. A header of more than
    ``MAX_HEADER_LENGTH`` characters is an attribute, unless ``overrides`` has exactly this header: reading it would
    take time quadratic in its length.
    """
    mapped: dict[str, str] = {}
    given: set[str] = set()
    exact = {header.strip().casefold(): field for header, field in overrides.items()}
    wanted: dict[str, str] = {}
    for header, field in overrides.items():
        if len(header) <= MAX_HEADER_LENGTH:
            wanted.setdefault(_simplify(header), field)
    settled: set[str] = set()
    for header in headers:
        target = exact.get(header.strip().casefold())
        if target is None and len(header) <= MAX_HEADER_LENGTH:
            target = wanted.get(_simplify(header))
        if target is None:
            continue
        settled.add(header)
        if target and target not in given:
            mapped[header] = target
            given.add(target)

    own = {
        _simplify(name): (field, rank) for field, names in custom.items() for rank, name in enumerate((field, *names))
    }
    found: list[tuple[int, int, int, str, str]] = []
    halves: list[tuple[str, str]] = []
    for place, header in enumerate(headers):
        if header in settled or len(header) > MAX_HEADER_LENGTH:
            continue
        for likeness, plain in enumerate(_list_forms(header)):
            if (half := _build_rest_of_name().get(plain)) is not None and plain not in own:
                halves.append((header, half))
                break
            if (meant := own.get(plain) or _build_known().get(plain)) is not None:
                found.append((0 if plain in own else 1 + likeness, meant[1], place, header, meant[0]))
                break
    for _, _, _, header, field in sorted(found):
        if field not in given:
            mapped[header] = field
            given.add(field)
    for header, half in halves:
        field = half if _HALVES[half] in given and half not in given else "full_name"
        if field not in given:
            mapped[header] = field
            given.add(field)
    return mapped


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
    wrappers, _, last = bare.strip(". ").rpartition(".")
    if wrappers and all(_simplify(wrapper) in _WRAPPERS for wrapper in wrappers.split(".")):
        bare = last
        yield _simplify(bare)
    bare = re.sub(r"__c$", "", bare.strip(), flags=re.IGNORECASE)  # Salesforce's mark of a custom field
    yield _simplify(_AROUND.sub("", _normalise_words(bare)))


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
    for field, names in _SYNONYMS.items():
        for rank, name in enumerate((field, *names.split(","))):
            known.setdefault(_simplify(name), (field, rank))
    return known


@cache
def _build_rest_of_name() -> dict[str, str]:
    return {_simplify(name): half for half, names in _REST_OF_NAME.items() for name in names}
