"""How marks lie in Redis, and the two scripts that touch them.

A trigger's marks lie in sets, one per time bucket. Beside one key a mark they need half the memory and a sixth of the
client's time (tests/bench/ledger_bench.py); the price is that a mark lives up to half a TTL longer than asked.

A ring of four sets serves for ever. A bucket is half a TTL wide: the current set, the two before it whose marks may be
younger than the TTL, and one that is past due and freed before its turn comes. Time is the server's, so that replicas
of this service with different clocks agree, and reading needs no time at all: it asks every set of the ring.

Freeing a big set blocks the server when expiry does it (`lazyfree-lazy-expire` is off by default). So the expiry comes
a little after the set is due, and in between the next mark frees it in the background by UNLINK. Only the sets of a
trigger that stopped altogether are left to expiry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

from bridge.domain.model import TriggerRef

FORMAT = 1
"""Raised when an older release could no longer read what is written (D17)."""

BUCKETS_PER_TTL = 2
RING = BUCKETS_PER_TTL + 2
GRACE_MS_MAX = 600_000
"""For how long after its due time a set waits for UNLINK. Every trigger under load marks within ten minutes."""


@dataclass(frozen=True)
class Script:
    """A script and the name the server keeps it under."""

    text: str

    @cached_property
    def sha(self) -> str:
        """What EVALSHA takes."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Call:
    """A script with all of its words but the last, which are the same in each call for a trigger."""

    script: Script
    keys: Sequence[bytes]
    args: Sequence[int] = ()

    def words(self, how: str, what: str) -> list[bytes | str | int]:
        """By EVALSHA and the script's name, or by EVAL and its text."""
        return [how, what, len(self.keys), *self.keys, *self.args]

    @cached_property
    def _head(self) -> bytes:
        words = self.words("EVALSHA", self.script.sha)
        return b"*%d\r\n" % (len(words) + 1) + b"".join(map(_packed, words))

    def packed(self, last: bytes) -> list[bytes]:
        """EVALSHA in Redis' protocol."""
        return [self._head, b"$%d\r\n" % len(last), last, b"\r\n"]


def _packed(word: bytes | str | int) -> bytes:
    spelled = word if isinstance(word, bytes) else str(word).encode()
    return b"$%d\r\n%b\r\n" % (len(spelled), spelled)


def ring_of(trigger: TriggerRef) -> list[bytes]:
    """The keys of a trigger's sets. The braces keep them on one node of a cluster."""
    return [f"bridge:{FORMAT}:{{{trigger.identity}}}:{slot}".encode() for slot in range(RING)]


def lifetimes(key_ttl_s: float) -> tuple[int, int, int]:
    """Width of a bucket, TTL and grace in milliseconds, as the mark script takes them."""
    ttl_ms = ceil(key_ttl_s * 1000)
    width_ms = ceil(ttl_ms / BUCKETS_PER_TTL)
    return width_ms, ttl_ms, min(GRACE_MS_MAX, width_ms)


# Marks travel as one string of 16 bytes each: as arguments of their own they cost the client four times the CPU.
# unpack() takes a few thousand values at most, hence the pieces of a thousand.

MARKED = Script("""
local blob, found = ARGV[1], {}
for at = 1, #blob, 16000 do
  local members, before = {}, #found
  for i = at, math.min(at + 15999, #blob), 16 do
    members[#members + 1] = string.sub(blob, i, i + 15)
    found[before + #members] = 0
  end
  for k = 1, #KEYS do
    if redis.call('EXISTS', KEYS[k]) == 1 then
      local hits = redis.call('SMISMEMBER', KEYS[k], unpack(members))
      for j = 1, #hits do
        if hits[j] == 1 then found[before + j] = 1 end
      end
    end
  end
end
return table.concat(found)
""")
"""KEYS: the ring. ARGV: the marks. Answers one '0' or '1' for each mark."""

MARK = Script("""
local width, ttl, grace, blob = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = math.floor(now / width)
local current = bucket % #KEYS + 1
for k = 1, #KEYS do
  if k ~= current then
    local left = redis.call('PTTL', KEYS[k])
    if left >= 0 and left < grace then redis.call('UNLINK', KEYS[k]) end
  end
end
for at = 1, #blob, 16000 do
  local members = {}
  for i = at, math.min(at + 15999, #blob), 16 do members[#members + 1] = string.sub(blob, i, i + 15) end
  redis.call('SADD', KEYS[current], unpack(members))
end
local live = (bucket + 1) * width + ttl + grace - now
if redis.call('PTTL', KEYS[current]) < live then redis.call('PEXPIRE', KEYS[current], live) end
return #blob / 16
""")
"""KEYS: the ring. ARGV: width, TTL and grace in ms, the marks. An expiry is only ever moved later."""
