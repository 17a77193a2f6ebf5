"""The desk's work: what is closed and opened again, whose it is, how it is labelled, who waits, what nobody has read or has failed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from services.router.fold import hours
from services.router.fold.addresses import set_reachable
from services.router.fold.events import emit
from services.router.fold.facts import Conversation, Facts, Sending
from services.router.fold.statuses import failure_of
from shared.bus.cloudevents import In
from shared.contract.envelope import Envelope, utc
from shared.contract.errors import Refusal
from shared.contract.requests import Assign, Close, Reachable, Read, Reopen, Tag

Asked = Close | Reopen | Assign | Tag | Read | Reachable

TAGS: Final = 50
LOST: Final = frozenset({"failed", "expired", "unknown"})  # how a send may end that somebody should look at
NOBODY: Final = frozenset(
    {"automatic", "out_of_office", "bounce", "complaint", "receipt"}
)  # kinds of mails that wait for no answer; people write to lists too


def carry_out(facts: Facts, record: In, conversation: Conversation, asked: Asked) -> None:
    """What was asked for, and the event that says so; raises Refusal."""
    about: dict[str, Any] = {"request_id": record.id}
    match asked:
        case Close():
            if conversation.status != "open":
                raise Refusal("refused", f"the conversation is {conversation.status}")
            facts.close(conversation, reopens=True)
            emit(facts, conversation, record, "conversation.closed", about | {"reason": asked.reason})
        case Reopen():
            check_reopen(conversation)
            facts.reopen(conversation)
            emit(facts, conversation, record, "conversation.reopened", about | {"reason": asked.reason})
        case Assign():
            conversation.assignee, conversation.moved = asked.assignee, True
            emit(facts, conversation, record, "conversation.assigned", about | {"assignee": asked.assignee})
        case Tag():
            label(conversation, asked)
            told = {"tags": conversation.tags or [], "priority": conversation.priority}
            emit(facts, conversation, record, "conversation.tagged", about | told)
        case Read():
            upto = min(asked.upto, conversation.last_sequence)
            note_read(conversation, upto)
            emit(facts, conversation, record, "conversation.read", about | {"upto": upto})
        case Reachable():
            set_reachable(facts, record, conversation, asked)


def check_reopen(conversation: Conversation) -> None:
    if conversation.status == "open":
        raise Refusal("refused", "the conversation is open")
    if not conversation.reopens:
        raise Refusal("refused", "the conversation goes on in another one: answer there")


def label(conversation: Conversation, asked: Tag) -> None:
    """In the order in which they came; one that it has already stays where it stands."""
    removed = set(asked.remove)
    tags = [tag for tag in dict.fromkeys((*(conversation.tags or ()), *asked.add)) if tag not in removed]
    if len(tags) > TAGS:
        raise Refusal("malformed", f"{len(tags)} tags: a conversation has {TAGS} at the most; remove some")
    conversation.tags, conversation.moved = tags or None, True
    conversation.priority = asked.priority or conversation.priority


def may_enter(facts: Facts, conversation: Conversation, found: Envelope) -> bool:
    """Whether a message goes there: it is open, or was closed not too long ago. What a machine sends begins nothing, so it goes
    there in any case.
    """
    if conversation.status == "open":
        return True
    if not conversation.reopens or conversation.closed_at is None:
        return False
    policy = facts.policy(conversation.tenant, conversation.channel, conversation.account)
    return is_automatic(found) or facts.now < conversation.closed_at + policy.reopens_within


def is_automatic(found: Envelope) -> bool:
    """Whether nobody wrote it who waits for an answer."""
    return found.assessment.kind in NOBODY or found.assessment.spam


def go_on(facts: Facts, record: In, conversation: Conversation, found: Envelope) -> None:
    """Somebody writes in what was closed."""
    if conversation.status == "open" or is_automatic(found):
        return
    facts.reopen(conversation)
    who = "the customer wrote again" if found.direction == "inbound" else "the account wrote again"
    emit(facts, conversation, record, "conversation.reopened", {"reason": who})


def note_question(conversation: Conversation, found: Envelope, sequence: int) -> None:
    """Somebody else has written; where they wait for an answer, since when the first of them does."""
    conversation.heard = sequence
    if conversation.unread_from is None:
        conversation.unread_from = sequence
    if not is_automatic(found) and conversation.status == "open" and conversation.waiting_since is None:
        conversation.waiting_since = found.occurred_at


def note_answer(facts: Facts, conversation: Conversation, moment: datetime) -> Mapping[str, object]:
    """Somebody of ours has written at this time: what the event says of who had waited. What is older than the question is no
    answer to it.
    """
    since = conversation.waiting_since
    if since is None or moment < since:
        return {}
    before = conversation.responses or {}
    times = added(before, "", moment - since)
    if calendar := hours.business(facts.policy(conversation.tenant, conversation.channel, conversation.account)):
        times |= added(before, "business_", hours.open_time(calendar, since, moment))
    conversation.responses, conversation.waiting_since = before | times, None
    return {"waited_since": since}


def added(before: Mapping[str, float], which: str, waited: timedelta) -> dict[str, float]:
    """The response times of this kind with one more."""
    seconds = round(waited.total_seconds(), 3)
    return {
        f"{which}first": before.get(f"{which}first", seconds),
        f"{which}last": seconds,
        f"{which}total": round(before.get(f"{which}total", 0) + seconds, 3),
        f"{which}count": before.get(f"{which}count", 0) + 1,
    }


def note_read(conversation: Conversation, upto: int) -> None:
    """What came after that is unread."""
    if conversation.unread_from is not None and conversation.unread_from <= upto:
        above = conversation.heard is not None and conversation.heard > upto
        conversation.unread_from = upto + 1 if above else None


def note_status(facts: Facts, conversation: Conversation, sending: Sending) -> None:
    """How our newest send is, where it did not arrive or may not have; an older one says nothing of what came after it."""
    message, known = str(sending.message_id), conversation.failure
    if sending.status in LOST:
        why = failure_of(sending)
        code = {"code": why.code} if why else {}
        conversation.failure = {"message": message, "status": sending.status, "at": utc(facts.now), **code}
        conversation.moved = True
    elif known and known["message"] == message:
        conversation.failure, conversation.moved = None, True
