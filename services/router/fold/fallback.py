"""Ordered ways to one person: the next is taken when the one before has fallen short, never two at once, none after an answer.

What is due follows from the facts: how the messages of the ways are, which their reports have moved under their conversations' locks.
A firing of the plan's alarm alone takes the next way, under the lock of the person, behind all that Kafka had before.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from services.router.fold import hours, identity, orders
from services.router.fold.alarms import Fired, arm, because, is_due
from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Conversation, Facts, Fallback, Leg, Sending
from services.router.fold.plans import conversation_of
from services.router.fold.statuses import ENDS, RANK
from shared.bus.cloudevents import In
from shared.contract.codes import CHANNELS, Failure
from shared.contract.envelope import requested_id
from shared.contract.errors import Refusal
from shared.contract.identities import identity_kind
from shared.contract.records import RECORDS
from shared.contract.requests import Hop, Reply, Send

WAY: Final = "way"  # the kind of its alarm
WITHDRAWING: Final = timedelta(minutes=1)  # for the adapter to hear that a message is not to be sent any more
CALL: Final = timedelta(minutes=5)  # longer than a call lasts: what began before its time was over has ended by then
FELL_SHORT: Final = {"delivered": "undelivered", "read": "unread", "answered": "unanswered"}
HOPELESS: Final = frozenset({"malformed", "unknown_conversation", "unknown_account", "expired"})  # whichever the way

Carry = Callable[[Facts, In, Any], None]


class Verdict(NamedTuple):
    """What is to be done at `due`, and why: told in events."""

    due: datetime
    what: Literal["end", "withdraw", "next"]
    why: str


def check(facts: Facts, asked: Reply | Send) -> tuple[uuid.UUID, list[Leg]]:
    """Whose customer it is, and all ways, the first first. Raises Refusal for a way that no message can take."""
    if isinstance(asked, Send):
        if (asked.tenant, asked.channel, asked.account) not in facts.capabilities:
            raise Refusal("unknown_account", f"{asked.channel}/{asked.account}")
        home = facts.homes[identity.at(asked.tenant, asked.channel, asked.account, asked.address)]
        first = Leg(asked.channel, asked.account, asked.address)
    else:
        conversation = conversation_of(facts, asked)
        if conversation is None:
            raise Refusal("unknown_conversation", str(asked.conversation))
        if conversation.container is not None or asked.private:
            raise Refusal("malformed", "fallback: only of what one person alone is written")
        home, first = conversation.customer_id, Leg(conversation.channel, conversation.account, conversation.peer)
    person = facts.persons.get(home, home)
    return home, [first, *(leg_of(facts, asked.tenant, person, n, hop) for n, hop in enumerate(asked.fallback))]


def leg_of(facts: Facts, tenant: str, person: uuid.UUID, number: int, hop: Hop) -> Leg:
    where = f"fallback.{number}"
    if hop.channel not in CHANNELS:
        raise Refusal("unknown_account", f"{where}: there is no channel {hop.channel}")
    accounts = sorted(name for of, channel, name in facts.capabilities if (of, channel) == (tenant, hop.channel))
    if hop.account is None and len(accounts) > 1:
        raise Refusal("malformed", f"{where}: account: which of {', '.join(accounts)[:500]}?")
    account = hop.account or next(iter(accounts), "")
    if account not in accounts:
        raise Refusal("unknown_account", f"{where}: {hop.channel}/{account}")
    if hop.address is None and not is_reached(facts, person, hop.channel, account):
        raise Refusal("bad_address", f"{where}: this customer is not known at {hop.channel}/{account}: say an address")
    return Leg(hop.channel, account, hop.address)


def is_reached(facts: Facts, person: uuid.UUID, channel: str, account: str) -> bool:
    kind = identity_kind(channel, account)
    return any(one.kind == kind for member in facts.members(person) for one in facts.addresses.get(member, ()))


def begin(facts: Facts, record: In, asked: Reply | Send, carry: Carry) -> None:
    """The first way. Where it is refused, the next is looked at in the next round, behind what Kafka has by now."""
    home, legs = check(facts, asked)
    there = conversation_of(facts, asked)
    message = requested_id(asked.tenant, record.id)
    plan = Fallback(
        id=message,
        tenant=asked.tenant,
        owners=sorted({home, *explicit(facts, asked.tenant, legs)}),
        conversation_id=there.id if there else None,
        conversations=[],
        message_id=None,
        request_id=record.id,
        type=record.name,
        request=record.value,
        traceparent=record.traceparent,
        step=0,
        legs=legs,
        due=None,
        began_at=facts.now,
    )
    alone = asked.model_copy(update={"fallback": (), "expires_at": ends_at(facts.now, asked, 0)})
    failure = take(facts, plan, lambda: carry(facts, record, alone), message)
    facts.fallbacks[plan.id] = plan
    ways = [
        {"channel": leg.channel, "account": leg.account, "address": leg.address, **condition(hop)}
        for leg, hop in zip(legs, (None, *asked.fallback), strict=True)
    ]
    trail = ({"place": "requests", "at": record.at},)
    tell(facts, record, plan, "plan.begun", {"ways": [given(way) for way in ways]}, trail=trail)
    if failure is not None:
        tell_step(facts, record, plan, None, failure)


def explicit(facts: Facts, tenant: str, legs: Iterable[Leg]) -> Iterable[uuid.UUID]:
    """The customers of the addresses that are said: whoever answers by one of these answers it all."""
    for leg in legs:
        key = identity.at(tenant, leg.channel, leg.account, leg.address) if leg.address else None
        if home := identity.home(facts, key):
            yield home


def condition(hop: Hop | None) -> dict[str, Any]:
    return {"unless": hop.unless, "within": hop.within} if hop else {}


def given(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}


def ends_at(now: datetime, asked: Reply | Send, step: int) -> datetime | None:
    """After when this way's message may not begin any more: a lane that wakes later sends nothing beside the next way."""
    if step == len(asked.fallback) or asked.fallback[step].unless == "accepted":
        return asked.expires_at
    own = now + timedelta(seconds=asked.fallback[step].within) + WITHDRAWING
    return min(own, asked.expires_at or own)


