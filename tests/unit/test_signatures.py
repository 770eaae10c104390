"""The signatures of vendors' webhooks: their published examples, and everything that must not pass.

Where a vendor publishes a whole example (key, body, signature), it is used as it is. Others are made here by ``openssl``
or by a few lines of their own, which share nothing with what is tested.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from console.http.authentication import RequestVerifier
from console.http.signatures import SCHEMES, TOLERANCE, Given, decode_address
from leadgate.playbook import HttpAuth, HttpCapture, Playbook, Source

NOW: Final = 1_800_000_000
SECRET: Final = "a-secret-of-a-vendor-0123456789"  # noqa: S105 - of these tests
OTHER: Final = "another-secret-of-a-vendor-98765"
ADDRESS: Final = "https://leads.example/capture/hubspot"
VENDORS: Final[tuple[HttpAuth, ...]] = ("typeform", "calendly", "facebook", "hubspot")


def build_verifier(secret: str = SECRET, *, google: bool = False, address: str = ADDRESS) -> RequestVerifier:
    """A source for each vendor, called as the vendor is; each has a secret of its own in a playbook that is checked."""
    auths: tuple[HttpAuth, ...] = (
        *VENDORS,
        "hmac",
        "standard_webhooks",
        "bearer",
        *(("google_leads",) if google else ()),
    )
    sources = {
        auth: Source(
            http=HttpCapture(
                auth=auth, secret_env="SECRET", public_url=address if auth == "hubspot" else None  # noqa: S106 - its name
            )
        )
        for auth in auths
    }  # fmt: skip
    return RequestVerifier(Playbook.model_construct(sources=sources), {"SECRET": secret})


PLAIN: Final = build_verifier()
WITH_GOOGLE: Final = build_verifier(google=True)


def admits(source: str, headers: Given, body: bytes, now: float = NOW, of: RequestVerifier = PLAIN) -> bool:
    verdict = of.judge_head(source, headers, now)
    return verdict.admits or (verdict.reads and of.judge_body(source, headers, body, now).admits)


def compute_hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 as RFC 2104 writes it, by hashes alone."""
    key = hashlib.sha256(key).digest() if len(key) > 64 else key
    inner, outer = (bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C))
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).digest()


def sign(auth: str, body: bytes, at: float = NOW, secret: str = SECRET, address: str = ADDRESS) -> Given:
    key = secret.encode()
    if auth == "typeform":
        return Given(typeform=b"sha256=" + base64.b64encode(compute_hmac(key, body)))
    if auth == "calendly":
        digest = compute_hmac(key, b"%d.%b" % (int(at), body)).hex()
        return Given(calendly=f"t={int(at)},v1={digest}".encode())
    if auth == "facebook":
        return Given(facebook=b"sha256=" + compute_hmac(key, body).hex().encode())
    stamp = b"%d" % int(at * 1000)
    signed = compute_hmac(key, b"POST" + address.encode() + body + stamp)
    return Given(hubspot=base64.b64encode(signed), hubspot_timestamp=stamp)


# --- published examples -----------------------------------------------------------------------------------


def test_the_example_of_standard_webhooks() -> None:
    """From the test vectors of the specification's libraries."""
    of = build_verifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    given = Given(
        id=b"msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=b"1614265330",
        signature=b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )  # fmt: skip
    body = b'{"test": 2432232314}'
    for source in ("standard_webhooks", "hmac"):
        assert admits(source, given, body, 1614265330, of)
        assert not admits(source, given, body.replace(b"4}", b"5}"), 1614265330, of)
        assert not admits(source, given, body, 1614265330 + TOLERANCE + 1, of)


def test_the_example_of_hubspot() -> None:
    """From the tests of HubSpot's own client for Python. Its key is too weak to be a secret here, so the scheme alone is
    asked."""
    address = decode_address("https://www.example.com/webhook_uri")
    given = Given(hubspot=b"HPW73RUtKmcYoEDADG0s6MmGFWUzWJKAW07r8RDgcQw=", hubspot_timestamp=b"15000000")
    body, key = b"{'example_field':'example_value'}", b"yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
    scheme = SCHEMES["hubspot"]
    assert scheme.find_fault(given, 15000) is None, "the time is in thousandths"
    assert scheme.is_signed(given, body, [key], address)
    assert not scheme.is_signed(given, body + b" ", [key], address)
    assert not scheme.is_signed(given, body, [key], address + b"/")
    assert not scheme.is_signed(given._replace(hubspot_timestamp=b"15000001"), body, [key], address)


