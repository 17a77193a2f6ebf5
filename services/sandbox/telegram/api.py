"""What the methods of the Bot API share: the faults in force, and how often a bot may send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.sandbox.faults import Control
from services.sandbox.pace import Pace
from services.sandbox.telegram.calls import Parameters, Refused
from services.sandbox.telegram.world import Bot, Chat


class Api:
    """One for all bots."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self._pace = Pace()

    def pace(self, bot: Bot, chat: Chat) -> None:
        """https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this."""
        limits = self.control.faults.telegram.limits
        whole = self._pace.bucket(bot.id, rate=limits.per_second, burst=limits.burst)
        one = self._pace.bucket((bot.id, chat.name), rate=limits.per_chat_second, burst=limits.chat_burst)
        if seconds := max(whole.wait(), one.wait()):
            raise Refused(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
        whole.take()
        one.take()


Method = Callable[[Api, Bot, Parameters], Awaitable[Any]]
