"""A line of the transcript as the widget gets it, over REST and WebSocket alike."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from services.chat_adapter.webchat.attachments import shown_part
from services.chat_adapter.webchat.channel import App
from services.chat_adapter.webchat.transcript import Line
from shared.contract.envelope import utc

ABOUT: Final = ("client_id", "author", "change", "target", "edited", "deleted")


def shown_line(app: App, line: Line, now: datetime) -> dict[str, Any]:
    """{"position", "id", "client_id"?, "direction", "author"?, "at", "parts": […], "edited"?, "deleted"?}, addresses relative
    to /webchat/{app}/. With `change` (edit, delete, seen) it is no message, and says what of `target` has changed.
    """
    told: dict[str, Any] = {name: line.body[name] for name in ABOUT if name in line.body}
    return {
        "position": line.position,
        "id": line.id,
        "direction": line.direction,
        "at": utc(line.at),
        "parts": [shown_part(app, part, now) for part in line.body["parts"]],
        **told,
    }
