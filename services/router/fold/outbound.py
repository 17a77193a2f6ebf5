"""What internal systems ask for: a request becomes a queued message, or is refused early with a typed reason."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, get_args

import orjson

from services.router.fold import cancels, changes, fallback, handovers, hours, identity, persons, plans, silence, work
from services.router.fold.addresses import check_address
from services.router.fold.alarms import Fired
from services.router.fold.blocks import check_block
from services.router.fold.brake import check_brake, note_answer
from services.router.fold.caps import check_caps, count
from services.router.fold.consents import check_consent, set_consent
from services.router.fold.erasure import erase
from services.router.fold.events import announce_opening, emit, pass_by, preview_of, tell_apart
from services.router.fold.facts import Conversation, Emission, Facts, IdentityKey, Known, PeerKey, Sending
from services.router.fold.participants import introduce
from services.router.fold.routes import routed
from services.router.fold.windows import (
    UNKNOWN,
    able_in,
    check_first_private,
    note_private,
    note_window,
    opening_window,
    private_way,
    way_of,
)
from shared.bus.cloudevents import In
from shared.contract.codes import CHANNELS, Failure
from shared.contract.deliveries import Growing, Outbound
from shared.contract.envelope import Text, Thread, Way, derive, requested_id, utc
from shared.contract.errors import Refusal
from shared.contract.fit import fit
from shared.contract.records import EVENTS, INBOUND_LIMIT, outbound_topic
from shared.contract.requests import (
    Cancel,
    Erase,
    Grow,
    HandOverThread,
    OfMessage,
    Reply,
    Request,
    Send,
    SendTyping,
    SetConsent,
)
from shared.contract.thread_tokens import thread_token
from shared.runtime.observe import REFUSED

Rule = Callable[[Facts, In, Any], None]


def request(facts: Facts, record: In) -> None:
    """One request, once: its `ce_id` is the idempotency key."""
    once = requested_id(record.tenant, record.id)
    if not isinstance(record.model, FLEETING) and once not in facts.fresh:
        return
    facts.fresh.discard(once)
    try:
        carry_out(facts, record, CARRIED_OUT[type(record.model)])
    except Refusal as refusal:
        refuse(facts, record, refusal)


def carry_out(facts: Facts, record: In, rule: Rule) -> None:
    """Now; or, what is to be sent, later or not at all."""
    asked = record.model
    if not isinstance(asked, Reply | Send):
        rule(facts, record, asked)
    elif not cancels.comes_too_late(facts, record):
        hours.check_zone(asked)
        if asked.not_before is not None and asked.not_before > facts.now:
            schedule(facts, record, asked, asked.not_before)
        else:
            let_go(facts, record, asked)


def say(facts: Facts, record: In, asked: Reply | Send) -> None:
    """By its one way, or by the first of several."""
    rule = CARRIED_OUT[type(asked)]
    if asked.fallback:
        fallback.begin(facts, record, asked, rule)
    else:
        rule(facts, record, asked)


def let_go(facts: Facts, record: In, asked: Reply | Send) -> None:
    """Now, or at the first decent hour."""
    if (due := hours.put_off(facts, asked)) is not None:
        schedule(facts, record, asked, due, why={"why": "decent_hours"})
    else:
        say(facts, record, asked)


def schedule(
    facts: Facts, record: In, asked: Reply | Send, due: datetime, *, why: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Judged now as far as can be: the window, for one, may open before it is due. `why`: what it waits for, unless that was asked."""
    if due > facts.now + FARTHEST:
        raise Refusal("malformed", f"not_before: {FARTHEST.days} days ahead at the most")
    if asked.expires_at is not None and asked.expires_at <= due:
        raise Refusal("expired", "expires_at is not behind not_before")
    conversation = asked_in(facts, asked) if isinstance(asked, Reply) else place_of(facts, asked)
    if conversation is not None:
        check_open(facts, conversation)
        check_fit(facts, conversation, asked)
        channel, account, peer = conversation.channel, conversation.account, conversation.peer
    elif isinstance(asked, Send):
        channel, account, peer = asked.channel, asked.account, asked.address
    if asked.fallback:
        fallback.check(facts, asked)
    if isinstance(asked, Send):
        check_consent(facts, facts.customers[address_of(asked)], asked)
    message = requested_id(asked.tenant, record.id)
    told = {"channel": channel, "account": account, "peer": peer, "due": due, "message_id": str(message)}
    told |= {"request_id": record.id, **asked.model_dump(mode="json", include=SCHEDULED, exclude_none=True), **why}
    once = derive("event", message, "scheduled", utc(due)) if why else None  # it may wait again, for another reason
    if conversation is not None:
        emit(
            facts, conversation, record, "message.scheduled", told, id_=once, message_id=message, trail=trail_of(record)
        )
    elif isinstance(asked, Send):
        customer = facts.customers[address_of(asked)]
        tell_apart(facts, record, "message.scheduled", told, customer=customer, once=once, trail=trail_of(record))
    plans.keep(facts, record, id_=message, message=message, due=due, conversation=conversation)


