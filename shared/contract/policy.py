"""What is done with an account's conversations: its table [accounts.CHANNEL.NAME.policy], told on the account's state."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from shared.contract.envelope import Model


def ascending(minutes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(minutes)))


class Policy(Model):
    """As it travels: what a later version adds is passed over."""

    reopen_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="for how many days after it was closed a message reopens a conversation; one that comes later "
            "opens a new one, which names it (`linked`); 0: every message does",
        ),
    ] = 14
    close_after_hours: Annotated[
        int | None,
        Field(
            ge=1,
            le=24 * 3650,
            description="after how many hours without a message a conversation in which nobody waits is closed",
        ),
    ] = None
    waiting_minutes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=60 * 24 * 365)], ...],
        Field(
            max_length=10,
            description="after how many minutes each `conversation.waiting` tells that somebody still waits for an answer",
        ),
        AfterValidator(ascending),
    ] = ()
    turn_seconds: Annotated[
        int | None,
        Field(
            ge=1,
            le=3600,
            description="after how many seconds without another message `conversation.turn` tells that a person's turn is over",
        ),
    ] = None

    @property
    def reopens_within(self) -> timedelta:
        return timedelta(days=self.reopen_days)


class PolicySettings(Policy):
    """As it is written: an unknown name is a mistake and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
