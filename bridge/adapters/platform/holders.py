"""The routes of sources and datasets. `ref` is `owner/name` or `id:<id>`."""

from __future__ import annotations

from bridge.adapters.platform.answers import bad_answer
from bridge.adapters.platform.link import Link, sent
from bridge.adapters.platform.resources import (
    Dataset,
    DatasetSpec,
    Source,
    SourceSpec,
    address,
    read_many,
    read_one,
)


class Sources:
    """Sources."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def listing(self, owner: str | None = None) -> list[Source]:
        """All that the token may see, or those of one owner."""
        segments = ("sources",) if owner is None else ("sources", owner)
        return read_many(Source, (await self._link.ask("list_sources", "GET", *segments)).get("sources"))

    async def get(self, ref: str) -> Source:
        """One source."""
        return read_one(Source, (await self._link.ask("get_source", "GET", "sources", *address(ref))).get("source"))

    async def create(self, ref: str, spec: SourceSpec) -> Source:
        """Retry `conflict` where the name is taken."""
        return await self._write("create_source", "PUT", ref, spec)

    async def update(self, ref: str, spec: SourceSpec) -> Source:
        """Changes what the spec sets."""
        return await self._write("update_source", "POST", ref, spec)

    async def delete(self, ref: str) -> None:
        """With all its comments. The platform deletes by id, so a name is looked up before."""
        found = ref if ref.startswith("id:") else f"id:{(await self.get(ref)).id}"
        await self._link.ask("delete_source", "DELETE", "sources", *address(found))

    async def count_comments(self, ref: str) -> int:
        """How many comments are in it."""
        segments = ("sources", *address(ref), "statistics")
        answer = await self._link.ask("statistics", "POST", *segments, body={"comment_filter": {}})
        statistics = answer.get("statistics")
        count = statistics.get("num_comments") if isinstance(statistics, dict) else None
        if not isinstance(count, int):
            raise bad_answer("the answer has no number of comments")
        return count

    async def _write(self, op: str, method: str, ref: str, spec: SourceSpec) -> Source:
        answer = await self._link.ask(op, method, "sources", *address(ref), body={"source": sent(spec)})
        return read_one(Source, answer.get("source"))


class Datasets:
    """Datasets."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def listing(self, owner: str | None = None) -> list[Dataset]:
        """All that the token may see, or those of one owner."""
        segments = ("datasets",) if owner is None else ("datasets", owner)
        return read_many(Dataset, (await self._link.ask("list_datasets", "GET", *segments)).get("datasets"))

    async def get(self, ref: str) -> Dataset:
        """One dataset."""
        answer = await self._link.ask("get_dataset", "GET", "datasets", *address(ref))
        return read_one(Dataset, answer.get("dataset"))

    async def create(self, ref: str, spec: DatasetSpec) -> Dataset:
        """Retry `conflict` where the name is taken."""
        return await self._write("create_dataset", "PUT", ref, spec)

    async def update(self, ref: str, spec: DatasetSpec) -> Dataset:
        """Changes what the spec sets."""
        return await self._write("update_dataset", "POST", ref, spec)

    async def delete(self, ref: str) -> None:
        """With its labels, models and triggers; the comments stay in their sources."""
        await self._link.ask("delete_dataset", "DELETE", "datasets", *address(ref))

    async def _write(self, op: str, method: str, ref: str, spec: DatasetSpec) -> Dataset:
        answer = await self._link.ask(op, method, "datasets", *address(ref), body={"dataset": sent(spec)})
        return read_one(Dataset, answer.get("dataset"))
