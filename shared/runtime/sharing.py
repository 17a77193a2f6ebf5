"""One answer for all who ask at the same moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Calls `work` once at a time. Whoever asks while it runs shares the next run: no answer is older than its question.

    An error is told to all who share it.
    """

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._turn = asyncio.Lock()
        self._asked = self._answered = 0
        self._answer: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        self._asked = mine = self._asked + 1
        async with self._turn:
            if self._answer is None or self._answered < mine:
                upto = self._asked
                self._answer = await self._run()
                self._answered = upto
        return self._answer.result()

    async def _run(self) -> asyncio.Future[T]:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        try:
            answer.set_result(await self._work())
        except Exception as error:  # noqa: BLE001 whatever it is, whoever has asked is told
            answer.set_exception(error)
        return answer
