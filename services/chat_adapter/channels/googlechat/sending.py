"""A piece as a message in its space — https://developers.google.com/workspace/chat/create-messages."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import quote, urlencode

from services.chat_adapter.channels.googlechat.outbound import compose
from services.chat_adapter.channels.googlechat.places import SPACE, split, thread_in
from services.chat_adapter.channels.googlechat.requests import ask, change, tell
from services.chat_adapter.channels.googlechat.settings import Account
from shared.contract.channel import AlreadySent, Context, Http, Piece, Response, Sent, Steps, unless_gone

Json = dict[str, Any]


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """By a name of ours, under which there is one message in its space: …/create-messages#name_a_created_message."""
    space, viewer = yield from _space(account, piece, context)
    message = compose(piece.part, context.link, context.hook)
    if piece.grown and (sent := (yield from _whole(account, piece.grown, message, context))):
        return sent
    name = own_name(piece)
    told = yield from _create(account, space, viewer, piece.thread_key, name, message, context)
    return _sent(told)


def own_name(piece: Piece) -> str:
    """Small letters, digits and hyphens, up to 63."""
    return f"client-{piece.id}"


def _sent(told: Json) -> Sent:
    """What begins a thread is known by the thread's name as well, which answers in it have."""
    begins = told["thread"]["name"] if "thread" in told and told.get("threadReply") is not True else None
    return Sent(external_ids=(told["name"], *([begins] if begins else [])))


def _space(account: Account, piece: Piece, context: Context) -> Generator[Http, Response, tuple[str, str | None]]:
    """The space that is written to, and who alone is to see it. A person's own was told with what they wrote, or is asked for:
    …/reference/rest/v1/spaces/findDirectMessage.
    """
    space, viewer = split(piece.to)
    if space:
        return space, viewer
    if piece.route and SPACE.fullmatch(piece.route):
        return piece.route, None
    answer = yield ask(account, f"spaces:findDirectMessage?{urlencode({'name': piece.to})}", context)
    found: str = answer.json()["name"]
    return found, None


def _create(
    account: Account, space: str, viewer: str | None, thread_key: str | None, name: str, message: Json, context: Context
) -> Generator[Http, Response, Json]:
    """What stands there already, sent by an earlier try, is that message."""
    asked = {"messageId": name, "requestId": name}
    if viewer:
        message = {**message, "privateMessageViewer": {"name": viewer}}
    elif thread := thread_in(space, thread_key):
        message = {**message, "thread": {"name": thread}}
        asked["messageReplyOption"] = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
    place = f"{quote(space)}/messages"
    try:
        answer = yield tell(account, f"{place}?{urlencode(asked)}", message, context, commits=True)
    except AlreadySent:
        answer = yield ask(account, f"{place}/{name}", context)
    told: Json = answer.json()
    return told


def _whole(account: Account, grown: str, message: Json, context: Context) -> Steps[Sent | None]:
    """The answer in the place of what showed it so far; None where that has gone."""
    told = yield from unless_gone(change(account, grown, message, context))
    return _sent(told.json()) if told else None


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    """A message that is changed, all of it each time. spaces.streamMessages is a preview, for few."""
    message = compose(piece.part, context.link, context.hook)
    if piece.grown:
        yield change(account, piece.grown, message, context)
        return piece.grown
    space, viewer = yield from _space(account, piece, context)
    name = f"{own_name(piece)}-grows"
    told = yield from _create(account, space, viewer, piece.thread_key, name, message, context)
    shown: str = told["name"]
    return shown
