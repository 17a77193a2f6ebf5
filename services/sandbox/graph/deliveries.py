"""Webhooks of Meta on their way: signed, several entries in one body where it is asked for, again until they are taken."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from services.sandbox.faults import Control
from services.sandbox.graph.apps import Apps
from services.sandbox.lanes import Lanes
from services.sandbox.shelf import Shelf

Json = dict[str, Any]
TIMEOUT: Final = ClientTimeout(total=60)
MOST: Final = 1000  # entries in one body


class Deliveries:
    """A lane is an app and a person, so that one person's events stay in order."""

    def __init__(self, shelf: Shelf, control: Control, client: ClientSession, apps: Apps) -> None:
        self._control, self._client, self._apps = control, client, apps
        lanes = self._lanes = Lanes(shelf, self._deliver, lane_of=self._lane_of, bounds=self._bounds)
        self.retry, self.release, self.settled, self.close = lanes.retry, lanes.release, lanes.settled, lanes.close

    def tell(self, app: str, topic: str, *, lane: str, entry: Json) -> None:
        """Send this entry to the app; a body holds entries of one topic only."""
        self._lanes.tell({"app": app, "topic": topic, "lane": f"{app}/{topic}/{lane}", "entry": entry})

    def _lane_of(self, update: Json) -> str:
        """While bodies are gathered, all that an app is told waits in one lane."""
        gathers = self._control.faults.meta.batch > 1
        return f"{update['app']}/{update['topic']}" if gathers else str(update["lane"])

    def _bounds(self, lane: str) -> tuple[int, int]:
        return (self._control.faults.meta.batch, MOST) if _gathers(lane) else (1, 1)

    async def _deliver(self, updates: Sequence[Json]) -> bool:
        app, topic = self._apps.get(updates[0]["app"]), updates[0]["topic"]
        if app is None or topic not in app["subscriptions"]:
            return True
        body = encode({"object": topic, "entry": [update["entry"] for update in updates]})
        address = app["subscriptions"][topic]["callback_url"]
        taken = await self._post(address, app["secret"], body)
        if taken and self._control.faults.twice:
            await self._post(address, app["secret"], body)
        return taken

    async def _post(self, address: str, secret: str, body: bytes) -> bool:
        """Whether the address answered 2xx."""
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}
        try:
            async with self._client.post(
                address, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (ClientError, TimeoutError, OSError):
            return False


def _gathers(lane: str) -> bool:
    """Whether it is a lane of a whole app, not of one person: only such a one names no more than app and topic."""
    return lane.count("/") == 1


def encode(payload: Json) -> bytes:
    r"""As Meta writes JSON, so that only who checks the raw bytes gets the signature right: non-ASCII as \u, slashes as \/."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()
