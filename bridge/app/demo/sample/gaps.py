"""Fills the gaps of sentences with made-up facts."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from bridge.app.demo.sample.people import Firm
from bridge.app.demo.sample.words import CURRENCIES, PRODUCTS

FIRST_DAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
REFERENCES = ("TRD", "LQ", "OTC", "INV", "CLM")


class Gaps:
    """One generator of chance gives one sequence of facts."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._makers: Mapping[str, Callable[[], str]] = {
            "amount": lambda: self._money(random.randint(10_000, 90_000_000)),
            "small": lambda: self._money(random.randint(40, 9_500)),
            "date": self._date,
            "ref": lambda: f"{random.choice(REFERENCES)}-{self.digits(6)}",
            "quantity": lambda: f"{random.randint(2, 900) * 50:,}",
            "product": lambda: random.choice(PRODUCTS),
            "percent": lambda: f"{random.randint(1, 80) / 4:g}%",
            "price": lambda: f"{random.randint(9_000, 12_000) / 100:.2f}",
            "days": lambda: str(random.randint(3, 40)),
            "hour": lambda: f"{random.randint(10, 17)}:{random.choice(('00', '15', '30'))}",
            "digits": lambda: self.digits(4),
        }

    def filled(self, template: str, firm: Firm) -> str:
        """The sentence. A gap name that ends in 2 is a second fact of its kind."""
        gaps = [gap for _, gap, _, _ in string.Formatter().parse(template) if gap]
        facts = {gap: firm.name if gap == "firm" else self._makers[gap.rstrip("2")]() for gap in gaps}
        return template.format_map(facts)

    def ledger(self, chars: int, firm: Firm, line: str) -> str:
        """A listing of that length, one filled line below the other, as people paste them into mail."""
        lines: list[str] = []
        size = 0
        while size < chars:
            lines.append(self.filled(line, firm))
            size += len(lines[-1]) + 1
        return "\n".join(lines)[:chars]

    def digits(self, number: int) -> str:
        """That many of them."""
        return "".join(self._random.choices(string.digits, k=number))

    def _money(self, value: int) -> str:
        currency = self._random.choice(CURRENCIES)
        forms = [f"{currency} {value:,}.{self.digits(2)}", f"{value:,} {currency}"]
        if currency in ("GBP", "EUR"):
            forms.append(f"{'£' if currency == 'GBP' else '€'}{value:,}")
        return self._random.choice(forms)

    def _date(self) -> str:
        day = FIRST_DAY + timedelta(days=self._random.randint(-40, 60))
        return self._random.choice((f"{day:%Y-%m-%d}", f"{day.day} {day:%B} {day.year}"))
