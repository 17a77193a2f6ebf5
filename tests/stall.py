"""How long a loop is held up at once, by the processor's time: on a busy machine a clock would tell of others."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

UNIT: Final = 400_000  # turns of a bare loop, in which an idle core of today takes some ten milliseconds
MOST: Final = (
    25  # of such units: 50 ms are five to eight, a loaded machine and our own client take as much again, and more
)


@dataclass
class Held:
    """The longest that one callback took. `seconds` of the processor's time of its thread."""

    seconds: float = 0.0
    by: str = ""


@contextmanager
def watching() -> Iterator[Held]:
    """The loop of this thread, within the block. What stood before is not collected meanwhile, as in a service that runs."""
    held, run, thread = Held(), asyncio.Handle._run, threading.get_ident()

    def measured(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        took = time.thread_time() - began
        if threading.get_ident() == thread and took > held.seconds:
            held.seconds, held.by = took, repr(handle)

    gc.collect()
    gc.freeze()
    asyncio.Handle._run = measured  # type: ignore[method-assign]
    try:
        yield held
    finally:
        asyncio.Handle._run = run  # type: ignore[method-assign]
        gc.unfreeze()


def most() -> float:
    """Seconds that nothing may take at once, on this machine as it is now."""
    return MOST * min(_unit() for _ in range(5))


def _unit() -> float:
    began = time.thread_time()
    for _ in range(UNIT):
        pass
    return time.thread_time() - began