def take(facts: Facts, plan: Fallback, carry: Callable[[], None], message: uuid.UUID) -> Failure | None:
    """Let this way's message be queued; why it was refused."""
    leg, plan.changed = plan.leg, True
    leg.at, plan.due = facts.now.isoformat(), facts.now
    failure = None
    try:
        carry()
    except Refusal as refusal:
        if plan.step == 0 and refusal.reason in HOPELESS:
            raise
        failure = Failure(code=refusal.reason, detail=refusal.detail[:2000])
        leg.code = failure.code
    else:
        sending = facts.sendings[message]
        sending.plan = plan.id
        conversation = facts.conversations[sending.conversation_id]
        leg.message, leg.conversation, leg.address = str(message), str(conversation.id), conversation.peer
        plan.message_id, plan.conversation_id = message, plan.conversation_id or conversation.id
        plan.conversations = sorted({*plan.conversations, conversation.id})
        plan.owners = sorted({*plan.owners, conversation.customer_id})
        plan.due = verdict(facts, plan).due
    arm(facts, plan.id, WAY, max(plan.due, facts.now))
    return failure


def asked_of(plan: Fallback) -> Any:
    return RECORDS[plan.type].model.model_validate_json(plan.request)


def verdict(facts: Facts, plan: Fallback) -> Verdict:
    """What follows from how the messages of the ways are. The last way is measured by what it was taken for."""
    asked = asked_of(plan)
    for leg, hop in zip(plan.legs[: plan.step], asked.fallback, strict=False):
        sending = sending_of(facts, leg)
        if sending and has_become(sending, hop.unless):
            return Verdict(taken_at(leg), "end", sending.status)
    leg = plan.leg
    is_last = plan.step == len(asked.fallback)
    hop = asked.fallback[min(plan.step, len(asked.fallback) - 1)]
    within, since = timedelta(seconds=hop.within), taken_at(leg)
    further: Literal["end", "next"] = "end" if is_last else "next"
    if leg.code:
        return Verdict(since, further, "refused")
    sending = sending_of(facts, leg)
    if sending is None:  # kept no longer than its tenant keeps messages
        return Verdict(since, "end", "unknown")
    if sending.status in ENDS:
        return Verdict(since, further, "unsent" if sending.status == "cancelled" else sending.status)
    unclear: Literal["end", "next"] = "end" if hop.unknown == "stop" else further
    match sending.status:
        case "queued" if hop.unless == "accepted":
            return Verdict(since, "end", "accepted")
        case "queued" if is_last:
            return Verdict(since + within, "end", "unsent")
        case "queued" if leg.withdrawn:
            return Verdict(since + within + WITHDRAWING + CALL, unclear, "unknown")
        case "queued":
            return Verdict(since + within, "withdraw", "unsent")
        case "unknown":
            return Verdict(moved_at(sending, since) + within, unclear, "unknown")
    if hop.unless == "accepted" or has_become(sending, hop.unless):
        return Verdict(since, "end", sending.status)
    if hop.unless == "sent":
        return Verdict(since + within, "end", "sent")
    return Verdict(moved_at(sending, since, "sent_at") + within, further, FELL_SHORT[hop.unless])


