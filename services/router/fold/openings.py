"""A conversation begins: its id follows from its first message, or was promised when its chat got another name."""

from __future__ import annotations

from services.router.fold import identity
from services.router.fold.events import announce_opening
from services.router.fold.facts import Conversation, Facts
from services.router.fold.mails import answered_at
from services.router.fold.participants import introduce
from services.router.fold.threads import thread_ref
from services.router.fold.windows import able_in, note_window, opening_window
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, derive


def open_conversation(facts: Facts, record: In, found: Envelope, linked: Conversation | None = None) -> Conversation:
    """Rule 6. `linked`: the one that the message names but may not enter."""
    home = identity.home(facts, identity.of_envelope(found))
    thread = thread_ref(found)
    ref = facts.ref(thread) if thread else None
    promised = ref.conversation_id if ref and ref.conversation_id not in facts.conversations else None
    called = next((item["called"] for item in ref.pending if "called" in item), None) if ref else None
    conversation = facts.add(
        Conversation(
            id=promised or derive("conversation", found.id),
            tenant=found.tenant,
            customer_id=home or derive("customer", found.tenant, found.channel, found.account, found.peer),
            channel=found.channel,
            account=found.account,
            peer=called or answered_at(found),
            container=called or found.container,
            thread_key=found.thread.thread_key,
            opened_at=facts.now,
            last_at=found.received_at,
            surface=found.surface,
            subject=found.thread.subject,
            name=found.sender.name,
        )
    )
    if ref:
        ref.conversation_id, ref.changed = conversation.id, True
    window = found.window or opening_window(able_in(facts, conversation))
    note_window(conversation, window)
    announce_opening(facts, record, conversation, window, linked.id if linked else None)
    introduce(facts, record, conversation, identity.of_envelope(found))
    return conversation
