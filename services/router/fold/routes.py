"""What a provider lets a message be answered by: kept for its conversation while it is good, told to nobody."""

from __future__ import annotations

from dataclasses import replace

import orjson

from services.router.fold.facts import Conversation, Facts
from shared.bus.cloudevents import In, encode
from shared.contract.envelope import Envelope, Route


def untold(record: In, found: Envelope) -> In:
    """The record, its value without the route: what is told and stored of a message is its value."""
    if found.route is None:
        return record
    return replace(record, value=encode(found.model_copy(update={"route": None})))


def note_route(facts: Facts, conversation: Conversation, found: Envelope) -> None:
    """The one that is good for longest stays: what comes late, or again, puts no older one back."""
    route, kept = found.route, route_of(facts, conversation)
    if route and route.expires_at > facts.now and (kept is None or route.expires_at >= kept.expires_at):
        conversation.route, conversation.moved = route.model_dump(mode="json"), True


def route_of(facts: Facts, conversation: Conversation) -> Route | None:
    """The one to answer by now."""
    route = Route.model_validate(conversation.route) if conversation.route else None
    return route if route and route.expires_at > facts.now else None


def routed(facts: Facts, conversation: Conversation, order: bytes) -> bytes:
    """The order with the conversation's route; one that is good once is nobody else's from now on."""
    route = route_of(facts, conversation)
    if route is None:
        return order
    if route.once:
        conversation.route, conversation.moved = None, True
    return orjson.dumps({**orjson.loads(order), "route": route.model_dump(mode="json")})