def due(facts: Facts, record: In, fired: Fired) -> None:
    """A request that waited, as if it were asked now."""
    plan = plans.standing(facts, fired)
    if plan is None:
        return
    asked = plans.asked_then(plan, record)
    plans.end(facts, plan)
    try:
        rule = let_go if isinstance(asked.model, Reply | Send) else CARRIED_OUT[type(asked.model)]
        rule(facts, asked, asked.model)
    except Refusal as refusal:
        refuse(facts, asked, refusal, there=plan.conversation_id)


def take_way(facts: Facts, record: In, fired: Fired) -> None:
    """What follows from how far the ways before have come."""
    fallback.look(facts, record, fired, send)


def reply(facts: Facts, record: In, asked: Reply) -> None:
    conversation = asked_in(facts, asked)
    way = check(facts, conversation, asked, private=asked.private)
    newest = conversation.last_external_id if way == "private" else None  # whose window it is
    reply_to = answered(facts, conversation, asked) or newest
    comment = reply_to if way == "private" else None
    if comment:
        check_first_private(facts, conversation, comment)
    check_brake(facts, record, conversation, asked)
    sequence = conversation.last_sequence + 1
    outbound = compose(facts, record, conversation, asked, way=way, sequence=sequence, reply_to=reply_to)
    order = fitting(outbound)
    queue(facts, record, conversation, asked, order)
    if comment:
        note_private(facts, conversation, comment, requested_id(asked.tenant, record.id))


def answered(facts: Facts, conversation: Conversation, asked: Reply | Grow) -> str | None:
    """The provider's name of the message that an answer names."""
    if asked.in_reply_to is None:
        return None
    known = facts.known.get(asked.in_reply_to)
    if known is None or known.conversation_id != conversation.id:
        raise Refusal("malformed", "in_reply_to names no message of this conversation")
    return known.external_id


def asked_in(facts: Facts, asked: Reply | Grow | SendTyping | HandOverThread | work.Asked) -> Conversation:
    """The conversation that a request names. Raises Refusal where its tenant has none of this id."""
    conversation = facts.conversations.get(asked.conversation)
    if conversation is None or conversation.tenant != asked.tenant:
        raise Refusal("unknown_conversation", str(asked.conversation))
    return conversation


