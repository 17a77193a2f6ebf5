"""What happens at a page, as Meta tells it: events of Messenger and changes of the feed.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
https://developers.facebook.com/docs/graph-api/webhooks/reference/page#feed
"""

from __future__ import annotations

import time
from typing import Any

from services.sandbox.faults import Control
from services.sandbox.graph import Graph

Json = dict[str, Any]
TOPIC = "page"


def milliseconds() -> int:
    return int(1000 * time.time())


class Telling:
    """Each person's events in order, each post's changes in order."""

    def __init__(self, graph: Graph, control: Control) -> None:
        self._graph, self._control = graph, control

    def app_of(self, page: str) -> str | None:
        """Which app is told of the page's messages."""
        found = self._graph.apps.subscription(page, topic=TOPIC, field="messages")
        return found[0]["id"] if found else None

    def from_person(self, page: str, user: str, field: str, **content: Any) -> None:
        """Something that the person did."""
        self._event(page, user, field, {"sender": {"id": user}, "recipient": {"id": page}, **content})

    def echo(self, page: str, user: str, *, at: int, message: Json) -> None:
        """Something that the page sent."""
        event = {"sender": {"id": page}, "recipient": {"id": user}, "timestamp": at, "message": message}
        self._event(page, user, "message_echoes", event)

    def _event(self, page: str, user: str, field: str, event: Json) -> None:
        entry = {"id": page, "time": milliseconds(), "messaging": [event]}
        self._graph.tell(page, topic=TOPIC, field=field, lane=f"{page}/{user}", entry=entry)

    def feed(self, page: str, value: Json) -> None:
        """A change of the feed, in seconds as feeds are."""
        entry = {"id": page, "time": int(time.time()), "changes": [{"field": "feed", "value": value}]}
        self._graph.tell(page, topic=TOPIC, field="feed", lane=f"{page}/{value['post_id']}", entry=entry)

    async def settled(self) -> None:
        """Where receipts shall overtake the answer: wait until they have been taken."""
        if self._control.faults.meta.receipts == "early":
            await self._graph.deliveries.settled(5)
