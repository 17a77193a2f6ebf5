"""Reactions and read marks as messages of the Cloud API; what was sent stays as it is.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/reaction-messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/mark-message-as-read
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.outbound import recipient
from shared.contract.channel import Amendment, MarkSeen, React, SendFailed, ThreadControl

TAKEN_FOR: Final = timedelta(days=30)
AGENT: Final = "ai_agent"  # Meta Business Agent; a pass that names nobody is to the escalation partner


def compose(change: Amendment) -> dict[str, Any]:
    """The body of POST /{phone_number_id}/messages. Raises SendFailed for what cannot be changed."""
    match change:
        case React(ours=False, emoji=emoji, removed=removed):  # one at a time; an empty one takes it back
            reaction = {"message_id": change.external_id, "emoji": "" if removed else emoji or ""}
            return {"messaging_product": "whatsapp", **recipient(change.to), "type": "reaction", "reaction": reaction}
        case MarkSeen():
            return {"messaging_product": "whatsapp", "status": "read", "message_id": change.external_id}
    raise SendFailed(
        "unsupported", f"{change.change}: WhatsApp shows reactions at customers' messages, and that they are read"
    )


def control(wanted: ThreadControl) -> dict[str, Any]:
    """The body of POST /{phone_number_id}/thread_control. Raises SendFailed for what cannot be asked.

    https://developers.facebook.com/documentation/meta-business-agent/reference/operate/thread-control-cloud-api
    """
    if wanted.target not in {None, AGENT}:
        raise SendFailed("unsupported", f"to: {AGENT}, or nobody: that is the escalation partner")
    person = recipient(wanted.to)
    if person.pop("recipient_type") == "group":
        raise SendFailed("unsupported", "a group has no thread that is somebody's")
    note = {"metadata": wanted.note} if wanted.note else {}
    whom = {"control_pass": {"target_role": AGENT}} if wanted.target else {}
    return {"messaging_product": "whatsapp", **person, "action": wanted.action, **note, **whom}