def send(facts: Facts, record: In, asked: Send) -> None:
    """A first message: to the open conversation of that place, to the customer's there, or a new one."""
    conversation = place_of(facts, asked)
    address = address_of(asked)
    opening = conversation is None
    if conversation is None:
        conversation = Conversation(
            id=derive("conversation", requested_id(asked.tenant, record.id)),
            tenant=asked.tenant,
            customer_id=facts.homes[address],
            channel=asked.channel,
            account=asked.account,
            peer=asked.address,
            container=None,
            thread_key=None,
            opened_at=facts.now,
            last_at=facts.now,
            surface="email" if CHANNELS[asked.channel] == "email" else "direct",
            subject=asked.subject,
        )
        conversation.last_sequence = facts.floors.get(conversation.id, 0)
    way = check(facts, conversation, asked)
    check_consent(facts, facts.customers[address], asked)
    check_caps(facts, record, asked, facts.customers[address])
    check_brake(facts, record, conversation, asked)
    sequence = conversation.last_sequence + 1 + opening
    order = fitting(compose(facts, record, conversation, asked, way=way, sequence=sequence, reply_to=None))
    if opening:
        facts.add(conversation)
        window = opening_window(able_in(facts, conversation))
        note_window(conversation, window)
        announce_opening(facts, record, conversation, window)
    queue(facts, record, conversation, asked, order)
    count(facts, record, asked, facts.homes[address])
    if opening:
        introduce(facts, record, conversation, address)


def place_of(facts: Facts, asked: Send) -> Conversation | None:
    """Where a first message goes on; None: it begins a conversation. Raises Refusal for an account that is none."""
    if asked.channel not in CHANNELS or (asked.tenant, asked.channel, asked.account) not in facts.capabilities:
        raise Refusal("unknown_account", f"{asked.channel}/{asked.account}")
    if address_of(asked) not in facts.customers:
        raise Refusal("refused", "whoever had this address was erased after this was asked for")
    place = PeerKey(asked.tenant, asked.channel, asked.account, asked.address)
    return facts.open_at(place) or facts.open_conversation(
        facts.customers[address_of(asked)], asked.channel, asked.account, asked.address
    )


def address_of(asked: Send) -> IdentityKey:
    return identity.at(asked.tenant, asked.channel, asked.account, asked.address)


def check(facts: Facts, conversation: Conversation, asked: Reply | Send, *, private: bool = False) -> Way:
    """Refuse now what the channel would refuse later; what allows it to be sent otherwise."""
    check_when(facts, asked)
    check_open(facts, conversation)
    able = able_in(facts, conversation)
    way = private_way(facts, conversation, able) if private else way_of(facts, conversation, asked, able)
    if able is not UNKNOWN:
        fit(asked.parts, able.shown(conversation.surface, way))
    return way


def check_open(facts: Facts, conversation: Conversation) -> None:
    if conversation.status != "open":
        raise Refusal("refused", f"the conversation is {conversation.status}: reopen it, or write a first message")
    check_block(facts, conversation)
    check_address(facts, conversation)


def check_fit(facts: Facts, conversation: Conversation, asked: Reply | Send) -> None:
    """By the way of most messages: of what is to be sent later the real one is not known yet."""
    able = able_in(facts, conversation)
    if able is not UNKNOWN and not all(part.kind == "template" for part in asked.parts):
        fit(asked.parts, able.shown(conversation.surface, "free_text"))


def check_when(facts: Facts, asked: Request) -> None:
    """That it is to be done now, and only here."""
    if asked.expires_at is not None and asked.expires_at <= facts.now:
        raise Refusal("expired", "expires_at has passed")
    if asked.not_before is not None and asked.not_before > facts.now:
        raise Refusal("unsupported", "not_before: only replies and first messages are carried out later")
    if asked.fallback:
        raise Refusal("unsupported", "fallback: only replies and first messages have other ways")


