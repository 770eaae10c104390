"""Column names of the usual exports, and flat names for nested values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.fields import STANDARD
from leadgate.mapping.headers import as_text, flatten, map_headers


def mapped(headers: str) -> dict[str, str]:
    """What ``map_headers`` says about ``"A, B"``, given as ``"A, B"``."""
    return map_headers([header.strip() for header in headers.split(",")])


EXPORTS: dict[str, dict[str, str | None]] = {
    "hubspot": {
        "Record ID": "external_id", "First Name": "first_name", "Last Name": "last_name", "Email": "email",
        "Phone Number": "phone", "Company name": "company", "Website URL": "website", "Job Title": "job_title",
        "Number of Employees": "company_size", "Create Date": "occurred_at", "Country/Region": "country",
        "State/Region": "state", "Original Source": "lead_source", "Annual Revenue": "annual_revenue",
        "Lead Status": None, "Contact owner": None,
    },
    "salesforce names": {
        "Id": "external_id", "FirstName": "first_name", "LastName": "last_name", "Title": "job_title",
        "LeadSource": "lead_source", "NumberOfEmployees": "company_size", "AnnualRevenue": "annual_revenue",
        "PostalCode": "postal_code", "Street": "street", "CreatedDate": "occurred_at", "Description": "message",
        "IsConverted": None, "OwnerId": None, "Budget__c": "budget", "Owner.Email": None, "Owner.Name": None,
        "Status": None, "Fax": None,
    },
    "salesforce labels": {
        "Lead ID": "external_id", "First Name": "first_name", "Company / Account": "company",
        "Lead Source": "lead_source", "No. of Employees": "company_size",
        "Zip/Postal Code": "postal_code", "State/Province": "state", "Email Opt Out": None, "Mobile": "phone",
    },
    "facebook": {
        "id": "external_id", "created_time": "occurred_at", "full_name": "full_name", "work_email": "email",
        "phone_number": "phone", "company_name": "company", "job_title": "job_title", "platform": "lead_source",
        "ad_id": None, "is_organic": None, "zip_code": "postal_code",
    },
    "facebook's interface": {
        "data.id": "external_id", "data.field_data.email": "email", "data.field_data.full_name": "full_name",
        "data.ad_id": None,
    },
    "google forms and ads": {
        "Timestamp": "occurred_at", "Email Address": "email", "user_column_data.FULL_NAME": "full_name",
        "What is your phone number?": "phone", "gcl_id": None,
    },
    "linkedin": {
        "First name": "first_name", "Last name": "last_name", "Email address": "email", "Company": "company",
        "Job title": "job_title", "Company size": "company_size", "Submitted at": "occurred_at", "Campaign name": None,
    },
    "typeform": {
        "#": None, "What's your work email?": "email", "Your name": "full_name", "Submit Date (UTC)": "occurred_at",
        "How can we help you?": "message", "Company name (required)": "company", "Start Date (UTC)": None,
    },
    "french": {
        "Civilité": "salutation", "Prénom": "first_name", "Nom": "last_name", "Adresse e-mail": "email",
        "Société": "company", "Fonction": "job_title", "N° de téléphone": "phone", "code_postal": "postal_code",
        "VILLE": "city", "Pays": "country", "Secteur d’activité": "industry", "Nombre d'employés": "company_size",
        "Chiffre d'affaires": "annual_revenue", "Langue": "language", "Site web": "website", "Commentaires": "message",
    },
    "german": {
        "Anrede": "salutation", "Vorname": "first_name", "Nachname": "last_name", "E-Mail-Adresse": "email",
        "Firma": "company", "Position": "job_title", "Telefon": "phone", "Straße": "street", "PLZ": "postal_code",
        "Ort": "city", "Land": "country", "Branche": "industry", "Unternehmensgröße": "company_size",
        "Einwilligung": "consent", "Nachricht": "message", "Erstellt am": "occurred_at", "Herkunft": "lead_source",
    },
    "spanish": {
        "Nombre": "first_name", "Apellidos": "last_name", "Correo electrónico": "email", "Empresa": "company",
        "Teléfono móvil": "phone", "Cargo": "job_title", "Código postal": "postal_code", "Ciudad": "city",
        "País": "country", "Presupuesto": "budget", "Mensaje": "message", "Fecha de creación": "occurred_at",
    },
    "italian": {"Nome": "first_name", "Cognome": "last_name", "Azienda": "company", "Cellulare": "phone"},
    "dutch": {"Voornaam": "first_name", "Achternaam": "last_name", "Bedrijf": "company", "Woonplaats": "city"},
    "portuguese": {"Nome": "first_name", "Sobrenome": "last_name", "Telefone": "phone", "Cidade": "city"},
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS)
def test_the_usual_exports(export: str) -> None:
    expected = {header: field for header, field in EXPORTS[export].items() if field is not None}
    assert map_headers(list(EXPORTS[export])) == expected


@pytest.mark.parametrize(
    "header",
    [
        "first_name",
        "First Name",
        "FIRST-NAME",
        "firstName",
        "\ufeffFirst  name:",
        "First name *",
        "Lead First Name",
    ],
)
def test_spelling_does_not_matter(header: str) -> None:
    assert map_headers([header]) == {header: "first_name"}


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ("Name, Email", "full_name"),
        ("First Name, Name", "last_name"),
        ("Name, Vorname", "last_name"),
        ("First Name, Last Name, Name", "full_name"),
        ("Prénom, Nom", "last_name"),
        ("Nombre, Correo", "full_name"),
        ("Nombre, Apellidos", "first_name"),
        ("Full Name, Name", None),
    ],
)
def test_name_is_what_the_other_columns_leave(headers: str, name: str | None) -> None:
    ambiguous = next(header for header in headers.split(", ") if header in ("Name", "Nom", "Nombre"))
    assert mapped(headers).get(ambiguous) == name


@pytest.mark.parametrize(
    "headers", ["Work Email, Email", "Email, Work Email", "Email (2), Email", "Mobile, Phone, Email"]
)
def test_of_two_columns_the_more_telling_name_wins_in_any_order(headers: str) -> None:
    result = mapped(headers)
    assert result["Email"] == "email"
    assert sorted(result.values()).count("email") == 1
    assert "Mobile" not in result


def test_an_override_wins_and_takes_the_field_away() -> None:
    headers = ["Email", "Login", "Notes", "Company"]
    overrides = {"LOGIN": "email", "notes": "tier", "company": ""}
    assert map_headers(headers, overrides=overrides) == {"Login": "email", "Notes": "tier"}


def test_two_overrides_for_one_field_leave_the_second_an_attribute() -> None:
    assert map_headers(["A", "B"], overrides={"b": "email", "a": "email"}) == {"A": "email"}


def test_custom_fields_are_found_by_name_and_by_their_headers() -> None:
    custom = {"seats": ("Number of employees", "Anzahl Lizenzen"), "crm_in_use": ()}
    headers = ["Anzahl Lizenzen", "CRM in use", "Number of Employees", "Headcount"]
    assert map_headers(headers, custom=custom) == {
        "Number of Employees": "seats",
        "CRM in use": "crm_in_use",
        "Headcount": "company_size",
    }


@settings(max_examples=tried(100))
@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from(sorted(STANDARD)), st.just("Name")), unique=True))
def test_a_field_is_given_once_and_only_to_a_header_that_is_there(headers: list[str]) -> None:
    result = map_headers(headers)
    assert set(result) <= set(headers)
    assert set(result.values()) <= set(STANDARD)
    assert len(set(result.values())) == len(result)
    assert map_headers(headers) == result
    assert {field for field in STANDARD if field in headers} <= set(result.values())


@pytest.mark.parametrize(
    ("payload", "flat"),
    [
        ({"email": "a", "n": 1, "x": None}, {"email": "a", "n": 1, "x": None}),
        ({"properties": {"email": "a"}, "id": 1}, {"properties.email": "a", "id": 1}),
        ({"tags": ["a", 1, True]}, {"tags": "a, 1, true"}),
        ({"rows": [{"a": 1}, 2]}, {"rows": '[{"a": 1}, 2]'}),
        ({"a": {"b": 1}, "a.b": 2}, {"a.b": 1, "a.b (2)": 2}),
        ({"attributes": {"type": "Lead", "url": "/x"}, "Email": "a"}, {"Email": "a"}),
        ({"attributes": {"colour": "red"}}, {"attributes.colour": "red"}),
        (
            {"field_data": [{"name": "email", "values": ["a"]}, {"name": "full_name", "values": ["b"]}]},
            {"field_data.email": "a", "field_data.full_name": "b"},
        ),
        ({"l": [{"name": "x", "value": 1}, {"name": "x", "value": 2}]}, None),
    ],
)
def test_flatten(payload: dict[str, Any], flat: dict[str, Any] | None) -> None:
    before = repr(payload)
    result = flatten(payload)
    assert repr(payload) == before
    if flat is None:  # two answers of one name: nothing may be lost, so the list stays a list
        assert list(result) == ["l"]
        assert '"value": 2' in result["l"]
    else:
        assert result == flat


@pytest.mark.parametrize("piece", ["(", "[", "(a", "\u0301\u0323", "lead.", "email ", "aA", "{\n"])
def test_a_name_of_any_length_is_read_and_a_long_one_tells_nothing(piece: str) -> None:
    long = piece * 200_000
    assert map_headers([long, "E-mail"]) == {"E-mail": "email"}
    assert map_headers([long, "E-mail"], overrides={long: "phone"}) == {long: "phone", "E-mail": "email"}


def test_values_as_text() -> None:
    assert [as_text(value) for value in (None, True, 5, 5.0, 4.5, "x")] == ["", "true", "5", "5", "4.5", "x"]
