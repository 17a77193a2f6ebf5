"""How often an account may send: token buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable


class Bucket:
    """So many at once, so many a second after that."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def wait(self) -> int:
        """Whole seconds until the next may pass; 0 when it may now."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return 0 if self._left >= 1 else math.ceil((1 - self._left) / self._rate)

    def take(self) -> None:
        self._left -= 1


class Pace:
    """Buckets by name; one whose rate was changed begins full."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, Bucket] = {}

    def take(self, key: Hashable, *, rate: float, burst: float) -> int:
        """0, and a turn is taken; or the whole seconds until there is one."""
        bucket = self.bucket(key, rate=rate, burst=burst)
        if not (wait := bucket.wait()):
            bucket.take()
        return wait

    def bucket(self, key: Hashable, *, rate: float, burst: float) -> Bucket:
        return self._buckets.setdefault((key, rate, burst), Bucket(rate=rate, burst=burst))
