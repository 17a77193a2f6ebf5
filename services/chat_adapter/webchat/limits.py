"""How often: bursts that refill with time, kept in memory for a bounded number of names."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.chat_adapter.webchat.answers import Refused

NAMES: Final = 100_000  # buckets kept; beyond them the one longest unused is forgotten, which by then is full again


class Limits:
    """Token buckets by (what, who). A refused attempt costs nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._open: Counter[tuple[str, str]] = Counter()

    def take(self, what: str, who: str, *, burst: float, seconds: float = 60.0, cost: float = 1.0) -> None:
        """Take `cost` from a bucket that holds `burst` and fills up within `seconds`; raises Refused 429 when it is empty."""
        now = self._clock()
        left, then = self._buckets.pop((what, who), (burst, now))
        left = min(burst, left + (now - then) * burst / seconds)
        enough = left >= cost
        self._buckets[what, who] = (left - cost if enough else left, now)
        while len(self._buckets) > NAMES:
            self._buckets.popitem(last=False)
        if not enough:
            raise Refused(429, "throttled", f"too many {what}", retry_after=(cost - left) * seconds / burst)

    @contextmanager
    def hold(self, what: str, who: str, *, most: int) -> Iterator[None]:
        """One of at most so many at a time; raises Refused 429 when they are all taken."""
        if self._open[what, who] >= most:
            raise Refused(429, "throttled", f"too many {what} at a time", retry_after=30)
        self._open[what, who] += 1
        try:
            yield
        finally:
            self._open[what, who] -= 1
            if not self._open[what, who]:
                del self._open[what, who]
