"""An answer as it is written, in a person's own chat — https://learn.microsoft.com/en-us/microsoftteams/platform/bots/streaming-ux."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from services.chat_adapter.channels.teams.places import taken_apart
from shared.contract.channel import SendFailed

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stream:
    """`number`: of what was shown last, counted from 1; 0: it streams no more, and is changed as any message is."""

    place: str
    activity: str
    number: int

    @classmethod
    def of(cls, grown: str) -> Self:
        number, _, name = grown.partition(":")
        return cls(*taken_apart(name), int(number))

    @property
    def name(self) -> str:
        return f"{self.number}:{self.place}/{self.activity}"

    def so_far(self, text: str) -> Json:
        """What is shown next: all of it each time, which must begin as the one before."""
        begun = {"streamId": self.activity} if self.activity else {}
        told = {"type": "streaminfo", **begun, "streamType": "streaming", "streamSequence": self.number + 1}
        return {"type": "typing", "textFormat": "plain", "text": text, "entities": [told]}

    def whole(self, message: Json) -> Json:
        return {**message, "entities": [{"type": "streaminfo", "streamId": self.activity, "streamType": "final"}]}


def has_ended(failed: SendFailed) -> bool:
    """After two minutes, by its reader, or since the text does not begin as before; what was shown stays, and can be changed:
    …/bots/streaming-ux#error-codes.
    """
    return failed.detail.startswith("ContentStreamNotAllowed")


def was_stopped(failed: SendFailed) -> bool:
    """By its reader, who wants no more of it yet."""
    return has_ended(failed) and "cancel" in failed.detail