def test_the_example_of_x_hub_signature_256() -> None:
    """From GitHub's documentation, which signs by the same header as Facebook."""
    digest = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    given, key = Given(facebook=b"sha256=" + digest), b"It's a Secret to Everybody"
    assert SCHEMES["facebook"].is_signed(given, b"Hello, World!", [key], b"")
    assert not SCHEMES["facebook"].is_signed(given, b"Hello, World?", [key], b"")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees() -> None:
    body = '{"email": "jürgen@straße.example"}'.encode()
    for source, text in (
        ("typeform", body),
        ("facebook", body),
        ("calendly", b"%d.%b" % (NOW, body)),
        ("hubspot", b"POST%b%b%d" % (ADDRESS.encode(), body, NOW * 1000)),
    ):
        command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"key:{SECRET}", "-binary"]
        digest = subprocess.run(command, input=text, capture_output=True, check=True).stdout
        made = {
            "typeform": Given(typeform=b"sha256=" + base64.b64encode(digest)),
            "facebook": Given(facebook=b"sha256=" + digest.hex().encode()),
            "calendly": Given(calendly=f"t={NOW},v1={digest.hex()}".encode()),
            "hubspot": Given(hubspot=base64.b64encode(digest), hubspot_timestamp=b"%d" % (NOW * 1000)),
        }[source]
        assert made == sign(source, body)
        assert admits(source, made, body)


# --- every vendor -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", VENDORS)
@given(body=st.binary(max_size=200), data=st.data())
@settings(max_examples=tried(30))
def test_what_the_vendor_signs_is_admitted_and_nothing_else(source: str, body: bytes, data: st.DataObject) -> None:
    right = sign(source, body)
    assert admits(source, right, body)
    if body:
        place = data.draw(st.integers(0, len(body) - 1))
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert not admits(source, right, altered), "one bit is another"
    assert not admits(source, right, body + b"\n")
    assert not admits(source, sign(source, body, secret=OTHER), body)
    for other in (*VENDORS, "hmac", "standard_webhooks", "bearer", "nowhere"):
        if other != source:
            assert not admits(other, right, body), "the way of signing is its source's, whoever shares the secret"


@pytest.mark.parametrize("source", VENDORS)
def test_while_a_secret_is_changed_both_admit(source: str) -> None:
    of = build_verifier(f"{OTHER} {SECRET}")
    for secret, right in ((SECRET, True), (OTHER, True), (SECRET + OTHER, False)):
        assert admits(source, sign(source, b"{}", secret=secret), b"{}", of=of) is right


def test_a_source_without_its_secret_admits_nobody() -> None:
    unset = build_verifier("", google=True)
    assert len(unset.unset) == len(VENDORS) + 4
    for source in VENDORS:
        assert not admits(source, sign(source, b"{}", secret=""), b"{}", of=unset)
    assert not post_as_google("", unset)
    assert not unset.has_verify_token("facebook", "")


