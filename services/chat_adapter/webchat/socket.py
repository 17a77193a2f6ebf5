"""The open window: everything behind its cursor, then whatever comes, over a WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from typing import Annotated, Final, Literal

import orjson
import structlog
from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import Field, TypeAdapter, ValidationError

from services.chat_adapter.webchat.answers import Refused
from services.chat_adapter.webchat.door import Call
from services.chat_adapter.webchat.live import Live, Seat
from services.chat_adapter.webchat.receipts import report
from services.chat_adapter.webchat.session import Visitor, read_session_token
from services.chat_adapter.webchat.shown import shown_line
from services.chat_adapter.webchat.talk import see_typing
from services.chat_adapter.webchat.transcript import Mark, Transcript
from shared.contract.envelope import Model
from shared.contract.errors import BusUnavailable, DatabaseUnavailable, Unverified
from shared.inbound.accept import Intake
from shared.runtime.lasting import spawn
from shared.runtime.port import vouch

log = structlog.get_logger(__name__)

PROTOCOL: Final = "parley.webchat.v1"
FRAME_LIMIT: Final = 16 * 1024  # bytes
HELLO_SECONDS: Final = 10.0
HEARTBEAT: Final = 25.0
BEAT: Final = 25.0
SEND_SECONDS: Final = 20.0
PAGE: Final = 100
SESSION_ENDED: Final = 4401  # the widget renews its session and comes back
TOO_MANY: Final = 4429

Position = Annotated[int, Field(ge=0, lt=2**53)]


class Hello(Model):
    """The first frame: the token, which so never stands in an address, and the last position that the window has."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=4096)]
    cursor: Position = 0


class Marked(Model):
    """`ack`: everything up to this position has arrived; `read`: the visitor has seen it."""

    type: Literal["ack", "read"]
    position: Position


class Types(Model):
    type: Literal["typing"]


FRAMES: Final[TypeAdapter[Marked | Types]] = TypeAdapter(
    Annotated[Marked | Types, Field(discriminator="type")],
)


