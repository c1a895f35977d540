"""The results of a page: of a large one read while somebody goes through them, of a small one at one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from typing_extensions import override

from bridge.domain.model import Result, SequenceId, Undecodable


class Unread(Sequence[Result | Undecodable]):
    """Each result is read at each visit, and only its bytes are kept.

    A page of hundreds of results, read at one go, has left the processor's caches when it is decided, and again when it
    is freed. Go through it once, and ask for the `ids` after that: they are remembered. Raises what `read` does.
    """

    def __init__(self, raws: Sequence[bytes], read: Callable[[bytes], Result | Undecodable]) -> None:
        self._raws = raws
        self._read = read
        self._ids: Sequence[SequenceId] | None = None

    @property
    def ids(self) -> Sequence[SequenceId]:
        """As `id_of`, in their places."""
        if self._ids is None:
            self._ids = [id_of(result) for result in map(self._read, self._raws)]
        return self._ids

    @override
    def __len__(self) -> int:
        return len(self._raws)

    @override
    def __iter__(self) -> Iterator[Result | Undecodable]:
        read, ids = self._read, list[SequenceId]()
        for raw in self._raws:
            result = read(raw)
            ids.append(id_of(result))
            yield result
        self._ids = ids

    @overload
    def __getitem__(self, place: int) -> Result | Undecodable: ...
    @overload
    def __getitem__(self, place: slice) -> Unread: ...
    @override
    def __getitem__(self, place: int | slice) -> Result | Undecodable | Unread:
        if isinstance(place, slice):
            return Unread(self._raws[place], self._read)
        return self._read(self._raws[place])

    @override
    def __repr__(self) -> str:
        """What people wrote stays out of logs and tracebacks (I10)."""
        return f"Unread({len(self)} results)"


class Read(list[Result | Undecodable]):
    """The results of a small page, read at one go, and their `ids`, which are asked for several times a pass."""

    def __init__(self, unread: Unread) -> None:
        super().__init__(unread)
        self.ids = unread.ids


def id_of(result: Result | Undecodable) -> SequenceId:
    """Empty for what could not be decoded: its id may be made of its bytes, and the same garbage may come twice."""
    return SequenceId("") if isinstance(result, Undecodable) else result.sequence_id
