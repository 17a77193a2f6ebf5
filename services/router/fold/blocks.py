"""Who has stopped an account: a fact about the person at that address, told in their conversations, lifted when they write."""

from __future__ import annotations

import uuid
from datetime import datetime

from services.router.fold import identity
from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Conversation, Facts, PeerKey, Place
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Notice
from shared.contract.errors import Refusal
from shared.runtime.observe import UNTOLD


def note_block(facts: Facts, record: In, found: Envelope, part: Notice, customer: uuid.UUID | None) -> None:
    """Blocked, or not any more: what is older than what the person has done since says nothing."""
    conversations = facts.open_with(customer, found.channel, found.account) if customer else []
    since = found.occurred_at if part.type == "blocked" else None
    place = Place(customer, found.channel, found.account) if customer else None
    if is_overtaken(facts, found, part, conversations, place):
        UNTOLD.labels("older_notice").inc()
        return
    if place:
        facts.lift(place, found.occurred_at)
    if place and since:
        facts.blocked[place] = since
    for address in (found.sender.address, *found.sender.aliases):
        facts.blocks[PeerKey(found.tenant, found.channel, found.account, address)] = since
    sender = found.sender.model_dump(mode="json", exclude_none=True)
    news = [set_block(facts, record, conversation, since, sender) for conversation in conversations]
    if news and not any(news):
        UNTOLD.labels("known_notice").inc()
    if not conversations:
        data = {"participant": sender, "blocked": since is not None}
        tell_apart(facts, record, "conversation.participant", data, customer=customer)


def is_overtaken(
    facts: Facts, found: Envelope, part: Notice, conversations: list[Conversation], place: Place | None
) -> bool:
    """A block that stands before what they wrote, an end of a block that stands before the block."""
    if part.type == "blocked":
        return any(one.last_inbound_at and one.last_inbound_at > found.occurred_at for one in conversations)
    since = facts.blocked.get(place) if place else None
    return since is not None and found.occurred_at < since


def set_block(
    facts: Facts, record: In, conversation: Conversation, since: datetime | None, sender: dict[str, object]
) -> bool:
    """Told where it is news; whether it was."""
    news = (conversation.blocked_at is None) != (since is None)
    conversation.blocked_at, conversation.changed, conversation.moved = since, True, True
    if news:
        data = {"participant": sender, "blocked": since is not None}
        emit(facts, conversation, record, "conversation.participant", data)
    return news


def lift(facts: Facts, record: In, conversation: Conversation, found: Envelope) -> None:
    """Whoever writes has not stopped the account."""
    if conversation.container is not None:
        return
    ends = conversation.blocked_at is not None and found.occurred_at >= conversation.blocked_at
    if ends or any(one is conversation for one in facts.opened):
        names = (facts.person_of(conversation), *map(facts.customers.get, identity.names_of_person(found)))
        for customer in filter(None, names):
            facts.lift(Place(customer, found.channel, found.account), found.occurred_at)
    if ends:
        sender = found.sender.model_dump(mode="json", exclude_none=True)
        for one in facts.open_with(facts.person_of(conversation), found.channel, found.account):
            set_block(facts, record, one, None, sender)


def check_block(facts: Facts, conversation: Conversation) -> None:
    """Raises Refusal: the provider would refuse it."""
    place = Place(facts.person_of(conversation), conversation.channel, conversation.account)
    since = conversation.blocked_at or (facts.blocked.get(place) if conversation.container is None else None)
    if since is not None:
        raise Refusal("blocked", f"the person has stopped this account at {since.isoformat()}")
