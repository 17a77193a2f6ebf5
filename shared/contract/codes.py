"""Families of channels, statuses of messages, and why something failed: the closed sets that every record shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, Field

from shared.contract.envelope import (
    Model,
)
from shared.contract.text import on_one_line

Family = Literal["email", "social", "chat"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)

CHANNELS: Final[Mapping[str, Family]] = {
    "email": "email",
    "facebook": "social",
    "instagram": "social",
    "x": "social",
    "tiktok": "social",
    "youtube": "social",
    "snapchat": "social",
    "webchat": "chat",
    "whatsapp": "chat",
    "telegram": "chat",
    "discord": "chat",
    "slack": "chat",
    "teams": "chat",
    "googlechat": "chat",
    "apple": "chat",
    "line": "chat",
    "viber": "chat",
    "sms": "chat",
    "telnyx": "chat",
    "rcs": "chat",
    "voicemail": "chat",
    "bluesky": "social",
    "webhook": "chat",
}

Code = Literal[
    "throttled",
    "unreachable",
    "blocked",
    "opted_out",
    "bad_address",
    "window_closed",
    "template_required",
    "too_long",
    "unsupported",
    "refused",
    "auth",
    "malformed",
    "unknown_conversation",
    "unknown_customer",
    "unknown_account",
    "expired",
    "cancelled",
    "braked",
    "capped",
    "unknown",
]
CODES: Final[tuple[Code, ...]] = get_args(Code)

Status = Literal["queued", "unknown", "sent", "delivered", "read", "failed", "cancelled", "expired"]
STATUSES: Final[tuple[Status, ...]] = get_args(Status)

# A status never goes backwards; failed is final for its attempt (docs/architecture.md, Sending).
TRANSITIONS: Final[Mapping[Status, frozenset[Status]]] = {
    "queued": frozenset({"unknown", "sent", "delivered", "read", "failed", "cancelled", "expired"}),
    "unknown": frozenset({"sent", "delivered", "read", "failed"}),
    "sent": frozenset({"delivered", "read", "failed"}),
    "delivered": frozenset({"read"}),
    "read": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
    "expired": frozenset(),
}


def advances(old: Status, new: Status) -> bool:
    """Whether a message in status `old` may take status `new`."""
    return new in TRANSITIONS[old]


class Failure(Model):
    """Why something did not happen. `code` is the one vocabulary of events, metrics and dead letters; `detail` is for people."""

    code: Code
    detail: Annotated[str, Field(max_length=2000), AfterValidator(on_one_line)] = (
        ""  # a provider's words, or a mail server's
    )
