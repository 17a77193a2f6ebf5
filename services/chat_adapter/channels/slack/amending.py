"""What changes a message that stands — https://docs.slack.dev/reference/methods/chat.update, …/chat.delete, …/reactions.add."""

from __future__ import annotations

from services.chat_adapter.channels.slack import places
from services.chat_adapter.channels.slack.calls import ask, call
from services.chat_adapter.channels.slack.outbound import words
from services.chat_adapter.channels.slack.settings import Account
from services.chat_adapter.channels.slack.words import short_name
from shared.contract.channel import Amendment, Context, DeletePiece, EditPiece, Http, React, SendFailed, Steps


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """https://docs.slack.dev/reference/methods/chat.update, …/chat.delete, …/reactions.add. What is so already is a success."""
    channel, ts = places.stands(wanted.external_id)
    match wanted:
        case EditPiece(part=part):
            yield call(account, "chat.update", {"channel": channel, "ts": ts, **words(part)})
        case DeletePiece():
            yield from delete(account, channel, ts)
        case React(emoji=str(emoji), removed=removed):
            yield _react(account, channel, ts, short_name(emoji), removed=removed)
        case React():
            yield from _take_back(account, channel, ts)


def delete(account: Account, channel: str, ts: str) -> Steps[None]:
    try:
        yield call(account, "chat.delete", {"channel": channel, "ts": ts})
    except SendFailed as failed:
        if not failed.detail.startswith("message_not_found"):
            raise


def _react(account: Account, channel: str, ts: str, name: str, *, removed: bool) -> Http:
    method = "reactions.remove" if removed else "reactions.add"
    return call(account, method, {"channel": channel, "timestamp": ts, "name": name})


def _take_back(account: Account, channel: str, ts: str) -> Steps[None]:
    """All of ours, which the message tells: https://docs.slack.dev/reference/methods/reactions.get."""
    bot = (yield call(account, "auth.test", {})).json()["user_id"]
    about = {"channel": channel, "timestamp": ts, "full": "true"}
    message = (yield ask(account, "reactions.get", about)).json()["message"]
    for one in message.get("reactions", ()):
        if bot in one["users"]:
            yield _react(account, channel, ts, one["name"], removed=True)
