"""How every list comes in pages: `limit`, `after`, and in the answer `next`, the `after` of the following page."""

from collections.abc import Callable, Iterable
from itertools import dropwhile, islice
from typing import Annotated, TypeVar

from fastapi import Query

from bridge.app.admin.problems import CodedError

T = TypeVar("T")

Limit = Annotated[int, Query(ge=1, le=1000, description="The longest list to give")]
After = Annotated[str, Query(max_length=256, description="`next` of the page before")]


def page_of(things: Iterable[T], key: Callable[[T], str], limit: int, after: str) -> tuple[list[T], str | None]:
    """The page behind the thing of key `after`, and that of its last one if more follow. 422 where it is gone."""
    behind = iter(things)
    if after:
        behind = dropwhile(lambda thing: key(thing) != after, behind)
        if next(behind, None) is None:
            raise CodedError(422, "unknown_after", f"nothing in this list is {after!r} any more: begin anew")
    page = list(islice(behind, limit + 1))
    return page[:limit], key(page[limit - 1]) if len(page) > limit else None
