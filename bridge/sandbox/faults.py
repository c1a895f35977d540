"""Faults on order: the next calls of an operation fail in a chosen way."""

from enum import StrEnum
from typing import Annotated

import msgspec

EVERY_OPERATION = "*"


class FaultKind(StrEnum):
    STATUS = "status"
    DELAY = "delay"
    CUT_BODY = "cut_body"
    DROP = "drop"
    REPEAT_PAGE = "repeat_page"
    GARBAGE = "garbage"


class Fault(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One standing order.

    `times`: calls left to spoil, None for all. `skip`: calls let through first. `after`: the operation is done and
    then its answer is lost. `trigger`: only calls on the trigger of this name. `body`: the text of a `status` or
    `garbage` answer, sent as HTML, as gateways do; without it `status` has the usual error envelope.
    A `cut_body` is always done first, since half of a real answer is what it sends.
    """

    op: str = EVERY_OPERATION
    kind: FaultKind
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 503
    retry_after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    delay_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    after: bool = False
    trigger: str | None = None
    body: str | None = None
    hits: int = 0

    def spoils(self, operation: str, trigger: str | None) -> bool:
        return self.op in (EVERY_OPERATION, operation) and self.trigger in (None, trigger)


class FaultPlan:
    """The standing orders, oldest first; a call is spoiled by the first that fits."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def take(self, operation: str, trigger: str | None) -> Fault | None:
        """The fault for this call, if any; uses one of its times."""
        for fault in self.faults:
            if not fault.spoils(operation, trigger):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hits += 1
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self.faults.remove(fault)
            return fault
        return None
