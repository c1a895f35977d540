"""The token: read again when it changes, sent once more after a 401 only when it did, never shown (I10)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge.adapters.platform.bearer import Bearer
from bridge.adapters.platform.settings import PlatformSettings
from bridge.domain.errors import Blocked
from tests.unit.platform.answering import REF, TOKEN, Answer, Platform, client_of, settings_of
from tests.unit.platform.pages import page_of

REFUSED = Answer(status=401, body={"status": "error", "message": "no"})
PAGE = Answer(body=page_of())


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("first\n")
    return file


def written_unseen(file: Path, text: str) -> None:
    """Change the text so that neither size nor time tells."""
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def sent(platform: Platform) -> list[str]:
    return [asked.headers["authorization"] for asked in platform.asked]


async def test_a_changed_file_is_read_again(token_file: Path) -> None:
    platform = Platform(PAGE)
    async with client_of(platform, settings_of(token_file=token_file)) as client:
        await client.fetch(REF, 1)
        token_file.write_text("second and longer".replace(" ", "-"))
        await client.fetch(REF, 1)
    assert sent(platform) == ["Bearer first", "Bearer second-and-longer"]


async def test_a_secret_swapped_by_a_link_is_read_again(tmp_path: Path) -> None:
    """As Kubernetes does it."""
    (tmp_path / "old").write_text("aaaaa")
    (tmp_path / "new").write_text("bbbbb")
    stat = (tmp_path / "old").stat()
    os.utime(tmp_path / "new", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    link = tmp_path / "token"
    link.symlink_to("old")
    bearer = Bearer(settings_of(token_file=link))
    assert bearer.token() == "aaaaa"
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").rename(link)
    assert bearer.token() == "bbbbb"


async def test_trap_31_after_a_401_a_token_that_changed_is_tried_once(token_file: Path) -> None:
    platform = Platform(PAGE, REFUSED, PAGE)
    async with client_of(platform, settings_of(token_file=token_file)) as client:
        await client.fetch(REF, 1)
        written_unseen(token_file, "other\n")
        await client.fetch(REF, 1)
    assert sent(platform) == ["Bearer first", "Bearer first", "Bearer other"]


async def test_trap_31_a_token_that_did_not_change_is_not_tried_again(token_file: Path) -> None:
    platform = Platform(REFUSED)
    for settings in (settings_of(token_file=token_file), settings_of()):
        async with client_of(platform, settings) as client:
            with pytest.raises(Blocked) as caught:
                await client.fetch(REF, 1)
        assert caught.value.code == "unauthorized"
    assert sent(platform) == ["Bearer first", f"Bearer {TOKEN}"]


async def test_a_new_token_that_is_refused_too_ends_it(token_file: Path) -> None:
    platform = Platform(PAGE, REFUSED)
    async with client_of(platform, settings_of(token_file=token_file)) as client:
        await client.fetch(REF, 1)
        written_unseen(token_file, "other\n")
        with pytest.raises(Blocked):
            await client.fetch(REF, 1)
    assert sent(platform) == ["Bearer first", "Bearer first", "Bearer other"]


async def test_only_a_401_has_the_file_read_again(token_file: Path) -> None:
    platform = Platform(PAGE, Answer(status=403))
    async with client_of(platform, settings_of(token_file=token_file)) as client:
        await client.fetch(REF, 1)
        written_unseen(token_file, "other\n")
        with pytest.raises(Blocked):
            await client.fetch(REF, 1)
    assert sent(platform) == ["Bearer first", "Bearer first"]


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"line\nline", b"\xff\xfe", "tökén".encode(), b"a\x00"])
async def test_a_file_without_a_token_blocks_and_heals(token_file: Path, content: bytes) -> None:
    platform = Platform(PAGE)
    token_file.write_bytes(content)
    async with client_of(platform, settings_of(token_file=token_file)) as client:
        with pytest.raises(Blocked) as caught:
            await client.fetch(REF, 1)
        assert caught.value.code == "token_unreadable"
        assert "words" not in str(caught.value)
        token_file.write_text("good-again")
        await client.fetch(REF, 1)
    assert sent(platform) == ["Bearer good-again"]


async def test_a_file_that_is_gone_blocks_and_heals(token_file: Path) -> None:
    bearer = Bearer(settings_of(token_file=token_file))
    assert bearer.token() == "first"
    token_file.unlink()
    with pytest.raises(Blocked) as caught:
        bearer.token()
    assert caught.value.code == "token_unreadable"
    assert str(token_file) not in str(caught.value)
    token_file.write_text("second")
    assert bearer.token() == "second"


def test_i10_the_settings_do_not_show_the_token() -> None:
    assert TOKEN not in repr(PlatformSettings(base_url="https://platform.test", token=TOKEN))
