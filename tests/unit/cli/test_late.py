"""What `bridge run` does not load: a thousand small services would each pay for it in memory."""

from __future__ import annotations

import json
import subprocess
import sys

LOAD = """
import json, sys
from bridge.app.cli import app_for
app_for({words})
import_now = {later}
if import_now:
    __import__(import_now)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""


def loaded(*words: str, later: str = "") -> set[str]:
    """In a process of its own, where nothing else has loaded anything."""
    program = LOAD.format(words=list(words), later=repr(later))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_the_service_loads_no_painter_no_exporter_and_no_group_before_it_is_asked_for() -> None:
    assert loaded("run").isdisjoint({"rich", "pygments", "google", "faststream", "grpc"})


def test_what_was_hidden_from_a_library_is_there_for_who_asks_later() -> None:
    """Such as a help page, which is painted."""
    assert "rich" in loaded("run", later="rich")
