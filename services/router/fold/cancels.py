"""A message taken back before it has gone: one answer, from whoever knows."""

from __future__ import annotations

from services.router.fold import fallback
from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Conversation, Facts, Known
from services.router.fold.orders import basics, encoded, give
from services.router.fold.plans import ahead_of, asked_then, conversation_of, end, keep, tell_cancelled
from shared.bus.cloudevents import In
from shared.contract.deliveries import Withdraw
from shared.contract.envelope import requested_id
from shared.contract.errors import Refusal
from shared.contract.requests import Cancel, Reply, Send


def cancel(facts: Facts, record: In, asked: Cancel) -> None:
    """What waits here is taken back at once; what is in a lane, by the lane, and its status is the answer. Of a message that is not
    known yet it waits until all is read that came before it. Of a plan no other way is taken, even where its message has gone.
    """
    plan = facts.plans.get(asked.message)
    if plan is not None and plan.tenant == asked.tenant:
        there = facts.conversations.get(plan.conversation_id) if plan.conversation_id else None
        accept(facts, record, asked, there)
        tell_cancelled(facts, record, message=asked.message, request_id=plan.request_id, conversation=there)
        end(facts, plan)
        return
    if course := fallback.of_message(facts, asked.tenant, asked.message):
        there = facts.conversations.get(course.conversation_id) if course.conversation_id else None
        accept(facts, record, asked, there)
        fallback.finish(facts, record, course, "cancelled", message=asked.message, withdraws=True)
        return
    known = facts.known.get(asked.message)
    conversation = facts.conversations.get(known.conversation_id) if known else None
    if known is None or conversation is None or conversation.tenant != asked.tenant:
        wait_for_it(facts, record, asked)
    else:
        withdraw(facts, record, asked, known, conversation)


def withdraw(facts: Facts, record: In, asked: Cancel, known: Known, conversation: Conversation) -> None:
    """By an order behind the message, which the lane carries out if the message has not begun."""
    sending = facts.sendings.get(asked.message)
    if not known.ours or sending is None:
        raise Refusal("refused", "cancel: the message was not sent from here")
    if sending.status != "queued":
        raise Refusal("refused", f"cancel: too late, the message is {sending.status}")
    order = Withdraw(**basics(record, conversation, asked), message=asked.message)
    give(facts, record, conversation, order, encoded(order), asked.message)


def wait_for_it(facts: Facts, record: In, asked: Cancel) -> None:
    if record.topic == "":
        raise Refusal("malformed", f"cancel: there is no message {asked.message}")
    place = ahead_of(asked.tenant, asked.message)
    if place in facts.plans:
        raise Refusal("refused", "cancel: it is asked for already, ahead of its message")
    keep(facts, record, id_=place, message=asked.message, due=facts.now)


def comes_too_late(facts: Facts, record: In) -> bool:
    """Whether a cancel has waited for this message, which then is never sent; both are told."""
    asked: Reply | Send = record.model
    message = requested_id(asked.tenant, record.id)
    plan = facts.plans.get(ahead_of(asked.tenant, message))
    if plan is None:
        return False
    there = conversation_of(facts, asked)
    first = asked_then(plan, record)
    accept(facts, first, first.model, there)
    tell_cancelled(facts, record, message=message, request_id=record.id, conversation=there)
    end(facts, plan)
    return True


def accept(facts: Facts, record: In, asked: Cancel, conversation: Conversation | None) -> None:
    """It is heard; what becomes of the message is told as the message's status."""
    data = {"request_id": record.id, "request_type": record.name, "message_id": str(asked.message)}
    trail = ({"place": "requests", "at": record.at},)
    if conversation is not None:
        emit(facts, conversation, record, "request.accepted", data, message_id=asked.message, trail=trail)
    else:
        tell_apart(facts, record, "request.accepted", data, trail=trail)
