"""Compressed answers: read whole, refused when broken, and bounded before they fill the memory (D20)."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
import zstandard

from bridge.adapters.platform.encoding import unpacked
from bridge.domain.errors import Retry
from tests.unit.platform.answering import REF, Answer, Platform, client_of, settings_of
from tests.unit.platform.pages import page_of, raw_result, sequence_ids

MIB = 1024 * 1024
PAGE = page_of(*[raw_result(number) for number in range(200)])


def zstd_stream(body: bytes) -> bytes:
    """Without the size of its content in front."""
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(body) + packer.flush()


def in_two_parts(pack: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda body: pack(body[:1000]) + pack(body[1000:])


WAYS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZip", gzip.compress),
    "gzip members": ("gzip", in_two_parts(gzip.compress)),
    "zstd": ("zstd", zstandard.compress),
    "zstd stream": ("zstd", zstd_stream),
    "zstd frames": ("zstd", in_two_parts(zstandard.compress)),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_compressed_page_is_read(way: str) -> None:
    encoding, pack = WAYS[way]
    platform = Platform(Answer(body=pack(PAGE), headers={"content-encoding": encoding}))
    async with client_of(platform) as client:
        assert len(sequence_ids(await client.fetch(REF, 512))) == 200


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kept", [1, 0.5, 0.99])
def test_a_compressed_page_that_is_cut_is_no_page(way: str, kept: float) -> None:
    encoding, pack = WAYS[way]
    packed = pack(PAGE)
    with pytest.raises(Retry) as caught:
        unpacked(packed[: kept if isinstance(kept, int) else int(len(packed) * kept)], encoding, MIB)
    assert caught.value.code == "bad_encoding"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", b"plain"), ("zstd", b"plain"), ("gzip", zstandard.compress(PAGE)), ("br", b"x"), ("gzip, zstd", b"x")],
)
def test_what_is_not_what_it_says_is_no_page(encoding: str, body: bytes) -> None:
    with pytest.raises(Retry) as caught:
        unpacked(body, encoding, MIB)
    assert caught.value.code == "bad_encoding"


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_an_empty_or_plain_body_is_itself(encoding: str) -> None:
    assert unpacked(b"plain", encoding, MIB) == b"plain"
    assert unpacked(b"", "gzip", MIB) == b""
    for encoding_of_nothing, pack in WAYS.values():
        assert unpacked(pack(b""), encoding_of_nothing, MIB) == b""


def deflated(mib: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(mib)), packer.flush()])


def frozen(mib: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(mib)), packer.flush()])


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", deflated), ("zstd", frozen)])
def test_a_bomb_is_given_up_before_it_fills_the_memory(encoding: str, pack: Callable[[int], bytes]) -> None:
    bomb = pack(512)
    tracemalloc.start()
    try:
        with pytest.raises(Retry) as caught:
            unpacked(bomb, encoding, 4 * MIB)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "too_large"
    assert peak_bytes < 64 * MIB


async def test_an_answer_beyond_the_bound_is_given_up() -> None:
    for headers in ({}, {"content-length": str(len(PAGE))}):
        platform = Platform(Answer(body=PAGE, headers=headers))
        async with client_of(platform, settings_of(response_bytes_max=len(PAGE) - 1)) as client:
            with pytest.raises(Retry) as caught:
                await client.fetch(REF, 512)
        assert caught.value.code == "too_large"
    async with client_of(Platform(Answer(body=PAGE)), settings_of(response_bytes_max=len(PAGE))) as client:
        assert len((await client.fetch(REF, 512)).results) == 200
