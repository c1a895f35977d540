"""The URL of a Redis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.redis_ledger.address import RedisAddress, Topology, address_of

SINGLE, SENTINEL, CLUSTER = Topology.SINGLE, Topology.SENTINEL, Topology.CLUSTER


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://redis", RedisAddress(topology=SINGLE, tls=False, nodes=(("redis", 6379),))),
        ("rediss://r:7000/3", RedisAddress(topology=SINGLE, tls=True, nodes=(("r", 7000),), db=3)),
        ("redis://[::1]:7000", RedisAddress(topology=SINGLE, tls=False, nodes=(("::1", 7000),))),
        (
            "redis://me:p%40ss%3A@r/0",
            RedisAddress(topology=SINGLE, tls=False, nodes=(("r", 6379),), username="me", password="p@ss:"),
        ),
        ("redis://:only@r", RedisAddress(topology=SINGLE, tls=False, nodes=(("r", 6379),), password="only")),
        (
            "redis+sentinel://a,b:1,c/primary/2",
            RedisAddress(
                topology=SENTINEL, tls=False, nodes=(("a", 26379), ("b", 1), ("c", 26379)), service="primary", db=2
            ),
        ),
        (
            "rediss+sentinel://a/primary",
            RedisAddress(topology=SENTINEL, tls=True, nodes=(("a", 26379),), service="primary"),
        ),
        (
            "rediss+cluster://u:p@a:7000,b",
            RedisAddress(topology=CLUSTER, tls=True, nodes=(("a", 7000), ("b", 6379)), username="u", password="p"),
        ),
        ("redis+cluster://a/0", RedisAddress(topology=CLUSTER, tls=False, nodes=(("a", 6379),))),
    ],
)
def test_every_spelling_is_read(url: str, address: RedisAddress) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "begins with one of redis://"),
        ("redis:/r", "begins with one of"),
        ("http://r", "begins with one of"),
        ("redis+http://r", "begins with one of"),
        ("redis://", "needs host"),
        ("redis://a,b", "redis\\+sentinel:// or redis\\+cluster://"),
        ("redis://r:0", "1 to 65535"),
        ("redis://r:70000", "1 to 65535"),
        ("redis://r:x", "needs host"),
        ("redis://::1", "needs host"),
        ("redis://r/x", "database number"),
        ("redis://r/0/1", "database number"),
        ("redis://r/²", "database number"),
        ("rediss://r?ssl_cert_reqs=none", "no options"),
        ("redis://r#x", "no options"),
        ("redis+sentinel://a", "names the service"),
        ("redis+cluster://a/1", "database 0 only"),
        ("redis+cluster://a,,b", "needs host"),
    ],
)
def test_every_mistake_has_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        address_of(url)


@given(st.text(alphabet="redis+sntlcuh:/@,[]?#%0123456789²é ", max_size=60))
def test_no_text_ends_in_anything_but_an_address_or_a_sentence(tail: str) -> None:
    """I10: whatever is wrong with a URL, its password is not in the answer."""
    for url in (tail, f"redis://user:s3cret@{tail}", f"redis+sentinel://user:s3cret@{tail}"):
        try:
            assert "s3cret" not in repr(address_of(url))
        except ValueError as error:
            assert "s3cret" not in str(error)  # noqa: PT017  either outcome is fine
