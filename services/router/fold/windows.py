"""What allows a message to be sent now: the window of the customer's last one, or how the channel lets one begin."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from services.router.fold.facts import Conversation, Facts, RefKey
from services.router.fold.statuses import ENDS
from shared.contract.channel import Capabilities
from shared.contract.envelope import Way, Window, utc
from shared.contract.errors import Refusal
from shared.contract.requests import Reply, Send

UNKNOWN: Final = Capabilities(text=0)  # of an account that has not told what it can: the adapter will judge
OPEN: Final = Window()
BEGINS: Final[Mapping[str, tuple[Way, ...]]] = {"free_text": ("free_text",), "template": ("template",), "nothing": ()}


def able_in(facts: Facts, conversation: Conversation) -> Capabilities:
    """What the account of a conversation says that it can."""
    return facts.capabilities.get((conversation.tenant, conversation.channel, conversation.account), UNKNOWN)


def opening_window(able: Capabilities) -> Window:
    """Of someone who has not written yet: what the channel lets one begin with, for ever."""
    return Window(allows=BEGINS[able.starts])


def note_window(conversation: Conversation, window: Window) -> None:
    """What may be sent from now on; where nothing was ever limited, nothing is written down."""
    if conversation.window or window != OPEN:
        conversation.window = window.model_dump(mode="json", exclude_none=True)
        conversation.moved = True


def way_of(facts: Facts, conversation: Conversation, asked: Reply | Send, able: Capabilities) -> Way:
    """By the window of the customer's last message, or as the channel lets one begin."""
    template = all(part.kind == "template" for part in asked.parts)
    if conversation.last_inbound_at is None and able.starts != "free_text":
        return starting_way(able, template=template)
    window = Window.model_validate(conversation.window)
    if window.until is None or window.until > facts.now:
        return "template" if template else "free_text"
    if template and "template" in window.allows:
        return "template"
    if window.human_agent_until is None or window.human_agent_until <= facts.now:
        raise Refusal("window_closed", f"the window to write freely closed at {utc(window.until)}")
    if not asked.by_person:
        until = utc(window.human_agent_until)
        raise Refusal(
            "window_closed",
            f"only a person may answer, until {until}: name the author, or say that it is not automatic",
        )
    return "human_agent"


def starting_way(able: Capabilities, *, template: bool) -> Way:
    if able.starts == "nothing":
        raise Refusal("window_closed", "on this channel the customer must write first")
    if not template:
        raise Refusal("template_required", "who has not written yet can only be sent a template")
    return "template"


def private_way(facts: Facts, conversation: Conversation, able: Capabilities) -> Way:
    """A public comment, answered so that only its writer reads it."""
    if conversation.surface != "comment" or (able is not UNKNOWN and not able.private_reply):
        raise Refusal("unsupported", "private: only public comments are answered in private, where the channel can")
    window = Window.model_validate(conversation.window)
    if window.private_until is not None and window.private_until <= facts.now:
        raise Refusal("window_closed", f"a private answer was possible until {utc(window.private_until)}")
    return "private"


def answered_ref(conversation: Conversation, comment: str) -> RefKey:
    """Where the private answer to a public comment stands, by what the provider calls the comment."""
    return RefKey(conversation.tenant, conversation.channel, conversation.account, "answered", comment)


def check_first_private(facts: Facts, conversation: Conversation, comment: str) -> None:
    """One private answer per comment, ever; one that did not go out is none.

    Source: Private Replies, https://developers.facebook.com/documentation/business-messaging/messenger-platform.
    """
    earlier = facts.refs.get(answered_ref(conversation, comment))
    sending = facts.sendings.get(earlier.message_id) if earlier and earlier.message_id else None
    if sending is not None and sending.status not in ENDS:
        raise Refusal(
            "refused", "this comment has had its one private answer; answer in public, or where its writer writes"
        )


def note_private(facts: Facts, conversation: Conversation, comment: str, message: uuid.UUID) -> None:
    """From now on this is the comment's private answer."""
    ref = facts.ref(answered_ref(conversation, comment))
    ref.message_id, ref.changed = message, True
