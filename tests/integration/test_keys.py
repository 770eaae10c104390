"""The key of keyed hashes: made once, agreed on with the ledger, and what is hashed computed again for it."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from zlib import crc32

import databases
import pytest
from forked import Child
from harness import Harness, make_lead
from sqlalchemy import text

from leadgate import playbook as playbooks
from leadgate.hashing import compute_fingerprint, compute_keyed_hash
from leadgate.ledger import Ledger, LedgerError, keys, match_keys, open_ledger
from leadgate.matching.match_keys import build_keys, get_block, is_near
from leadgate.settings import Settings, SettingsError

LONG = "thirty-two bytes, or a few more than that"


@pytest.fixture
def unopened(postgres: Ledger, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a ledger that nobody has opened."""
    with databases.fresh(postgres) as (url,):
        yield Settings(home=tmp_path / "home", database_url=url)


def opened(settings: Settings) -> bytes:
    with open_ledger(settings) as ledger:
        return ledger.key


def recorded(settings: Settings) -> list[str]:
    with open_ledger(settings) as ledger, ledger.transaction() as connection:
        return list(connection.execute(text("SELECT fingerprint FROM hash_key")).scalars())


# --- making it --------------------------------------------------------------------------------------------


def test_the_first_use_makes_a_key_that_its_owner_alone_can_read(unopened: Settings) -> None:
    key = opened(unopened)
    path = unopened.home / "key"
    assert path.read_bytes().strip() == key
    assert len(key) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert opened(unopened) == key
    assert recorded(unopened) == [compute_fingerprint(key)]
    assert [each.name for each in unopened.home.iterdir() if "key" in each.name] == ["key"]  # no drafts are left


def test_processes_that_open_a_new_ledger_at_once_agree_on_one_key(unopened: Settings) -> None:
    found = [child.result() for child in [Child(partial(opened, unopened)) for _ in range(4)]]
    assert len(set(found)) == 1
    assert recorded(unopened) == [compute_fingerprint(found[0])]


