"""For subscribers of bridge's topics: typed records, and which of them are repeats or of an older generation.

Stands alone: it imports nothing of the service, and needs nothing but the standard library and msgspec. What it reads
is the contract in the README. `bridge.consumer.faststream` has a dependency for FastStream handlers.
"""

from bridge.consumer.complete import CompleteUpTo, complete_up_to
from bridge.consumer.judging import Known, Lane, Verdict, judge
from bridge.consumer.record import DeadLetter, Matched, Message, NotARecordError, Record, Trigger, parse, record_of
from bridge.consumer.window import Window

__all__ = [
    "CompleteUpTo",
    "DeadLetter",
    "Known",
    "Lane",
    "Matched",
    "Message",
    "NotARecordError",
    "Record",
    "Trigger",
    "Verdict",
    "Window",
    "complete_up_to",
    "judge",
    "parse",
    "record_of",
]
