"""Rows of a fixed width, by the million, in little more memory than their bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

BUCKETS = 64
"""Looked at one by one, so that what is made of the rows while they are sorted is a small part of them all."""


class Rows:
    """Rows that are alike in their first field, a hash or an id, come out together and sorted by all their fields."""

    def __init__(self, form: str) -> None:
        self._struct = struct.Struct(form)
        self._buckets = [bytearray() for _ in range(BUCKETS)]
        self.count = 0

    def add(self, bucket_by: int, *fields: Any) -> None:
        """`bucket_by` is made of the first field alone."""
        self._buckets[bucket_by % BUCKETS] += self._struct.pack(*fields)
        self.count += 1

    def __iter__(self) -> Iterator[list[tuple[Any, ...]]]:
        """A bucket at a time."""
        for bucket in self._buckets:
            yield sorted(self._struct.iter_unpack(bucket))
