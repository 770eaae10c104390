"""Columns of exports and webhooks, made up after their vendors' documentation, in 16 languages: what becomes of each.

``tests/corpus/column_headers.json`` has headers with the field that a person would say, or null for an attribute;
``webhooks.json`` has payloads with the values that a lead has to get, null for none.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadgate.mapping.headers import map_headers
from leadgate.playbook import Playbook, Source
from tasks.capture import map_payloads

CORPUS = Path(__file__).parents[1] / "corpus"
HEADERS: dict[str, dict[str, str | None]] = json.loads((CORPUS / "column_headers.json").read_text(encoding="utf-8"))
WEBHOOKS: dict[str, dict[str, Any]] = json.loads((CORPUS / "webhooks.json").read_text(encoding="utf-8"))

#: How many may fail, of all that there are: lower them when something is mended.
HEADERS_UNMAPPED = 3


def map_posted(payload: Any, mapping: dict[str, str] | None = None) -> dict[str, Any]:
    """The fields of the lead that a payload becomes which was posted to a source of no vendor."""
    book = Playbook.model_construct(sources={"form": Source(mapping=mapping or {})}, headers={}, fields={})
    frame = pd.DataFrame(
        {"source": ["form"], "payload": [json.dumps(payload)], "unreadable": [None], "posted": [True]}, dtype=object
    )
    row = map_payloads(frame, book).iloc[0].to_dict()
    return {name: value for name, value in row.items() if value}


def test_headers_of_exports_mean_what_a_person_would_say() -> None:
    counts: Counter[str] = Counter()
    lines = []
    for export, expected in HEADERS.items():
        found = map_headers(list(expected))
        for header, field in expected.items():
            got = found.get(header)
            verdict = "right" if got == field else "unmapped" if got is None else "wrong"
            counts[verdict] += 1
            if verdict != "right":
                lines.append(f"{export}: {header} is {got}, and should be {field} ({verdict})")
    assert len(HEADERS) + len(WEBHOOKS) >= 60
    assert counts["right"] >= 443, counts
    assert counts["wrong"] == 0, lines
    assert counts["unmapped"] <= HEADERS_UNMAPPED, lines


@pytest.mark.parametrize("export", [name for name, columns in HEADERS.items() if "email" in columns.values()])
def test_no_export_loses_its_address(export: str) -> None:
    [header] = [header for header, field in HEADERS[export].items() if field == "email"]
    assert map_headers(list(HEADERS[export]))[header] == "email"
    assert map_headers([header]) == {header: "email"}


@pytest.mark.parametrize("shape", WEBHOOKS)
def test_a_webhook_of_no_vendor_is_read_by_its_shape(shape: str) -> None:
    payload, fields = WEBHOOKS[shape]["payload"], WEBHOOKS[shape]["fields"]
    found = map_posted(payload)
    assert {name: found.get(name) for name in fields} == fields
    assert map_posted(json.loads(json.dumps(payload))) == found, "the same payload becomes the same lead"


def test_the_playbook_says_more_than_any_shape_or_value() -> None:
    tally = WEBHOOKS["tally"]["payload"]
    assert map_posted(tally, {"data.fields.question_b": ""}).get("email") is None
    assert map_posted(tally, {"data.fields.question_a": "company"})["company"] == "Ada Miller"
    assert map_posted({"q1": "ada@mill.example"}, {"q1": "message"}) == {"message": "ada@mill.example"}
    assert map_posted({"q1": "ada@mill.example"}, {"q1": ""}).get("email") is None


@pytest.mark.parametrize(
    "payload",
    [
        {"q1": "ada@mill.example", "q2": "bob@mill.example"},
        {"q1": "ada@mill.example", "owner": {"email": "rep@seller.example"}},
        {"Referred by": "joe@mill.example"},
        {"负责人邮箱": "rep@seller.example"},
        {"x" * 8_000: "ada@mill.example"},
        {"note": "write to ada@mill.example"},
        {"q1": "ada@mill.example" + "\u202e", "q2": "@", "q3": "a@b@c.example"},
    ],
    ids=["two", "an owner's too", "who referred", "in Chinese", "an endless name", "in a sentence", "none"],
)
def test_an_address_that_may_be_somebody_elses_is_nobodys(payload: dict[str, Any]) -> None:
    assert map_posted(payload).get("email") is None


def test_hostile_payloads_are_read_in_a_moment_and_lose_nothing() -> None:
    deep: Any = "end"
    for _ in range(60):
        deep = {"a": deep}
    text = '{"a":' * 900 + "1" + "}" * 900
    wide = {f"column {at}": {"value": f"x{at}@mill.example", "type": "email"} for at in range(2_000)}
    assert "end" in json.dumps(map_posted({"email": "ada@mill.example", "deep": deep})["attributes"])
    assert map_posted({"email": "ada@mill.example", "rawRequest": text})["attributes"]["rawRequest"] == text
    assert map_posted(wide).get("email") is None
    assert len(map_posted(wide)["attributes"]) == 2_000