def compose(
    facts: Facts,
    record: In,
    conversation: Conversation,
    asked: Reply | Send,
    *,
    way: Way,
    sequence: int,
    reply_to: str | None,
) -> Outbound:
    return Outbound(
        id=requested_id(asked.tenant, record.id),
        tenant=conversation.tenant,
        channel=conversation.channel,
        account=conversation.account,
        peer=conversation.peer,
        conversation=conversation.id,
        sequence=sequence,
        request_id=record.id,
        thread=Thread(
            reply_to=reply_to,
            references=references_of(conversation),
            thread_key=conversation.thread_key,
            subject=conversation.subject,
            token=thread_token(conversation.id, facts.secret),
        ),
        surface=conversation.surface,
        way=way,
        parts=asked.parts,
        author=asked.author,
        automatic=asked.automatic,
        urgent=asked.urgent,
        not_after=hours.last_moment(facts, asked),
        requested_at=record.at,
    )


def fitting(outbound: Outbound | Growing) -> bytes:
    """The order to the adapter. One that would not fit is refused here, before anything has got a sequence."""
    value = outbound.model_dump_json(exclude_none=True).encode()
    if len(value) > INBOUND_LIMIT:
        raise Refusal("too_long", f"{len(value)} bytes; {INBOUND_LIMIT} fit on the bus")
    return value


def references_of(conversation: Conversation) -> tuple[str, ...]:
    """What it answers, oldest first; the customer's newest message stands last (EMAIL rule 3)."""
    newest = conversation.last_external_id
    return (*(name for name in conversation.chain if name != newest), *([newest] if newest else ()))


def queue(facts: Facts, record: In, conversation: Conversation, asked: Reply | Send, order: bytes) -> None:
    """Tell everyone (message.queued), and give the order to the adapter, with what only it may know."""
    message = requested_id(conversation.tenant, record.id)
    conversation.last_at, conversation.preview = facts.now, preview_of(asked.parts)
    note_answer(facts, conversation, record, asked)
    if asked.by_person:
        work.note_read(conversation, conversation.last_sequence)
    if conversation.failure:
        conversation.failure, conversation.moved = None, True
    event = emit(
        facts,
        conversation,
        record,
        "message.queued",
        {
            "message": orjson.Fragment(order),
            "request_id": record.id,
            **work.note_answer(facts, conversation, facts.now),
            **hours.overridden(facts, asked),
        },
        id_=message,
        message_id=message,
        trail=trail_of(record),
    )
    silence.note_moved(facts, conversation)
    facts.emissions.append(
        Emission(
            topic=outbound_topic(CHANNELS[conversation.channel]),
            conversation_id=conversation.id,
            sequence=event.sequence,
            name="outbound",
            id=message,
            tenant=conversation.tenant,
            at=facts.now,
            value=routed(facts, conversation, order),
            traceparent=record.traceparent,
            stored=False,
        )
    )
    sending = Sending(message, conversation.id, "queued", record.id, facts.now)
    facts.sendings[message] = sending
    facts.queued.append(sending)
    private = isinstance(asked, Reply) and asked.private
    facts.known[message] = Known(conversation.id, None, ours=True, private=private, at=record.at, parts=asked.parts)


def pass_on_typing(facts: Facts, record: In, asked: SendTyping) -> None:
    conversation = asked_in(facts, asked)
    value = {"channel": conversation.channel, "account": conversation.account, "peer": conversation.peer}
    about = {"reply_to": conversation.last_external_id, "thread_key": conversation.thread_key}
    value |= {name: known for name, known in about.items() if known}
    topic = outbound_topic(CHANNELS[conversation.channel])
    pass_by(facts, conversation, record, "outbound.typing", topic=topic, value=value)


def grow(facts: Facts, record: In, asked: Grow) -> None:
    """What the adapter is to show of an answer, and whoever follows events: refused as the answer itself would be, and passed by."""
    conversation = asked_in(facts, asked)
    so_far = Reply(**dict(asked), parts=(Text(text=asked.text),))
    way = check(facts, conversation, so_far)
    check_brake(facts, record, conversation, so_far)
    sequence, reply_to = conversation.last_sequence + 1, answered(facts, conversation, so_far)
    outbound = compose(facts, record, conversation, so_far, way=way, sequence=sequence, reply_to=reply_to)
    named = {"id": requested_id(asked.tenant, asked.answer), "request_id": asked.answer}
    growing = Growing(**{**dict(outbound), **named}, occurred_at=facts.now)
    fitting(growing)
    topic = outbound_topic(CHANNELS[conversation.channel])
    value = growing.model_dump(mode="json", exclude_none=True)
    pass_by(facts, conversation, record, "outbound.growing", topic=topic, value=value)
    told = {"message_id": named["id"], "text": asked.text, **({"author": asked.author} if asked.author else {})}
    pass_by(facts, conversation, record, "message.growing", topic=EVENTS, value=told)


