"""When too many results are poisonous to be a few bad ones (I8)."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_RESULTS = 200
"""Old enough to forgive an hour ago, young enough to stop within one batch of a broken rollout."""

RESULTS_MIN = 20
"""Fewer than this say nothing about a share: one bad result of two is no trend."""


@dataclass(frozen=True, slots=True)
class PoisonWatch:
    """The recent batches as (results, dead letters), newest last, just as many as the window needs."""

    recent: tuple[tuple[int, int], ...] = ()

    def after(self, results: int, dead_letters: int) -> PoisonWatch:
        """With one more batch; batches that lie wholly outside the window are forgotten."""
        kept: list[tuple[int, int]] = [(results, dead_letters)] if results else []
        seen = results
        for batch in reversed(self.recent):
            if seen >= WINDOW_RESULTS:
                break
            kept.insert(0, batch)
            seen += batch[0]
        return PoisonWatch(tuple(kept))

    def is_over(self, share_max: float) -> bool:
        """More than this share of the recent results is poisonous, and there were enough of them to tell."""
        results = sum(batch[0] for batch in self.recent)
        return results >= RESULTS_MIN and sum(batch[1] for batch in self.recent) > share_max * results
