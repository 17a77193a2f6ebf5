"""An exchange with a provider from its context to its end: wherever a channel asks for something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared.contract.channel import Context, Steps
from shared.contract.errors import SendFailed, TokenRefused
from shared.provider.calls import Caller, Principal
from shared.provider.contexts import Contexts
from shared.provider.drive import drive

T = TypeVar("T")


class Driver:
    """Gives an exchange its context, makes its calls, and has an access token refreshed that was refused."""

    def __init__(self, caller: Caller, contexts: Contexts) -> None:
        self._caller, self._contexts = caller, contexts

    async def __call__(self, steps: Callable[[Context], Steps[T]], principal: Principal) -> T:
        """What the exchange comes to; raises as `drive` does, and TokenRefused where it may be tried again with another."""
        channel, context = principal.channel, await self._contexts.of(principal.channel, principal.account)
        try:
            return await drive(
                steps(context), channel=channel, ask=lambda request: self._caller.ask(request, principal)
            )
        except SendFailed as failed:
            if failed.reason == "auth" and await self._contexts.replaces(channel, principal.account, context):
                raise TokenRefused(failed.detail) from failed
            raise