def unread(facts: Facts, record: In) -> None:
    """A request that could not be read and was set aside. Its id is not used up: it may be asked again under it."""
    said: Failure = record.model
    once = derive("apart", record.tenant, record.id, "unread", said.detail)
    tell_apart(facts, record, "request.refused", refused(record, said), once=once, trail=trail_of(record))


def refuse(facts: Facts, record: In, refusal: Refusal, *, there: uuid.UUID | None = None) -> None:
    """As an event of the conversation, which is `there` where the request does not say it; without one, and of what is fleeting, keyed by the request, without a sequence, told apart by its `ce_id`."""
    data = refused(record, Failure(code=refusal.reason, detail=refusal.detail[:2000]))
    conversation = facts.conversations.get(there or where(facts, record.model))
    fleeting = isinstance(record.model, FLEETING)
    if conversation is not None and conversation.tenant == record.tenant and not fleeting:
        emit(facts, conversation, record, "request.refused", data, trail=trail_of(record))
        return
    tell_apart(facts, record, "request.refused", data, trail=trail_of(record))


def refused(record: In, why: Failure) -> dict[str, Any]:
    REFUSED.labels(why.code).inc()
    return {"request_id": record.id, "request_type": record.name, "failure": why.model_dump(mode="json")}


def trail_of(record: In) -> tuple[Mapping[str, object]]:
    return ({"place": "requests", "at": record.at},)


def where(facts: Facts, asked: Request) -> uuid.UUID:
    """The conversation that a request is about, by its own word or by its message's."""
    known = facts.known.get(asked.message) if isinstance(asked, OfMessage | Cancel) else None
    found: uuid.UUID = known.conversation_id if known else getattr(asked, "conversation", NOWHERE)
    return found


def change(facts: Facts, record: In, asked: OfMessage) -> None:
    check_when(facts, asked)
    changes.change(facts, record, asked)


def of_persons(facts: Facts, record: In, asked: Request) -> None:
    check_when(facts, asked)
    OF_PERSONS[type(asked)](facts, record, asked)


def hand_over(facts: Facts, record: In, asked: HandOverThread) -> None:
    check_when(facts, asked)
    handovers.hand_over(facts, record, asked_in(facts, asked), asked)


def work_on(facts: Facts, record: In, asked: work.Asked) -> None:
    check_when(facts, asked)
    work.carry_out(facts, record, asked_in(facts, asked), asked)


OF_PERSONS: Final[Mapping[type[Request], Callable[[Facts, In, Any], None]]] = {
    **persons.RULES,
    SetConsent: set_consent,
    Erase: erase,
}
NOWHERE: Final = uuid.UUID(int=0)
FARTHEST: Final = timedelta(days=366)
SCHEDULED: Final = {"parts", "author", "automatic"}
FLEETING: Final = (SendTyping, Grow)  # neither they nor their ids are kept


CARRIED_OUT: Final[Mapping[type[Request], Rule]] = {
    Reply: reply,
    Send: send,
    SendTyping: pass_on_typing,
    Grow: grow,
    **dict.fromkeys(changes.CHANGES, change),
    HandOverThread: hand_over,
    **dict.fromkeys(get_args(work.Asked), work_on),
    **dict.fromkeys(OF_PERSONS, of_persons),
    Cancel: cancels.cancel,
}
