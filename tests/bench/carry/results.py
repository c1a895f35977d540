"""Results of about 2 KB as a fetch gives them, made by seed: mail of plain words, labels, entities, user properties."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

BATCH_SIZE = 512
SEQUENCE_ID = b'"@"'
"""Stands for it in a prepared result, and nowhere else."""
RESULT_BYTES = 2_048
THRESHOLD = 0.5
FIRST_UPLOAD = datetime(2020, 6, 1, tzinfo=UTC)
ROUTED = ("Urgent", "Trade", "Query")
"""Each result has one of these labels above the threshold, so each takes exactly one route."""
OTHERS = tuple(f"Topic {number}" for number in range(40))
TEXT = (
    "trade account please find attached the confirmation for your query regarding invoice number dated amount"
    " payment outstanding since last week kindly advise when we may expect funds to be released to counterparty"
)
WORDS = tuple(TEXT.split())


def results(count: int, seed: int = 7) -> list[bytes]:
    """Compact JSON, in the trigger's order, with SEQUENCE_ID where the platform puts each one's own."""
    rng = random.Random(seed)
    return [_result(number, rng) for number in range(1, count + 1)]


def _result(number: int, rng: random.Random) -> bytes:
    labels = [{"name": [rng.choice(ROUTED)], "probability": round(rng.uniform(0.55, 1.0), 6)}]
    labels += [{"name": ["Desk", name], "probability": round(rng.random(), 6)} for name in rng.sample(OTHERS, 5)]
    rng.shuffle(labels)
    comment = {
        "id": f"{number:016x}",
        "uid": f"18ba5ce699f8da1f.{number:016x}",
        "source_id": "18ba5ce699f8da1f",
        "timestamp": "2020-05-01T10:00:00Z",
        "created_at": (FIRST_UPLOAD + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "thread_id": f"{number // 3:012x}",
        "user_properties": {"string:Sender Domain": f"{number % 50}.example", "number:Participants": number % 7},
        "messages": [
            {
                "from": f"person{number % 900}@{number % 50}.example",
                "to": ["desk@bank.example"],
                "subject": {"text": " ".join(rng.choices(WORDS, k=6))},
                "body": {"text": ""},
            }
        ],
    }
    entities = [
        {
            "kind": "monetary-quantity",
            "formatted_value": f"{rng.randint(1, 9_999_999)}.00 USD",
            "span": {"content_part": "body", "message_index": 0, "char_start": 10, "char_end": 22},
        }
    ]
    whole = {"comment": comment, "sequence_id": SEQUENCE_ID.decode()[1:-1], "labels": labels, "entities": entities}
    room = RESULT_BYTES - len(_compact(whole))
    text = " ".join(rng.choices(WORDS, k=room // 4))[:room]
    comment["messages"][0]["body"]["text"] = text  # type: ignore[index]
    return _compact(whole)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
