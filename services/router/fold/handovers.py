"""Who is to have the thread at the provider, where several answer there: refused early, ordered behind what is on its way."""

from __future__ import annotations

from typing import Final

from services.router.fold.facts import Conversation, Facts
from services.router.fold.orders import basics, encoded, give
from services.router.fold.windows import able_in
from shared.bus.cloudevents import In
from shared.contract.deliveries import HandOver
from shared.contract.errors import Refusal
from shared.contract.requests import HandOverThread

SOMEBODY: Final = "another responder"  # of a pass that names nobody: the provider knows whom it means
RELEASED: Final = "whoever the provider chooses"  # until somebody writes, and it is told who is to answer


def hand_over(facts: Facts, record: In, conversation: Conversation, asked: HandOverThread) -> None:
    check_handover(facts, conversation, asked)
    order = HandOver(**basics(record, conversation, asked), action=asked.action, target=asked.to, note=asked.note)
    give(facts, record, conversation, order, encoded(order))


def check_handover(facts: Facts, conversation: Conversation, asked: HandOverThread) -> None:
    """Only who has the thread can give it away, and only what somebody else has can be taken."""
    able = able_in(facts, conversation).shown(conversation.surface, "free_text")
    if asked.action not in able.handovers:
        raise Refusal("unsupported", f"{asked.action}: not on this channel, or its adapter has not said so yet")
    if asked.to is not None and asked.action != "pass":
        raise Refusal("malformed", f"to: nobody is named to {asked.action} a thread")
    if asked.action == "take" and conversation.responder is None:
        raise Refusal("refused", "take: the thread is ours")
    if asked.action != "take" and conversation.responder is not None:
        raise Refusal("refused", f"{asked.action}: the thread is not ours; {conversation.responder} has it")


def responder_after(order: HandOver) -> str | None:
    """Who has the thread once it is done; None: we have."""
    match order.action:
        case "pass":
            return order.target or SOMEBODY
        case "release":
            return RELEASED
        case "take":
            return None
