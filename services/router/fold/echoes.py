"""What the account sent, as the provider tells it back: our own sends are joined, everything else is a message."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.router.fold import files, identity, reach
from services.router.fold.alarms import Fired, arm, because
from services.router.fold.facts import Conversation, Facts, Ref, RefKey, Sending
from services.router.fold.mails import as_its_senders, is_mail
from services.router.fold.messages import announce, receive, take_in
from services.router.fold.pending import release, reread
from services.router.fold.progress import advance, catch_up
from services.router.fold.threads import choose, named, ref_key
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope

# A send is tried for a day; an adapter that has told nothing for a week will not say whose the echo is.
WAITS: Final = timedelta(days=7)
ENDS: Final = "echo"  # the alarm


def echo(facts: Facts, record: In, found: Envelope) -> None:
    """Our own send is joined by its external id or join key; while a send to that peer is open, it waits; else it is a
    message: of the account, or where it is a mail, which proves nothing, of its sender.
    """
    own = sending_of_echo(facts, found)
    if own is not None:
        join(facts, record, found, own)
        return
    customer = identity.customer(facts, identity.of_envelope(found))
    conversation = named(facts, found) if is_mail(found) else choose(facts, found, customer)
    if conversation is not None and is_sending(facts, conversation):
        names = [list(name) for name in refs_of_echo(found)]
        due = facts.now + WAITS
        waits = {"envelope": base64.b64encode(record.value).decode(), "id": record.id, "names": names}
        conversation.pending.append(waits | {"due": due.isoformat()})
        arm(facts, conversation.id, ENDS, due)
        conversation.changed = conversation.moved = True
        files.wait_for_echo(facts, found)
        return
    if is_mail(found):
        its = as_its_senders(record)
        receive(facts, its, its.model)
        return
    claim_names(facts, found)
    receive(facts, record, found)


def is_sending(facts: Facts, conversation: Conversation) -> bool:
    return any(sending.status == "queued" for sending in facts.sent_in(conversation.id))


def refs_of_echo(found: Envelope) -> list[RefKey]:
    """Every name that taking it in may look at: what it may be joined by, and whom it reached."""
    names = [ref_key(found, "message", name) for name in found.all_external_ids]
    key = [ref_key(found, "join", found.join_key)] if found.join_key else []
    person = reach.reached(found)
    waiting = [files.media_ref(found.tenant, found.channel, found.account, found.id)] if files.has_files(found) else []
    return [*names, *key, *([person] if person else []), *waiting]


def sending_of_echo(facts: Facts, found: Envelope) -> tuple[Sending, int] | None:
    """The piece that it is the echo of, by its names, or by the key under which it went out."""
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.message_id and (sending := facts.sendings.get(ref.message_id)):
            if sending.status == "queued" and not is_told(facts, ref):
                return None  # it waits for the report, as any echo does while that send is open
            return sending, ref.piece
    own = next(nameless(facts, found), None)
    return None if own is None or may_be_open(facts, *own) else own


def is_told(facts: Facts, ref: Ref) -> bool:
    """Whether the piece has been reported: the load claims its name for a report that stands further behind in the same batch, and
    only a report says how many pieces there are.
    """
    sending = facts.sendings.get(ref.message_id) if ref.message_id else None
    return sending is None or str(ref.piece) in sending.progress


def nameless(facts: Facts, found: Envelope) -> Iterator[tuple[Sending, int]]:
    """The pieces that went out under the echo's key and have no name yet, oldest first: equal comments under one parent
    share a key.
    """
    if not found.join_key or facts.ref(ref_key(found, "join", found.join_key)).message_id is None:
        return
    for sending in sorted(facts.sendings.values(), key=lambda sending: sending.at):
        conversation = facts.conversations.get(sending.conversation_id)
        if conversation is not None and is_of_account(conversation, found):
            for number, piece in sorted(sending.progress.items(), key=lambda item: int(item[0])):
                if piece.get("join") == found.join_key and not piece["ids"]:
                    yield sending, int(number)


def may_be_open(facts: Facts, sending: Sending, piece: int) -> bool:
    """Whether the answer of this piece was lost while another send there is open, which may be of the same words: until that
    one has its answer, nobody knows whose echo it is.
    """
    conversation = facts.conversations[sending.conversation_id]
    return sending.progress[str(piece)]["status"] == "unknown" and is_sending(facts, conversation)


def is_of_account(conversation: Conversation, found: Envelope) -> bool:
    here = (conversation.tenant, conversation.channel, conversation.account)
    return here == (found.tenant, found.channel, found.account)


def join(facts: Facts, record: In, found: Envelope, own: tuple[Sending, int]) -> None:
    """The echo proves that the piece was sent, and may tell what the provider calls it."""
    sending, piece = own
    for name in found.all_external_ids:
        bind(facts, ref_key(found, "message", name), sending, piece)
    advance(facts, record, sending, piece=piece, status="sent", at=found.occurred_at, ids=found.all_external_ids)
    reach.note(facts, record, found, sending, piece)
    files.belong(facts, found, sending.message_id)
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.pending:
            release(facts, record, ref)
    if conversation := facts.conversations.get(sending.conversation_id):
        catch_up(facts, record, conversation, sending)


def bind(facts: Facts, key: RefKey, sending: Sending, piece: int) -> None:
    """This name is this piece from now on, even if an echo of it was taken for a message before."""
    ref = facts.ref(key)
    if ref.message_id not in facts.sendings:
        ref.message_id, ref.piece, ref.changed = sending.message_id, piece, True
    if key.kind == "message" and (conversation := facts.conversations.get(sending.conversation_id)):
        conversation.link(key.external_id)


def claim_names(facts: Facts, found: Envelope) -> None:
    """Written at the account by someone else: an outbound message of the conversation, so that the thread is whole."""
    for name in found.all_external_ids:
        ref = facts.ref(ref_key(found, "message", name))
        if ref.message_id is None:
            ref.message_id, ref.changed = found.id, True


def end_wait(facts: Facts, record: In, fired: Fired) -> None:
    """No word came of the send that they waited for."""
    conversation = facts.conversations.get(fired.entity)
    if conversation is None or not conversation.pending:
        return
    settle_echoes(facts, because(record, conversation.tenant, conversation.id, ENDS), conversation, upto=fired.upto)
    if left := [due for item in conversation.pending if (due := due_of(item))]:
        arm(facts, conversation.id, ENDS, min(left))


def due_of(item: Mapping[str, Any]) -> datetime | None:
    """None: it began to wait in an earlier version."""
    return datetime.fromisoformat(item["due"]) if "due" in item else None


def settle_echoes(facts: Facts, record: In, conversation: Conversation, *, upto: datetime | None = None) -> None:
    """After a send has got its names: join the echoes that are its own; when no send is open, the others are messages, and so are
    those whose time is over by `upto`.
    """
    if not conversation.pending:
        return
    waiting, conversation.pending = conversation.pending, []
    conversation.changed = conversation.moved = True
    still_sending = is_sending(facts, conversation)
    for item in waiting:
        early = reread(record, item)
        own = sending_of_echo(facts, early.model)
        if own is not None:
            join(facts, early, early.model, own)
        elif still_sending and not (upto and (due := due_of(item)) and due <= upto):
            conversation.pending.append(item)
        elif is_mail(early.model):
            its = as_its_senders(early)
            announce(facts, its, its.model, conversation, flagged="stranger")
        else:
            claim_names(facts, early.model)
            take_in(facts, early, early.model, conversation)
            if ref := files.belong(facts, early.model, early.model.id):
                release(facts, early, ref)
