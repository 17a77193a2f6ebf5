"""Events of Messenger as records.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from services.social_adapter.channels.facebook import attachments, metadata, notices
from services.social_adapter.channels.facebook.entry import Entry, moment
from services.social_adapter.channels.facebook.tables import ABOUT_EVENT, NOT_MESSAGES
from shared.contract.channel import Incoming, Message, Receipt
from shared.contract.codes import Status
from shared.contract.envelope import (
    Assessment,
    Choice,
    Deletion,
    Edit,
    Part,
    Party,
    Reaction,
    Text,
    Thread,
    Unsupported,
)
from shared.contract.readable import otherwise

Json = dict[str, Any]

STANDBY: Final = Assessment(may_auto_answer=False, reasons=("standby: another app owns the thread",))


def read(event: Json, entry: Entry) -> Iterator[Incoming]:
    """One event: nothing where nobody is named, two receipts for one delivery."""
    for kind, translate in EVENTS.items():
        if kind in event:
            yield from translate(event, entry)
            return
    kinds = [kind for kind in event if kind not in ABOUT_EVENT]
    unknown = next((kind for kind in kinds if kind not in NOT_MESSAGES), None)
    if unknown and "sender" in event:
        yield _unknown(event, entry, unknown)
    elif kinds and not unknown:
        yield from notices.read(event, entry, kinds[0])


def _message(event: Json, entry: Entry) -> Iterator[Message]:
    message = event["message"]
    mid = message["mid"]
    if message.get("is_deleted") in {True, "true"}:  # a word, in some of Meta's own samples
        yield _place(event, entry, key=f"{mid}/deleted", parts=(Deletion(target=mid),))
        return
    found = _place(event, entry, key=mid, parts=attachments.parts(message))
    answered = otherwise(lambda: Thread(reply_to=(message.get("reply_to") or {}).get("mid")), Thread())
    found = replace(found, external_id=mid, thread=answered, context=notices.came_by(message.get("referral")))
    if entry.standby and found.echo and message.get("app_id"):
        found = replace(found, responder=str(message["app_id"]))
    yield _home(found, message, entry) if message.get("is_echo") else found


def _home(echo: Message, message: Json, entry: Entry) -> Message:
    """Our own echo, by the app that sent it: it brings back the piece's name and the post it belongs to.

    Whom a private reply reached is its recipient: what that person receives and reads is told without the post.
    """
    echo = replace(echo, echo=True, sender=Party(address=entry.page))
    origin = metadata.read(message.get("metadata")) if str(message.get("app_id")) == entry.app_id else None
    if origin is None:
        return echo
    echo = replace(echo, join_key=origin.parley)
    if origin.post is None:
        return echo
    thread = Thread(thread_key=origin.thread)
    reached = (Party(address=echo.peer),)
    return replace(echo, peer=origin.post, container=origin.post, surface="comment", thread=thread, recipients=reached)


def _edit(event: Json, entry: Entry) -> Iterator[Message]:
    edit = event["message_edit"]
    words = otherwise(lambda: Text(text=edit["text"]), Unsupported(type="message_edit"))
    parts = (Edit(target=edit["mid"]), words)
    number = edit.get("num_edit") or f"at/{event.get('timestamp') or entry.time}"
    yield _place(event, entry, key=f"{edit['mid']}/edit/{number}", parts=parts)


def _reaction(event: Json, entry: Entry) -> Iterator[Message]:
    reaction = event["reaction"]
    shown = reaction.get("emoji") or f":{reaction.get('reaction', 'other')}:"
    removed = reaction["action"] == "unreact"
    part = Reaction(target=reaction["mid"], emoji=shown, removed=removed, replaces=not removed)
    at = event.get("timestamp") or entry.time
    key = f"{reaction['mid']}/{reaction['action']}/{event['sender']['id']}/{at}/{shown}"
    yield _place(event, entry, key=key, parts=(part,))


def _postback(event: Json, entry: Entry) -> Iterator[Message]:
    """On standby the payload is another app's and not told; what was pressed is only its title."""
    postback = event["postback"]
    title, payload, mid = postback.get("title"), postback.get("payload"), postback.get("mid")
    plain = otherwise(lambda: Unsupported(type="postback", text=title), Unsupported(type="postback"))
    part: Part = otherwise(lambda: Choice(id=payload, title=title), plain) if payload else plain
    key = f"postback/{mid or event['sender']['id']}/{event.get('timestamp') or entry.time}"
    context = notices.came_by(postback.get("referral"))
    yield replace(_place(event, entry, key=key, parts=(part,)), external_id=mid, context=context)


def _delivery(event: Json, entry: Entry) -> Iterator[Receipt]:
    """The ids where there are some, which also name what was sent to a comment; and always everything before the watermark."""
    delivery = event["delivery"]
    if mids := delivery.get("mids"):
        yield replace(_receipt(event, entry, "delivered"), external_ids=tuple(mids))
    yield replace(_receipt(event, entry, "delivered"), watermark=moment(delivery["watermark"]))


def _read(event: Json, entry: Entry) -> Iterator[Receipt]:
    yield replace(_receipt(event, entry, "read"), watermark=moment(event["read"]["watermark"]))


def _receipt(event: Json, entry: Entry, status: Status) -> Receipt:
    at = moment(event.get("timestamp"), entry.time)
    return Receipt(account_key=entry.page, peer=event["sender"]["id"], status=status, occurred_at=at)


def _unknown(event: Json, entry: Entry, kind: str) -> Message:
    about = event[kind]
    words = about.get("text") or about.get("title") if isinstance(about, dict) else None
    words = words if isinstance(words, str) else None
    key = f"{kind}/{event['sender']['id']}/{event.get('timestamp') or entry.time}"
    return _place(event, entry, key=key, parts=(Unsupported(type=kind, text=words),))


def _place(event: Json, entry: Entry, *, key: str, parts: tuple[Part, ...]) -> Message:
    """Between whom it was: the customer is the peer, whoever of the two has written."""
    sender, ours = event["sender"]["id"], event["sender"]["id"] == entry.page
    return Message(
        account_key=entry.page,
        event_key=key,
        peer=event["recipient"]["id"] if ours else sender,
        sender=Party(address=sender, verified=None if ours else "provider"),
        parts=parts,
        occurred_at=moment(event.get("timestamp"), entry.time),
        assessment=STANDBY if entry.standby else Assessment(),
        responder=notices.OTHER if entry.standby else None,
        echo=ours,
    )


EVENTS: Final[Mapping[str, Callable[[Json, Entry], Iterator[Incoming]]]] = {
    "message": _message,
    "message_edit": _edit,
    "postback": _postback,
    "reaction": _reaction,
    "delivery": _delivery,
    "read": _read,
}
