"""Which conversation a message belongs to: rules 1–4 and 6 of threading, with the hijack guard over them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Final

from services.router.fold.facts import Conversation, Facts, RefKey
from services.router.fold.mails import is_forged
from services.router.fold.work import may_enter
from shared.contract.envelope import Envelope, derive, key
from shared.contract.thread_tokens import read_thread_token

NAME: Final = 998  # characters of an external id


def ref_key(envelope: Envelope, kind: str, external_id: str) -> RefKey:
    return RefKey(envelope.tenant, envelope.channel, envelope.account, kind, external_id)


def thread_ref(envelope: Envelope) -> RefKey | None:
    """The provider's name for the conversation: its thread key, within the group, post or peer."""
    if envelope.container is None and envelope.thread.thread_key is None:
        return None
    return thread_in(envelope, envelope.container or envelope.peer, envelope.thread.thread_key)


def thread_in(envelope: Envelope, place: str, thread: str | None) -> RefKey:
    """What the provider calls `thread` in this place: no two run into each other, however long their names are."""
    name = key(place, thread or "")
    return ref_key(envelope, "thread", name if len(name) <= NAME else str(derive("thread", place, thread)))


def mentioned(envelope: Envelope) -> Iterator[RefKey]:
    """The messages that it answers: first the direct reply, then references from newest to oldest, fifty at most."""
    if envelope.thread.reply_to:
        yield ref_key(envelope, "message", envelope.thread.reply_to)
    for name in envelope.thread.references[:-51:-1]:
        yield ref_key(envelope, "message", name)


def choose(facts: Facts, envelope: Envelope, customer: uuid.UUID | None) -> Conversation | None:
    """The conversation by the first rule that finds one whose participant this is; None: rule 6, a new one."""
    thread = thread_ref(envelope)
    for conversation in _candidates(facts, envelope, thread):
        if may_enter(facts, conversation, envelope) and takes_part(facts, conversation, envelope, customer):
            return conversation
    if thread is None and customer is not None and not is_forged(envelope):
        place = (customer, envelope.channel, envelope.account)
        closed = facts.closed_conversation(*place)
        return (
            closed if closed and may_enter(facts, closed, envelope) else facts.open_conversation(*place, envelope.peer)
        )
    return None


def named(facts: Facts, envelope: Envelope, customer: uuid.UUID | None = None) -> Conversation | None:
    """The first conversation of its tenant that a message names, or the customer's that was closed, whether or not it may enter it."""
    thread = thread_ref(envelope)
    found = _candidates(facts, envelope, thread)
    closed = customer and thread is None and facts.closed_conversation(customer, envelope.channel, envelope.account)
    return next((one for one in found if one.tenant == envelope.tenant), None) or closed or None


def is_strangers(facts: Facts, envelope: Envelope, conversation: Conversation, customer: uuid.UUID | None) -> bool:
    """A mail with our own valid token, from someone who does not take part: forwarded, or stolen."""
    token = envelope.thread.token
    by_token = token is not None and read_thread_token(token, facts.secret) == conversation.id
    return envelope.surface == "email" and by_token and not takes_part(facts, conversation, envelope, customer)


def _candidates(facts: Facts, envelope: Envelope, thread: RefKey | None) -> Iterator[Conversation]:
    token = envelope.thread.token
    names = [
        read_thread_token(token, facts.secret) if token else None,
        facts.ref(thread).conversation_id if thread else None,
        *(_conversation_of(facts, key) for key in mentioned(envelope)),
    ]
    for name in names:
        if name is not None and (conversation := facts.conversations.get(name)):
            yield conversation


def _conversation_of(facts: Facts, key: RefKey) -> uuid.UUID | None:
    ref = facts.ref(key)
    known = facts.known.get(ref.message_id) if ref.message_id else None
    return known.conversation_id if known else ref.conversation_id


def takes_part(facts: Facts, conversation: Conversation, envelope: Envelope, customer: uuid.UUID | None) -> bool:
    """The guard: nobody enters a conversation by quoting its id. In a group, whoever writes into the group takes part; of a
    mail conversation, so does whoever our answers go to; but nobody under a name that is not theirs.
    """
    if conversation.tenant != envelope.tenant:
        return False
    if is_forged(envelope):
        return False
    here = (envelope.channel, envelope.account, envelope.peer)
    if envelope.container is not None:
        by_name = here == (conversation.channel, conversation.account, conversation.peer)
        return by_name or is_in_container(facts, envelope, conversation)
    if envelope.surface == "email" and here == (conversation.channel, conversation.account, conversation.peer):
        return True
    return conversation.container is None and facts.person_of(conversation) == customer


def is_in_container(facts: Facts, envelope: Envelope, conversation: Conversation) -> bool:
    """Whether the group that a message came from is the conversation's, which may have had another name then."""
    thread = thread_ref(envelope)
    if envelope.container is None or thread is None:
        return False
    name = facts.ref(thread).conversation_id
    other = facts.conversations.get(name) if name else None
    return other is not None and other.peer_key == conversation.peer_key
