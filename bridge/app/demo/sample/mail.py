"""Puts people and words together: threads over some weeks, in the order in which they are uploaded."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from bridge.app.demo.sample.gaps import FIRST_DAY, Gaps
from bridge.app.demo.sample.people import FIRMS, NAMES, OURS, ROLES, SPAMMERS, Firm, Person
from bridge.app.demo.sample.words import (
    ALSO,
    AUDIT_LINE,
    FAREWELLS,
    FOLLOW_UPS,
    GREETINGS,
    MOVEMENT_LINE,
    NOTHING,
    SPAM,
    TOPICS,
    URGENCY,
    URGENT,
    URGENT_FROM,
    Topic,
)
from bridge.app.demo.uploads import Upload
from bridge.domain.model import Label

COMMENTS = 400
SEED = 20260302
ANSWERED = 0.4
BESIDES = 0.14
HURRIED = 0.35
LONG = 0.03
EMPTY = 0.02
LONG_CHARS = 5_400
OVERSIZE_MESSAGES = 20
OVERSIZE_CHARS = 60_000
"""Twenty forwarded messages of this size are more than a record may have, and less than the platform takes."""
OVERSIZE_FROM = 50
"""A sample smaller than this goes without the one mail that is too large."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class _Turn:
    """One mail to be written; turns are written in the order of their time."""

    at: datetime
    number: int
    thread: str = field(compare=False)
    position: int = field(compare=False)
    topics: tuple[Topic, ...] = field(compare=False)
    urgent: bool = field(compare=False)
    writer: Person = field(compare=False)
    reader: Person = field(compare=False)
    subject: str = field(compare=False)
    trail: str = field(compare=False)


def make_sample(comments: int = COMMENTS, seed: int = SEED) -> list[Upload]:
    """The mail, every second one annotated. One of them is too large for a record, some are empty."""
    writer = _Writer(Random(seed))
    turns: list[_Turn] = []
    made: list[Upload] = []
    numbers = iter(range(comments * 8))
    at = FIRST_DAY
    oversize_at = comments * 2 // 3 if comments >= OVERSIZE_FROM else -1
    while len(made) < comments:
        at += timedelta(minutes=writer.random.randint(4, 60))
        heapq.heappush(turns, writer.new_thread(at, next(numbers)))
        while turns and turns[0].at <= at and len(made) < comments:
            turn = heapq.heappop(turns)
            oversize = len(made) == oversize_at
            upload, text = writer.write(turn, teaches=len(made) % 2 == 0 and not oversize, oversize=oversize)
            made.append(upload)
            for answer in writer.answers(turn, text, next(numbers)):
                heapq.heappush(turns, answer)
    return made


