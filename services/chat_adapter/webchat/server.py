"""The widget's server: sessions, messages, receipts, files and the open window, all at /webchat/{app}/."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from services.chat_adapter.webchat import attachments, pages, talk
from services.chat_adapter.webchat.answers import Refused, answer
from services.chat_adapter.webchat.door import Call, Door
from services.chat_adapter.webchat.limits import Limits
from services.chat_adapter.webchat.live import Live
from services.chat_adapter.webchat.receipts import report
from services.chat_adapter.webchat.session import Opening, Visitor, open_session, write_session_token
from services.chat_adapter.webchat.shown import shown_line
from services.chat_adapter.webchat.socket import Position, Window
from services.chat_adapter.webchat.transcript import Line, Mark, Transcript
from shared.contract.envelope import Model, utc
from shared.contract.errors import BusUnavailable
from shared.inbound.accept import Intake
from shared.runtime.accounts import AccountsFile
from shared.storage.blobs import Blobs

PAGE: Final = 50
MOST: Final = 200


@dataclass(frozen=True, kw_only=True)
class WebChat:
    """What the server needs. `live.run()` is spawned by the service; on shutdown `live.dismiss()` sends windows elsewhere."""

    accounts: AccountsFile
    intake: Intake
    blobs: Blobs
    transcript: Transcript
    live: Live
    limits: Limits = field(default_factory=Limits)


class Read(Model):
    """The body of POST /webchat/{app}/read: everything up to this position was seen."""

    position: Position


class Page(Model):
    """The query of GET /webchat/{app}/messages: what comes after a position, or the last ones before one (default: the end)."""

    after: Position | None = None
    before: Position | None = None
    limit: Annotated[int, Field(ge=1, le=MOST)] = PAGE


def routes(chat: WebChat) -> list[web.RouteDef]:
    """Every route, each behind the door."""
    door = Door(accounts=chat.accounts, limits=chat.limits)
    opens, at = door.opens, "/webchat/{app}"
    return [
        web.post(f"{at}/session", opens("session", post_session)),
        web.post(f"{at}/messages", opens("message", partial(talk.post_message, chat.intake))),
        web.get(f"{at}/messages", opens("history", partial(get_messages, chat))),
        web.post(f"{at}/read", opens("read", partial(post_read, chat))),
        web.post(f"{at}/typing", opens("typing", partial(talk.post_typing, chat.intake))),
        web.post(f"{at}/attachments", opens("upload", partial(attachments.upload, chat.blobs))),
        web.get(
            f"{at}/attachments/{{address}}",
            opens("download", partial(attachments.download, chat.blobs), strict=False),
        ),
        web.get(f"{at}/socket", opens("socket", partial(open_socket, chat))),
        web.get(f"{at}/widget.js", opens("widget", pages.show_loader, strict=False)),
        web.get(f"{at}/widget/{{name:.+}}", opens("widget", pages.show_file, strict=False)),
        web.get(f"{at}/demo", opens("demo", pages.show_demo, strict=False)),
        web.options(f"{at}/{{rest:.+}}", door.preflight),
    ]


async def post_session(call: Call) -> web.StreamResponse:
    """POST /webchat/{app}/session: 200 {"token", "visitor", "verified", "expires_at", "title"}; 401 for a wrong signature."""
    call.limits.take("sessions", f"{call.app.name} {call.address}", burst=call.app.sessions_per_minute)
    visitor = open_session(call.app, await call.body(Opening), call.now)
    return answer(
        {
            "token": write_session_token(call.app, visitor),
            "visitor": visitor.address,
            "verified": visitor.verified,
            "expires_at": utc(visitor.expires_at),
            "title": call.app.title,
            "attachments": {"bytes": call.app.attachment_bytes, "types": call.app.attachment_types},
        }
    )


async def get_messages(chat: WebChat, call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/messages: {"messages", "cursor", "read", "more"}. `after` says that all up to there has arrived."""
    visitor, page = call.visitor(), _page(call)
    lines = await _lines(chat, call, visitor, page)
    marks = await chat.transcript.marks(call.account.name, visitor.address)
    if page.after:
        with suppress(BusUnavailable):
            await _mark(chat, call, visitor, until=page.after, mark="delivered")
    first = lines[0].position if lines else 1
    last = lines[-1].position if lines else page.after or 0
    return answer(
        {
            "messages": [shown_line(call.app, line, call.now) for line in lines],
            "cursor": last,
            "read": marks.read,
            "more": marks.last > last if page.after is not None else first > 1,
        }
    )


async def _lines(chat: WebChat, call: Call, visitor: Visitor, page: Page) -> list[Line]:
    account, peer = call.account.name, visitor.address
    if page.after is not None:
        return await chat.transcript.after(account, peer, page.after, limit=page.limit)
    return await chat.transcript.before(account, peer, page.before or 2**53, limit=page.limit)


def _page(call: Call) -> Page:
    try:
        return Page.model_validate(dict(call.request.query))
    except ValueError as error:
        raise Refused(400, "malformed", "after, before and limit are whole numbers") from error


async def post_read(chat: WebChat, call: Call) -> web.StreamResponse:
    """POST /webchat/{app}/read: 204 when the receipts are on the bus."""
    visitor = call.visitor()
    await _mark(chat, call, visitor, until=(await call.body(Read)).position, mark="read")
    return web.Response(status=204)


async def _mark(chat: WebChat, call: Call, visitor: Visitor, *, until: int, mark: Mark) -> None:
    await report(
        chat.intake,
        chat.transcript,
        app=call.app,
        account=call.account,
        peer=visitor.address,
        until=until,
        mark=mark,
    )


async def open_socket(chat: WebChat, call: Call) -> web.StreamResponse:
    """GET /webchat/{app}/socket, upgraded (RFC 6455)."""
    return await Window(call=call, live=chat.live, transcript=chat.transcript, intake=chat.intake).serve()
