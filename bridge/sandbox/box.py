"""What one running server consists of."""

import sqlite3
from dataclasses import dataclass, field

from bridge.sandbox.auth import TokenBook
from bridge.sandbox.errors import ApiError, not_found
from bridge.sandbox.eventlog import EventLog
from bridge.sandbox.faults import FaultPlan
from bridge.sandbox.pages import Reader
from bridge.sandbox.predictor import Predictor, Warmer
from bridge.sandbox.settings import Profile, Settings
from bridge.sandbox.shapes import Shapes, make_shapes
from bridge.sandbox.store.database import open_database
from bridge.sandbox.store.holders import Holder, Kind, find_by_id, find_by_name, source_keys
from bridge.sandbox.store.models import ModelRecord, find_model, list_models
from bridge.sandbox.store.triggers import Trigger, all_triggers, find_trigger

MODEL_TAGS = ("live", "staging")
"""Both mean the newest version here: no public route sets them."""


@dataclass(slots=True, kw_only=True)
class Sandbox:
    """The parts a handler works with. Belongs to one event loop."""

    settings: Settings
    db: sqlite3.Connection
    shapes: Shapes
    tokens: TokenBook
    log: EventLog
    predictor: Predictor
    warmer: Warmer
    faults: FaultPlan = field(default_factory=FaultPlan)
    last_pages: dict[int, bytes] = field(default_factory=dict)
    """The latest fetch answer by trigger key, for the fault that repeats a page."""

    @property
    def today(self) -> bool:
        return self.settings.profile is Profile.TODAY

    def now_ms(self) -> int:
        return int(self.settings.clock_ms())

    def holder(self, kind: Kind, owner: str, name: str) -> Holder:
        """Raises ApiError 404."""
        found = find_by_name(self.db, kind, owner, name)
        if found is None:
            raise not_found(f"{kind[:-1]} {owner}/{name}")
        return found

    def holder_by_id(self, kind: Kind, identity: str) -> Holder:
        """Raises ApiError 404."""
        found = find_by_id(self.db, kind, identity)
        if found is None:
            raise not_found(f"{kind[:-1]} id:{identity}")
        return found

    def trigger(self, dataset: Holder, name: str, word: str = "trigger") -> Trigger:
        """Raises ApiError 404, in the word of the route used."""
        found = find_trigger(self.db, dataset.key, name)
        if found is None:
            raise not_found(f"{word} {dataset.owner}/{dataset.name}/{name}")
        return found

    def pinned(self, dataset_key: int, version: int) -> ModelRecord:
        """Raises ApiError 422 for a version that is not pinned; the documents name no code for it."""
        record = find_model(self.db, dataset_key, version)
        if record is None or record.pinned_ms is None:
            raise ApiError(422, f"model version {version} is not a pinned version of this dataset")
        return record

    def labeller(self, dataset_key: int, version: str) -> ModelRecord:
        """A pinned version, or today by its tag the newest one; ApiError 404 where there is none."""
        if version.isascii() and version.isdigit():
            return self.pinned(dataset_key, int(version))
        newest = list_models(self.db, dataset_key)[-1:]
        if version not in MODEL_TAGS or not self.today or not newest:
            raise not_found(f"model version {version}")
        return newest[0]

    def sources_of(self, dataset: Holder) -> list[int]:
        return list(source_keys(self.db, dataset.doc.get("source_ids", [])).values())

    def reader(self, dataset: Holder, trigger: Trigger) -> Reader:
        version = trigger.model_version
        model = -1 if version is None else self.pinned(dataset.key, version).key
        return Reader(db=self.db, trigger=trigger, sources=self.sources_of(dataset), model=model)

    def warm(self) -> None:
        """Has predictions made ahead for every trigger with a model."""
        if not self.settings.warm:
            return
        wanted: dict[int, list[int]] = {}
        for trigger in all_triggers(self.db):
            version = trigger.model_version
            if version is not None:
                row = self.db.execute("SELECT id FROM datasets WHERE key = ?", (trigger.dataset,)).fetchone()
                dataset = self.holder_by_id("datasets", row[0])
                wanted[self.pinned(dataset.key, version).key] = self.sources_of(dataset)
        self.warmer.want(wanted)

    async def close(self) -> None:
        await self.warmer.close()
        self.log.close()
        self.db.close()


def open_sandbox(settings: Settings) -> Sandbox:
    """Raises ValueError for a file of another format."""
    db = open_database(settings.db)
    predictor = Predictor(db)
    return Sandbox(
        settings=settings,
        db=db,
        shapes=make_shapes(settings.profile, settings.sync_max),
        tokens=TokenBook(settings.tokens),
        log=EventLog(settings.log_events_max, settings.log_file),
        predictor=predictor,
        warmer=Warmer(predictor),
    )