class _Writer:
    """All chance comes from one generator, so one seed is one sample."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.gaps = Gaps(random)

    def new_thread(self, at: datetime, number: int) -> _Turn:
        topic = self.random.choices(TOPICS, [topic.weight for topic in TOPICS])[0]
        outside, inside = self.random.sample(NAMES, 2)
        besides = (self.random.choice(ALSO[topic]),) if topic in ALSO and self._happens(BESIDES) else ()
        return _Turn(
            at=at,
            number=number,
            thread=f"<{self.gaps.digits(10)}.thread@{OURS.domain}>",
            position=1,
            topics=(topic, *besides),
            urgent=topic in URGENT_FROM and self._happens(HURRIED),
            writer=self._person(outside, self.random.choice(SPAMMERS if topic is SPAM else FIRMS)),
            reader=self._person(inside, OURS),
            subject=self.gaps.filled(self.random.choice(topic.subjects), self.random.choice(FIRMS)),
            trail="",
        )

    def answers(self, turn: _Turn, text: str, number: int) -> Iterator[_Turn]:
        """At most one: the other side, or the same again, hours later. Spam and notices get none."""
        if turn.topics[0] in (SPAM, NOTHING) or turn.position > 4 or not self._happens(ANSWERED):
            return
        chased = self._happens(0.3)
        yield replace(
            turn,
            at=turn.at + timedelta(minutes=self.random.randint(30, 2000)),
            number=number,
            position=turn.position + 1,
            urgent=turn.urgent or (chased and turn.topics[0] in URGENT_FROM),
            writer=turn.writer if chased else turn.reader,
            reader=turn.reader if chased else turn.writer,
            subject=turn.subject if turn.subject.startswith("Re: ") else f"Re: {turn.subject}",
            trail=text[:600],
        )

    def write(self, turn: _Turn, *, teaches: bool, oversize: bool) -> tuple[Upload, str]:
        empty = not teaches and not oversize and self._happens(EMPTY * 2)
        text = "" if empty else self._body(turn)
        messages = [self._message(turn, text)]
        if empty and self._happens(0.3):
            messages = []
        if oversize:
            messages += [
                self._message(turn, self.gaps.ledger(OVERSIZE_CHARS, OURS, AUDIT_LINE))
                for _ in range(OVERSIZE_MESSAGES)
            ]
        message_id = f"<{turn.number}.{self.gaps.digits(8)}@{turn.writer.firm.domain}>"
        comment: dict[str, object] = {
            "id": message_id.encode().hex(),
            "timestamp": turn.at.isoformat(),
            "thread_id": turn.thread.encode().hex(),
            "messages": messages,
            "user_properties": {
                "string:Message ID": message_id,
                "string:Sender": turn.writer.address,
                "string:Sender Domain": turn.writer.firm.domain,
                "string:Country": turn.writer.firm.country,
                "string:Folder": turn.topics[0].folder,
                "number:Position in Thread": turn.position,
            },
        }
        return Upload(comment=comment, labels=() if empty else _labels(turn), teaches=teaches), text

    def _message(self, turn: _Turn, text: str) -> dict[str, object]:
        writer, reader = turn.writer, turn.reader
        message: dict[str, object] = {
            "body": {"text": text},
            "subject": {"text": turn.subject},
            "from": writer.address,
            "to": [reader.address],
            "sent_at": turn.at.isoformat(),
        }
        if self._happens(0.8):
            message["signature"] = {"text": f"{writer.name}\n{writer.role}, {writer.firm.name}"}
        if turn.position > 2:
            message["cc"] = [f"operations@{writer.firm.domain}"]
        return message

    def _body(self, turn: _Turn) -> str:
        firm, main = turn.writer.firm, turn.topics[0]
        sentences = [self.random.choice(FOLLOW_UPS)] if turn.trail else []
        for topic in turn.topics:
            sentences.append(self.random.choice(topic.openings))
            sentences += self.random.sample(topic.details, self.random.randint(1, min(3, len(topic.details))))
        if turn.urgent:
            sentences.insert(self.random.randint(1, len(sentences)), self.random.choice(URGENCY))
        sentences.append(self.random.choice(main.asks))
        filled = [self.gaps.filled(sentence, firm) for sentence in sentences]
        cut = self.random.randint(1, len(filled))
        paragraphs = [self.random.choice(GREETINGS), " ".join(filled[:cut]), " ".join(filled[cut:])]
        if main is not SPAM and self._happens(LONG):
            paragraphs.append(self.gaps.ledger(LONG_CHARS, OURS, MOVEMENT_LINE))
        paragraphs.append(self.random.choice(FAREWELLS))
        text = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
        return f"{text}\n\n{_quoted(turn.trail)}" if turn.trail else text

    def _person(self, names: tuple[str, str], firm: Firm) -> Person:
        return Person(*names, self.random.choice(ROLES), firm)

    def _happens(self, probability: float) -> bool:
        return self.random.random() < probability


def _labels(turn: _Turn) -> tuple[Label, ...]:
    named = [topic.label for topic in turn.topics if topic.label]
    return tuple(dict.fromkeys([*named, *([URGENT] if turn.urgent else [])]))


def _quoted(trail: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in trail.splitlines())
