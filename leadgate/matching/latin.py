"""Text of several scripts in one alphabet, so that spellings of one name compare equal.

Belongs here: letters. Does not belong here: what is a name of a person (``names``) or a company (``companies``).
The tables are for comparing only, never for showing: they lose what tells languages apart.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from leadgate.values.text import fold

#: Letters that Unicode does not take apart into a base letter and an accent.
_LETTERS: Final = str.maketrans(
    {
        "ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ŋ": "ng",
        # Cyrillic, after ISO 9 as passports simplify it (ICAO 9303)
        "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "к": "k",
        "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
        "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu",
        "я": "ya", "і": "i", "є": "ye", "ґ": "g", "ђ": "d", "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz",
        # Greek, after ISO 843 without accents
        "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
        "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
        "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
    }
)  # fmt: skip
_APOSTROPHES: Final = re.compile("['’`´ʼ]")
#: How German and Scandinavian names are written without umlauts; the umlaut itself has lost its dots by then.
_SPELT_OUT: Final = re.compile("(?<=[^q])ue|ae|oe")


@lru_cache(maxsize=100_000)
def latinise(text: str) -> str:
    """``text`` in lower-case ASCII words where a table knows its letters, else in what ``folded`` leaves.

    >>> latinise("Jürgen Müller"), latinise("Juergen Mueller"), latinise("O’Brien"), latinise("Ольга Петрова")
    ('jurgen muller', 'jurgen muller', 'obrien', 'olga petrova')
    """
    plain = fold(_APOSTROPHES.sub("", text))
    if not plain.isascii():
        plain = plain.translate(_LETTERS)
    return _SPELT_OUT.sub(lambda found: found[0][0], plain)
