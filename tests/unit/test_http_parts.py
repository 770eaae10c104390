"""The pure parts of HTTP capture: who may post, how fast, and what a body holds.

Long as one file: small parts, each with a table of examples.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from properties import tried
from standardwebhooks import Webhook

from console.http import body_reader
from console.http.addresses import find_client_address, find_sender
from console.http.authentication import RequestVerifier, has_bearer_token
from console.http.body_reader import DEPTH, FIELDS, ITEMS, Body
from console.http.brake import MAX_DELAY, compute_delay
from console.http.connections import Limits
from console.http.rates import FAILURES, MOST_ADDRESSES, Throttle, TokenBucket
from console.http.repeated_look import RepeatedLook
from console.http.responses import RefusedError
from console.http.signals import Posted, build_json_data
from console.http.signatures import TOLERANCE, Given
from leadgate import source_secrets
from leadgate.ledger.captured_rows import StoredRow
from leadgate.playbook import HttpCapture, Playbook, Source
from leadgate.source_secrets import SecretError
from tasks.capture import Keys, compute_key
from tasks.ingestion import Outcome

NOW = 1_800_000_000


# --- who may post -----------------------------------------------------------------------------------------


SECRETS = {name: source_secrets.make() for name in ("SIGNED", "NEXT", "BEARING", "NEXT_TOKEN")}
OLD = "the-secret-of-an-old-sender-0123"


def doors(**environ: str) -> RequestVerifier:
    sources = {
        "signed": Source(http=HttpCapture(auth="hmac", secret_env="SIGNED")),  # noqa: S106 - a variable's name
        "bearing": Source(http=HttpCapture(auth="bearer", secret_env="BEARING")),  # noqa: S106
        "old": Source(http=HttpCapture(auth="hmac", secret_env="OLD")),  # noqa: S106
        "files": Source(),
    }
    return RequestVerifier(Playbook.model_construct(sources=sources), environ)


BOTH = doors(
    SIGNED=f"{SECRETS['SIGNED']} {SECRETS['NEXT']}", BEARING=f"{SECRETS['BEARING']}  {SECRETS['NEXT_TOKEN']}", OLD=OLD
)


def admits(source: str, given: Given, body: bytes, now: float = NOW, of: RequestVerifier = BOTH) -> bool:
    verdict = of.judge_head(source, given, now)
    return verdict.admits or (verdict.reads and of.judge_body(source, given, body, now).admits)


def signed(secret: str, body: str | bytes, at: int = NOW, request: str = "msg_1") -> Given:
    """By the library of Standard Webhooks."""
    text = body if isinstance(body, str) else body.decode()
    signature = Webhook(secret).sign(request, datetime.fromtimestamp(at, UTC), text)
    return Given(None, request.encode(), str(at).encode(), signature.encode())


def signed_of_old(secret: str, body: bytes, at: int = NOW) -> Given:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return Given(old_timestamp=str(at).encode(), old_signature=f"sha256={digest}".encode())


bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=255)


@given(bodies, ids, st.integers(-2 * TOLERANCE, 2 * TOLERANCE), st.sampled_from(["SIGNED", "NEXT"]))
def test_what_the_library_signs_is_admitted_for_five_minutes(body: str, request: str, off: int, which: str) -> None:
    given = signed(SECRETS[which], body, NOW + off, request)
    assert admits("signed", given, body.encode()) == (abs(off) <= TOLERANCE)
    several = given._replace(signature=b"v1a,ignored v1,short " + (given.signature or b""))
    assert admits("signed", several, body.encode()) == (abs(off) <= TOLERANCE)


@given(bodies, bodies, ids, st.data())
def test_nothing_else_admits(body: str, other: str, request: str, data: st.DataObject) -> None:
    right, raw = signed(SECRETS["SIGNED"], body), body.encode()
    if other != body:
        assert not admits("signed", right, other.encode())
    if request != "msg_1":
        assert not admits("signed", right._replace(id=request.encode()), raw), "the id is signed"
    assert not admits("signed", right._replace(timestamp=str(NOW + 1).encode()), raw)
    assert not admits("signed", signed(source_secrets.make(), body), raw)
    for source in ("bearing", "old", "files", "unknown"):
        assert not admits(source, right, raw)
    for part in ("id", "timestamp", "signature"):
        noise = data.draw(st.none() | st.binary(max_size=80))
        if noise != getattr(right, part):
            assert not admits("signed", right._replace(**{part: noise}), raw)


def test_an_id_with_a_dot_could_be_read_as_another_request_and_is_refused() -> None:
    given = signed(SECRETS["SIGNED"], "{}", request=f"msg.{NOW}")
    assert not admits("signed", given, b"{}")
    shifted = given._replace(id=b"msg", timestamp=str(NOW).encode())  # the same signed bytes
    assert admits("signed", shifted, f"{NOW}.{{}}".encode()), "so the dot has to be refused"


@given(st.binary(max_size=100), st.integers(-2 * TOLERANCE, 2 * TOLERANCE))
def test_a_plain_secret_signs_the_old_way_and_no_other(body: bytes, off: int) -> None:
    assert admits("old", signed_of_old(OLD, body, NOW + off), body) == (abs(off) <= TOLERANCE)
    assert not admits("signed", signed_of_old(SECRETS["SIGNED"], body), body), "a new secret cannot be used the old way"
    assert not admits("old", signed_of_old(OLD, body), body + b" ")


@given(st.binary(max_size=40))
@example(f"Bearer {SECRETS['BEARING']} ".encode())
@example(f"bearer {SECRETS['NEXT_TOKEN']}".encode())
def test_a_bearers_secret_admits_and_nothing_else(header: bytes) -> None:
    scheme, _, token = header.partition(b" ")
    known = [SECRETS[name].encode() for name in ("BEARING", "NEXT_TOKEN")]
    right = scheme.lower() == b"bearer" and token.strip() in known
    assert admits("bearing", Given(header), b"{}") == right
    assert has_bearer_token(SECRETS["BEARING"], header) == (scheme.lower() == b"bearer" and token.strip() == known[0])
    assert not admits("signed", Given(f"Bearer {SECRETS['SIGNED']}".encode()), b"{}")


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40), st.integers(NOW - 1000, NOW + 1000), st.booleans())
def test_a_head_is_judged_alike_for_every_source_but_a_bearer_who_is_right(
    header: bytes, request: bytes | None, at: int, formed: bool
) -> None:
    signature = b"v1," + b"A" * 43 + b"=" if formed else header
    given = Given(header, request, str(at).encode(), signature)
    verdicts = [BOTH.judge_head(source, given, NOW) for source in ("signed", "bearing", "old", "files", "unknown")]
    assert len({(verdict.admits, verdict.reads) for verdict in verdicts}) == 1


@pytest.mark.parametrize("secret", ["", "  "])
def test_an_unset_secret_admits_nobody(secret: str) -> None:
    unset = doors(SIGNED=secret)
    assert unset.unset == [("signed", "SIGNED"), ("bearing", "BEARING"), ("old", "OLD")]
    assert not admits("old", signed_of_old(secret, b"{}"), b"{}", of=unset)
    assert not admits("bearing", Given(b"Bearer " + secret.encode()), b"{}", of=unset)


def test_the_secret_is_not_shown() -> None:
    shown = repr(BOTH._locks) + repr(source_secrets.read(f"{SECRETS['SIGNED']} {OLD}"))
    assert not any(secret in shown for secret in (*SECRETS.values(), OLD))


# --- secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "1 character;"),
        ("a" * 23, "23 characters"),
        ("changeme" * 4, "different characters"),
        ("a" * 300, "300 characters"),
        ("é" * 30, "characters that no secret has"),
        ("whsec_", "0 bytes"),
        ("whsec_" + base64.b64encode(bytes(range(23))).decode(), "23 bytes"),
        ("whsec_" + base64.b64encode(bytes(range(65))).decode(), "65 bytes"),
        ("whsec_" + base64.b64encode(bytes(32)).decode(), "different bytes"),
        ("whsec_not-base64-at-all-not-base64-at-all", "no base64"),
        ("at least 32 random characters", "5 secrets"),
        (f"{OLD} x", "1 character;"),
    ],
)
def test_a_weak_secret_is_refused_and_not_repeated(value: str, words: str) -> None:
    with pytest.raises(SecretError, match=words) as caught:
        source_secrets.read(value)
    assert len(value) < 8 or value not in str(caught.value)


def test_a_new_secret_is_one_of_standard_webhooks() -> None:
    made = {source_secrets.make() for _ in range(100)}
    assert len(made) == 100
    for secret in made:
        (found,) = source_secrets.read(secret)
        assert found.key == base64.b64decode(secret.removeprefix("whsec_"))
        assert Webhook(secret)._whsecret == found.key


# --- addresses --------------------------------------------------------------------------------------------

PROXIES = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [b"203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", [b"198.51.100.1, 203.0.113.7, 10.1.1.1"], "203.0.113.7"),
        ("127.0.0.1", [b"198.51.100.1", b"203.0.113.7:4711"], "203.0.113.7"),
        ("127.0.0.1", [b"[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", [b"::ffff:203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", [b"203.0.113.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", [b"10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("127.0.0.1", [b"\xff" * 8000], "127.0.0.1"),
        ("203.0.113.9", [b"198.51.100.1"], "203.0.113.9"),
        ("", [b"198.51.100.1"], ""),
    ],
)  # fmt: skip
def test_only_trusted_proxies_say_whom_they_forward_for(peer: str, forwarded: list[bytes], expected: str) -> None:
    assert find_client_address(peer, forwarded, PROXIES) == expected
    assert find_client_address(peer, forwarded, ()) == peer


def test_a_host_of_ipv6_is_one_sender_whatever_it_calls_itself() -> None:
    assert find_sender("2001:db8:1:2:3::1") == find_sender("2001:db8:1:2:ffff::9") != find_sender("2001:db8:1:3::1")
    assert find_sender("203.0.113.7") != find_sender("203.0.113.8")
    assert find_sender("no address") == "no address"


# --- connections ------------------------------------------------------------------------------------------


@given(st.integers(64, 2_000_000))
def test_descriptors_are_left_for_what_is_not_accepted_yet_and_for_us(descriptors: int) -> None:
    limits = Limits.of(descriptors)
    assert limits.connections >= 16
    assert limits.backlog >= 16
    if descriptors >= 512:
        assert limits.connections + 4 * limits.backlog + 128 <= descriptors


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


@given(st.lists(st.integers(0, 3), max_size=200))
def test_an_address_may_fail_now_and_then_and_no_other_pays_for_it(who: list[int]) -> None:
    throttle = Throttle(lambda: 0.0)
    failed: dict[int, int] = {}
    for each in who:
        failed[each] = failed.get(each, 0) + 1
        assert (throttle.fail(str(each)) > 0) == (failed[each] > FAILURES)


def test_the_table_of_addresses_is_bounded() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(MOST_ADDRESSES + 500):
        throttle.fail(str(number))
    assert len(throttle) == MOST_ADDRESSES


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
    return body_reader.read(body.encode() if isinstance(body, str) else body, content_type)


def nested(lists: int) -> str:
    return '{"a": ' + "[" * lists + "1" + "]" * lists + "}"


def refusal(body: bytes | str, content_type: str = JSON) -> tuple[int, str]:
    with pytest.raises(RefusedError) as caught:
        read(body, content_type)
    return caught.value.http_status, caught.value.error


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


@settings(max_examples=tried(300))
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")), st.sampled_from(
    [JSON, FORM, "multipart/form-data; boundary=x", "application/ld+json", "text/plain", "", "application/json;charset=utf-16"]
))  # fmt: skip
@example(b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x")
@example(b"%00=%00", FORM)
def test_any_body_is_read_or_refused_with_a_reason(body: bytes, content_type: str) -> None:
    refused, payloads = None, []
    try:
        payloads = body_reader.read(body, content_type).payloads
    except RefusedError as error:
        refused = error
    assert (refused is None) == bool(payloads)
    assert refused is None or (refused.http_status in (400, 413, 415, 422) and refused.message)
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
    plain = [("".join(letter for letter in name if letter not in '%"\\\r\n'), value) for name, value in pairs]
    parts = "".join(
        f'--a b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in plain
    )
    made = read(parts + "--a b--\r\n", 'multipart/form-data; boundary="a b"')
    assert made == read(urlencode(plain), FORM)


@pytest.mark.parametrize(
    ("described", "name"),
    [
        ('name="a"', "a"),
        ("name=a", "a"),
        ('name="say %22a%22"', 'say "a"'),  # as browsers write it
        (r'name="say \"a\""', 'say "a"'),  # as other programs do
        ('name="a; filename=b"', "a; filename=b"),
        ('name="größe"', "größe"),
    ],
)
def test_a_name_is_read_however_it_is_quoted(described: str, name: str) -> None:
    body = f"--x\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; {described}\r\n\r\n--xy\r\n\r\n--x--"
    assert read(body, "multipart/form-data; boundary=x").payloads[0].values == {name: "--xy\r\n"}


def test_a_body_that_is_no_form_writes_nothing_into_a_log(caplog: pytest.LogCaptureFixture) -> None:
    assert refusal("--x\r\n\x07: 1\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x") == (400, "invalid_form")
    assert caplog.records == []


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
        ("--x\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''b\r\n\r\n1\r\n--x--", "multipart/form-data; boundary=x", (415, "file")),
        ('--x\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x", (400, "invalid_form")),
        ('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * (FIELDS + 1) + "--x--", "multipart/form-data; boundary=x", (400, "too_many_fields")),
        ("--x--", "multipart/form-data; boundary=x", (422, "empty")),
        ('--x\r\nContent-Disposition: form-data; name="' + "a" * 4_300 + '"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x", (400, "invalid_form")),
        ("--x\r\n" + "a: b\r\n" * 9 + "\r\n1\r\n--x--", "multipart/form-data; boundary=x", (400, "invalid_form")),
        ('hello\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--', "multipart/form-data; boundary=x", (400, "invalid_form")),
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
    key = compute_key(extended, source)
    assert [key] == Keys(source).of([Row(2, extended)])
    assert key == compute_key(dict(reversed(extended.items())), source)
    changed = compute_key(extended | {"sent": "Tuesday"}, source)
    assert (changed == key) == (which != 0)


def test_an_own_id_fits_into_an_index_whatever_it_holds() -> None:
    source = Source(key="id")
    long = [compute_key({"id": "x" * 100_000 + end}, source) for end in ("a", "b")]
    assert len(set(long)) == 2
    assert max(map(len, long)) < 100
    assert "\x00" not in compute_key({"id": "a\x00b"}, source)
    assert compute_key({"id": "  "}, source) == compute_key({"id": "  "}, Source())


# --- the brake --------------------------------------------------------------------------------------------


@given(st.integers(0, 100_000), st.integers(0, 100_000), st.integers(1, 20_000))
def test_the_more_wait_the_longer_an_answer_is_held_back(one: int, other: int, from_: int) -> None:
    fewer, more = sorted((one, other))
    assert 0 <= compute_delay(fewer, from_) <= compute_delay(more, from_) <= MAX_DELAY
    assert (compute_delay(more, from_) == 0) == (more <= from_)
    assert compute_delay(2 * from_ + fewer, from_) == MAX_DELAY
    assert compute_delay(more, 0) == 0


# --- what is looked at again and again ---------------------------------------------------------------------


def test_a_look_that_fails_is_made_up_for_by_the_next_and_all_end_with_the_block() -> None:
    async def run() -> list[int]:
        looks: list[int] = []

        async def look() -> None:
            looks.append(len(looks))
            if len(looks) == 1:
                raise OSError("the ledger is away")
            if len(looks) == 3:
                third.set()

        third = asyncio.Event()
        async with RepeatedLook(look, every=0) as looking:
            await looking.wait_for_first()
            assert looks == [0]
            await asyncio.wait_for(third.wait(), 10)
        ended = list(looks)
        await asyncio.sleep(0)
        assert looks == ended
        return looks

    assert asyncio.run(run())[:3] == [0, 1, 2]


@pytest.mark.parametrize("kind", ["leads", "opportunities", "renewals", "expansions"])
def test_what_starts_journeys_is_answered_as_signals(kind: str) -> None:
    source = Source.model_validate({"kind": kind, "http": {"auth": "bearer", "secret_env": "SECRET"}})
    posted = Posted(2, [], [], [], {2}, None)
    outcome = Outcome([StoredRow(7, True), StoredRow(8, False)], [], [])
    assert build_json_data(source, outcome, posted) == {"signals": [{"id": 7, "new": True}, {"id": 8, "new": False}]}
