"""The bearer token, from the settings or from a file that is read again when it changes."""

from __future__ import annotations

import re
from pathlib import Path

from bridge.adapters.platform.settings import PlatformSettings
from bridge.domain.errors import Blocked

_SENDABLE = re.compile(r"[\x21-\x7e]+")
_FILE_BYTES_MAX = 64 * 1024


class Bearer:
    """Asked before every request. A mounted secret is swapped by a link, so the file's identity counts too."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._file = settings.token_file
        self._seen: tuple[int, int, int] | None = None
        self._token = "" if settings.token is None else settings.token

    def token(self) -> str:
        """The token of this moment. Raises Blocked `token_unreadable` where there is none that can be sent."""
        if self._file is not None:
            try:
                stat = self._file.stat()
                now = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if now != self._seen:
                    self._token, self._seen = _read(self._file), now
            except (OSError, UnicodeDecodeError) as error:
                raise Blocked(
                    f"the token file cannot be read ({type(error).__name__})", code="token_unreadable"
                ) from error
        if not _SENDABLE.fullmatch(self._token):
            raise Blocked("the token is empty or holds characters that no header can carry", code="token_unreadable")
        return self._token

    def token_after_refusal(self, refused: str) -> str | None:
        """A token that is not the refused one, if the file holds one now; its times are not trusted."""
        self._seen = None
        token = self.token()
        return token if token != refused else None


def _read(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_FILE_BYTES_MAX).decode().strip()
