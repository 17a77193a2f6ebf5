"""What became of what we sent: an adapter's own word, a provider's receipt, a watermark."""

from __future__ import annotations

from services.router.fold import reach
from services.router.fold.echoes import bind, is_told, settle_echoes
from services.router.fold.events import tell_apart
from services.router.fold.facts import Facts, PeerKey, Ref, RefKey
from services.router.fold.pending import keep_receipt, release
from services.router.fold.progress import advance, apply_receipt, catch_up, note_key
from shared.bus.cloudevents import In
from shared.contract.deliveries import Delivery


def delivery(facts: Facts, record: In) -> None:
    """What an adapter says of our own send, what a provider says by external id, or a watermark."""
    found: Delivery = record.model
    if found.message_id is not None:
        report(facts, record, found)
    elif found.watermark is not None:
        watermark(facts, record, found)
    else:
        for key in delivery_refs(found):
            receipt(facts, record, facts.ref(key), found)


def delivery_refs(found: Delivery) -> list[RefKey]:
    keys = [RefKey(found.tenant, found.channel, found.account, "message", name) for name in found.external_ids]
    if found.join_key:
        keys.append(RefKey(found.tenant, found.channel, found.account, "join", found.join_key))
    return keys


def report(facts: Facts, record: In, found: Delivery) -> None:
    """The adapter's own word on one piece of one attempt."""
    sending = facts.sendings.get(found.message_id) if found.message_id else None
    if sending is None or found.attempt != sending.attempt:
        what = {"message_id", "status", "failure", "cost", "external_ids", "attempt"}
        told = found.model_dump(mode="json", include=what, exclude_none=True)
        tell_apart(facts, record, "message.status", told)  # a send, or an attempt, that is not known here
        return
    sending.pieces = max(sending.pieces, found.pieces)
    for key in delivery_refs(found):
        bind(facts, key, sending, found.piece)
    advance(
        facts,
        record,
        sending,
        piece=found.piece,
        status=found.status,
        at=found.occurred_at,
        ids=found.external_ids,
        failure=found.failure,
        cost=found.cost,
        taken_at=found.taken_at,
    )
    if found.join_key:
        note_key(sending, piece=found.piece, key=found.join_key)
    for key in delivery_refs(found):
        ref = facts.ref(key)
        if ref.pending:
            release(facts, record, ref)
    conversation = facts.conversations.get(sending.conversation_id)
    if conversation is not None:
        catch_up(facts, record, conversation, sending)
        settle_echoes(facts, record, conversation)


def receipt(facts: Facts, record: In, ref: Ref, found: Delivery) -> None:
    """A receipt binds to its attempt by external id; one that overtakes its own send is pending, not dropped."""
    said = found.model_dump(mode="json", include={"status", "failure", "cost"}, exclude_none=True)
    if ref.message_id is not None and is_told(facts, ref):
        apply_receipt(facts, record, ref, said, found.occurred_at)
    else:
        keep_receipt(ref, said | {"at": found.occurred_at.isoformat()})


def watermark(facts: Facts, record: In, found: Delivery) -> None:
    """Everything sent until then has this status; it is kept, for sends that are recorded later."""
    until = found.watermark or found.occurred_at
    for conversation in facts.with_peer(PeerKey(found.tenant, found.channel, found.account, found.peer)):
        if found.status == "read":
            conversation.read_to = max(conversation.read_to or until, until)
        else:
            conversation.delivered_to = max(conversation.delivered_to or until, until)
        conversation.changed = conversation.moved = True
        for sending in facts.sent_in(conversation.id):
            catch_up(facts, record, conversation, sending)
    reach.mark(facts, record, found, until)
