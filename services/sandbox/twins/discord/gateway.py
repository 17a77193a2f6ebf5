"""Discord's gateway: who identifies themselves hears everything, and who resumes hears what they have missed.

https://docs.discord.com/developers/events/gateway
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from aiohttp import WSMsgType, web

from services.sandbox.access import same
from services.sandbox.twins.discord.events import Tells, bot, event
from services.sandbox.twins.seats import Seat
from services.sandbox.twins.sessions import Sessions, say
from services.sandbox.twins.twin import Call, Kit

Json = dict[str, Any]
BEAT: Final = 41_250  # milliseconds


class Gateway(Tells):
    def __init__(self, kit: Kit) -> None:
        super().__init__(kit)
        self._sessions = Sessions(self.shelf, self.wires, lambda number, event: {"op": 0, "s": number, **event})

    async def deliver(self, seat: Seat, told: Json) -> bool:
        """What is pressed goes to the webhook; the rest into the session, from which it is told as often as it is resumed."""
        if told["t"] == "INTERACTION_CREATE":
            return await super().deliver(seat, told)
        return await self._sessions.tell(self.id_of(seat), told)

    async def gateway(self, call: Call) -> web.WebSocketResponse:
        wire, account = web.WebSocketResponse(), ""
        await wire.prepare(call.request)
        await say(wire, {"op": 10, "d": {"heartbeat_interval": BEAT}})
        async for message in wire:
            told = orjson.loads(message.data) if message.type is WSMsgType.TEXT else {}
            match told.get("op"):
                case 1:
                    await say(wire, {"op": 11})
                case 2 | 6 if seat := self._seat_of(told["d"].get("token")):
                    account = self.id_of(seat)
                    await (self._begin if told["op"] == 2 else self._resume)(wire, seat, told["d"])
                case 2 | 6:
                    await wire.close(code=4004)
                case _:
                    await wire.close(code=4001)
        self._sessions.leave(account, wire)
        return wire

    def _seat_of(self, token: object) -> Seat | None:
        return next((seat for seat in self.seats.all() if same(str(seat.account.get("token")), str(token))), None)

    async def _begin(self, wire: web.WebSocketResponse, seat: Seat, _told: Json) -> None:
        account = self.id_of(seat)
        about = {"session_id": self._sessions.begin(account, wire), "resume_gateway_url": address(seat)}
        await self._sessions.tell(account, event("READY", {"v": 10, "user": bot(account), "guilds": [], **about}))
        self.lanes.retry.set()

    async def _resume(self, wire: web.WebSocketResponse, seat: Seat, told: Json) -> None:
        number = await self._sessions.resume(self.id_of(seat), wire, told.get("session_id"), told.get("seq") or 0)
        gone = {"op": 9, "d": False}
        await say(wire, gone if number is None else {"op": 0, "t": "RESUMED", "s": number, "d": {}})


def address(seat: Seat) -> str:
    return f"{str(seat.account['api']).replace('http', 'ws', 1)}/gateway"
