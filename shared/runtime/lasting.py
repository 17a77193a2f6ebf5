"""Every task of ours begins here, under a name; that work without an end has ended is an error, which must not pass unseen."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any, Final, NoReturn, TypeVar

import structlog

from shared.contract.errors import ParleyError

log = structlog.get_logger(__name__)

T = TypeVar("T")
CANCELLED_AGAIN: Final = 5.0  # seconds that a task has for what it does at its end

NAMELESS: Final = "Task-"  # what asyncio calls those that nobody has named: the libraries'


class Ended(ParleyError):
    """Something that should run as long as its process has ended; the process ends too, and is to be started again."""


async def for_ever(work: Awaitable[object], name: str) -> NoReturn:
    """Await it. Raises Ended where it ends by itself, also by a cancelled future in its midst, which tells nobody."""
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
    raise Ended(name)


def spawn(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """A step on the side. Whoever begins it keeps it, and awaits it or begins another when it has ended, however that was."""
    return asyncio.create_task(work, name=name)


def keep(group: asyncio.TaskGroup, work: Awaitable[object], name: str) -> asyncio.Task[NoReturn]:
    """Work without an end as one of several: when one ends, all do, and so does what runs them."""
    return group.create_task(for_ever(work, name), name=name)


async def give_up(tasks: Iterable[asyncio.Task[Any]], *, within: float) -> None:
    """Cancel them, and those that go on once more: aiokafka may swallow that whoever waits for it is cancelled."""
    left, until = set(tasks), time.monotonic() + within
    while left and time.monotonic() < until:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCELLED_AGAIN)
    if left:
        log.warning("stop.abandoned", tasks=sorted(task.get_name() for task in left))


def running() -> dict[str, int]:
    """How many of our tasks run, by name."""
    names = (task.get_name() for task in asyncio.all_tasks())
    return dict(sorted(Counter(name for name in names if not name.startswith(NAMELESS)).items()))
