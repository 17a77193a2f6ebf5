"""What is done to a message or a thread of the Messenger Platform, as calls of the Graph API. `node`: the page, or the Instagram account.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/send-messages/sender-actions
https://developers.facebook.com/documentation/business-messaging/messenger-platform/conversation-routing
"""

from __future__ import annotations

from typing import Any

from shared.contract.channel import Amendment, Http, MarkSeen, React, SendFailed, ThreadControl
from shared.dialects import meta


def amend(account: meta.Account, node: str, change: Amendment) -> Http:
    """The call to make. Raises SendFailed for what cannot be changed."""
    return meta.post(account, f"{node}/messages", {"recipient": {"id": change.to}, **_action(change)})


def _action(change: Amendment) -> dict[str, Any]:
    match change:
        case MarkSeen():
            return {"sender_action": "mark_seen"}
        case React(emoji=emoji, removed=removed) if emoji and not removed:
            return {"sender_action": "react", "payload": {"message_id": change.external_id, "reaction": emoji}}
        case React():
            return {"sender_action": "unreact", "payload": {"message_id": change.external_id}}
    raise SendFailed("unsupported", f"{change.change}: not in a private chat")


def typing(account: meta.Account, node: str, person: str) -> Http:
    return meta.post(account, f"{node}/messages", {"recipient": {"id": person}, "sender_action": "typing_on"})


def control(account: meta.Account, node: str, wanted: ThreadControl) -> Http:
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
    return meta.post(account, f"{node}/{wanted.action}_thread_control", content)
