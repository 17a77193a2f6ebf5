"""What people do on their phones, as events of Messenger.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

from __future__ import annotations

import re
import secrets
import time
from typing import Any, Final

from services.sandbox.chats import Chat, Chats
from services.sandbox.facebook.pages import Pages
from services.sandbox.facebook.receipts import Receipts
from services.sandbox.facebook.telling import Telling, milliseconds
from services.sandbox.files import Files
from services.sandbox.graph.links import Links
from services.sandbox.refusals import Refused

Json = dict[str, Any]
PERSON: Final = re.compile(r"[1-9]\d{3,19}")
STICKER: Final = 369239263222822
EDITS: Final = 5  # "The user cannot edit a message more than five times": webhook-events/message-edits
REACTIONS: Final = {
    "😆": "smile",
    "😠": "angry",
    "😢": "sad",
    "😮": "wow",
    "❤️": "love",
    "❤": "love",
    "👍": "like",
    "👎": "dislike",
}


class People:
    """The Provider of `services.sandbox.phones` for Messenger."""

    channel = "facebook"

    def __init__(
        self, *, pages: Pages, chats: Chats, files: Files, links: Links, telling: Telling, receipts: Receipts
    ) -> None:
        self._pages, self._chats, self._files, self._links = pages, chats, files, links
        self._telling, self._receipts = telling, receipts

    def accounts(self) -> list[Json]:
        return [{"id": page.id, "name": page.name} for page in self._pages]

    def meet(self, account: str, user: str) -> None:
        if self._pages.get(account) is None:
            raise Refused(404, f"no page {account} is subscribed yet; start the adapter that has its token")
        if not PERSON.fullmatch(user):
            raise Refused(400, "a person's page-scoped id is a number of 4 to 20 digits")

    def new_id(self, chat: Chat) -> str:
        return f"m_{secrets.token_urlsafe(24)}"

    def said(self, chat: Chat, view: Json) -> None:
        if "pressed" in view and chat.view(view["reply_to"]).get("style") == "buttons":
            postback = {"mid": view["id"], "title": view["text"], "payload": view["pressed"]}
            self._tell(chat, "messaging_postbacks", postback=postback)
        else:
            self._tell(chat, "messages", message={"mid": view["id"], **self._message(chat, view)})
        self._opens_window(chat)

    def _message(self, chat: Chat, view: Json) -> Json:
        if "contact" in view:
            raise Refused(400, "Messenger sends no contact cards; write the number")
        text = view.get("text") or view.get("caption")
        quick = "pressed" in view
        return {
            **({"text": text} if text else {}),
            **({"quick_reply": {"payload": view["pressed"]}} if quick else {}),
            **({"reply_to": {"mid": view["reply_to"]}} if "reply_to" in view and not quick else {}),
            **({"attachments": attachments} if (attachments := self._attachments(chat, view)) else {}),
        }

    def _attachments(self, chat: Chat, view: Json) -> list[Json]:
        if "location" in view:
            place = view["location"]
            point = {"lat": place["latitude"], "long": place["longitude"]}
            return [
                {"type": "location", "title": place.get("name") or "Pinned Location", "payload": {"coordinates": point}}
            ]
        if "media" not in view:
            return []
        kind, file, page = view["media"]["kind"], self._files.get(view["media"]["id"]), self._pages.get(chat.account)
        if file is None or page is None:
            raise Refused(404, "no such file")
        by_kind: Json = {"sticker": {"sticker_id": STICKER}, "file": {"name": file.name}}
        named = by_kind.get(kind, {})
        return [{"type": kind, "payload": {"url": self._links.at(page.base, file), **named}}]

    def edited(self, chat: Chat, view: Json) -> None:
        if "text" not in view:
            raise Refused(400, "only a text can be edited")
        count = chat.views[view["id"]].get("edits", 0) + 1
        if count > EDITS:
            raise Refused(400, f"a message can be edited {EDITS} times")
        view["edits"] = count
        self._tell(chat, "message_edits", message_edit={"mid": view["id"], "text": view["text"], "num_edit": count})

    def removed(self, chat: Chat, view: Json) -> None:
        self._tell(chat, "messages", message={"mid": view["id"], "is_deleted": True})

    def reacted(self, chat: Chat, view: Json, emoji: str | None) -> None:
        """Taking back is told with the emoji that it was."""
        before = view.get("reactions", {}).get("person")
        shown = emoji or before
        if shown is None:
            raise Refused(400, "there is no reaction to take back")
        about = {"reaction": REACTIONS.get(shown, "other"), "emoji": shown, "mid": view["id"]}
        self._tell(chat, "message_reactions", reaction={**about, "action": "react" if emoji else "unreact"})
        self._opens_window(chat)

    def blocked(self, chat: Chat, *, blocked: bool) -> None:
        """Meta tells nobody: the next send is refused."""

    def read(self, chat: Chat, views: list[Json]) -> None:
        self._receipts.read(chat, views)

    def _tell(self, chat: Chat, field: str, **event: Any) -> None:
        self._telling.from_person(chat.account, chat.user, field, timestamp=milliseconds(), **event)

    def _opens_window(self, chat: Chat) -> None:
        chat.remember(wrote_at=time.time())
