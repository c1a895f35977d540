"""Text to numbers: tf-idf of words and of character n-grams within words."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack
from sklearn.feature_extraction.text import TfidfVectorizer

WORDS_MAX = 30_000
GRAMS_MAX = 20_000
TEXT_CHARS_MAX = 4_000
"""A model reads the beginning of a long mail only: its n-grams cost time, and what it is about stands near its top."""
RARE_BELOW = 2
SMALL_SET = 500
"""In a set smaller than this a word seen once may be all there is of a label."""


def _words(**more: Any) -> Any:
    # The library's own pattern drops words of one letter; "I" and "a 5" count here.
    shape = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
    return TfidfVectorizer(**shape, sublinear_tf=True, dtype=np.float32, **more)


def _grams(**more: Any) -> Any:
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, dtype=np.float32, **more)


class Features:
    """Two fitted vectorizers side by side."""

    def __init__(self, words: Any, grams: Any) -> None:
        self._parts = (words, grams)

    def transform(self, texts: Sequence[str]) -> csr_array:
        """A row depends on its own text alone, so batches may be cut anywhere."""
        cut = [text[:TEXT_CHARS_MAX] for text in texts]
        return csr_array(hstack([part.transform(cut) for part in self._parts], format="csr"))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for name, part in zip(("words", "grams"), self._parts, strict=True):
            terms = list(part.get_feature_names_out())
            arrays[f"{name}_terms"] = np.frombuffer(msgspec.json.encode(terms), dtype=np.uint8)
            arrays[f"{name}_idf"] = part.idf_
        return arrays


def fit_features(texts: Sequence[str]) -> Features:
    """Raises ValueError if no text has a word in it."""
    cut = [text[:TEXT_CHARS_MAX] for text in texts]
    rare = 1 if len(cut) < SMALL_SET else RARE_BELOW
    return Features(
        _words(min_df=rare, max_features=WORDS_MAX).fit(cut), _grams(min_df=rare, max_features=GRAMS_MAX).fit(cut)
    )


def load_features(arrays: Any) -> Features:
    """The inverse of `to_arrays`."""
    parts = []
    for name, make in (("words", _words), ("grams", _grams)):
        terms = msgspec.json.decode(arrays[f"{name}_terms"].tobytes(), type=list[str])
        part = make(vocabulary={term: column for column, term in enumerate(terms)})
        part.idf_ = arrays[f"{name}_idf"]
        parts.append(part)
    return Features(*parts)
