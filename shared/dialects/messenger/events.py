"""Events of the Messenger Platform as records.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from shared.contract.channel import Incoming, Message, Receipt
from shared.contract.codes import Status
from shared.contract.envelope import (
    Assessment,
    Choice,
    Deletion,
    Edit,
    MessageContext,
    Part,
    Party,
    Quote,
    Reaction,
    Text,
    Thread,
    Unsupported,
)
from shared.contract.readable import otherwise
from shared.dialects.messenger import attachments, notices
from shared.dialects.messenger.entry import Entry, moment
from shared.dialects.messenger.tables import ABOUT_EVENT, NOT_MESSAGES

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
    if story := otherwise(lambda: _story(message["reply_to"]["story"]), None):
        context = (found.context or MessageContext()).model_copy(update={"quoted": story})
        found = replace(found, surface="story_reply", context=context)
    if entry.standby and found.echo and message.get("app_id"):
        found = replace(found, responder=str(message["app_id"]))
    yield replace(found, echo=True, sender=Party(address=entry.account)) if message.get("is_echo") else found


def _story(story: Json) -> Quote:
    """A story of an Instagram account, which is there for a day."""
    return Quote(external_id=story.get("id"), url=story.get("url"))


def _edit(event: Json, entry: Entry) -> Iterator[Message]:
    """Instagram also tells of a message that was edited no times, without words."""
    edit = event["message_edit"]
    if edit.get("num_edit") in (0, "0") and not edit.get("text"):
        return
    words = otherwise(lambda: Text(text=edit["text"]), Unsupported(type="message_edit"))
    parts = (Edit(target=edit["mid"]), words)
    number = edit.get("num_edit") or f"at/{event.get('timestamp') or entry.time}"
    yield _place(event, entry, key=f"{edit['mid']}/edit/{number}", parts=parts)


def _reaction(event: Json, entry: Entry) -> Iterator[Message]:
    """One at a time; Instagram does not say which of them is taken back."""
    reaction = event["reaction"]
    named = reaction.get("emoji") or (f":{reaction['reaction']}:" if reaction.get("reaction") else None)
    shown, removed = named or ":other:", reaction["action"] == "unreact"
    emoji = named if removed else shown
    part = Reaction(target=reaction["mid"], emoji=emoji, removed=removed and emoji is not None, replaces=not removed)
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
    """On Instagram by its id, in Messenger up to a moment."""
    seen, receipt = event["read"], _receipt(event, entry, "read")
    yield (
        replace(receipt, external_ids=(seen["mid"],))
        if "mid" in seen
        else replace(receipt, watermark=moment(seen["watermark"]))
    )


def _receipt(event: Json, entry: Entry, status: Status) -> Receipt:
    at = moment(event.get("timestamp"), entry.time)
    return Receipt(account_key=entry.account, peer=event["sender"]["id"], status=status, occurred_at=at)


def _unknown(event: Json, entry: Entry, kind: str) -> Message:
    about = event[kind]
    words = about.get("text") or about.get("title") if isinstance(about, dict) else None
    words = words if isinstance(words, str) else None
    key = f"{kind}/{event['sender']['id']}/{event.get('timestamp') or entry.time}"
    return _place(event, entry, key=key, parts=(Unsupported(type=kind, text=words),))


def _place(event: Json, entry: Entry, *, key: str, parts: tuple[Part, ...]) -> Message:
    """Between whom it was: the customer is the peer, whoever of the two has written."""
    sender, ours = event["sender"]["id"], event["sender"]["id"] == entry.account
    return Message(
        account_key=entry.account,
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
