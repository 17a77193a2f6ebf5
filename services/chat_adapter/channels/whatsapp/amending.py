"""Reactions and read marks as messages of the Cloud API; what was sent stays as it is.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/reaction-messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/mark-message-as-read
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.outbound import recipient
from shared.contract.channel import Amendment, MarkSeen, React, SendFailed

TAKEN_FOR: Final = timedelta(days=30)


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
