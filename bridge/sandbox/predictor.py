"""Predictions of pinned models: made when first asked for or ahead of it, kept in the file, and put on the wire."""

import asyncio
import logging
import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.sandbox.comments import learning_text, parts_of
from bridge.sandbox.entities import find_entities
from bridge.sandbox.errors import ApiError, not_found
from bridge.sandbox.learning.model import KEPT_FROM, LabelPath, Model, load_model, unpack
from bridge.sandbox.store.comments import Row, rows_by_key
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.models import keep_prediction, model_weights, unpredicted
from bridge.sandbox.wire import encode

LOG = logging.getLogger(__name__)
CHUNK = 128
"""Comments predicted at a time: small enough that a fetch never waits long for the warming of others."""
LOADED_MAX = 4
"""Models kept in memory; one takes some tens of megabytes."""

GRADES = (("high_recall", 0.25), ("balanced", 0.5), ("high_precision", 0.8))
"""Ours: the platform derives these cuts for each label, and says nowhere how."""

Thresholds = Mapping[LabelPath, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model with the JSON of its label names at hand."""

    model: Model
    openings: list[bytes]

    def labels_json(self, packed: bytes, thresholds: Thresholds | None, floor: float, *, graded: bool = False) -> bytes:
        """The `labels` of one result: those that reach a threshold of their own, or without thresholds the `floor`.

        `graded` ones say which of the platform's automatic cuts they reach.
        """
        parts = []
        for index, probability, sentiment in unpack(packed):
            cut = floor if thresholds is None else thresholds.get(self.model.labels[index])
            if cut is not None and probability >= cut:
                mood = b"" if math.isnan(sentiment) else b',"sentiment":%r' % sentiment
                grades = b',"auto_thresholds":' + encode(cleared(probability)) if graded else b""
                parts.append(b"%s%r%s%s}" % (self.openings[index], probability, mood, grades))
        return b"[" + b",".join(parts) + b"]"


def cleared(probability: float) -> list[str]:
    """The names of the automatic cuts that a probability reaches."""
    return [name for name, cut in GRADES if probability >= cut]


def _predict(model: Model, docs: Sequence[bytes], kept_from: float = KEPT_FROM) -> list[tuple[bytes, bytes]]:
    """Packed labels and the JSON of the entities, for each document."""
    labels = model.predict([learning_text(doc) for doc in docs], kept_from)
    return [(packed, encode(find_entities(list(parts_of(doc))))) for packed, doc in zip(labels, docs, strict=True)]


class Predictor:
    """One for a server; all its methods belong to the event loop, the computing goes to threads."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._loaded: dict[int, LoadedModel] = {}
        self._busy = asyncio.Lock()

    def loaded(self, key: int) -> LoadedModel:
        """The model of a record's key, or ApiError 404 for one that is gone; the least recently used makes room."""
        found = self._loaded.pop(key, None)
        if found is None:
            weights = model_weights(self._db, key)
            if weights is None:
                raise not_found("model")
            model = load_model(weights)
            openings = [b'{"name":' + encode(list(path)) + b',"probability":' for path in model.labels]
            found = LoadedModel(model=model, openings=openings)
        self._loaded[key] = found
        while len(self._loaded) > LOADED_MAX:
            del self._loaded[next(iter(self._loaded))]
        return found

    async def fill(self, model: int, rows: Sequence[Row]) -> list[Row]:
        """The same rows, each with its labels and entities; what had to be computed is kept."""
        filled = {row.key: row for row in rows if row.labels is not None and row.entities is not None}
        missing = [row for row in rows if row.key not in filled]
        for start in range(0, len(missing), CHUNK):
            for row in await self._compute(model, missing[start : start + CHUNK]):
                filled[row.key] = row
        return [filled[row.key] for row in rows]

    async def look(self, model: int, docs: Sequence[bytes], kept_from: float) -> list[tuple[bytes, bytes]]:
        """Packed labels and entities of documents that are not kept; what it finds is not kept either."""
        loaded = self.loaded(model)
        found: list[tuple[bytes, bytes]] = []
        for start in range(0, len(docs), CHUNK):
            async with self._busy:
                chunk = docs[start : start + CHUNK]
                found += await asyncio.to_thread(_predict, loaded.model, chunk, kept_from)
        return found

    async def _compute(self, model: int, rows: Sequence[Row]) -> list[Row]:
        loaded = self.loaded(model)
        async with self._busy:
            results = await asyncio.to_thread(_predict, loaded.model, [row.doc for row in rows])
        made = [
            row._replace(labels=labels, entities=entities)
            for row, (labels, entities) in zip(rows, results, strict=True)
        ]
        with transaction(self._db):
            for row in made:
                assert row.labels is not None
                assert row.entities is not None
                keep_prediction(self._db, model, row.key, row.revision, row.labels, row.entities)
        return made

    async def warm(self, model: int, sources: Sequence[int], after_key: int) -> int:
        """Predicts up to one chunk of comments after a key; returns the last key, or `after_key` when none was left."""
        keys = unpredicted(self._db, model, sources, after_key, CHUNK)
        if not keys:
            return after_key
        await self._compute(model, rows_by_key(self._db, keys, -1, model))
        return keys[-1]


class Warmer:
    """Keeps predictions ahead of the fetches, in one background task that lives while there is work."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._seen: dict[int, int] = {}
        self._wanted: dict[int, list[int]] = {}
        self._task: asyncio.Task[None] | None = None

    def want(self, wanted: Mapping[int, list[int]]) -> None:
        """The sources by key of each model in use; starts the work if it rests."""
        self._wanted.update(wanted)
        if self._wanted and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="sandbox-warmer")

    async def settled(self) -> None:
        """Returns when all that was wanted is predicted."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._wanted:
            model, sources = self._wanted.popitem()
            try:
                await self._warm_model(model, sources)
            except ApiError:
                LOG.info("a model went with its dataset while predicting ahead")
            except Exception:
                # The task would die unseen; fetches still predict on their own.
                LOG.exception("predicting ahead failed")

    async def _warm_model(self, model: int, sources: list[int]) -> None:
        seen = self._seen.get(model, 0)
        while (last := await self._predictor.warm(model, sources, seen)) != seen:
            self._seen[model] = seen = last
