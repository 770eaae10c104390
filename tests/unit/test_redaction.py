"""What may be shown: no control character gets through, and masks keep little."""

from __future__ import annotations

import doctest
import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from made_rows import make_row
from properties import tried

from console import redaction
from leadgate.ledger.reports import OpenWorkItem

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(redaction).failed == 0


@settings(max_examples=tried(60))
@given(ANY_TEXT)
def test_nothing_that_is_shown_controls_a_terminal(text: str) -> None:
    for shown in (redaction.sanitise(text), redaction.sanitise(text, limit=5)):
        assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in shown)
        shown.encode("utf-8")


@settings(max_examples=tried(60))
@given(ANY_TEXT.filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text)))
def test_json_keeps_its_value_and_controls_no_terminal(text: str) -> None:
    shown = redaction.format_json({"value": text})
    assert json.loads(shown) == {"value": text}
    assert not any(unicodedata.category(character) == "Cc" for character in shown.replace("\n", ""))


def item(**columns: object) -> OpenWorkItem:
    return make_row(OpenWorkItem, **({"stage": "validation"} | columns))


def test_a_work_item_is_masked_by_what_its_promise_shows() -> None:
    personal = redaction.mask_item(item(promise="email_well_formed", value="jane(at)acme", detail="jane@x.example?"))
    assert (personal.value, personal.detail) == ("j•••", "j•••@x.example?")
    country = redaction.mask_item(item(promise="country_known", value="Atlantis"))
    assert country.value == "Atlantis"
    raw = redaction.mask_item(item(stage="capture", promise="readable", value="Jane;jane@acme.example;1"))
    assert "jane" not in str(raw.value)
    unknown = redaction.mask_item(item(promise="a_promise_of_the_playbook", value="Jane"))
    assert unknown.value == "J•••"
    proposed = redaction.mask_item(item(proposal={"email": "jane@gmail.com", "country": "DE"}))
    assert proposed.proposal == {"email": "j•••@gmail.com", "country": "DE"}
