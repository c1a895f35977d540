"""Positions in a trigger's data, and their text form, the sequence id (fact sheet section 2.7)."""

import base64
import binascii
import re
import struct
from hashlib import blake2b
from typing import NamedTuple

from bridge.sandbox.errors import bad_request

TIE_BYTES = 16
MS_BYTES = 8
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+=*")


class Position(NamedTuple):
    """A point between comments, ordered by upload millisecond, then tiebreak; an empty tie sorts before all."""

    ms: int
    tie: bytes


BEGINNING = Position(0, b"")


def tiebreak(uid: str) -> bytes:
    """The same for the same comment for ever: an upload into a fresh file has the same order."""
    return blake2b(uid.encode("utf-8", "surrogatepass"), digest_size=TIE_BYTES).digest()


def encode_position(position: Position) -> str:
    return base64.urlsafe_b64encode(struct.pack("<q", position.ms) + position.tie).decode("ascii")


def decode_position(sequence_id: str) -> Position:
    """Raises ApiError 400 for what this server cannot have issued."""
    try:
        if not _URL_SAFE.fullmatch(sequence_id):
            raise ValueError("alphabet")
        raw = base64.urlsafe_b64decode(sequence_id)
        if len(raw) not in (MS_BYTES, MS_BYTES + TIE_BYTES):
            raise ValueError("length")
        position = Position(struct.unpack("<q", raw[:MS_BYTES])[0], raw[MS_BYTES:])
        if encode_position(position) != sequence_id:
            raise ValueError("not canonical")
    except (ValueError, binascii.Error) as error:
        raise bad_request(f"{sequence_id!r} is not a valid 'sequence_id'") from error
    return position
