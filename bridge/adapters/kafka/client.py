"""aiokafka's client, taught never to make a topic by asking, to be cut off at once, and to say what ails it."""
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.conn import CloseReason, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerClosed, UnknownTopicOrPartitionError
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.produce import ProduceRequest
from typing_extensions import override

from bridge.adapters.kafka.batch import CODECS
from bridge.adapters.kafka.connection import client_options
from bridge.adapters.kafka.failures import FOREIGN, failure_of, failure_of_code, translated
from bridge.adapters.kafka.produce import LeanConnection, LeanProduceRequest
from bridge.adapters.kafka.settings import KafkaSettings
from bridge.domain.errors import Fatal

CLOSE_TIMEOUT_S = 2.0
# Discard what the kernel has not delivered yet, and reset the connection.
LINGER_NOT = struct.pack("ii", 1, 0)
MECHANISMS = (None, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
BOOTSTRAP = ("bootstrap", ConnectionGroup.DEFAULT)


class Client(AIOKafkaClient):
    """Connections and metadata. After `cut` nothing leaves it any more, whatever was queued.

    `trouble` is why the last produce request came to nothing, empty after a good one: aiokafka repeats such requests
    for ever and tells nobody, so this is the reason a deadline can give.
    """

    is_cut = False
    trouble = ""
    _sync_task: asyncio.Task[None] | None
    _cut_off: asyncio.Future[None] | None = None

    @classmethod
    def narrow(cls, client: AIOKafkaClient) -> Client:
        """Turn a client into this kind. aiokafka's producer makes its own and takes none."""
        client.__class__ = cls
        return cast(Client, client)

    def cut(self) -> None:
        """Stop for good and at once: requests in hand fail, bytes not yet on the wire are dropped."""
        if self.is_cut:
            return
        self.is_cut = True
        if not self._cutting.done():
            self._cutting.set_result(None)
        if self._sync_task is not None:
            self._sync_task.cancel()
        if self._md_update_fut is not None and not self._md_update_fut.done():
            self._md_update_fut.set_result(False)
        for connection in self._conns.values():
            _abort(connection)

    async def reap(self) -> None:
        """Wait, for a bounded time, until nothing of a cut client is left running."""
        closing = asyncio.ensure_future(self.close())
        done, late = await asyncio.wait({closing}, timeout=CLOSE_TIMEOUT_S)
        for task in late:
            task.cancel()
        # How a client that is thrown away ends changes nothing; looking at it keeps asyncio from complaining.
        _ = [task.exception() for task in done if not task.cancelled()]

    async def track(self, topics: Collection[str]) -> bool:
        """Ask for the metadata of exactly these topics, now and from now on. False: no broker answers."""
        self._topics = set(topics)
        return bool(await self.force_metadata_update())

    def untrack(self, topics: Collection[str]) -> None:
        """Ask no more for these."""
        self._topics = self._topics.difference(topics)

    @property
    def tracked(self) -> frozenset[str]:
        """The topics whose metadata is kept fresh."""
        return frozenset(self._topics)

    @property
    def _cutting(self) -> asyncio.Future[None]:
        if self._cut_off is None:
            self._cut_off = asyncio.get_running_loop().create_future()
        return self._cut_off

    @override
    async def ready(self, node_id: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT) -> bool:
        """Connect where needed, but never past a cut: the caller writes to the connection in the same breath."""
        self._refuse_if_cut()
        while not self._is_connected(node_id, group):
            connecting = asyncio.ensure_future(super().ready(node_id, group=group))
            try:
                await asyncio.wait({connecting, self._cutting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                connecting.cancel()
            self._refuse_if_cut()
            if not connecting.result():
                return False
        return True

    @override
    async def _get_conn(self, node_id: Any, **options: Any) -> Any:
        connection = await super()._get_conn(node_id, **options)
        return None if connection is None else LeanConnection.narrow(connection)

    def _refuse_if_cut(self) -> None:
        if self.is_cut:
            raise ProducerClosed("cut off")

    @override
    async def send(self, node_id: Any, request: Any, *, group: ConnectionGroup = ConnectionGroup.DEFAULT) -> Any:
        produces = isinstance(request, ProduceRequest)
        if produces:
            request = LeanProduceRequest.narrow(request)
        try:
            response = await super().send(node_id, request, group=group)
        except KafkaError as error:
            if self.is_cut:
                # Not one of the errors that aiokafka repeats the request after.
                raise ProducerClosed("cut off") from error
            if produces:
                self.trouble = failure_of(error).code
            raise
        if produces:
            self.trouble = _first_refusal(response)
        return response

    @override
    def force_metadata_update(self) -> asyncio.Future[Any]:
        if not self.is_cut:
            return cast("asyncio.Future[Any]", super().force_metadata_update())
        over = asyncio.get_running_loop().create_future()
        over.set_result(False)
        return over

    @override
    async def _maybe_wait_metadata(self) -> None:
        if not self.is_cut:
            await super()._maybe_wait_metadata()

    @override
    async def _wait_on_metadata(self, topic: str) -> Any:
        """Topics are looked up before a send; one that is gone since then is an error at once, not a long wait."""
        partitions = self.cluster.partitions_for_topic(topic)
        if partitions is None:
            raise UnknownTopicOrPartitionError(topic)
        return partitions

    @override
    async def _metadata_update(self, cluster_metadata: Any, topics: Collection[str]) -> bool:
        """As inherited, but without leave to make topics on brokers that auto-create, and never for all topics."""
        request = MetadataRequest(sorted(topics), allow_auto_topic_creation=False)
        for node_id in self._nodes_to_ask():
            metadata = await self._metadata_from(node_id, request)
            if metadata is not None:
                cluster_metadata.update_metadata(metadata)
                self._drop_bootstrap_connection()
                return True
        cluster_metadata.failed_update(None)
        return False

    def _nodes_to_ask(self) -> list[Any]:
        nodes: list[Any] = [broker.nodeId for broker in self.cluster.brokers()]
        random.shuffle(nodes)
        return [*nodes, "bootstrap"] if BOOTSTRAP in self._conns else nodes

    async def _metadata_from(self, node_id: Any, request: MetadataRequest) -> Any:
        connection = await self._get_conn(node_id)
        if connection is None:
            return None
        try:
            metadata = await connection.send(request)
        except FOREIGN:
            # The next node is asked; when none is left the caller is told.
            return None
        return metadata if metadata.brokers else None

    def _drop_bootstrap_connection(self) -> None:
        if BOOTSTRAP in self._conns and self.cluster.brokers():
            self._conns.pop(BOOTSTRAP).close()

    def _is_connected(self, node_id: Any, group: ConnectionGroup) -> bool:
        connection = self._conns.get((node_id, group))
        return connection is not None and bool(connection.connected())

    @override
    async def bootstrap(self) -> None:
        """As inherited, but the reason why no broker lets us in is raised, and nothing is left open."""
        why: BaseException = KafkaConnectionError("no broker is named")
        for host, port, _ in self.hosts:
            try:
                await self._bootstrap_from(host, port)
            except FOREIGN as error:
                why = error
                continue
            if self._sync_task is None:
                self._sync_task = asyncio.create_task(self._md_synchronizer(), name="kafka-metadata")
            return
        raise why

    async def _bootstrap_from(self, host: str, port: int) -> None:
        connection = await create_conn(
            host,
            port,
            client_id=self._client_id,
            request_timeout_ms=self._request_timeout_ms,
            ssl_context=self._ssl_context,
            security_protocol=self._security_protocol,
            max_idle_ms=self._connections_max_idle_ms,
            sasl_mechanism=self._sasl_mechanism,
            sasl_plain_username=self._sasl_plain_username,
            sasl_plain_password=self._sasl_plain_password,
        )
        try:
            self.cluster.update_metadata(await connection.send(MetadataRequest([])))
        except BaseException:
            connection.close()
            raise
        if self.cluster.brokers():
            connection.close()
        else:
            # A broker that knows no broker yet, itself included: asked again over this connection.
            self._conns[BOOTSTRAP] = connection


def _abort(connection: Any) -> None:
    """Close without flushing: asyncio's own close would still write what is buffered, long after we sent it again."""
    writer = connection._writer  # noqa: SLF001  the only way to the transport
    if writer is not None:
        sock = writer.get_extra_info("socket")
        if sock is not None:
            # Where the peer has just closed it there is no socket any more; the others are to be cut all the same (I9).
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        writer.transport.abort()
    connection.close(reason=CloseReason.SHUTDOWN)


def check_settings(settings: KafkaSettings) -> None:
    """Raises Fatal for settings no connection can be made with."""
    if settings.compression not in CODECS:
        raise Fatal(f"kafka: there is no compression {settings.compression}", code="kafka_settings")
    if settings.sasl_mechanism not in MECHANISMS:
        raise Fatal(f"kafka: sasl_mechanism {settings.sasl_mechanism} is not supported", code="kafka_settings")
    try:
        hosts = Client(**client_options(settings)).hosts
    except ValueError as error:
        raise Fatal(f"the settings of kafka do not go together: {error}", code="kafka_settings") from error
    if not all(host for host, _, _ in hosts):
        raise Fatal("kafka: bootstrap_servers names no host", code="kafka_settings")


def _first_refusal(response: Any) -> str:
    codes = (partition[1] for _, partitions in response.topics for partition in partitions)
    refusal = next((code for code in codes if code), 0)
    return failure_of_code(refusal).code if refusal else ""


@asynccontextmanager
async def connected(settings: KafkaSettings, timeout_s: float, doing: str) -> AsyncIterator[Client]:
    """A client for questions and orders to the broker; all that is done with it is bounded and translated."""
    client = Client(**client_options(settings))
    try:
        async with asyncio.timeout(timeout_s):
            await client.bootstrap()
            yield client
    except FOREIGN as error:
        raise translated(error, doing) from error
    finally:
        client.cut()
        await client.reap()
