"""What a provider tells of a chat is nobody's message: facts are kept, everything is told, no conversation opens."""

from __future__ import annotations

from typing import Any

from services.router.fold import identity
from services.router.fold.blocks import note_block
from services.router.fold.consents import note_notice, note_wish
from services.router.fold.events import emit, inbound_trail, tell_apart
from services.router.fold.facts import Facts
from services.router.fold.mails import is_mail
from services.router.fold.moves import note_move
from services.router.fold.responders import note_responder
from services.router.fold.threads import choose, named
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Notice
from shared.runtime.observe import UNTOLD


def notice(facts: Facts, record: In, found: Envelope) -> None:
    """In the conversation that there is; else without one."""
    part = found.parts[0]
    assert isinstance(part, Notice)
    if is_mail(found):
        report(facts, record, found, part)
        return
    customer = identity.of_person(facts, found)
    if part.type in {"blocked", "unblocked"}:
        note_block(facts, record, found, part, customer)
        return
    if part.type in {"opted_out", "opted_in"}:
        note_notice(facts, record, found, part)
    if part.type == "moved" and part.to and part.to != found.peer:
        conversations = note_move(facts, record, found, part)
    else:
        conversation = choose(facts, found, customer)
        conversations = [conversation] if conversation else []
    for conversation in conversations:
        if part.type == "responder":
            if not note_responder(facts, record, conversation, part.to, found.occurred_at):
                UNTOLD.labels("known_notice").inc()
        else:
            emit(
                facts,
                conversation,
                record,
                "conversation.notice",
                told(found, part),
                trail=inbound_trail(record, found),
            )
    if not conversations:
        trail = inbound_trail(record, found)
        tell_apart(facts, record, "conversation.notice", told(found, part), customer=customer, trail=trail)


def report(facts: Facts, record: In, found: Envelope, part: Notice) -> None:
    """A mail that a server wrote about a mail: told where that one stands, whoever brought it; else without a conversation.

    What its writer may say of a person is said of whoever has the mail of ours that it names, not of an address in it.
    """
    conversation, trail = named(facts, found), inbound_trail(record, found)
    if conversation is None:
        tell_apart(facts, record, "conversation.notice", told(found, part), trail=trail)
        return
    if part.type in {"opted_out", "opted_in"}:
        note_wish(facts, record, found, part, conversation.customer_id)
    emit(facts, conversation, record, "conversation.notice", told(found, part), trail=trail)


def told(found: Envelope, part: Notice) -> dict[str, Any]:
    return {
        "channel": found.channel,
        "account": found.account,
        "peer": found.peer,
        "sender": found.sender.model_dump(mode="json", exclude_none=True),
        "notice": part.model_dump(mode="json", exclude_none=True),
        **({"assessment": found.assessment.model_dump(mode="json", exclude_none=True)} if is_mail(found) else {}),
        **({"context": found.context.model_dump(mode="json", exclude_none=True)} if found.context else {}),
    }
