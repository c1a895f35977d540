"""librdkafka's mock cluster: a broker that answers a produce request with the error of our choice."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Self

import confluent_kafka

PRODUCE = 0
ERROR_TEXT_BYTES = 512


def _library() -> ctypes.CDLL:
    directory = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(directory.glob("librdkafka-*.so*"))))
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_topic_create.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    library.rd_kafka_mock_push_request_errors_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int16,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_int),
    ]
    library.rd_kafka_mock_clear_request_errors.argtypes = [ctypes.c_void_p, ctypes.c_int16]
    library.rd_kafka_mock_cluster_destroy.argtypes = [ctypes.c_void_p]
    library.rd_kafka_destroy.argtypes = [ctypes.c_void_p]
    return library


class MockCluster:
    """One broker inside this process. It stores nothing that can be trusted: it is here for its answers."""

    def __init__(self) -> None:
        self._library = _library()
        text = ctypes.create_string_buffer(ERROR_TEXT_BYTES)
        producer = 0
        self._client = self._library.rd_kafka_new(producer, None, text, ERROR_TEXT_BYTES)
        assert self._client, text.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens."""
        return bytes(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)).decode()

    def make(self, topic: str, partitions: int = 1) -> None:
        """A topic."""
        assert self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1) == 0

    def answer_produce_with(self, *error_codes: int) -> None:
        """The next produce requests get these of Kafka's error codes, one each."""
        codes = (ctypes.c_int * len(error_codes))(*error_codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, PRODUCE, len(error_codes), codes)

    def answer_as_ever(self) -> None:
        """No more errors."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, PRODUCE)
