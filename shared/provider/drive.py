"""Runs what a channel asks for: each request it yields is made, each answer judge, until it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.contract.channel import Asked, Channel, Response, Smtp, Steps, judge
from shared.contract.errors import AlreadySent, SendFailed
from shared.contract.readable import readable

T = TypeVar("T")
Ask = Callable[[Asked], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class _Returned(Generic[T]):
    value: T


async def drive(steps: Steps[T], *, channel: Channel, ask: Ask) -> T:
    """What the exchange comes to. The channel's `outcome` looks at every answer.

    A refusal, and that the provider has it already, is thrown where the request was yielded, so that an exchange may go
    on, or say more. Raises what `ask` and `outcome` raise (SendFailed, AlreadySent) otherwise, and Malformed for an answer that cannot be read.
    """
    with closing(steps):
        step = _advance(steps, None)
        while not isinstance(step, _Returned):
            step = _advance(steps, await _answered(step, channel, ask))
        return step.value


async def _answered(request: Asked, channel: Channel, ask: Ask) -> Response | SendFailed | AlreadySent:
    try:
        answer = await ask(request)
        _check(channel, request, answer)
    except (SendFailed, AlreadySent) as thrown:
        return thrown
    return answer


def _advance(steps: Steps[T], answer: Response | SendFailed | AlreadySent | None) -> Asked | _Returned[T]:
    with readable():
        try:
            if isinstance(answer, SendFailed | AlreadySent):
                return steps.throw(answer)
            return next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            return _Returned(end.value)


def _check(channel: Channel, request: Asked, answer: Response) -> None:
    """An answer that only says "unreachable" does not say that nothing happened; so a commit becomes unknown,
    unless the provider honours our key and may be asked again (docs/architecture.md, Sending). In SMTP a refusal is one: RFC 5321 §4.2.1.
    """
    try:
        with readable():
            judge(request, answer, channel.outcome)
    except SendFailed as failed:
        if isinstance(request, Smtp):
            failed.nothing_done = True
            raise
        if request.throttles == "peer":
            failed.scope = "peer"
        if request.commits and failed.reason == "unreachable" and not channel.capabilities.idempotent_for:
            raise SendFailed("unknown", failed.detail) from failed
        raise
