"""The simulated markets that models are trained and judged on, by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Market:
    """How large a market and its history are."""

    products: int
    campaigns: int
    keywords: int
    """Texts as shoppers type them."""
    events: int
    days: int
    seed: int = 1
    until: int | None = None
    """End of the history, ms since 1970; None for now, so that a live run can go on from there."""

    def history(self, out: Path) -> list[str]:
        """The command that writes its history."""
        end = [] if self.until is None else [f"--until={self.until}"]
        return [
            "simulate", "history", f"--out={out}", f"--products={self.products}", f"--campaigns={self.campaigns}",
            f"--keywords={self.keywords}", f"--events={self.events}", f"--days={self.days}", f"--seed={self.seed}",
            *end,
        ]  # fmt: skip


MARKETS = {
    "small": Market(products=2_400, campaigns=400, keywords=12_000, events=800_000, days=14),
    "standard": Market(products=6_000, campaigns=1_200, keywords=40_000, events=3_000_000, days=10),
}
