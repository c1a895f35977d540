"""Who may do what: bearer tokens with two roles, or loopback alone where no token is configured (D20)."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from fastapi import HTTPException, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

BEARER = HTTPBearer(auto_error=False, description="A read or an operate token from the configuration")
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Role(Enum):
    """OPERATE may do all that READ may."""

    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """None where not configured."""

    read: str | None
    operate: str | None

    @property
    def is_empty(self) -> bool:
        """Nobody can be told apart: then only this machine is let in."""
        return not (self.read or self.operate)


@dataclass(frozen=True, slots=True)
class Gate:
    """A FastAPI dependency: gives who is asking, for the audit line, or raises 401 or 403."""

    tokens: Tokens
    needed: Role

    def __call__(
        self, request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)] = None
    ) -> str:
        """401 without a known token, 403 with one of too small a role, or from afar where there is none."""
        if self.tokens.is_empty:
            return _from_loopback(request)
        if given is None:
            raise HTTPException(401, "a bearer token is needed", CHALLENGE)
        role = self._role(given.credentials)
        if role is None:
            raise HTTPException(401, "this token is not known", CHALLENGE)
        if self.needed is Role.OPERATE and role is not Role.OPERATE:
            raise HTTPException(403, "this needs the operate token")
        return role.value

    def _role(self, token: str) -> Role | None:
        found: Role | None = None
        for known, role in ((self.tokens.read, Role.READ), (self.tokens.operate, Role.OPERATE)):
            # Both are compared whole, whatever the first one gave: the time taken tells nothing.
            if known and hmac.compare_digest(known.encode(), token.encode()):
                found = role
        return found


def _from_loopback(request: Request) -> str:
    """The Host header is asked too: a page of another site must not reach us by a name that resolves to loopback."""
    peer = request.client.host if request.client else ""
    if not (_is_loopback(peer) and _is_loopback(request.url.hostname or "")):
        raise HTTPException(403, "no token is configured, so only this machine itself is let in")
    return "loopback"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
