"""What one demo came to."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.app.demo.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All counts but `skipped_duplicates` and `shadowed` are from reading the topics back.

    `unfinished` says why not all was delivered in time, empty where it was.
    """

    verdict: Verdict
    comments: int
    annotated: int
    labels: int
    skipped_duplicates: int
    shadowed: dict[str, int]
    broker: str
    elapsed_s: float
    delivery_s: float
    directory: str
    unfinished: str = ""

    @property
    def trouble(self) -> str:
        """One sentence, empty where nothing was lost, misplaced or left undone."""
        verdict = self.verdict
        found = [
            self.unfinished,
            f"{len(verdict.lost)} records are lost, such as {verdict.lost[0]}" if verdict.lost else "",
            f"{len(verdict.stray)} records are where they should not be, such as {verdict.stray[0]}"
            if verdict.stray
            else "",
        ]
        return "; ".join(filter(None, found))

    def as_json(self) -> dict[str, object]:
        """The object that `--json` prints."""
        verdict = self.verdict
        return {
            "comments": self.comments,
            "annotated": self.annotated,
            "labels": self.labels,
            "published": verdict.published,
            "unmatched": verdict.unmatched,
            "dead_letters": verdict.dead_letters,
            "skipped_duplicates": self.skipped_duplicates,
            "copies": verdict.copies,
            "misplaced": len(verdict.stray),
            "lost": len(verdict.lost),
            "shadowed": self.shadowed,
            "broker": self.broker,
            "delivery_s": round(self.delivery_s, 2),
            "elapsed_s": round(self.elapsed_s, 2),
            "directory": self.directory or None,
        }

    def in_words(self) -> str:
        """For a person."""
        verdict = self.verdict
        records, dead = sum(verdict.published.values()), verdict.dead_letters
        return (
            f"{self.comments} comments became {records} records on {sum(map(bool, verdict.published.values()))} topics"
            f" of {self.broker} and {dead} dead letter{'' if dead == 1 else 's'} ({verdict.unmatched} unmatched):"
            f" {len(verdict.lost)} lost, {verdict.copies} twice, {len(verdict.stray)} misplaced,"
            f" {self.elapsed_s:.1f} s in all"
        )
