"""What people do on WhatsApp, in Meta's words — https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from typing import Any, Final

from services.sandbox.chats import Chat
from services.sandbox.files import File

Json = dict[str, Any]
PHONE: Final = re.compile(r"[1-9]\d{7,14}")
USER_ID: Final = re.compile(r"[A-Z]{2}\.[A-Za-z0-9]{1,128}")
SHOWN: Final = {  # what is shown as such; the rest comes as a document
    "image": frozenset({"image/jpeg", "image/png"}),
    "video": frozenset({"video/mp4", "video/3gpp"}),
    "audio": frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}),
    "sticker": frozenset({"image/webp"}),
}


def wamid() -> str:
    return "wamid." + base64.urlsafe_b64encode(b"\x1c\x18" + secrets.token_bytes(24)).decode()


def user_id(person: str) -> str:
    """The person's id with the business: their own name where it is one, else one that follows from their number."""
    if USER_ID.fullmatch(person):
        return person
    return f"KH.{10**15 + int(hashlib.sha256(person.encode()).hexdigest()[:12], 16)}"


def names(chat: Chat) -> Json:
    """How a message names who wrote it: someone whose name is no number withholds it."""
    phone = {"from": chat.user} if PHONE.fullmatch(chat.user) else {}
    return {**phone, "from_user_id": user_id(chat.user)}


def contact(chat: Chat) -> Json:
    phone = {"wa_id": chat.user} if PHONE.fullmatch(chat.user) else {}
    username = {} if phone else {"username": f"@{chat.user.partition('.')[2].lower()}"}
    return {"profile": {"name": chat.name, **username}, **phone, "user_id": user_id(chat.user)}


def message(
    chat: Chat, *, kind: str, content: Json | list[Json] | None, name: str = "", context: Json | None = None
) -> Json:
    """One of `messages`. A change of an earlier message has a name of its own."""
    told: Json = {**names(chat), "id": name or wamid(), "timestamp": str(int(time.time())), "type": kind}
    if content is not None:
        told[kind] = content
    return {**told, "context": context} if context else told


def said(chat: Chat, view: Json, *, business: str, file: File | None, sha256: str = "") -> Json:
    """A view that the person made."""
    context = {"from": business, "id": view["reply_to"]} if "reply_to" in view else None
    kind, content = _content(chat, view, file, sha256)
    return message(chat, kind=kind, content=content, name=view["id"], context=context)


def edited(chat: Chat, view: Json, *, file: File | None, sha256: str = "") -> Json:
    kind, content = _content(chat, view, file, sha256)
    inner = {"context": {"id": "M0"}, "type": kind, kind: content}
    return message(chat, kind="edit", content={"original_message_id": view["id"], "message": inner})


def removed(chat: Chat, view: Json) -> Json:
    return message(chat, kind="revoke", content={"original_message_id": view["id"]})


def reacted(chat: Chat, view: Json, emoji: str | None) -> Json:
    return message(chat, kind="reaction", content={"message_id": view["id"], **({"emoji": emoji} if emoji else {})})


def status(chat: Chat, view: Json, state: str, *, error: Json | None = None) -> Json:
    """One of `statuses` of a message that the business sent."""
    phone = {"recipient_id": chat.user} if PHONE.fullmatch(chat.user) else {"recipient_user_id": chat.user}
    told: Json = {"id": view["id"], "status": state, "timestamp": str(int(time.time())), **phone}
    if "callback_data" in view:
        told["biz_opaque_callback_data"] = view["callback_data"]
    if error:
        return {**told, "errors": [error]}
    if state == "sent":
        told["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "service"}
    return told


UNDELIVERABLE: Final[Json] = {
    "code": 131026,
    "title": "Message undeliverable",
    "message": "Message undeliverable",
    "error_data": {"details": "Message Undeliverable."},
    "href": "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes",
}


def _content(chat: Chat, view: Json, file: File | None, sha256: str) -> tuple[str, Json | list[Json]]:
    if file is not None:
        return _media(view, file, sha256)
    if "location" in view:
        return "location", view["location"]
    if "contact" in view:
        return "contacts", [_card(view["contact"])]
    if "pressed" in view:
        return _pressed(chat, view)
    return "text", {"body": view["text"]}


def _media(view: Json, file: File, sha256: str) -> tuple[str, Json]:
    kind = view["media"]["kind"] if file.mime_type in SHOWN.get(view["media"]["kind"], ()) else "document"
    codec = "; codecs=opus" if file.mime_type == "audio/ogg" else ""
    content: Json = {"id": file.id, "mime_type": file.mime_type + codec, "sha256": sha256}
    if kind == "audio":
        content["voice"] = bool(codec)
    if kind == "document":
        content["filename"] = file.name
    return kind, {**content, **({"caption": view["caption"]} if "caption" in view else {})}


def _card(card: Json) -> Json:
    told: Json = {"name": {"formatted_name": card["name"], "first_name": card["name"]}}
    if "phone" in card:
        told["phones"] = [{"phone": card["phone"], "type": "MOBILE"}]
    if "email" in card:
        told["emails"] = [{"email": card["email"]}]
    return told


def _pressed(chat: Chat, view: Json) -> tuple[str, Json]:
    """A template's quick reply is a `button`; what was offered as a list answers as such."""
    question = chat.view(view["reply_to"])
    chosen = {"id": view["pressed"], "title": view["text"]}
    if "template" in question:
        return "button", {"payload": view["pressed"], "text": view["text"]}
    kind = "list_reply" if question.get("list") else "button_reply"
    return "interactive", {"type": kind, kind: chosen}
