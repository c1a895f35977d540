"""What is complete on the topics: read from the position records of triggers with `delivery: exactly_once`.

Each transaction of bridge writes, with the records of a batch, a position record to the compacted topic
`bridge.<deployment>.state` under the key `<trigger>/position`. Read it with `isolation.level=read_committed`. Once it
is there, every record of its batch and of all batches before is on its topic: a subscriber that reads the position
first, then asks its partitions for their ends, has all of it when it has come to those ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bridge.consumer.record import NotARecordError

KIND = b"/position"


class CompleteUpTo(msgspec.Struct, frozen=True, kw_only=True):
    """Where a trigger stands: all results up to `last` are delivered, in `generation`.

    `trigger` is the platform's identity of it. `first` and `last` are the sequence ids of the last batch that brought
    results, `batch_id` its own; `records` is what it brought, by route. Ids are opaque: they are the same or not.
    """

    trigger: str
    generation: int
    first: str
    last: str
    batch_id: str
    version: int
    records: dict[str, int] = {}


def complete_up_to(records: Iterable[tuple[bytes | None, bytes | None]]) -> Mapping[str, CompleteUpTo]:
    """By the bridge's name of a trigger, from the (key, value) pairs of the state topic in their order.

    Keys of other kinds and members of other names are passed over. Raises NotARecordError for one that is damaged.
    """
    complete: dict[str, CompleteUpTo] = {}
    for key, value in records:
        if key is None or not key.endswith(KIND):
            continue
        name = key.removesuffix(KIND).decode("utf-8", "backslashreplace")
        complete.pop(name, None)
        if value:
            complete[name] = _read(name, value)
    return complete


def _read(name: str, value: bytes) -> CompleteUpTo:
    try:
        return msgspec.json.decode(value, type=CompleteUpTo)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotARecordError(f"the position record of {name} cannot be read: {error}") from error
