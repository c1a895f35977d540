"""The short way of telling that a record is small enough never differs from adding it up."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.platform.wire import decode_result
from bridge.domain.delivery import Delivery, MarkKey
from bridge.domain.model import Generation, SequenceId, TriggerRef, Undecodable
from bridge.domain.record import FIXED_BYTES_MAX, RecordWriter, is_surely_small, own_headers, record_bytes, spliced

texts = st.text(max_size=400)


@given(uid=st.text(min_size=1, max_size=400), created_at=texts, route=texts, project=texts, spelled=st.booleans())
def test_what_is_surely_small_is_within_the_bound(
    uid: str, created_at: str, route: str, project: str, spelled: bool
) -> None:
    """Held against the tightest bound it accepts; whatever is long in the headers, escaped or not."""
    raw = {"comment": {"uid": uid, "created_at": created_at}, "sequence_id": "s", "labels": []}
    result = decode_result(json.dumps(raw, ensure_ascii=spelled).encode())
    assert not isinstance(result, Undecodable)
    ref = TriggerRef(project=project, dataset="collateral", trigger="dispute")
    writer = RecordWriter("disputes", ref, Generation(3), f"00-{'1' * 32}-{'2' * 16}-01").on(route, "rpa.disputes")
    mark, key = MarkKey(bytes(16)), uid.encode()
    names, own = own_headers(mark, uid, created_at)
    delivery = Delivery(
        mark=mark,
        topic="rpa.disputes",
        route=route,
        key=key,
        front=writer.front(()),
        rest=spliced(result),
        shared_headers=writer.shared_headers,
        own_names=names,
        own_texts=own,
        sequence_id=SequenceId("s"),
        uid=uid,
    )
    value_bytes = len(delivery.value)
    tightest = 2 * value_bytes + len(key) + FIXED_BYTES_MAX
    assert is_surely_small(key, value_bytes, tightest)
    assert record_bytes(delivery) <= tightest
    assert not is_surely_small(key, value_bytes, tightest - 1)
