"""What a page learns of its messages: delivered by ids and watermark, read by watermark alone.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/message-deliveries
"""

from __future__ import annotations

from typing import Any

from services.sandbox.chats import Chat
from services.sandbox.facebook.telling import Telling, milliseconds
from services.sandbox.faults import Control

Json = dict[str, Any]


class Receipts:
    """A watermark is the time of the newest message that it covers: Meta promises no more than "before or at"."""

    def __init__(self, telling: Telling, control: Control) -> None:
        self._telling, self._control = telling, control

    def delivered(self, chat: Chat, mid: str) -> None:
        chat.show({**chat.views[mid], "status": "delivered"})
        if self._control.faults.meta.receipts != "backwards":
            self._tell_delivered(chat, [chat.views[mid]])

    def read(self, chat: Chat, views: list[Json]) -> None:
        """Backwards: reading is told before the delivery that was held back."""
        if not views:
            return
        newest = max(view["sent_at"] for view in views)
        self._telling.from_person(
            chat.account, chat.user, "message_reads", timestamp=milliseconds(), read={"watermark": newest}
        )
        if self._control.faults.meta.receipts == "backwards":
            self._tell_delivered(chat, views)

    def _tell_delivered(self, chat: Chat, views: list[Json]) -> None:
        told = {"mids": [view["id"] for view in views], "watermark": max(view["sent_at"] for view in views)}
        self._telling.from_person(chat.account, chat.user, "message_deliveries", delivery=told)
