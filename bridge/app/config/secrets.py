"""Secrets and files that the configuration names: kept out of the file, read within bounds, never shown (I10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from urllib.parse import urlsplit

from bridge.app.config.checks import section, text
from bridge.app.config.document import Section
from bridge.app.config.findings import Findings
from bridge.app.config.mistakes import Path, Severity
from bridge.app.config.values import token
from bridge.app.config.yaml_tree import Scalar, at

SECRET_BYTES_MAX = 64 * 1024

_SECRETS = {
    "platform": ("token",),
    "kafka": ("sasl_plain_password", "ssl_password"),
    "redis": ("password", "sentinel_password", "ssl_password"),
    "admin": ("read_token", "operate_token"),
}
"""Each of them also as `..._file`."""

_FILES = dict.fromkeys(("kafka", "redis"), ("ssl_cafile", "ssl_certfile", "ssl_keyfile"))


@dataclass(slots=True)
class Secrets:
    """What was found: contents of `..._file` by path, and every named file as an absolute path by path.

    A relative path is meant from the directory of the configuration file.
    """

    base: FilePath
    findings: Findings
    tolerated: frozenset[str] = frozenset()
    contents: dict[Path, str] = field(default_factory=dict, repr=False)
    files: dict[Path, FilePath] = field(default_factory=dict)

    def look(self, file: Section) -> None:
        """Report what is missing, doubled or written in plain sight."""
        for name, keys in _SECRETS.items():
            for key in keys:
                self._secret(section(file, name), key)
        for name, keys in _FILES.items():
            for key in keys:
                self._named_file(section(file, name), key)
        self._password_in_url(section(file, "redis"))

    def value(self, around: Path, key: str, given: str | None) -> str | None:
        """The secret itself: as given, or from its file."""
        return given if given is not None else self.contents.get((*around, f"{key}_file"))

    def _secret(self, around: Section, key: str) -> None:
        file_key, path = f"{key}_file", (*around.path, key)
        if around.get(key) is not None and around.get(file_key) is not None:
            sentence = f"`{key}` and `{file_key}` are both given: keep one of them"
            self.findings.error((*around.path, file_key), "doubled_secret", sentence, at_key=True)
        node = at(self.findings.root, path)
        if isinstance(node, Scalar) and node.text and "${" not in node.text and around.get(key) is not None:
            self.findings.warning(
                path,
                "secret_in_plain_text",
                f"`{key}` is written in plain sight: take it from the environment as ${{NAME}}, or use `{file_key}`",
            )
        if self._named_file(around, file_key):
            self._read((*around.path, file_key))

    def _named_file(self, around: Section, key: str) -> bool:
        named, path = text(around, key), (*around.path, key)
        if not named:
            return False
        self.files[path] = self.base / named
        if self.files[path].is_file():
            return True
        severity = Severity.WARNING if path[0] in self.tolerated else Severity.ERROR
        self.findings.unknown(path, "missing_file", f"there is no file {self.files[path]}", severity)
        return False

    def _read(self, path: Path) -> None:
        try:
            with self.files[path].open("rb") as opened:
                content = opened.read(SECRET_BYTES_MAX + 1)
            secret = content.decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.findings.unknown(path, "unreadable_file", f"{self.files[path]} cannot be read: {why}")
            return
        if why := _why_no_secret(secret, len(content), is_token=str(path[-1]).endswith("token_file")):
            self.findings.error(path, "bad_secret_file", f"{self.files[path]}: {why}")
        self.contents[path] = secret

    def _password_in_url(self, redis: Section) -> None:
        node = at(self.findings.root, (*redis.path, "url"))
        if not isinstance(node, Scalar) or "${" in node.text:
            return
        try:
            password = urlsplit(node.text).password
        except ValueError:
            return  # the shape has said it
        if password:
            sentence = "the URL holds a password in plain sight: use `password: ${NAME}` or `password_file` beside it"
            self.findings.warning((*redis.path, "url"), "secret_in_plain_text", sentence)


def _why_no_secret(secret: str, size: int, *, is_token: bool) -> str:
    if not secret:
        return "it is empty, and must hold the secret alone"
    if size > SECRET_BYTES_MAX:
        return f"it is larger than {SECRET_BYTES_MAX} bytes, and must hold the secret alone"
    try:
        if is_token:
            token(secret)
    except ValueError as error:
        return str(error)
    return ""
