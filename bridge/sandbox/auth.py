"""Bearer tokens and the permissions the documents name (fact sheet section 1.3)."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from bridge.sandbox.errors import ApiError


class Permission(StrEnum):
    """The documents' own words of 2020; today's words are read as the same permissions."""

    VIEW_SOURCES = "View sources"
    VIEW_SENSITIVE = "View sensitive properties"
    SOURCES_ADMIN = "Sources admin"
    VIEW_LABELS = "View labels"
    REVIEW_LABELS = "Review and label"
    DATASETS_ADMIN = "Datasets admin"
    EDIT_VERBATIMS = "Edit verbatims"
    VIEW_TRIGGERS = "View triggers"
    CONSUME_TRIGGERS = "Consume triggers"
    MODIFY_TRIGGERS = "Modify triggers"
    TRIGGERS_ADMIN = "Triggers admin"


ALL_PERMISSIONS = frozenset(Permission)
_BY_WORD = {permission.value.lower(): permission for permission in Permission}


def parse_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """`all` means every one; raises ValueError for a word nobody knows."""
    found: set[Permission] = set()
    for word in words:
        plain = word.lower().replace("stream", "trigger").replace("messages", "verbatims")
        if plain == "all":
            found.update(Permission)
        elif plain in _BY_WORD:
            found.add(_BY_WORD[plain])
        else:
            raise ValueError(f"unknown permission {word!r}; known are: all, {', '.join(Permission)}")
    return frozenset(found)


class TokenBook:
    """The live tokens; they may change in the middle of a run, as real ones do (trap 31)."""

    def __init__(self, tokens: Mapping[str, frozenset[Permission]]) -> None:
        self._tokens = dict(tokens)

    def grant(self, token: str, permissions: frozenset[Permission]) -> None:
        self._tokens[token] = permissions

    def revoke(self, token: str) -> bool:
        """False if there was no such token."""
        return self._tokens.pop(token, None) is not None

    def listing(self) -> list[list[str]]:
        """The permissions of each token, without the tokens themselves."""
        return [sorted(permissions) for permissions in self._tokens.values()]

    def check(self, authorization: str | None, needed: frozenset[Permission]) -> None:
        """Raises ApiError 401 for no or a wrong token, 403 for one that may not."""
        held = self._find(authorization)
        if held is None:
            raise ApiError(401, "401 Unauthorized: a valid access token is required")
        missing = sorted(needed - held)
        if missing:
            raise ApiError(403, f"403 Forbidden: missing permissions: {', '.join(missing)}")

    def held(self, authorization: str | None) -> frozenset[Permission]:
        """Empty for a token that is not known."""
        return self._find(authorization) or frozenset()

    def _find(self, authorization: str | None) -> frozenset[Permission] | None:
        scheme, _, token = (authorization or "").partition(" ")
        return self._tokens.get(token.strip()) if scheme.lower() == "bearer" else None
