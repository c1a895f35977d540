"""What the flame graph makes of a profiler's stacks."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.bench.carry.stacks import IDLE, by_component, drawn, parsed

RAW = """\
main (bridge/__main__.py:6);BaseEventLoop.run_forever (asyncio/base_events.py:596);Handle._run (asyncio/events.py:78);\
run_cycle (bridge/engine/cycle.py:96);decide (bridge/domain/decide.py:51) 30
main (bridge/__main__.py:6);BaseEventLoop.run_forever (asyncio/base_events.py:596);Handle._run (asyncio/events.py:78);\
run_cycle (bridge/engine/cycle.py:96);PlatformClient.fetch (bridge/adapters/platform/client.py:88);\
decode_page (bridge/adapters/platform/wire.py:53) 20
main (bridge/__main__.py:6);BaseEventLoop.run_forever (asyncio/base_events.py:596);\
EpollSelector.select (selectors.py:451) 5
main (bridge/__main__.py:6);import_module (importlib/__init__.py:108) 400
Thread.run (threading.py:975);write (somewhere.py:1) 7
"""


def test_only_the_event_loop_counts_and_each_stack_has_one_component() -> None:
    """The start of the process and other threads are no part of a result's cost."""
    assert by_component(parsed(RAW)) == {
        "decide: match, splice, headers, mark": 30,
        "decode the page": 20,
        IDLE: 5,
    }


def test_the_picture_is_sound_and_tells_each_share() -> None:
    picture = ElementTree.fromstring(drawn(parsed(RAW), "bridge <at_least_once>"))
    titles = [title.text or "" for title in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert "event loop: 100.0%" in titles
    assert not any(title.startswith("Handle._run") for title in titles)
    assert "run_cycle (bridge/engine/cycle.py:96): 90.9%" in titles
    assert "decode_page (bridge/adapters/platform/wire.py:53): 36.4%" in titles
