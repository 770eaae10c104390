"""Keys of a file's rows: the same however the file is cut into chunks, and never the same for two rows."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from properties import tried

from leadgate.connectors.files import Row
from leadgate.playbook import Source
from tasks.capture import Keys, chunk_rows


def keys_of(rows: list[Row], size: int, source: Source | None = None) -> list[str]:
    keys = Keys(source or Source())
    return [key for chunk in chunk_rows(rows, size) for key in keys.of(chunk)]


@settings(max_examples=tried(100))
@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 9))
def test_keys_do_not_depend_on_the_chunks(people: list[int], size: int) -> None:
    rows = [Row(line, {"Email": f"lead{person}@one.example"}) for line, person in enumerate(people, start=2)]
    keys = keys_of(rows, size)
    assert keys == keys_of(rows, len(rows) + 1)
    assert len(set(keys)) == len(rows)
    counts = Counter(key.split(":")[1] for key in keys)
    assert sorted(counts.values()) == sorted(Counter(people).values())


def test_the_sources_own_id_is_the_key_and_volatile_columns_are_not() -> None:
    by_id = Source(key="Id")
    assert keys_of([Row(2, {"Id": " 7 ", "Email": "a@one.example"})], 1, by_id) == ["id:7"]
    exported = Source(volatile=("Exported at",))
    first = keys_of([Row(2, {"Email": "a@one.example", "Exported at": "Monday"})], 1, exported)
    assert first == keys_of([Row(9, {"Email": "a@one.example", "Exported at": "Tuesday"})], 1, exported)


def test_values_that_json_cannot_hold_still_have_a_key() -> None:
    odd = {"Email": "a\x00b", "Name": "\ud800", "Number": 2**80}
    assert len(keys_of([Row(2, odd), Row(3, odd)], 1)) == 2
