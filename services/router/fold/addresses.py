"""Addresses at which nobody is any more: by the provider's word of a message that failed, until somebody writes from there.

A mark is the address's, not the person's: they are written to elsewhere, and whoever has the address at another account is not
there either. Never by what is our own fault: only of channels whose `bad_address` says nothing else of a private conversation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.router.fold import identity
from services.router.fold.events import emit
from services.router.fold.facts import BadAddress, Conversation, Facts, IdentityKey
from shared.bus.cloudevents import In
from shared.contract.codes import Failure
from shared.contract.envelope import Envelope
from shared.contract.errors import Refusal
from shared.contract.requests import Reachable

# The others' may mean something else: of Meta's page ids also a token of another page (100/33), of RCS an agent that a network has
# not let in, of whatever answers 404 (webhooks, Slack, Teams, Discord, Google Chat) an address of ours that is wrong.
LASTING: Final = frozenset({"email", "sms", "telnyx", "whatsapp", "telegram", "line", "viber", "apple"})


def address_of(conversation: Conversation) -> IdentityKey | None:
    """Where it is answered, if that is one person's address of such a channel; a place where others are too is never gone for good."""
    if conversation.channel not in LASTING or conversation.container is not None or conversation.thread_key is not None:
        return None
    return identity.at(conversation.tenant, conversation.channel, conversation.account, conversation.peer)


def note_failure(facts: Facts, record: In, conversation: Conversation, failure: Failure, at: datetime) -> None:
    """What is older than what the person wrote since says nothing."""
    address = address_of(conversation)
    heard = conversation.last_inbound_at
    if failure.code != "bad_address" or address is None or address in facts.bad or (heard and heard > at):
        return
    facts.bad[address] = facts.marked[address] = BadAddress(at, failure.detail)
    tell(facts, record, conversation, reachable=False, failure=failure.model_dump(mode="json"))


def lift(facts: Facts, record: In, conversation: Conversation, found: Envelope) -> None:
    """Whoever writes is there, by all of their names."""
    for address in identity.names_of_person(found):
        mark = facts.bad.get(address)
        if mark is not None and mark.since <= found.occurred_at:
            forget(facts, address)
            tell(facts, record, conversation, reachable=True)


def forget(facts: Facts, address: IdentityKey) -> None:
    del facts.bad[address]
    facts.marked[address] = None


def tell(facts: Facts, record: In, conversation: Conversation, *, reachable: bool, **about: object) -> None:
    data = {"participant": {"address": conversation.peer}, "reachable": reachable, **about}
    emit(facts, conversation, record, "conversation.participant", data)


def set_reachable(facts: Facts, record: In, conversation: Conversation, asked: Reachable) -> None:
    """As somebody says who knows. Raises Refusal where nothing is said of the address."""
    address = address_of(conversation)
    if address is None or address not in facts.bad:
        raise Refusal("refused", f"nobody has said that {conversation.peer} is not reached")
    forget(facts, address)
    tell(facts, record, conversation, reachable=True, request_id=record.id, reason=asked.reason)


def check_address(facts: Facts, conversation: Conversation) -> None:
    """Raises Refusal: the provider would refuse it."""
    address = address_of(conversation)
    if address is not None and (mark := facts.bad.get(address)):
        said = f": {mark.detail}" if mark.detail else ""
        raise Refusal(
            "bad_address",
            f"nobody has been reached at {conversation.peer} since {mark.since.isoformat()}{said}"
            " (it is tried again once they write, or after request.reachable)",
        )
