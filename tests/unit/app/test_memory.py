"""What becomes of freed memory, asked of processes of their own: it is a setting of the whole process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TURN_OVER = """
import os, resource, sys
from bridge.app.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

kept = keep_freed_memory(os.environ)
for turn in range(12):
    if turn == 2:
        began = faults()
    batch = [bytes(64 * 1024) for _ in range(160)]
    del batch
print(kept, faults() - began)
"""


def turned_over(**environ: str) -> tuple[str, int]:
    """Whether the setting was made, and the page faults of ten batches of 10 MiB."""
    done = subprocess.run(
        [sys.executable, "-c", TURN_OVER], env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    kept, faults = done.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(
    not hasattr(os, "confstr") or "glibc" not in (os.confstr("CS_GNU_LIBC_VERSION") or ""), reason="glibc"
)
def test_a_batch_that_was_freed_is_not_asked_for_again() -> None:
    """Each of the ten would be 2,560 pages of 4 KiB."""
    kept, faults = turned_over()
    assert (kept, faults < 2_560) == ("True", True)


def test_what_the_operator_has_set_stays() -> None:
    """By the variables of the C library's own."""
    kept, _ = turned_over(MALLOC_TRIM_THRESHOLD_="131072")
    assert kept == "False"
