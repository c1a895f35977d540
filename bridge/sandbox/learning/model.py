"""A trained model: a linear scorer per label, calibrated to probabilities."""

import io
import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bridge.sandbox.learning.features import Features, load_features

KEPT_FROM = 0.001
"""Probabilities below this are not kept: most labels are, for most comments, and no threshold in use is so low."""
_ENTRY = struct.Struct("<Hff")
Floats = NDArray[np.floating[Any]]
LabelPath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorers:
    """Columns of weights with their calibration: probability = expit(slope * score + offset)."""

    weights: NDArray[np.float32]
    bias: Floats
    slope: Floats
    offset: Floats

    def probabilities(self, rows: Any) -> Floats:
        scores = rows @ self.weights + self.bias
        return np.asarray(expit(scores * self.slope + self.offset))


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`labels` holds every parent too; `polarity` scores sentiment, where positive and negative examples were given."""

    labels: list[LabelPath]
    features: Features
    scorers: Scorers
    polarity: Scorers | None

    def predict(self, texts: Sequence[str], kept_from: float = KEPT_FROM) -> list[bytes]:
        """The packed labels of each text from a probability on, most probable first."""
        rows = self.features.transform(texts)
        probabilities = self._with_parents(self.scorers.probabilities(rows)).astype(np.float32)
        if self.polarity is None:
            sentiments = np.full(len(texts), math.nan, dtype=np.float32)
        else:
            sentiments = (2 * self.polarity.probabilities(rows)[:, 0] - 1).astype(np.float32)
        return [_pack(row, float(mood), kept_from) for row, mood in zip(probabilities, sentiments, strict=True)]

    def _with_parents(self, probabilities: Floats) -> Floats:
        """A parent is at least as probable as each of its children."""
        index = {path: column for column, path in enumerate(self.labels)}
        for path in sorted(self.labels, key=len, reverse=True):
            parent = index.get(path[:-1])
            if parent is not None:
                probabilities[:, parent] = np.maximum(probabilities[:, parent], probabilities[:, index[path]])
        return probabilities

    def to_bytes(self) -> bytes:
        """Arrays and JSON only: reading it back runs no code."""
        arrays = self.features.to_arrays()
        arrays["labels"] = np.frombuffer(msgspec.json.encode(self.labels), dtype=np.uint8)
        for name, scorers in (("scorers", self.scorers), ("polarity", self.polarity)):
            if scorers is not None:
                for part in ("weights", "bias", "slope", "offset"):
                    arrays[f"{name}_{part}"] = getattr(scorers, part)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def load_model(raw: bytes) -> Model:
    """The inverse of `Model.to_bytes`."""
    with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
        return Model(
            labels=msgspec.json.decode(arrays["labels"].tobytes(), type=list[LabelPath]),
            features=load_features(arrays),
            scorers=_load_scorers(arrays, "scorers"),
            polarity=_load_scorers(arrays, "polarity") if "polarity_bias" in arrays else None,
        )


def _load_scorers(arrays: Any, name: str) -> Scorers:
    return Scorers(
        weights=arrays[f"{name}_weights"],
        bias=arrays[f"{name}_bias"],
        slope=arrays[f"{name}_slope"],
        offset=arrays[f"{name}_offset"],
    )


def _pack(probabilities: NDArray[np.float32], sentiment: float, kept_from: float) -> bytes:
    kept = np.flatnonzero(probabilities >= kept_from)
    order = kept[np.argsort(-probabilities[kept], kind="stable")]
    return b"".join(_ENTRY.pack(int(index), float(probabilities[index]), sentiment) for index in order)


def unpack(packed: bytes) -> Iterator[tuple[int, float, float]]:
    """Label index, probability and sentiment (NaN where the model has none), most probable first."""
    return _ENTRY.iter_unpack(packed)
