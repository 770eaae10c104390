"""The pure parts of HTTP capture: who may post, how fast, and what a body holds."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console import http_body
from console.http_answers import RefusedError
from console.http_auth import TOLERANCE, Doors, Given, bearer, signature
from console.http_body import DEPTH, FIELDS, ITEMS, Body
from console.http_brake import LONGEST, held_back
from console.http_rate import TokenBucket
from leadgate.playbook import HttpCapture, Playbook, Source
from tasks.capture import Keys, key_of

NOW = 1_800_000_000


# --- who may post -----------------------------------------------------------------------------------------


def doors(**environ: str) -> Doors:
    sources = {
        "signed": Source(http=HttpCapture(auth="hmac", secret_env="SIGNED")),  # noqa: S106 - a variable's name
        "bearing": Source(http=HttpCapture(auth="bearer", secret_env="BEARING")),  # noqa: S106
        "files": Source(),
    }
    return Doors(Playbook.model_construct(sources=sources), environ)


BOTH = doors(SIGNED="one", BEARING="other")


def signed(secret: str, body: bytes, at: int | str = NOW) -> Given:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return Given(None, str(at).encode(), f"sha256={digest}".encode())


@given(st.binary(max_size=200), st.integers(-2 * TOLERANCE, 2 * TOLERANCE))
def test_a_signature_admits_its_body_for_five_minutes(body: bytes, off: int) -> None:
    assert BOTH.admits("signed", signed("one", body, NOW + off), body, NOW) == (abs(off) <= TOLERANCE)


@given(st.binary(max_size=60), st.binary(max_size=60), st.data())
def test_nothing_else_admits(body: bytes, other: bytes, data: st.DataObject) -> None:
    right = signed("one", body)
    if other != body:
        assert not BOTH.admits("signed", right, other, NOW)
    assert not BOTH.admits("signed", right._replace(timestamp=str(NOW + 1).encode()), body, NOW)
    assert not BOTH.admits("signed", signed("other", body), body, NOW)
    assert not BOTH.admits("bearing", right, body, NOW)
    assert not BOTH.admits("files", right, body, NOW)
    assert not BOTH.admits("unknown", right, body, NOW)
    for part in ("timestamp", "signature"):
        noise = data.draw(st.none() | st.binary(max_size=80))
        if noise != getattr(right, part):
            assert not BOTH.admits("signed", right._replace(**{part: noise}), body, NOW)


@given(st.binary(max_size=40))
@example(b"Bearer other ")
@example(b"bearer other")
def test_a_bearers_secret_admits_and_nothing_else(header: bytes) -> None:
    scheme, _, token = header.partition(b" ")
    right = scheme.lower() == b"bearer" and token.strip() == b"other"
    assert BOTH.admits("bearing", Given(header), b"{}", NOW) == right
    assert bearer("other", header) == right
    assert not BOTH.admits("signed", Given(b"Bearer one"), b"{}", NOW)


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_unset_secret_admits_nobody(secret: str) -> None:
    unset = doors(SIGNED=secret)
    assert unset.unset == [("signed", "SIGNED"), ("bearing", "BEARING")]
    assert not unset.admits("signed", signed(secret, b"{}"), b"{}", NOW)
    assert not unset.admits("bearing", Given(b"Bearer " + secret.encode()), b"{}", NOW)


def test_the_secret_is_not_shown() -> None:
    assert "one" not in repr(BOTH._locks)


def test_the_signature_is_the_one_of_rfc_4231() -> None:
    # test case 2 of RFC 4231, its data cut at the dot that joins timestamp and body here
    whole = hmac.new(b"Jefe", b"12.what do ya want", hashlib.sha256).hexdigest().encode()
    assert signature(b"Jefe", b"12", b"what do ya want") == b"sha256=" + whole


# --- how fast ---------------------------------------------------------------------------------------------


@given(
    st.floats(0.1, 1000),
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 100)), max_size=50),
)
def test_a_bucket_gives_no_more_than_its_burst_and_its_rate(
    per_second: float, burst: int, asked: list[tuple[float, int]]
) -> None:
    now = 0.0
    bucket = TokenBucket(per_second, burst, lambda: now)
    taken = 0
    for pause, count in asked:
        now += pause
        if count > burst:
            continue
        wait = bucket.take(count)
        if wait == 0.0:
            taken += count
        else:
            now += wait + 1e-6  # whoever waits as long as told is served
            assert bucket.take(count) == 0.0
            taken += count
        assert taken <= burst + per_second * now + 1e-6


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = TokenBucket(1, 5, lambda: 0.0)
    assert bucket.take(5) == 0.0
    assert bucket.take(2) == 2.0
    bucket.give_back(5)
    assert bucket.take(5) == 0.0


# --- what a body holds ------------------------------------------------------------------------------------

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)  # fmt: skip
objects = st.dictionaries(texts, values, min_size=1, max_size=5)


def read(body: bytes | str, content_type: str = JSON) -> Body:
    return http_body.read(body.encode() if isinstance(body, str) else body, content_type)


def nested(lists: int) -> str:
    return '{"a": ' + "[" * lists + "1" + "]" * lists + "}"


def refusal(body: bytes | str, content_type: str = JSON) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        read(body, content_type)
    return caught.value.status, caught.value.error


@given(objects, st.booleans(), st.sampled_from([None, 2]))
def test_an_object_is_kept_as_it_came(payload: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(payload, ensure_ascii=ascii_only, indent=indent)
    body = read(f" {text}\r\n")
    assert [p.text for p in body.payloads] == [text]
    assert body.payloads[0].values == payload
    assert orjson.loads(body.payloads[0].text) == orjson.loads(text)  # capture reads it again
    assert not body.listed


@given(st.lists(objects, min_size=1, max_size=6), st.text(" \t\r\n", max_size=3))
def test_a_list_is_cut_into_its_objects(payloads: list[dict[str, Any]], space: str) -> None:
    texts = [json.dumps(each) for each in payloads]
    body = read(f"{space}[{space}" + f"{space},{space}".join(texts) + f"{space}]{space}")
    assert [p.text for p in body.payloads] == texts
    assert [p.values for p in body.payloads] == payloads
    assert body.listed


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")), st.sampled_from(
    [JSON, FORM, "multipart/form-data; boundary=x", "application/ld+json", "text/plain", "", "application/json;charset=utf-16"]
))  # fmt: skip
@example(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x")
@example(b"%00=%00", FORM)
def test_any_body_is_read_or_refused_with_a_reason(body: bytes, content_type: str) -> None:
    refused, payloads = None, []
    try:
        payloads = http_body.read(body, content_type).payloads
    except RefusedError as error:
        refused = error
    assert (refused is None) == bool(payloads)
    assert refused is None or (refused.status in (400, 413, 415, 422) and refused.message)
    assert all("\x00" not in p.text and isinstance(orjson.loads(p.text), dict) for p in payloads)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", (400, "invalid_json")),
        ("{", (400, "invalid_json")),
        ("{'a': 1}", (400, "invalid_json")),
        ('{"a": NaN}', (400, "invalid_json")),
        ('{"a": Infinity}', (400, "invalid_json")),
        ('{"a": 1e999}', (400, "invalid_json")),
        (r'{"a": "\ud800"}', (400, "invalid_json")),
        ('{"a": 1} {"a": 2}', (400, "invalid_json")),
        (b'{"a": "\xff"}', (400, "invalid_utf8")),
        ('{"a": 1, "a": 1}', (400, "duplicate_name")),
        ('[{"b": {"a": 1, "a": 2}}]', (400, "duplicate_name")),
        ('{"a": 18446744073709551616}', (400, "number_too_large")),
        ('{"a": %s}' % ("9" * 100), (400, "number_too_large")),
        (nested(DEPTH), (400, "too_deep")),
        (nested(900), (400, "too_deep")),
        (nested(100_000), (400, "invalid_json")),
        (json.dumps({str(n): n for n in range(FIELDS + 1)}), (400, "too_many_fields")),
        (json.dumps([{"a": 1}] * (ITEMS + 1)), (413, "too_many")),
        ("[]", (422, "empty")),
        ("{}", (422, "empty")),
        ("7", (422, "not_an_object")),
        ('[{"a": 1}, "b"]', (422, "not_an_object")),
        ("[[]]", (422, "not_an_object")),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_cannot_be_meant_is_refused(body: bytes | str, expected: tuple[int, str]) -> None:
    assert refusal(body) == expected


def test_what_is_at_a_limit_is_taken() -> None:
    deep = nested(DEPTH - 1)
    for body in (deep, json.dumps({str(n): n for n in range(FIELDS)}), json.dumps([{"a": 1}] * ITEMS)):
        assert read(body).payloads
    assert read(json.dumps({"a": "x" * 100_000, "b": "\x00"})).payloads[0].text.endswith('"b": "\\u0000"}')
    assert read("\ufeff" + '{"a": 1}').payloads[0].text == '{"a": 1}'


def test_the_place_of_what_is_no_object_is_told() -> None:
    with pytest.raises(RefusedError, match="payload 2 of the list"):
        read('[{"a": 1}, {"a": 2}, null]')


def test_a_refusal_repeats_no_value() -> None:
    for body in (
        '{"email": jane@acme.example}',
        '["jane@acme.example"]',
        '{"jane@acme.example": 1, "jane@acme.example": 2}',
    ):
        with pytest.raises(RefusedError) as caught:
            read(body)
        assert "jane" not in caught.value.message


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=8))
def test_a_form_has_every_value_in_order(pairs: list[tuple[str, str]]) -> None:
    payload = read(urlencode(pairs), FORM).payloads[0]
    assert orjson.loads(payload.text) == payload.values
    expected: dict[str, list[str]] = {}
    for name, value in pairs:
        expected.setdefault(name, []).append(value)
    assert payload.values == {name: each if len(each) > 1 else each[0] for name, each in expected.items()}


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6))
def test_the_same_form_as_multipart_is_the_same_payload(pairs: list[tuple[str, str]]) -> None:
    plain = [
        (name.replace("%", "").replace('"', "").replace("\r", "").replace("\n", ""), value) for name, value in pairs
    ]
    parts = "".join(
        f'--a b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in plain
    )
    made = read(parts + "--a b--\r\n", 'multipart/form-data; boundary="a b"')
    assert made == read(urlencode(plain), FORM)


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("a=%FF", FORM, (400, "invalid_utf8")),
        (b"a=\xff", FORM, (400, "invalid_utf8")),
        ("", FORM, (422, "empty")),
        ("&".join(f"a{n}=1" for n in range(FIELDS + 1)), FORM, (400, "too_many_fields")),
        ("a=1", FORM + "; charset=latin-1", (415, "charset")),
        ("{}", "application/json; charset=utf-16", (415, "charset")),
        ("a,b", "text/csv", (415, "content_type")),
        ("{}", "", (415, "content_type")),
        ("--x--", "multipart/form-data", (400, "invalid_form")),
        ("--x\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x", (400, "invalid_form")),
        ('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "multipart/form-data; boundary=x", (400, "invalid_form")),
        ('--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x", (415, "file")),
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_meant_is_refused(
    body: bytes | str, content_type: str, expected: tuple[int, str]
) -> None:
    assert refusal(body, content_type) == expected


# --- keys -------------------------------------------------------------------------------------------------


@given(objects, st.sampled_from(list(range(3))))
def test_a_payload_has_the_key_of_its_first_row_in_a_file(payload: dict[str, Any], which: int) -> None:
    from leadgate.connectors.files import Row

    source = [Source(), Source(key="id"), Source(volatile=("sent",))][which]
    extended = payload | {"id": " 7 ", "sent": "Monday"}
    key = key_of(extended, source)
    assert [key] == Keys(source).of([Row(2, extended)])
    assert key == key_of(dict(reversed(extended.items())), source)
    changed = key_of(extended | {"sent": "Tuesday"}, source)
    assert (changed == key) == (which != 0)


def test_an_own_id_fits_into_an_index_whatever_it_holds() -> None:
    source = Source(key="id")
    long = [key_of({"id": "x" * 100_000 + end}, source) for end in ("a", "b")]
    assert len(set(long)) == 2
    assert max(map(len, long)) < 100
    assert "\x00" not in key_of({"id": "a\x00b"}, source)
    assert key_of({"id": "  "}, source) == key_of({"id": "  "}, Source())


# --- the brake --------------------------------------------------------------------------------------------


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.integers(1, 20_000))
def test_the_more_wait_the_longer_an_answer_is_held_back(one: int, other: int, from_: int) -> None:
    fewer, more = sorted((one, other))
    assert 0 <= held_back(fewer, from_) <= held_back(more, from_) <= LONGEST
    assert (held_back(more, from_) == 0) == (more <= from_)
    assert held_back(2 * from_ + fewer, from_) == LONGEST
    assert held_back(more, 0) == 0
