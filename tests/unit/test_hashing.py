"""The keyed hash: stable, keyed, apart for each purpose, and within a PostgreSQL bigint."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadgate.hashing import compute_fingerprint, compute_keyed_hash

KEY = b"0123456789abcdef0123456789abcdef"
OTHER = b"another key of more than thirty-two bytes"


@given(st.text())
def test_a_hash_depends_on_the_key_and_the_purpose_and_is_a_bigint(text: str) -> None:
    hashed = compute_keyed_hash(KEY, "match", text)
    assert hashed == compute_keyed_hash(KEY, "match", text)
    assert -(2**63) <= hashed < 2**63
    assert len({hashed, compute_keyed_hash(OTHER, "match", text), compute_keyed_hash(KEY, "erased", text)}) == 3


def test_without_the_key_a_phone_number_is_not_found_by_trying_all_of_them() -> None:
    number = 1_234_567
    keys = {crc32(f"phone +4930{number}".encode()), compute_keyed_hash(KEY, "match", f"phone +4930{number}")}
    tried = {
        guess
        for digits in range(number - 5_000, number + 5_000)
        for guess in (
            crc32(f"phone +4930{digits}".encode()),
            compute_keyed_hash(OTHER, "match", f"phone +4930{digits}"),
        )
    }
    assert keys & tried == {crc32(f"phone +4930{number}".encode())}  # the checksum is found, the keyed hash is not


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 31])
def test_a_short_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        compute_keyed_hash(key, "match", "text")


def test_a_key_longer_than_the_algorithm_takes_counts_to_its_last_byte() -> None:
    long = b"x" * 100
    assert compute_keyed_hash(long, "match", "a") != compute_keyed_hash(long[:-1] + b"y", "match", "a")
    assert compute_fingerprint(long) != compute_fingerprint(long[:-1] + b"y")


def test_a_fingerprint_tells_keys_apart_and_is_not_the_key() -> None:
    assert compute_fingerprint(KEY) == compute_fingerprint(KEY) != compute_fingerprint(OTHER)
    assert KEY.decode() not in compute_fingerprint(KEY)
    assert len(compute_fingerprint(KEY)) == 32
