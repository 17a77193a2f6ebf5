"""A chat that is called otherwise from now on: a group that became a supergroup, a person with another number."""

from __future__ import annotations

from collections.abc import Iterable

from services.router.fold import identity
from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts, PeerKey, Ref, RefKey
from services.router.fold.threads import thread_in
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, Notice, derive
from shared.runtime.observe import UNTOLD


def names_of(found: Envelope, part: Notice, topics: Iterable[str | None] = (None,)) -> list[RefKey]:
    """The threads of the group under both of its names."""
    return [thread_in(found, name, topic) for topic in topics for name in (found.peer, part.to or found.peer)]


def note_move(facts: Facts, record: In, found: Envelope, part: Notice) -> list[Conversation]:
    """The conversations that it is about, under their new name; one that began under that name goes on in the older one."""
    to = part.to or found.peer
    if found.container is None:
        return move_person(facts, record, found, to)
    here = [facts.with_peer(PeerKey(found.tenant, found.channel, found.account, name)) for name in (found.peer, to)]
    topics = {None, *(one.thread_key for ones in here for one in ones if one.container)}
    moved = [move_thread(facts, record, found, to, topic) for topic in sorted(topics, key=str)]
    return [conversation for conversation in moved if conversation]


def move_thread(facts: Facts, record: In, found: Envelope, to: str, topic: str | None) -> Conversation | None:
    """One topic of the group. Both names lead to one conversation, which may have no message yet: then to its promised id."""
    before, after = (facts.ref(thread_in(found, name, topic)) for name in (found.peer, to))
    if before.conversation_id is not None and before.conversation_id == after.conversation_id:
        UNTOLD.labels("known_notice").inc()
        return None
    old, new = conversation_at(facts, before), conversation_at(facts, after)
    stays = old or new
    if old and new:
        stays = go_on_in_one(facts, record, old, new)
    name = stays.id if stays else before.conversation_id or derive("conversation", found.id, topic)
    for ref in (before, after):
        ref.conversation_id, ref.pending, ref.changed = name, [{"called": to}], True
    for conversation in {one.id: one for one in (old, new) if one}.values():
        conversation.container = to
        facts.move(conversation, to)
    return stays


def conversation_at(facts: Facts, ref: Ref) -> Conversation | None:
    return facts.conversations.get(ref.conversation_id) if ref.conversation_id else None


def go_on_in_one(facts: Facts, record: In, one: Conversation, other: Conversation) -> Conversation:
    """The older stays; the other says where it goes on."""
    older, newer = sorted((one, other), key=lambda each: (each.opened_at, each.id))
    if newer.status == "open":
        facts.close(newer)
        emit(facts, newer, record, "conversation.merged", {"into": older.id})
    return older


def move_person(facts: Facts, record: In, found: Envelope, to: str) -> list[Conversation]:
    """Their conversations are answered at the new address. Who wrote from there already is the same person, unless somebody
    parted the two.
    """
    names = [identity.here(found, name) for name in (found.peer, to)]
    theirs = {*map(facts.homes.get, names)}
    open_ones = facts.open_with(identity.customer(facts, names[0]), found.channel, found.account)
    conversations = [one for one in open_ones if one.customer_id in theirs or one.peer in {found.peer, to}]
    chats = [one for one in conversations if one.goes_on]
    for chat in chats[1:]:
        go_on_in_one(facts, record, chats[0], chat)
    stay = [one for one in conversations if one.status == "open"]
    for conversation in stay:
        facts.move(conversation, to)
    return stay
