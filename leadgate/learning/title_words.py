"""The words of job titles: each frequent one as a column of its own, as hardly two leads have the same title.

Belongs here: which words, and which rows have one. Does not belong here: what a word tells of winning
(``separation``).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from leadgate.learning.export_columns import Column

WITH: Final = "has the word"
WITHOUT: Final = "does not have it"
_LEAST: Final = 20
_LEAST_SHARE: Final = 0.01
_MOST_WORDS: Final = 20
_WORD: Final = re.compile(r"[a-z0-9]{2,30}")
_EMPTY: Final = frozenset({"of", "and", "the", "for", "to", "in", "at", "de", "la", "le", "du", "des", "und", "der"})


def split_into_words(column: Column, learn: npt.NDArray[np.bool_]) -> dict[str, Column]:
    """By word, a column that says of each row whether its title has it; a row without a title does not."""
    words_of = [set(_WORD.findall(value.lower())) - _EMPTY for value in column.values]
    codes = column.codes[learn]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.values)).tolist()
    total: Counter[str] = Counter()
    for words, count in zip(words_of, counts, strict=True):
        for word in words:
            total[word] += count
    least = max(_LEAST, _LEAST_SHARE * int(learn.sum()))
    found = {}
    for word, count in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:_MOST_WORDS]:
        if count >= least:
            # two more behind the values: the codes of no title, and of one that is not kept, count from the end
            has = np.array([*(word in words for words in words_of), False, False])
            which = np.where(has[column.codes], 0, 1).astype(np.int32)
            found[word] = Column(f"{column.header}: {word}", which, [WITH, WITHOUT], None, None)
    return found


def express_word(word: str, name: str) -> dict[str, str]:
    """The conditions of having the word in the field ``name``, and of not having it."""
    has = f"regexp_matches(lower({name}), '\\b{word}\\b')"
    return {WITH: has, WITHOUT: f"{name} is null or not {has}"}
