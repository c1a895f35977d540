"""What is sent to Redis, byte for byte as redis-py would pack it."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import Connection

from bridge.adapters.redis_ledger.scripts import MARK, MARKED, Call, lifetimes, ring_of
from tests.fakes.plans import REF

CALLS = [Call(MARKED, ring_of(REF)), Call(MARK, ring_of(REF), lifetimes(86_400)), Call(MARK, [])]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("last", [b"", b"\r\n", bytes(16), bytes(range(256)) * 512])
def test_a_call_is_packed_as_redis_py_packs_it(call: Call, last: bytes) -> None:
    words = call.words("EVALSHA", call.script.sha)
    for _ in range(2):
        assert b"".join(call.packed(last)) == b"".join(Connection().pack_command(*words, last))
