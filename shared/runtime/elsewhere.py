"""Work that is as long as a stranger likes, in threads: what else goes on in this process does not wait for it.

A thread in Python gives way every few milliseconds (sys.setswitchinterval), and some libraries let go of the interpreter.
What is one long call of a library that does not needs a bound of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

T = TypeVar("T")

THREADS: Final = ThreadPoolExecutor(2, "elsewhere")  # no more at once, however many strangers there are


async def elsewhere(work: Callable[[], T]) -> T:
    """What it returns, or raises. What it is given must be nobody else's meanwhile, or never change."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, work)


async def each(items: Iterable[T], do: Callable[[T], None], *, here: int) -> None:
    """Make the items and `do` each: so many at once, where there are not more, and the rest elsewhere."""
    left = iter(items)
    for count, item in enumerate(left, 1) if here else ():
        do(item)
        if count == here:
            break
    else:
        if here:
            return
    await elsewhere(partial(_each, left, do))


def _each(items: Iterable[T], do: Callable[[T], None]) -> None:
    for item in items:
        do(item)
