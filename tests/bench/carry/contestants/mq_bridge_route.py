"""mq-bridge: a registered Python endpoint fetches and advances, its `switch` and Kafka endpoints do the rest."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import mq_bridge

from tests.bench.carry.job import Job, from_argument
from tests.bench.carry.results import ROUTED, THRESHOLD


class TriggerInput:
    """`commit` comes once the outputs have taken a batch: only then is the trigger advanced."""

    def __init__(self, job: Job, ended: threading.Event) -> None:
        self._job = job
        self._ended = ended
        self._http = http.client.HTTPConnection(job.host, job.port)
        self._waiting: list[mq_bridge.Message] = []
        self._sequence_id = ""
        self._open = 0
        self._done = 0

    def receive_batch(self, max_messages: int) -> list[mq_bridge.Message] | None:
        if not self._waiting and not self._open and self._done < self._job.results:
            page = self._ask("fetch", {"size": self._job.batch_size})
            self._sequence_id = page["sequence_id"]
            self._waiting = [_message(result) for result in page["results"]]
        given, self._waiting = self._waiting[:max_messages], self._waiting[max_messages:]
        self._open += len(given)
        return given or None

    def commit(self, dispositions: list[str]) -> None:
        if any(disposition != "ack" for disposition in dispositions):
            raise RuntimeError("a record was refused")
        self._open -= len(dispositions)
        self._done += len(dispositions)
        if not self._open and not self._waiting:
            self._ask("advance", {"sequence_id": self._sequence_id})
            if self._done >= self._job.results:
                self._ended.set()

    def _ask(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        self._http.request("POST", f"{self._job.path}/{operation}", json.dumps(body))
        answer: dict[str, Any] = json.loads(self._http.getresponse().read())
        return answer


def _message(result: dict[str, Any]) -> mq_bridge.Message:
    label = next(
        label["name"][0]
        for label in result["labels"]
        if label["name"][0] in ROUTED and label["probability"] >= THRESHOLD
    )
    uid = result["comment"]["uid"]
    return mq_bridge.Message.from_json(result, metadata={"label": label, "uid": uid, "kafka_key": uid})


def carry(job: Job) -> None:
    """Until the end of the results."""
    ended = threading.Event()
    mq_bridge.register_endpoint("trigger", lambda _name, _config: TriggerInput(job, ended))
    outputs = {
        label: {
            "kafka": {
                "url": job.bootstrap_servers,
                "topic": job.topic(label),
                "create_topic": False,
                "producer_options": [["acks", "all"], ["enable.idempotence", "true"], ["linger.ms", "1"]],
            }
        }
        for label in ROUTED
    }
    route = mq_bridge.Route.from_config(
        {
            "input": {"custom": {"name": "trigger", "config": {}}},
            "output": {"switch": {"metadata_key": "label", "cases": outputs}},
            "batch_size": job.batch_size,
        }
    )
    route.start()
    ended.wait()
    route.stop()


if __name__ == "__main__":
    carry(from_argument())
