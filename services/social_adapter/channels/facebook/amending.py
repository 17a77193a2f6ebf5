"""Changes of messages and comments, and of who has a thread, as calls of the Graph API.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sender-actions
https://developers.facebook.com/docs/graph-api/reference/comment
https://developers.facebook.com/documentation/business-messaging/messenger-platform/conversation-routing
"""

from __future__ import annotations

from typing import Any, Final, Protocol
from urllib.parse import quote

from shared.contract.channel import Amendment, DeletePiece, EditPiece, Http, MarkSeen, React, SendFailed, ThreadControl
from shared.contract.envelope import Text
from shared.dialects import meta

LIKE: Final = "👍"  # what a page can show at a comment


class Page(meta.Account, Protocol):
    @property
    def page_id(self) -> str: ...


def compose(account: Page, change: Amendment) -> Http:
    """The call to make. Raises SendFailed for what cannot be changed."""
    if change.surface != "comment":
        return meta.post(account, f"{account.page_id}/messages", {"recipient": {"id": change.to}, **_action(change)})
    comment = quote(change.external_id, safe="")
    match change:
        case EditPiece(part=Text(text=text), way="free_text"):
            return meta.post(account, comment, {"message": text})
        case DeletePiece(way="free_text"):
            return meta.delete(account, comment)
        case React(emoji=emoji, removed=removed, way="free_text"):
            likes = f"{comment}/likes"
            return meta.post(account, likes, {}) if emoji and not removed else meta.delete(account, likes)
    raise SendFailed("unsupported", f"{change.change}: not of a private answer, a picture or a comment's being read")


def _action(change: Amendment) -> dict[str, Any]:
    match change:
        case MarkSeen():
            return {"sender_action": "mark_seen"}
        case React(emoji=emoji, removed=removed) if emoji and not removed:
            return {"sender_action": "react", "payload": {"message_id": change.external_id, "reaction": emoji}}
        case React():
            return {"sender_action": "unreact", "payload": {"message_id": change.external_id}}
    raise SendFailed("unsupported", f"{change.change}: not in Messenger")


def control(account: Page, wanted: ThreadControl) -> Http:
    """The call to make, which Conversation Routing has kept of the Handover Protocol. Raises SendFailed for a pass to no app.

    https://developers.facebook.com/docs/messenger-platform/handover-protocol/pass-thread-control
    https://developers.facebook.com/docs/graph-api/reference/page/take_thread_control
    """
    content: dict[str, Any] = {"recipient": {"id": wanted.to}}
    if wanted.action == "pass":
        if not (wanted.target and wanted.target.isascii() and wanted.target.isdigit()):
            raise SendFailed("malformed", "to: name the app by its number (263902037430900 is the page's inbox)")
        content["target_app_id"] = wanted.target
    if wanted.note:
        content["metadata"] = wanted.note
    return meta.post(account, f"{account.page_id}/{wanted.action}_thread_control", content)