def test_two_who_make_the_file_at_once_have_the_same(tmp_path: Path) -> None:
    start, made = threading.Barrier(8), set()

    def make() -> None:
        start.wait()
        made.add(keys._make(tmp_path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == {keys.find(Settings(home=tmp_path))}


def test_machines_that_open_a_new_ledger_at_once_have_one_that_decides(unopened: Settings, tmp_path: Path) -> None:
    homes = [replace(unopened, home=tmp_path / str(number)) for number in range(3)]

    def attempt(settings: Settings) -> str:
        try:
            return compute_fingerprint(opened(settings))
        except LedgerError as error:
            return str(error)

    found = [child.result() for child in [Child(partial(attempt, home)) for home in homes]]
    agreed = [each for each in found if " " not in each]
    assert len(agreed) == 1
    assert all("copy the file" in each for each in found if each not in agreed)


def test_the_variable_wins_and_may_hold_what_is_in_the_file(unopened: Settings, tmp_path: Path) -> None:
    key = opened(unopened)
    text_of_the_file = (unopened.home / "key").read_text()
    elsewhere = Settings.from_environment({"LEADGATE_KEY": text_of_the_file, "LEADGATE_HOME": str(tmp_path / "b")})
    assert opened(replace(elsewhere, database_url=unopened.database_url)) == key
    assert not (tmp_path / "b" / "key").exists()


# --- refusing ---------------------------------------------------------------------------------------------


def test_another_key_is_refused_with_what_to_do(unopened: Settings) -> None:
    opened(unopened)
    with pytest.raises(LedgerError, match=r"LEADGATE_KEY is not the one .* copy the file `key`"):
        opened(replace(unopened, key=LONG))


def test_no_key_where_the_ledger_has_one_is_refused_and_none_is_made(unopened: Settings, tmp_path: Path) -> None:
    opened(unopened)
    with pytest.raises(LedgerError, match=r"this ledger has a key, and there is none here"):
        opened(replace(unopened, home=tmp_path / "other"))
    assert not (tmp_path / "other" / "key").exists()


def test_a_file_that_others_can_read_or_that_was_cut_is_refused(unopened: Settings) -> None:
    opened(unopened)
    path = unopened.home / "key"
    path.chmod(0o644)
    with pytest.raises(LedgerError, match="can be read by others"):
        opened(unopened)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(LedgerError, match="has 5 bytes, and needs 32"):
        opened(unopened)


def test_a_short_variable_is_refused_and_never_quoted() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({"LEADGATE_KEY": "too short"})
    assert "32" in str(caught.value)
    assert "too short" not in str(caught.value)
    assert LONG not in repr(Settings.from_environment({"LEADGATE_KEY": LONG}))


def test_the_key_is_not_in_the_database_and_not_shown(unopened: Settings) -> None:
    with open_ledger(unopened) as ledger:
        assert ledger.key.decode() not in repr(ledger)
        with ledger.transaction() as connection:
            rows = connection.execute(text("SELECT to_jsonb(k)::text FROM hash_key k")).scalars()
            assert ledger.key.decode() not in "".join(rows)


# --- what is hashed ---------------------------------------------------------------------------------------


def test_match_keys_are_found_with_the_key_alone(harness: Harness) -> None:
    harness.capture(make_lead(1))
    harness.run(kinds=["intake"])
    phone = "phone +49301000001"
    stored = {row[0] for row in harness.rows("SELECT key FROM match_key")}
    assert compute_keyed_hash(harness.ledger.key, "match", phone) in stored
    assert not stored & {crc32(phone.encode()), compute_keyed_hash(LONG.encode(), "match", phone)}


def test_keys_without_a_fingerprint_are_computed_again_and_still_find_the_same_person(settings: Settings) -> None:
    """As in a ledger of an earlier version, whose keys were checksums, or one whose key was lost."""
    asking = playbooks.load_default().text
    loaded = playbooks.parse(asking, path=Path("tests.yaml"))
    with open_ledger(settings) as ledger:
        harness = Harness(ledger, loaded)
        harness.capture(make_lead(1), make_lead(2), make_lead(3, Phone="call me", Email="no address"))
        harness.run(kinds=["intake"])
        before = harness.rows("SELECT lead_id, count(*) FROM match_key GROUP BY 1 ORDER BY 1")
        harness.rows("UPDATE match_key SET key = key % 4294967296 RETURNING 1")
        harness.rows("DELETE FROM hash_key RETURNING 1")
    with open_ledger(replace(settings, key=LONG)) as ledger:
        harness = Harness(ledger, loaded)
        assert harness.rows("SELECT lead_id, count(*) FROM match_key GROUP BY 1 ORDER BY 1") == before
        assert compute_keyed_hash(LONG.encode(), "match", "phone +49301000001") in {
            row[0] for row in harness.rows("SELECT key FROM match_key")
        }
        harness.capture(make_lead(1, Email="private@company1.example"))
        harness.run(kinds=["intake"])
        assert harness.rows("SELECT lead_id, because FROM lead_join") == [(1, ["number_and_name"])]


def test_the_ledger_finds_the_names_that_are_near_and_no_others(ledger: Ledger) -> None:
    given = ["jane", "jill", "jo", "lena", "l"]
    surnames = ["lind", "lindt", "lindqvist", "lopez", "lee", "jansson", "jo", "jane", "lund"]
    names = list(product(given, surnames))
    blocks = ["jl acme", "jl other"]
    kept = [build_keys(ledger.key, [], blocks, *name) for name in names]
    rows = [(key, lead) for lead, keys in enumerate(kept) for key in keys.names]
    expected = {
        (key, other) for each in kept for key in each.names for other, _ in rows
        if get_block(key) == get_block(other) and is_near(key, each.swap, other)
    }  # fmt: skip
    with ledger.transaction(plan_by_index=True) as connection:
        match_keys.insert(connection, rows, [])
        found = {
            (key, other)
            for each in kept
            for key in each.names
            for other, _ in match_keys.find_near(connection, {key: each.swap})
        }
    assert found == expected
    assert len(names) * len(blocks) < len(expected) < len(rows) ** 2 / 4


def test_keys_made_in_an_earlier_way_are_made_again_when_the_ledger_is_opened(settings: Settings) -> None:
    with open_ledger(settings) as ledger:
        harness = Harness(ledger, playbooks.load_default())
        harness.capture(make_lead(1), make_lead(2))
        harness.run(kinds=["intake"])
        before = harness.rows("SELECT key, lead_id FROM match_key ORDER BY 1, 2")
        harness.rows("DELETE FROM match_key WHERE lead_id = 1 RETURNING 1")
        harness.rows("UPDATE match_key SET key = key + 1 RETURNING 1")
        harness.rows("UPDATE hash_key SET match_keys = 0 RETURNING 1")
    with pytest.raises(LedgerError, match="not the one"), open_ledger(replace(settings, key=LONG)):
        pass
    with open_ledger(settings) as ledger:
        assert (
            Harness(ledger, playbooks.load_default()).rows("SELECT key, lead_id FROM match_key ORDER BY 1, 2") == before
        )
