"""The routes of comments, of labelling, and of predictions. Comments stay as they are on the wire: JSON objects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from bridge.adapters.platform.answers import bad_answer
from bridge.adapters.platform.link import Link, sent
from bridge.adapters.platform.resources import Asked, Prediction, SyncCounts, address, read_many, read_one
from bridge.domain.model import Label

DELETED_AT_ONCE = 32
"""Ids travel in the URL, and an id can have a thousand characters."""
PAGE_MAX = 256
Json = Mapping[str, Any]


class Comments:
    """Comments of a source. `ref` is `owner/name` of the source."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def sync(self, ref: str, comments: Sequence[Json]) -> SyncCounts:
        """Creates or updates by id, all or nothing; again it changes nothing, so it may be repeated."""
        body = {"comments": list(comments)}
        return read_one(SyncCounts, await self._link.ask("sync", "POST", "sources", *address(ref), "sync", body=body))

    async def sync_raw_emails(
        self, ref: str, documents: Sequence[Json], transform_tag: str, *, override_user_properties: Sequence[str] = ()
    ) -> SyncCounts:
        """The same from raw emails; their ids are made of their Message-IDs."""
        body: dict[str, Any] = {"documents": list(documents), "transform_tag": transform_tag}
        if override_user_properties:
            body["override_user_properties"] = list(override_user_properties)
        segments = ("sources", *address(ref), "sync-raw-emails")
        return read_one(SyncCounts, await self._link.ask("sync_raw_emails", "POST", *segments, body=body))

    async def get(self, ref: str, comment_id: str) -> dict[str, Any]:
        """One comment."""
        answer = await self._link.ask("get_comment", "GET", "sources", *address(ref), "comments", comment_id)
        comment = answer.get("comment")
        if not isinstance(comment, dict):
            raise bad_answer("the answer has no comment")
        return comment

    async def delete(self, ref: str, ids: Sequence[str]) -> None:
        """Some at a time: the first failure leaves the rest."""
        for start in range(0, len(ids), DELETED_AT_ONCE):
            params = tuple(("id", each) for each in ids[start : start + DELETED_AT_ONCE])
            await self._link.ask("delete_comments", "DELETE", "sources", *address(ref), "comments", params=params)

    async def listing(self, ref: str) -> AsyncIterator[dict[str, Any]]:
        """All comments by their own time, read in pages from the route that the vendor's client reads them from."""
        params: tuple[tuple[str, str | int], ...] = (("limit", PAGE_MAX),)
        after: object = None
        while True:
            more = params if after is None else (*params, ("after", str(after)))
            segments = ("sources", *address(ref), "comments")
            answer = await self._link.ask("list_comments", "GET", *segments, params=more, family="_private")
            for comment in answer.get("comments") or ():
                yield comment
            if answer.get("continuation") in (None, after):
                return
            after = answer["continuation"]


class Labelling:
    """What people said of comments. `ref` is `owner/name` of the dataset."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def annotate(self, ref: str, labels: Mapping[str, Sequence[Label]]) -> None:
        """Replaces the labels of comments, by uid."""
        annotations = [
            {"comment_uid": uid, "labels": [{"name": list(label)} for label in each]} for uid, each in labels.items()
        ]
        segments = ("datasets", *address(ref), "sync-annotations")
        await self._link.ask("sync_annotations", "POST", *segments, body={"annotations": annotations})

    async def label(self, ref: str, uid: str, assigned: Sequence[Json], dismissed: Sequence[Json] = ()) -> None:
        """One comment by the vendor's private route, which also takes sentiments and what is not so."""
        body = {"labelling": {"assigned": list(assigned), "dismissed": list(dismissed)}}
        segments = ("datasets", *address(ref), "labellings", uid)
        await self._link.ask("label_comment", "POST", *segments, body=body, family="_private")


class Predictions:
    """What a model version says. `ref` is `owner/name` of the dataset, `version` a number or `live`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def texts(self, ref: str, version: str, documents: Sequence[Json], asked: Asked) -> list[Prediction]:
        """Of texts that are nowhere kept, in their order; each has `messages`."""
        return await self._by_document("predict", ref, version, documents, asked)

    async def raw_emails(
        self, ref: str, version: str, documents: Sequence[Json], transform_tag: str, asked: Asked
    ) -> list[Prediction]:
        """Of raw emails that are nowhere kept, in their order."""
        more = {"transform_tag": transform_tag}
        return await self._by_document("predict-raw-emails", ref, version, documents, asked, more)

    async def comments(self, ref: str, version: str, uids: Sequence[str], asked: Asked) -> list[Prediction]:
        """Of stored comments, whatever source they are in."""
        answer = await self._ask("predict-comments", ref, version, {"uids": list(uids), **sent(asked)})
        return read_many(Prediction, answer.get("predictions"))

    async def validation(self, ref: str, version: str) -> dict[str, Any]:
        """How well a version does on annotations it was not taught with; the platform's own object."""
        segments = ("datasets", *address(ref), "labellers", version, "validation")
        answer = await self._link.ask("validation", "GET", *segments)
        return {key: value for key, value in answer.items() if key != "status"}

    async def _by_document(
        self, route: str, ref: str, version: str, documents: Sequence[Json], asked: Asked, more: Json | None = None
    ) -> list[Prediction]:
        body = {"documents": list(documents), **sent(asked), **(more or {})}
        answer = await self._ask(route, ref, version, body)
        labels, entities = answer.get("predictions"), answer.get("entities")
        if not isinstance(labels, list) or len(labels) != len(documents):
            # one of the documents' own examples answers two with three (trap 4): nobody knows which is whose
            raise bad_answer("the answer has not one prediction for each document")
        found = entities if isinstance(entities, list) and len(entities) == len(labels) else [[]] * len(labels)
        pairs = zip(labels, found, strict=True)
        return [read_one(Prediction, {"labels": each, "entities": its}) for each, its in pairs]

    async def _ask(self, route: str, ref: str, version: str, body: Json) -> dict[str, Any]:
        segments = ("datasets", *address(ref), "labellers", version, route)
        return await self._link.ask(route.replace("-", "_"), "POST", *segments, body=body)
