"""What is done with an account's conversations: its table [accounts.CHANNEL.NAME.policy], told on the account's state."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import ConfigDict, Field

from shared.contract.envelope import Model


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

    @property
    def reopens_within(self) -> timedelta:
        return timedelta(days=self.reopen_days)


class PolicySettings(Policy):
    """As it is written: an unknown name is a mistake and refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
