"""What is said, to all of a channel or to one person of it, at once or as it is written — https://docs.slack.dev/messaging."""

from __future__ import annotations

from typing import Any

import orjson

from services.chat_adapter.channels.slack import places
from services.chat_adapter.channels.slack.amending import delete
from services.chat_adapter.channels.slack.calls import call, path_of
from services.chat_adapter.channels.slack.outbound import compose, so_far
from services.chat_adapter.channels.slack.settings import Account
from services.chat_adapter.channels.slack.sharing import share
from shared.contract.channel import Context, Http, Piece, SendFailed, Sent, Steps, TypingMark

Json = dict[str, Any]


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """Slack documents no key by which a post may be repeated. Its echo carries the piece's id, as metadata."""
    place, person = places.split(piece.to)
    where, thread = places.target(piece, agent=account.agent)
    if piece.grown and (sent := (yield from _whole(account, piece, piece.grown))):
        return sent
    if piece.files:
        if person:
            raise SendFailed("unsupported", "Slack takes no file that one person of a channel alone would see")
        return (yield from share(account, piece, where, thread))
    content = compose(piece)
    if person:
        return (yield from _whisper(account, piece, place, person, content))
    name, others = yield from _post(account, where, thread, content)
    return Sent(external_ids=(name, *others))


def _post(account: Account, where: str, thread: str | None, content: Json) -> Steps[tuple[str, tuple[str, ...]]]:
    """By which names it is known there."""
    message = {"channel": where, **({"thread_ts": thread} if thread else {}), **content}
    told = (yield call(account, "chat.postMessage", message, commits=True)).json()
    return places.names(told["channel"], told["ts"], thread)


def _whole(account: Account, piece: Piece, grown: str) -> Steps[Sent | None]:
    """The answer in the place of what showed it so far; None where that has gone, or cannot say it and is taken away."""
    channel, ts = places.stands(grown)
    if piece.files:
        yield from delete(account, channel, ts)
        return None
    try:
        yield call(account, "chat.update", {"channel": channel, "ts": ts, **compose(piece)})
    except SendFailed as failed:
        if not failed.detail.startswith("message_not_found"):
            raise
        return None
    name, plain = grown, f"{channel}:{ts}"
    return Sent(external_ids=(name, plain) if name != plain else (name,))


def _whisper(account: Account, piece: Piece, place: str, person: str, content: Json) -> Steps[Sent]:
    """What only this person sees: where their command or press said, which needs no membership; else as a member of the
    channel. Neither has an echo.
    """
    if piece.route:
        answer = {name: value for name, value in content.items() if name != "metadata"}
        body = orjson.dumps({"response_type": "ephemeral", "replace_original": False, **answer})
        kind, secret = {"content-type": "application/json"}, path_of(piece.route)
        yield Http(url=piece.route, headers=kind, body=body, commits=True, stranger=True, secret=secret)
        return Sent(join_key=piece.id)
    ephemeral = {"channel": place, "user": person, **content}
    told = (yield call(account, "chat.postEphemeral", ephemeral, commits=True)).json()
    return Sent(external_ids=(places.names(place, told["message_ts"], None)[0],))


def grow(account: Account, piece: Piece, context: Context) -> Steps[str]:
    """A message that is updated, all of it each time. chat.startStream would need the one person in a channel who sees it grow, its
    appends cannot be repeated, it ends after some minutes, and its echo carries nothing of ours: …/reference/methods/chat.startStream.
    """
    where, thread = places.target(piece, agent=account.agent)
    if places.split(piece.to)[1]:
        return ""
    if piece.grown:
        channel, ts = places.stands(piece.grown)
        yield call(account, "chat.update", {"channel": channel, "ts": ts, **so_far(piece)})
        return piece.grown
    name, _ = yield from _post(account, where, thread, so_far(piece))
    return name


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """In a thread, where Slack shows it until the answer: https://docs.slack.dev/reference/methods/assistant.threads.setStatus."""
    where, thread = places.target(mark, agent=account.agent)
    if thread and not places.split(mark.to)[1]:
        status = {"channel_id": where, "thread_ts": thread, "status": "is typing…"}
        yield call(account, "assistant.threads.setStatus", status)