@pytest.mark.parametrize("source", ["calendly", "hubspot"])
@pytest.mark.parametrize(("off", "admitted"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_signed_time_may_be_off_by_five_minutes(source: str, off: int, admitted: bool) -> None:
    assert admits(source, sign(source, b"{}", NOW + off), b"{}") is admitted


@pytest.mark.parametrize("source", ["calendly", "hubspot"])
def test_another_time_needs_another_signature(source: str) -> None:
    old = sign(source, b"{}", NOW - 1000)
    fresh = (
        Given(calendly=(old.calendly or b"").replace(b"%d" % (NOW - 1000), b"%d" % NOW))
        if source == "calendly"
        else old._replace(hubspot_timestamp=b"%d" % (NOW * 1000))
    )
    assert not admits(source, old, b"{}")
    assert not admits(source, fresh, b"{}")


_ODD: Final = (
    b"", b"sha256=", b"x" * 8_000, b"sha256=" + b"A" * 8_000, b"sha256=" + b"0" * 63 + "é".encode(), b"t=,v1=", b"t=1,v1=0",
    b"t=" + b"9" * 8_000 + b",v1=" + b"0" * 64, b"t=-1,v1=" + b"0" * 64, b"\xff\xfe", b"sha1=" + b"0" * 40,
    b"t=1800000000,v1=" + b"0" * 64 + b",v1=" + b"0" * 64, "sha256=é".encode(), b"9" * 8_000, b"1e12", b"NaN",
)  # fmt: skip


@pytest.mark.parametrize("source", VENDORS)
@pytest.mark.parametrize("header", _ODD)
def test_odd_headers_are_refused_before_the_body_comes(source: str, header: bytes) -> None:
    field = source
    verdict = PLAIN.judge_head(source, sign(source, b"{}")._replace(**{field: header}), NOW)
    assert (verdict.admits, verdict.reads, verdict.reason) == (False, False, "malformed")
    if source == "hubspot":
        odd = sign(source, b"{}")._replace(hubspot_timestamp=header)
        assert PLAIN.judge_head(source, odd, NOW).reason == "malformed"


@pytest.mark.parametrize("source", VENDORS)
def test_a_header_that_is_missing_or_there_twice_signs_nothing(source: str) -> None:
    """``capture_api`` gives None for a header that came twice."""
    gone = sign(source, b"{}")._replace(**{source: None})
    verdict = PLAIN.judge_head(source, gone, NOW)
    assert (verdict.admits, verdict.reads) == (False, False)


@given(
    st.sampled_from([None, *_ODD]), st.sampled_from([None, *_ODD]), st.sampled_from([None, "typeform", "hubspot"]),
    st.booleans(),
)  # fmt: skip
def test_a_head_is_judged_alike_whatever_the_source(
    first: bytes | None, second: bytes | None, right: str | None, google: bool
) -> None:
    of = WITH_GOOGLE if google else PLAIN
    headers = (Given() if right is None else sign(right, b"{}"))._replace(calendly=first, facebook=second)
    names = (*VENDORS, "hmac", "standard_webhooks", "bearer", "google_leads", "nowhere")
    judged = [of.judge_head(source, headers, NOW) for source in names]
    assert len({(verdict.admits, verdict.reads) for verdict in judged}) == 1


def test_hubspot_decodes_some_escapes_of_its_address_and_no_other() -> None:
    escaped = "https://leads.example/capture/hub%3Fa%3Db%2C%20%25%3a%7E%2B"
    assert decode_address(escaped) == b"https://leads.example/capture/hub?a%3Db,%20%25:%7E%2B"
    of = build_verifier(address=escaped)
    signed = sign("hubspot", b"[]", address=decode_address(escaped).decode())
    assert admits("hubspot", signed, b"[]", of=of)
    assert not admits("hubspot", sign("hubspot", b"[]", address=escaped), b"[]", of=of)


# --- Google sends its secret in the body ------------------------------------------------------------------


def post_as_google(key: object, of: RequestVerifier = WITH_GOOGLE, **more: object) -> bool:
    return admits("google_leads", Given(), json.dumps({"lead_id": "1", "google_key": key, **more}).encode(), of=of)


def escape(text: str) -> bytes:
    """As JSON may write any character."""
    return "".join(f"\\u{ord(letter):04x}" for letter in text).encode()


def test_the_key_in_the_body_admits_google_and_nobody_else() -> None:
    assert post_as_google(SECRET)
    for key in (OTHER, SECRET + " ", "", None, 7, [SECRET], {"key": SECRET}, "é" * 8_000, f'"google_key": "{SECRET}"'):
        assert not post_as_google(key)
    body = json.dumps({"google_key": SECRET}).encode()
    for source in (*VENDORS, "hmac", "bearer", "nowhere"):
        assert not admits(source, Given(), body, of=WITH_GOOGLE)
    assert admits("google_leads", Given(), body[:-1], of=WITH_GOOGLE), "what is wrong with the body is said later"
    assert admits("google_leads", Given(), b'{"google_key" :\n"%b"}' % escape(SECRET), of=WITH_GOOGLE)
    hostile = (b'"google_key":"' * 20_000, b'"google_key"' + b" " * 200_000, b'"google_key":"' + b"\\" * 200_000)
    for other in (b"", b"[]", b"\xff", b"[" * 100_000, *hostile, b'{"google_key": "\\ud800"}'):
        assert not admits("google_leads", Given(), other, of=WITH_GOOGLE)
    assert not admits("google_leads", Given(authorization=b"Bearer " + SECRET.encode()), body, of=WITH_GOOGLE)


def test_a_body_without_a_signature_is_only_read_where_some_source_sends_its_secret_so() -> None:
    assert WITH_GOOGLE.judge_head("nowhere", Given(), NOW).reads
    assert not PLAIN.judge_head("google_leads", Given(), NOW).reads
    assert not WITH_GOOGLE.judge_head("google_leads", Given(authorization=b"Bearer x"), NOW).reads


def test_no_secret_is_shown() -> None:
    assert SECRET not in repr(WITH_GOOGLE._locks)
