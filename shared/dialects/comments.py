"""What stands beneath a post, for everybody to read: one conversation, whoever writes there."""

from __future__ import annotations

from typing import Any

from shared.contract.envelope import Surface, Thread


def under(first: str, answered: str | None = None, *, surface: Surface = "comment") -> dict[str, Any]:
    """Where a message (Message) stands that is `first`, or beneath it; and which it answers."""
    thread = Thread(thread_key=first, reply_to=answered)
    return {"peer": first, "surface": surface, "container": first, "thread": thread}
