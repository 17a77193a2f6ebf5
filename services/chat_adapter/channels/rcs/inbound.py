"""What RCS for Business tells, as records — https://developers.google.com/business-communications/rcs-business-messaging/guides/build/messages/receive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import AwareDatetime, TypeAdapter

from services.chat_adapter.channels.rcs.proof import told
from shared.contract import hints
from shared.contract.channel import Incoming, Malformed, Message, Receipt, TypingSeen
from shared.contract.codes import Failure, Status
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Choice,
    Location,
    Media,
    Notice,
    Part,
    Party,
    Text,
    Unsupported,
    kind_of,
)
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

RECEIPTS: Final[Mapping[str, Status]] = {"DELIVERED": "delivered", "READ": "read", "TTL_EXPIRATION_REVOKED": "failed"}
EXPIRED: Final = Failure(code="expired", detail="it was not delivered in time, and was taken back")
AROUND: Final = frozenset(
    {"senderPhoneNumber", "messageId", "sendTime", "agentId", "richMessageClassification", "carrier"}
)
MOMENT: Final = TypeAdapter(AwareDatetime)


def read(body: Json, domain: str) -> Iterator[Incoming | Malformed]:
    """One event a request, of any of the partner's agents. `domain`: what stands behind an agent's id, or does not."""
    return each(lambda body: _event(orjson.loads(told(body)), domain), (body,))


def _event(event: Json, domain: str) -> Iterator[Incoming]:
    """That an agent was launched, or no more, is about the account and says nothing of anybody."""
    if "newLaunchState" in event:
        return
    account, at = event["agentId"].removesuffix(domain), otherwise(lambda: _moment(event), LATEST)
    phone: str = event.get("senderPhoneNumber") or event["phoneNumber"]
    place = {"account_key": account, "peer": phone, "occurred_at": at}
    kind = event.get("eventType")
    if kind is None:
        name = event["messageId"]
        yield Message(
            **place, event_key=f"{phone}/{name}", external_id=name, sender=_party(phone), parts=(_part(event),)
        )
    elif kind in RECEIPTS:
        status = RECEIPTS[kind]
        failure = EXPIRED if status == "failed" else None
        name = event["messageId"]
        yield Receipt(**place, status=status, external_ids=(name,), join_key=name, failure=failure)
    elif kind == "IS_TYPING":
        yield TypingSeen(**place)
    else:
        notice = NOTICES.get(kind) or Notice(type="other", text=hints.word(kind))
        key = f"{phone}/{event['eventId']}"
        yield Message(**place, event_key=key, sender=_party(phone), parts=(notice,), assessment=SYSTEM)


def _moment(event: Json) -> datetime:
    return MOMENT.validate_python(event["sendTime"])


def _party(phone: str) -> Party:
    return Party(address=phone, phone=phone, verified="signature")


def _part(message: Json) -> Part:
    """Its one content; one that is not known, or has another shape, passes as unsupported."""
    kind = next((name for name in message if name not in AROUND), "unsupported")
    other = Unsupported(type=kind[:255] or "unsupported")
    read = CONTENT.get(kind)
    return otherwise(lambda: read(message[kind]), other) if read else other


def _file(content: Json) -> Part:
    file = content["payload"]
    mime_type = otherwise(lambda: Media(media="file", mime_type=file["mimeType"]).mime_type, None)
    return Media(
        media=kind_of(mime_type),
        handle=file["fileUri"],
        mime_type=mime_type,
        name=otherwise(lambda: Media(media="file", name=file["fileName"]).name, None),
        size=otherwise(lambda: Media(media="file", size=int(file["fileSizeBytes"])).size, None),
    )


def _pressed(response: Json) -> Part:
    """An answer that was suggested, or something to do: …/reference/rest/v1/SuggestionResponse."""
    title = otherwise(lambda: Choice(id="-", title=response["text"]).title, None)
    return Choice(id=response["postbackData"], title=title)


CONTENT: Final[Mapping[str, Callable[[Any], Part]]] = {
    "text": lambda words: Text(text=words),
    "userFile": _file,
    "location": lambda place: Location(latitude=place.get("latitude", 0), longitude=place.get("longitude", 0)),
    "suggestionResponse": _pressed,
}
NOTICES: Final[Mapping[str, Notice]] = {
    "SUBSCRIBE": Notice(type="unblocked"),
    "UNSUBSCRIBE": Notice(type="blocked"),
}
