"""What Teams calls reactions — https://learn.microsoft.com/en-us/microsoftteams/platform/bots/how-to/conversations/subscribe-to-conversation-events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

EMOJI: Final[Mapping[str, str]] = {
    "like": "👍",
    "heart": "❤️",
    "laugh": "😆",
    "surprised": "😮",
    "sad": "😢",
    "angry": "😠",
}
TYPES: Final = {emoji: kind for kind, emoji in EMOJI.items()}
CODED: Final = re.compile(r"([0-9a-f]{4,5}(?:-[0-9a-f]{4,5}){0,7})_")  # 1f44b_wavinghand: any other, by its code points


def emoji_of(kind: str) -> str:
    """The emoji; what is not known stays as Teams calls it."""
    if coded := CODED.match(kind):
        return "".join(chr(int(point, 16)) for point in coded[1].split("-"))
    return EMOJI.get(kind, kind[:100])
