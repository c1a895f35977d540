"""What the interpreter and the C library do with memory, set for a process that turns over a page at a time."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Mapping

COLLECT_EVERY_ALLOCATIONS = 50_000
"""With the interpreter's own 700, collections over a decoded batch triple its decoding time (D6)."""

KEPT_BYTES_MAX = 64 * 1024 * 1024
"""So much freed memory at the top of the heap stays with the process."""

LARGE_BYTES = 32 * 1024 * 1024
"""What is larger is mapped and unmapped by itself; glibc takes no more than this."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the names of mallopt(3)
_OPERATORS_OWN = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def spare_the_collector() -> None:
    """What was made at start lives as long as the process: it is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY_ALLOCATIONS, 20, 20)


def keep_freed_memory(env: Mapping[str, str]) -> bool:
    """A pass frees the few megabytes of its batch; by default glibc hands them to the kernel and the next pass asks
    for each page anew, which took 3 to 7 µs of CPU a result (tests/bench/README.md).

    False where the operator has set it, or the C library has no such settings.
    """
    if any(env.get(name) for name in _OPERATORS_OWN):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl, macOS
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT_BYTES_MAX)) and bool(mallopt(_MMAP_THRESHOLD, LARGE_BYTES))
