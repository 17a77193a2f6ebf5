"""Viber webhooks as records — https://creators.viber.com/docs/bots-api/events/intro."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.chat_adapter.channels.viber.content import read_part
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message, Receipt
from shared.contract.codes import Failure, Status
from shared.contract.envelope import LATEST, SYSTEM, MessageContext, Notice, Party, Referral
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

RECEIPTS: Final[Mapping[str, Status]] = {"delivered": "delivered", "seen": "read", "failed": "failed"}


def read(body: Json, account: str) -> Iterator[Incoming | Malformed]:
    """One event a request. Which bot it is of, only the address tells."""
    return each(lambda event: _event(event, account), (body,))


def _event(event: Json, account: str) -> Iterator[Incoming]:
    """`webhook` is the call by which Viber sees that somebody listens."""
    kind = event["event"]
    if kind == "webhook":
        return
    if kind in RECEIPTS:
        yield _receipt(event, account)
    elif kind == "message":
        yield Message(
            **_place(event, event["sender"], account),
            external_id=_token(event),
            parts=(read_part(event.get("message")),),
        )
    else:
        part = NOTICES.get(kind, _other)(event)
        person = event.get("user") or {"id": event["user_id"]}
        yield Message(
            **_place(event, person, account),
            parts=(part,),
            assessment=SYSTEM,
            context=otherwise(lambda: _came_by(event["context"]), None),
        )


def _place(event: Json, person: Json, account: str) -> Json:
    """Only two are ever in a chat with a bot."""
    return {
        "account_key": account,
        "event_key": f"{event['event']}/{_token(event)}",
        "peer": person["id"],
        "sender": _party(person),
        "occurred_at": _moment(event),
    }


def _party(person: Json) -> Party:
    """The id is this person's with this bot alone: https://developers.viber.com/docs/faq/."""
    locale = otherwise(lambda: person["language"][:35], None)
    return hints.party(Party(address=person["id"], verified="signature"), name=person.get("name"), locale=locale)


def _moment(event: Json) -> datetime:
    return otherwise(lambda: datetime.fromtimestamp(event["timestamp"] / 1000, UTC), LATEST)


def _token(event: Json) -> str:
    """A whole number of 64 bits."""
    token: int = event["message_token"]
    return f"{token:d}"


def _receipt(event: Json, account: str) -> Receipt:
    status = RECEIPTS[event["event"]]
    why = otherwise(lambda: str(event["desc"])[:500], "")
    return Receipt(
        account_key=account,
        peer=event["user_id"],
        status=status,
        occurred_at=_moment(event),
        external_ids=(_token(event),),
        failure=Failure(code="refused", detail=why) if status == "failed" else None,
    )


def _came_by(context: str) -> MessageContext | None:
    """What the link said by which they came: …/events/conversation-started."""
    return MessageContext(referral=Referral(source="link", ref=context)) if context else None


def _other(event: Json) -> Notice:
    return Notice(type="other", text=hints.word(event["event"]))


NOTICES: Final[Mapping[str, Callable[[Json], Notice]]] = {
    "subscribed": lambda _: Notice(type="unblocked"),
    "unsubscribed": lambda _: Notice(type="blocked"),
}
