"""Keys by which records are found that may be about one person; all of 64 bits, and all keyed.

Belongs here: making keys of texts and names, and whether two keys of names are near. Does not belong here: which texts
(``persons``), or keeping the keys (``ledger.match_keys``).

An exact key is a keyed hash of a text, such as a phone number. A key of a name has two halves. The upper one is a keyed
hash of a text, such as the initials and the employer: records that share it are one block. The lower one has a bit for
each letter that the surname has an odd number of times, and bits for the given name. A slip of the pen inverts two bits
at most, and names of two persons differ by more: a large company has many colleagues of the same initials, and the keys
alone say which of them need not be read and compared.

Which letter has which bit follows from the installation's key, and which bits are inverted from the block's hash:
without the key a lower half tells nothing. Beside keys of leads whose names are known, it tells how much names differ;
so a lead that is erased must lose its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from operator import xor
from typing import Final, NamedTuple

from leadgate.hashing import compute_keyed_digest, compute_keyed_hash

#: The lower half of a key of a name, and the bits of the surname in it.
LOWER: Final = 0xFFFF_FFFF
SURNAME: Final = 0x03FF_FFFF
#: Bits by which the lower halves of two alike names differ at most, if the surnames do: a slip makes a letter another
#: one, which is two bits, and names with more than two slips are two names (``names``).
MOST_BITS: Final = 4

_LETTERS: Final = 26
_A: Final = ord("a")


class MatchKeys(NamedTuple):
    """The keys of a record. Each of ``names`` differs by ``swap`` from what it would be if given name and surname had
    changed places."""

    exact: Sequence[int] = ()
    names: Sequence[int] = ()
    swap: int = 0

    def list_kept(self) -> list[int]:
        """The keys that the ledger keeps."""
        return [*self.exact, *self.names]


def build_keys(secret: bytes, texts: Iterable[str], blocks: Iterable[str], first: str, last: str) -> MatchKeys:
    """An exact key for each text of ``texts``, and for each of ``blocks`` a key of the name.

    ``first`` and ``last`` are a given name and a surname as ``names.PersonName`` has them; without them, no blocks.
    """
    given, family = _find_bits(secret, first), _find_bits(secret, last)
    name, swapped = family & SURNAME | given >> 32, given & SURNAME | family >> 32
    return MatchKeys(
        [compute_keyed_hash(secret, "match", text) for text in texts],
        [compute_keyed_hash(secret, "match", text) ^ name for text in blocks],
        name ^ swapped,
    )


@lru_cache(maxsize=100_000)
def _find_bits(secret: bytes, name: str) -> int:
    """The bits of a surname; and 32 bits above, those of a given name."""
    # a letter of a script that has no table in ``latin`` counts as one of the 26
    spelt = name.encode() if name.isascii() else bytes(_A + ord(letter) % _LETTERS for letter in name)
    return reduce(xor, map(_build_alphabet(secret).__getitem__, spelt), 0)


@lru_cache(maxsize=8)
def _build_alphabet(secret: bytes) -> list[int]:
    """By byte: the bit of this letter in a surname, one of 26; and 32 bits above, its bit in a given name, one of 6."""
    digest = compute_keyed_digest(secret, "letters", "", 2 * _LETTERS)
    order = sorted(range(_LETTERS), key=digest.__getitem__)
    bits = [0] * 256
    for place, letter in enumerate(order):
        bits[_A + letter] = 1 << place | 1 << (32 + _LETTERS + digest[_LETTERS + letter] % (32 - _LETTERS))
    return bits


def get_block(key: int) -> int:
    """The upper half of a key of a name."""
    return key >> 32


def is_near(key: int, swap: int, other: int) -> bool:
    """Whether a record with the key ``other`` of its name, of the same block as ``key``, may have an alike name.

    Never False for alike names (``names.compare_names``).
    """
    differing = key ^ other
    return (
        differing.bit_count() <= MOST_BITS
        or not differing & SURNAME  # the given name may be a short form, or an initial
        or (differing ^ swap).bit_count() <= MOST_BITS
    )