class Closed(Exception):
    """The conversation over this socket ends with this code."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Window:
    """One socket from its hello to its end."""

    def __init__(self, *, call: Call, live: Live, transcript: Transcript, intake: Intake) -> None:
        self._call, self._live, self._transcript, self._intake = call, live, transcript, intake
        self._socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), heartbeat=HEARTBEAT, max_msg_size=FRAME_LIMIT, compress=False, timeout=5.0
        )

    async def serve(self) -> web.StreamResponse:
        """GET /webchat/{app}/socket. Until a hello has proved whose it is a socket counts with its address, then with its
        visitor: behind a proxy that nobody has named all visitors have one address.
        """
        app, limits = self._call.app, self._call.limits
        with ExitStack() as unproven:
            unproven.enter_context(
                limits.hold("sockets", f"{app.name} {self._call.address}", most=app.sockets_per_address)
            )
            await self._socket.prepare(self._call.request)
            try:
                await self._converse(unproven)
            except Closed as closed:
                await self._socket.close(code=closed.code, message=closed.reason.encode())
            except (ConnectionError, TimeoutError):
                await self._socket.close(code=WSCloseCode.GOING_AWAY)
        return self._socket

    async def _converse(self, unproven: ExitStack) -> None:
        hello, visitor = await self._hello()
        app, account = self._call.app, self._call.account
        left = (visitor.expires_at - self._call.now).total_seconds()
        try:
            with (
                self._call.limits.hold("sockets", f"{app.name} {visitor.address}", most=app.sockets),
                self._live.sit(account.name, visitor.address, hello.cursor) as seat,
            ):
                if vouch(self._call.request, f"webchat {app.name} {visitor.address}"):
                    unproven.close()
                async with asyncio.timeout(left) as ending:
                    await self._both_ways(visitor, seat)
        except Refused as refused:
            raise Closed(TOO_MANY, refused.detail) from refused
        except TimeoutError:
            if not ending.expired():
                raise
            raise Closed(SESSION_ENDED, "the session has ended") from None

    async def _hello(self) -> tuple[Hello, Visitor]:
        try:
            async with asyncio.timeout(HELLO_SECONDS):
                message = await self._socket.receive()
            if message.type is not WSMsgType.TEXT:
                raise Closed(WSCloseCode.POLICY_VIOLATION, "a hello comes first")
            hello = Hello.model_validate_json(message.data)
            return hello, read_session_token(self._call.app, hello.token, self._call.now)
        except (TimeoutError, ValidationError) as error:
            raise Closed(WSCloseCode.POLICY_VIOLATION, "a hello comes first") from error
        except Unverified as error:
            raise Closed(SESSION_ENDED, error.detail) from error

    async def _both_ways(self, visitor: Visitor, seat: Seat) -> None:
        """Until either way ends; what the other way was doing is given up."""
        ways = {
            spawn(self._listen(visitor), "webchat frames in"),
            spawn(self._tell(visitor, seat), "webchat lines out"),
        }
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    # out -----------------------------------------------------------------------------------------------------------

    async def _tell(self, visitor: Visitor, seat: Seat) -> None:
        """Everything behind the cursor, then `ready` once, then again whenever woken."""
        await self._report(visitor, seat.cursor, "delivered")
        ready = False
        while not seat.leaving:
            seat.woken.clear()
            try:
                await self._tell_lines(seat)
                if not ready:
                    await self._tell_marks(seat)
                    ready = True
            except DatabaseUnavailable:
                await asyncio.sleep(2)
                continue
            if seat.typing:
                seat.typing = False
                await self._send({"type": "typing"})
            if seat.growing:
                growing, seat.growing = seat.growing, None
                await self._send(growing)
            await self._wait(seat)
        raise Closed(WSCloseCode.SERVICE_RESTART, "connect again")

    async def _wait(self, seat: Seat) -> None:
        """A script cannot see the protocol's pings, so a beat of our own tells it that the line is alive."""
        try:
            async with asyncio.timeout(BEAT):
                await seat.woken.wait()
        except TimeoutError:
            await self._send({"type": "beat"})

    async def _tell_lines(self, seat: Seat) -> None:
        while lines := await self._transcript.after(seat.account, seat.peer, seat.cursor, limit=PAGE):
            for line in lines:
                if line.direction == "outbound":
                    seat.typing, seat.growing = False, None
                await self._send({"type": "message", **shown_line(self._call.app, line, self._call.now)})
                seat.cursor = line.position

    async def _tell_marks(self, seat: Seat) -> None:
        marks = await self._transcript.marks(seat.account, seat.peer)
        await self._send({"type": "ready", "cursor": seat.cursor, "read": marks.read})

    async def _send(self, frame: dict[str, object]) -> None:
        """A window that does not take its frames is closed; it comes back to its cursor."""
        async with asyncio.timeout(SEND_SECONDS):
            await self._socket.send_str(orjson.dumps(frame).decode())

    # in ------------------------------------------------------------------------------------------------------------

    async def _listen(self, visitor: Visitor) -> None:
        app = self._call.app
        async for message in self._socket:
            try:
                self._call.limits.take("frames", f"{app.name} {visitor.address}", burst=120, seconds=60)
                frame = FRAMES.validate_json(message.data if message.type is WSMsgType.TEXT else b"")
            except Refused as refused:
                raise Closed(TOO_MANY, refused.detail) from refused
            except ValidationError as error:
                raise Closed(WSCloseCode.POLICY_VIOLATION, "not a frame of this protocol") from error
            match frame:
                case Marked():
                    await self._report(visitor, frame.position, "read" if frame.type == "read" else "delivered")
                case Types():
                    await see_typing(self._intake, self._call, visitor)

    async def _report(self, visitor: Visitor, position: int, mark: Mark) -> None:
        """Receipts that find Kafka or PostgreSQL away come again with the next mark or connection."""
        with suppress(BusUnavailable, DatabaseUnavailable):
            await report(
                self._intake,
                self._transcript,
                app=self._call.app,
                account=self._call.account,
                peer=visitor.address,
                until=position,
                mark=mark,
            )
