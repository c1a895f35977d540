"""A dependency for FastStream handlers over Kafka: the handler sees fresh records only, typed.

Fresh = Annotated[Record, Depends(once())]

@broker.subscriber("rpa.disputes.urgent", group_id="robots", ack_policy=AckPolicy.NACK_ON_ERROR)
async def handle(record: Fresh) -> None: ...
"""

from collections.abc import AsyncIterator, Callable

from faststream.exceptions import AckMessage
from faststream.kafka.annotations import KafkaMessage

from bridge.consumer.judging import Verdict
from bridge.consumer.record import Record, record_of
from bridge.consumer.window import Window

Dependency = Callable[[KafkaMessage], AsyncIterator[Record]]


def once(window: Window | None = None) -> Dependency:
    """Give each record to the handler once; repeats and older generations are acknowledged without it.

    A record is noted when its handler has returned: what fails comes again. One window serves all handlers of a
    process that work on the same records. Handlers of more than one worker may see two copies at the same time.
    """
    known = Window() if window is None else window

    async def fresh(message: KafkaMessage) -> AsyncIterator[Record]:
        raw = message.raw_message
        if isinstance(raw, tuple):
            raise TypeError("this dependency is for handlers of single messages: leave out batch=True")
        record = record_of(raw)
        if known.judge(record) is not Verdict.FRESH:
            raise AckMessage
        yield record
        known.note(record)

    return fresh
