"""Topics for one test, each under a name of its own."""

import asyncio
import uuid
from collections.abc import Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

CREATE_TIMEOUT_S = 20.0


class Topics:
    """Makes topics on one broker and removes them at the end of the test."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._made: list[str] = []

    async def create(self, stem: str = "topic", partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """The name of a fresh topic whose every partition has a leader; `config` as `{"max.message.bytes": "1000"}`."""
        name = f"{stem}-{uuid.uuid4().hex[:12]}"
        await self.create_named(name, partitions, config)
        return name

    async def create_named(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """The same under a name of the caller's."""
        new = NewTopic(name, partitions, 1, topic_configs=dict(config or {}))
        async with _Admin(self._bootstrap_servers) as admin:
            answer = await admin.create_topics([new])
            _raise_for(answer.topic_errors)
            self._made.append(name)
            async with asyncio.timeout(CREATE_TIMEOUT_S):
                while not await _led(admin, name, partitions):
                    await asyncio.sleep(0.02)

    async def delete(self, name: str) -> None:
        """Removes a topic while the test still runs."""
        async with _Admin(self._bootstrap_servers) as admin:
            _raise_for((await admin.delete_topics([name])).topic_error_codes)
        self._made = [made for made in self._made if made != name]

    async def remove_all(self) -> None:
        """Removes what this test made."""
        if self._made:
            async with _Admin(self._bootstrap_servers) as admin:
                await admin.delete_topics(self._made)


class _Admin:
    def __init__(self, bootstrap_servers: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._admin.start()
        except BaseException:
            await self._admin.close()
            raise
        return self._admin

    async def __aexit__(self, *exc: object) -> None:
        await self._admin.close()


async def _led(admin: AIOKafkaAdminClient, name: str, partitions: int) -> bool:
    topic = (await admin.describe_topics([name]))[0]
    leaders = [partition["leader"] for partition in topic["partitions"]]
    return topic["error_code"] == 0 and len(leaders) == partitions and min(leaders) >= 0


def _raise_for(errors: list[tuple[str, int]] | list[tuple[str, int, str]]) -> None:
    for name, code, *message in errors:
        if code:
            raise for_code(code)(f"{name}: {message}")
