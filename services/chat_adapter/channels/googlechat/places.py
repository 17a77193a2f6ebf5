"""Where something was said in Google Chat — https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.

A person's own chat with the app is theirs (`users/…`), the space behind it another address of theirs. A space of several people
is one, by its threads. What one person alone sees within such a space has a place of its own, `spaces/…/users/…`.
"""

from __future__ import annotations

import re
from typing import Any, Final

Json = dict[str, Any]

SPACE: Final = re.compile(r"spaces/[\w-]{1,200}")
MESSAGE: Final = re.compile(r"spaces/[\w-]{1,200}/messages/[\w.-]{1,400}")
USERS: Final = "/users/"


def is_own(space: Json) -> bool:
    """One person's chat with the app; two people's chat is none."""
    return bool(space.get("singleUserBotDm")) or space.get("type") == "DM"


def is_flat(space: Json) -> bool:
    """Without threads: …/spaces#SpaceThreadingState."""
    return space.get("spaceThreadingState") == "UNTHREADED_MESSAGES" or space.get("spaceType") == "GROUP_CHAT"


def only(space: str, user: str) -> str:
    """What nobody in the space but this person sees."""
    return f"{space}/{user}"


def split(place: str) -> tuple[str | None, str | None]:
    """The space that a place is or is in, None of a person; and who alone sees what goes there, if anybody."""
    if not place.startswith("spaces/"):
        return None, None
    space, _, user = place.partition(USERS)
    return space, f"users/{user}" if user else None


def thread_in(space: str, thread_key: str | None) -> str | None:
    """The thread, where it is one of this space."""
    return thread_key if thread_key and thread_key.startswith(f"{space}/threads/") else None
