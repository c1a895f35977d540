"""Where a trigger stands by the topics' own account (D3, D15): what a transaction committed last, judged as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bridge.domain.delivery import Delivery
from bridge.domain.errors import Blocked
from bridge.domain.model import Batch, Generation, SequenceId, TriggerRef
from bridge.domain.unread import Read, Unread, id_of

EARLIER_MAX = 1_024
"""Batches remembered behind the last one: at 20 a second, most of a minute in which an old advance may still arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The last batch of a trigger whose records are all committed; written in the transaction that committed them.

    `trigger` is the platform's identity of it, so that a name that is given to another trigger brings nothing over.
    `first` and `last` are the batch's first and last decodable results, `batch_id` its own (it can lie behind
    `last`, D7), `records` what was sent for it by route, `earlier` the first ids of the batches before, newest last.
    """

    trigger: str
    generation: Generation
    first: SequenceId
    last: SequenceId
    batch_id: SequenceId
    records: Mapping[str, int]
    earlier: tuple[SequenceId, ...] = ()


def position_after(
    batch: Batch, deliveries: Sequence[Delivery], ref: TriggerRef, generation: Generation, before: Position | None
) -> Position:
    """What a transaction with this batch has to say; `before` is the position it goes on from."""
    ids = [each for each in platform_ids(batch) if each] or [batch.sequence_id]
    return Position(
        trigger=ref.identity,
        generation=generation,
        first=ids[0],
        last=ids[-1],
        batch_id=batch.sequence_id,
        records=Counter(delivery.route for delivery in deliveries),
        earlier=(*before.earlier, before.first)[-EARLIER_MAX:] if before else (),
    )


def platform_ids(batch: Batch) -> Sequence[SequenceId]:
    """The sequence ids of a batch in their places, empty for what could not be decoded."""
    results = batch.results
    return results.ids if isinstance(results, (Read, Unread)) else [id_of(each) for each in results]


def in_force(recorded: Position | None, ref: TriggerRef, generation: Generation) -> Position | None:
    """The recorded position if it speaks of this trigger in this generation: a reset makes the one before void.

    Raises Blocked when the record is of a later generation than ours: somebody else has reset the trigger since our
    standing was read, and what we publish would be of the past (I3).
    """
    if recorded is None or recorded.trigger != ref.identity or recorded.generation < generation:
        return None
    if recorded.generation > generation:
        raise Blocked(
            f"generation {recorded.generation} of the trigger is on the topics and this process knows of {generation}"
            " only: another process has reset it; restart this one",
            code="generation_behind",
        )
    return recorded


def committed_part(page: Batch, position: Position | None) -> Batch | None:
    """The part of a page that is on the topics already, as a batch that ends at the position; None for a fresh page.

    A page starts before the position after a crash between commit and advance, after a commit whose answer was lost,
    and when an old advance or reset arrived late and moved the platform back (D15). Sequence ids are only ever
    compared for being the same (D7): the first id after any earlier position is the first of a committed batch.
    """
    if position is None or not page.results:
        return None
    ids = platform_ids(page)
    known = {position.first, position.last, position.batch_id, *position.earlier}
    if known.isdisjoint([*ids, page.sequence_id]):
        return None
    upto = ids.index(position.last) + 1 if position.last in ids else len(ids)
    # Behind what was committed more may wait, whatever the page says.
    return replace(page, results=page.results[:upto], sequence_id=position.batch_id, filtered=0, is_end=False)
