"""How well mails are read, measured on collections that others made; each has a function of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

CORPORA: Final = Path(__file__).parents[3] / "shared" / "corpora"


@dataclass(frozen=True)
class Score:
    """`right` of `of`; `least` is the share that is promised, or with `most` the share that is never passed."""

    what: str
    on: str
    right: int
    of: int
    least: float = 0.0
    most: float = 1.0

    @property
    def share(self) -> float:
        return self.right / self.of

    @property
    def holds(self) -> bool:
        return self.least <= self.share <= self.most

    def row(self) -> str:
        promised = f"≥ {self.least:.0%}" if self.least else f"≤ {self.most:.0%}"
        return f"| {self.what} | {self.on} | {self.right} of {self.of} | {self.share:.1%} | {promised} |"
