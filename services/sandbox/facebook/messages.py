"""The Send API of a page — https://developers.facebook.com/docs/graph-api/reference/page/messages."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from services.sandbox.bodies import Upload, read_object
from services.sandbox.chats import Chat, Chats
from services.sandbox.facebook import content, windows
from services.sandbox.facebook.pages import Page
from services.sandbox.facebook.posts import Posts
from services.sandbox.facebook.receipts import Receipts
from services.sandbox.facebook.telling import Telling, milliseconds
from services.sandbox.faults import Control
from services.sandbox.files import Files
from services.sandbox.graph import Call, GraphError, invalid
from services.sandbox.graph.links import Links
from services.sandbox.pace import Pace

Json = dict[str, Any]
ACTIONS: Final = frozenset({"typing_on", "typing_off", "mark_seen", "react", "unreact"})
ASSET_BYTES: Final = 25 * 1024 * 1024


class Messages:
    """Checks a call as Meta does, shows what is sent on the phone, and tells of it: the echo, then the delivery."""

    def __init__(
        self,
        *,
        chats: Chats,
        files: Files,
        links: Links,
        posts: Posts,
        telling: Telling,
        receipts: Receipts,
        control: Control,
    ) -> None:
        self._chats, self._files, self._links, self._posts = chats, files, links, posts
        self._telling, self._receipts, self._control = telling, receipts, control
        self._pace = Pace()

    def upload(self, page: Page, call: Call) -> Json:
        """https://developers.facebook.com/docs/messenger-platform/reference/attachment-upload-api."""
        attachment = _object(call.values, "message").get("attachment")
        kind = attachment.get("type") if isinstance(attachment, dict) else None
        if kind not in content.ASSETS:
            raise invalid("Param message[attachment][type] must be one of audio, file, image, video")
        file = call.values.get("filedata")
        if not isinstance(file, Upload):
            raise GraphError(100, "Upload attachment failure.", subcode=2018047)
        if len(file.data) > ASSET_BYTES:
            raise GraphError(100, "Attachment size exceeds allowable limit", subcode=2018109)
        number = str(10**15 + secrets.randbelow(9 * 10**15))
        kept = self._files.keep(file.data, owner=page.id, mime_type=file.mime_type, name=file.name, file_id=number)
        return {"attachment_id": kept.id}

    async def send(self, page: Page, call: Call) -> Json:
        chat, comment = self._recipient(page, _object(call.values, "recipient"))
        if (action := call.values.get("sender_action")) is not None:
            return self._act(chat, action, call.values)
        kind, tag = call.values.get("messaging_type", "RESPONSE"), call.values.get("tag")
        message = _object(call.values, "message")
        windows.check_type(kind, tag, template="template" in message)
        view = content.checked(message, self._files, page=page.id)
        if "template" in view and comment is not None:
            raise invalid("A private reply is not made from a template")
        if "template" not in view and comment is None:
            standard = self._control.faults.meta.window_hours * 3600
            windows.check_window(last=chat.about.get("wrote_at"), now=time.time(), tag=tag, standard=standard)
        view |= self._answered(chat, call.values.get("reply_to"))
        self._take_turn(page)
        return await self._sent(page, chat, view, message.get("metadata"), comment)

    def hand_over(self, page: Page, call: Call) -> Json:
        """Only one app answers here, so the thread stays where it is.

        https://developers.facebook.com/docs/messenger-platform/handover-protocol/pass-thread-control
        """
        self._recipient(page, _object(call.values, "recipient"))
        if call.edge.startswith("pass_") and not str(call.values.get("target_app_id", "")).isdigit():
            raise invalid("Param target_app_id must be the number of an app")
        return {"success": True}

    def _recipient(self, page: Page, recipient: Json) -> tuple[Chat, str | None]:
        """Whose phone it is, and the comment or post that is answered in private. Raises GraphError."""
        if name := recipient.get("comment_id") or recipient.get("post_id"):
            user = self._posts.answerable(page.id, name)
            chat = self._chats.meet(page.id, user)
            return self._reached(chat), name
        chat_or_none = self._chats.get(page.id, str(recipient.get("id")))
        if chat_or_none is None:
            raise GraphError(100, "No matching user found", subcode=2018001)
        return self._reached(chat_or_none), None

    def _reached(self, chat: Chat) -> Chat:
        if chat.blocked:
            raise GraphError(551, "This person isn't available right now.", subcode=1545041)
        return chat

    def _act(self, chat: Chat, action: object, values: Json) -> Json:
        if action not in ACTIONS:
            raise invalid(f"Param sender_action must be one of {{{', '.join(sorted(ACTIONS))}}}")
        if action == "typing_on":
            chat.types()
        if action in {"react", "unreact"}:
            payload = _object(values, "payload")
            view = chat.views.get(str(payload.get("message_id")))
            if view is None:
                raise invalid("Param payload[message_id] must be a message of this conversation")
            chat.show({**view, "reaction": payload.get("reaction") if action == "react" else None})
        return {"recipient_id": chat.user}

    def _answered(self, chat: Chat, reply_to: object) -> Json:
        if reply_to is None:
            return {}
        mid = reply_to.get("mid") if isinstance(reply_to, dict) else None
        if mid not in chat.views:
            raise invalid("Param reply_to[mid] must be a message of this conversation")
        return {"reply_to": mid}

    def _take_turn(self, page: Page) -> None:
        limits = self._control.faults.meta.limits
        if wait := self._pace.take(page.id, rate=limits.per_second, burst=limits.burst):
            raise GraphError(613, "Calls to this api have exceeded the rate limit.", retry_after=wait)

    async def _sent(self, page: Page, chat: Chat, view: Json, metadata: str | None, comment: str | None) -> Json:
        at = milliseconds()
        mid = f"m_{secrets.token_urlsafe(24)}"
        chat.show({**view, "id": mid, "direction": "in", "status": "sent", "sent_at": at})
        words = view.get("text")
        about = {"page": page.id, "user": chat.user, "mid": mid, "text": words, "at": at / 1000}
        self._control.accepted({"provider": "facebook", **about})
        if comment is not None:
            self._posts.answered_in_private(comment, words or view["media"]["name"])
        self._echo(page, chat, mid, metadata)
        self._receipts.delivered(chat, mid)
        await self._telling.settled()
        return {"recipient_id": chat.user, "message_id": mid}

    def _echo(self, page: Page, chat: Chat, mid: str, metadata: str | None) -> None:
        view = chat.views[mid]
        file = self._files.get(view["media"]["id"]) if "media" in view else None
        url = self._links.at(page.base, file) if file else None
        app = self._telling.app_of(page.id)
        message = {
            "mid": mid,
            "is_echo": True,
            **({"app_id": int(app) if app.isdecimal() else app} if app else {}),
            **({"metadata": metadata} if metadata else {}),
            **content.echoed(view, url=url, file=file),
            **({"reply_to": {"mid": view["reply_to"]}} if "reply_to" in view else {}),
        }
        self._telling.echo(page.id, chat.user, at=view["sent_at"], message=message)


def _object(values: Json, name: str) -> Json:
    """Raises GraphError."""
    value = read_object(values.get(name))
    if value is None:
        raise invalid(f"The parameter {name} is required and must be an object")
    return value
