"""X's webhooks as records — https://docs.x.com/x-api/activity/introduction#supported-event-types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from services.social_adapter.channels.x import messages, posts
from services.social_adapter.channels.x.events import Event
from shared.contract.channel import Incoming, Malformed, Message
from shared.contract.readable import otherwise

Json = dict[str, Any]


def read(body: Json) -> Iterator[Incoming | Malformed]:
    """One event each; of a kind that says nothing here, that it came."""
    event = Event.of(body["data"])
    yield from READ.get(event.kind, _other)(event)


def _other(event: Event) -> Iterator[Message]:
    yield event.notice()


def _between(event: Event) -> Iterator[Message]:
    """Of the other of the two: https://docs.x.com/x-api/activity/event-payloads#follow-events."""
    people = [otherwise(lambda side=side: event.payload[side]["data"]["id"], None) for side in ("source", "target")]  # type: ignore[misc]
    yield event.notice(next((one for one in people if one and one != event.account), None))


READ: Final[Mapping[str, Callable[[Event], Iterable[Incoming | Malformed]]]] = {
    "post.create": posts.written,
    "post.mention.create": posts.written,
    "post.reply.create": posts.written,
    "post.quote.create": posts.written,
    "post.repost.create": posts.written,
    "post.delete": posts.gone,
    "like.create": posts.liked,
    "dm.received": messages.said,
    "dm.sent": messages.said,
    "dm.read": messages.read,
    "dm.indicate_typing": messages.typing,
    "chat.received": messages.sealed,
    "chat.sent": messages.sealed,
    **dict.fromkeys(("follow.follow", "follow.unfollow", "block.block", "block.unblock"), _between),
}