def sending_of(facts: Facts, leg: Leg) -> Sending | None:
    return facts.sendings.get(uuid.UUID(leg.message)) if leg.message else None


def taken_at(leg: Leg) -> datetime:
    return datetime.fromisoformat(leg.at or "")


def moved_at(sending: Sending, since: datetime, what: str = "at") -> datetime:
    """When its last piece moved, by whoever says so: not before it was queued."""
    moments = [datetime.fromisoformat(piece[what]) for piece in sending.progress.values() if what in piece]
    return max([since, *moments])


def has_become(sending: Sending, wanted: str) -> bool:
    """Whether it is as far as is wanted; what is wanted to be answered is over with an answer only, and `sent` with its time."""
    return wanted in FELL_SHORT.keys() - {"answered"} and (
        sending.status in RANK and RANK.index(sending.status) >= RANK.index(wanted)
    )


def look(facts: Facts, record: In, fired: Fired, carry: Carry) -> None:
    """One step at the most: what follows from it is looked at again, with fresh facts."""
    plan = facts.fallbacks.get(fired.entity)
    if plan is None or plan.ended_at is not None:
        return
    found = verdict(facts, plan)
    if not is_due(facts, fired, max(found.due, plan.began_at)):
        plan.due, plan.changed = found.due, True
        return
    cause = because(record, plan.tenant, plan.id, plan.step, found.what)
    cause.traceparent = plan.traceparent
    match found.what:
        case "end":
            is_late = plan.step > 0 and found.why in FELL_SHORT
            finish(facts, cause, plan, found.why, withdraws=is_late)
        case "withdraw":
            withdraw(facts, cause, plan, found.why)
            plan.due = verdict(facts, plan).due
            arm(facts, plan.id, WAY, max(plan.due, facts.now))
        case "next":
            go_on(facts, cause, plan, found.why, carry)


def go_on(facts: Facts, record: In, plan: Fallback, why: str, carry: Carry) -> None:
    """The next way, which is judged as if it were asked for now; it too waits for a decent hour."""
    asked = asked_of(plan)
    if asked.expires_at is not None and asked.expires_at <= facts.now:
        finish(facts, record, plan, "expired")
        return
    plan.step += 1
    send = next_send(plan, asked, facts.now)
    never: Refusal | None = None
    try:
        due = hours.put_off(facts, send.model_copy(update={"expires_at": asked.expires_at})) if send else None
    except Refusal as refusal:
        due, never = None, refusal
    if due is not None:
        plan.step, plan.due, plan.changed = plan.step - 1, due, True
        arm(facts, plan.id, WAY, due)
        return
    own = way_record(plan, record, send)
    message = requested_id(plan.tenant, own.id)

    def carried() -> None:
        if send is None:
            raise Refusal("bad_address", "this customer is not known there any more")
        if never:
            raise never
        if message in facts.known:
            raise Refusal("refused", "its id is another message's")
        carry(facts, own, send)

    tell_step(facts, record, plan, why, take(facts, plan, carried, message))


