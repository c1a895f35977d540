"""Where each operation lives below the base URL, on both spellings."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import quote, urlsplit

from bridge.adapters.platform.settings import Api, PlatformSettings
from bridge.domain.errors import Fatal, StopTrigger
from bridge.domain.model import TriggerRef

SEGMENTS_MAX = 4_096
"""The same few of each trigger are written at every poll."""

_DOTS = frozenset({"", ".", ".."})


class Routes:
    """URLs of one platform. The base may have a path prefix, with a slash at its end or without (trap 35)."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._base = _checked(settings).rstrip("/")
        self._segment = settings.api.value

    def triggers(self, project: str, dataset: str) -> str:
        """The collection: create, list."""
        return f"{self._base}/api/v1/datasets/{_segment(project)}/{_segment(dataset)}/{self._segment}"

    def below(self, *segments: str, family: str = "v1") -> str:
        """A path of names and fixed words under `/api/<family>`; every part is one segment."""
        return "/".join((f"{self._base}/api", family, *map(_segment, segments)))

    def trigger(self, ref: TriggerRef, action: str = "") -> str:
        """One trigger, or an action on it."""
        one = f"{self.triggers(ref.project, ref.dataset)}/{_segment(ref.trigger)}"
        return f"{one}/{action}" if action else one

    def results(self, ref: TriggerRef) -> str:
        """Only the new spelling has it; both spellings share one state."""
        dataset = f"{self._base}/api/v1/datasets/{_segment(ref.project)}/{_segment(ref.dataset)}"
        return f"{dataset}/{Api.STREAMS.value}/{_segment(ref.trigger)}/results"


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine, by its spelling alone: no name is looked up."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(settings: PlatformSettings) -> str:
    """The base URL, or Fatal with what is wrong with it; its text stays out, for it may hold a password."""
    try:
        parts = urlsplit(settings.base_url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Fatal("platform.base_url is not a URL", code="bad_base_url") from error
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise Fatal(
            "platform.base_url must be http(s)://host[:port][/prefix] without user, query or fragment",
            code="bad_base_url",
        )
    if parts.scheme == "http" and not settings.allow_insecure and not is_loopback(host):
        raise Fatal(
            "platform.base_url is plain http to another machine: the token would travel readable; use https, or set"
            " allow_insecure",
            code="insecure_base_url",
        )
    return settings.base_url


@lru_cache(SEGMENTS_MAX)
def _segment(name: str) -> str:
    """A name as one path segment; a name of dots would climb to another path."""
    if name in _DOTS:
        raise StopTrigger(f"{name!r} cannot name a project, a dataset or a trigger", code="bad_name")
    return quote(name, safe="", errors="surrogatepass")
