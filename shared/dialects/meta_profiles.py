"""Who someone is on Meta's platforms, as their node of the Graph tells it.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/identity/user-profile
https://developers.facebook.com/documentation/business-messaging/instagram-messaging/features/user-profile
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from shared.contract.channel import Steps
from shared.contract.envelope import Model, Party
from shared.dialects import meta


class Profile(Model):
    """What was asked for and is known: on Instagram a name may be null, on Messenger there are no user names.

    `timezone`: hours from UTC. Whoever may not be looked at may come as an empty object.
    """

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    locale: Annotated[str, Field(max_length=35)] | None = None
    timezone: Annotated[float, Field(ge=-14, le=14)] | None = None

    @property
    def called(self) -> str | None:
        parts = " ".join(part for part in (self.first_name, self.last_name) if part)
        return self.name or parts or self.username or None


def look_up(account: meta.Account, address: str, fields: Sequence[str]) -> Steps[Party]:
    """These fields of a person; an address that is not a number is nobody's node, and is not asked for."""
    if not (address.isascii() and address.isdecimal()):
        return Party(address=address)
    answer = yield meta.get(account, address, fields=",".join(fields))
    found = Profile.model_validate_json(answer.body)
    return Party(
        address=address,
        name=found.called,
        username=found.username,
        verified="provider",
        locale=found.locale and found.locale.replace("_", "-"),
        time_zone=None if found.timezone is None else offset(found.timezone),
    )


def offset(hours: float) -> str:
    """As RFC 3339 §4.2 writes it: +07:00, -03:30."""
    sign, minutes = "-" if hours < 0 else "+", round(abs(timedelta(hours=hours)).total_seconds() / 60)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