def next_send(plan: Fallback, asked: Reply | Send, now: datetime) -> Send | None:
    """What the way of this step asks for; None where nobody is reached by it."""
    hop, leg = asked.fallback[plan.step - 1], plan.leg
    address = leg.address or plan.reached
    if address is None:
        return None
    return Send(
        tenant=plan.tenant,
        channel=leg.channel,
        account=leg.account,
        address=address,
        parts=hop.parts or asked.parts,
        subject=hop.subject or getattr(asked, "subject", None),
        purpose=getattr(asked, "purpose", "service"),
        author=asked.author,
        automatic=asked.automatic,
        urgent=asked.urgent,
        expires_at=ends_at(now, asked, plan.step),
        time_zone=getattr(asked, "time_zone", None),
    )


def way_record(plan: Fallback, fired: In, send: Send | None) -> In:
    """The request of a step, whose id follows from the plan's."""
    own = replace(fired, id=f"plan/{plan.id}/{plan.step}", name="request.send", tenant=plan.tenant, model=send)
    own.traceparent = plan.traceparent
    return own


def plan_of(facts: Facts, record: In) -> uuid.UUID | None:
    """The plan whose further way this is."""
    return next((plan for plan in facts.fallbacks if record.id.startswith(f"plan/{plan}/")), None)


def answered(facts: Facts, record: In, person: uuid.UUID | None, message: uuid.UUID) -> None:
    """This person has written, by whichever of their addresses."""
    if person is not None:
        end_all(facts, record, person, "answered", message=message)


def end_all(facts: Facts, record: In, person: uuid.UUID, why: str, *, message: uuid.UUID | None = None) -> None:
    """No other way to this person, and what has not begun is taken back."""
    for plan in facts.fallbacks.values():
        if plan.ended_at is None and person in {facts.persons.get(owner) for owner in plan.owners}:
            finish(facts, record, plan, why, message=message, withdraws=True)


def of_message(facts: Facts, tenant: str, message: uuid.UUID) -> Fallback | None:
    """The plan that goes on and is called so, or whose newest message is."""
    return next(
        (
            plan
            for plan in facts.fallbacks.values()
            if plan.ended_at is None and plan.tenant == tenant and message in {plan.id, plan.message_id}
        ),
        None,
    )


def finish(
    facts: Facts,
    record: In,
    plan: Fallback,
    why: str,
    *,
    message: uuid.UUID | None = None,
    withdraws: bool = False,
) -> None:
    """No other way; `withdraws`: what has not begun is not sent any more either."""
    if withdraws:
        withdraw(facts, record, plan, why)
    plan.ended_at, plan.why, plan.due, plan.changed = facts.now, why, None, True
    tell(facts, record, plan, "plan.ended", given({"step": plan.step, "why": why, "message_id": message}))


def withdraw(facts: Facts, record: In, plan: Fallback, why: str) -> None:
    """By an order behind the message, which the lane carries out if the message has not begun; once."""
    leg, sending = plan.leg, sending_of(facts, plan.leg)
    conversation = facts.conversations.get(sending.conversation_id) if sending else None
    if sending is None or conversation is None or sending.status != "queued" or leg.withdrawn:
        return
    leg.withdrawn = plan.changed = True
    own = replace(record, id=f"plan/{plan.id}/{plan.step}/withdraw", tenant=plan.tenant)
    about = {"plan": plan.id, "step": plan.step, "why": why, "request_id": plan.request_id}
    orders.withdraw(facts, own, conversation, about, sending.message_id)


def tell_step(facts: Facts, record: In, plan: Fallback, why: str | None, failure: Failure | None) -> None:
    leg = plan.leg
    told = {
        "step": plan.step,
        "why": why,
        "channel": leg.channel,
        "account": leg.account,
        "address": leg.address,
        "message_id": leg.message,
        "failure": failure.model_dump(mode="json") if failure else None,
    }
    tell(facts, record, plan, "plan.way", given(told))


def tell(facts: Facts, record: In, plan: Fallback, name: str, told: dict[str, Any], **more: Any) -> None:
    """In the conversation where it began; where none has begun, apart."""
    there: Conversation | None = facts.conversations.get(plan.conversation_id) if plan.conversation_id else None
    data = {"plan": plan.id, "request_id": plan.request_id, **told}
    if there is not None:
        emit(facts, there, record, name, data, **more)
    else:
        tell_apart(facts, record, name, data, customer=plan.owners[0], **more)
