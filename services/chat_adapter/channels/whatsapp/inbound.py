"""WhatsApp webhooks as records — https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.content import read_parts
from services.chat_adapter.channels.whatsapp.errors import REFUSALS
from services.chat_adapter.channels.whatsapp.tables import FIELDS, STATUSES
from shared.channel import Incoming, Malformed, Message, Receipt
from shared.dialects.meta import seconds
from shared.envelope import Assessment, Call, Deletion, Edit, Party, Thread, Unsupported
from shared.readable import each

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a body says, and what stands around it."""

    content: Json
    value: Json
    read: Callable[[Item], Incoming | None]

    @property
    def account_key(self) -> str:
        name: str = self.value["metadata"]["phone_number_id"]
        return name


def read(body: Json) -> Iterator[Incoming | Malformed]:
    """The records of a body, which may hold entries of several business accounts, each with changes of several numbers.

    A field that holds no messages (account_update, message_template_status_update, history …) is nothing, and so are
    `errors` beside the messages: they are about the account, and name no message.
    """
    return each(lambda entry: each(_values, entry["changes"]), body["entry"])


def _values(change: Json) -> Iterator[Incoming | Malformed]:
    if change["field"] in FIELDS:
        value = change["value"]
        for name, reader in READERS.items():
            items = (Item(content, value, reader) for content in value.get(name, ()))
            yield from each(_item, items)


def _item(item: Item) -> tuple[Incoming, ...]:
    record = item.read(item)
    return () if record is None else (record,)


def _message(item: Item) -> Message:
    message = item.content
    if message["type"] == "system":
        return _new_name(item)
    person = _person(item)
    group = message.get("group_id")
    return _said(item, peer=group or person.address, sender=person, group=group)


def _echo(item: Item) -> Message:
    """What the business wrote on its own phone: https://…/webhooks/reference/smb_message_echoes."""
    message = item.content
    sender = Party(address=_digits(message["from"]), verified="signature")
    return _said(item, peer=_digits(message.get("to")) or message["to_user_id"], sender=sender, echo=True)


def _said(item: Item, *, peer: str, sender: Party, group: str | None = None, echo: bool = False) -> Message:
    message = item.content
    change = _change(message)
    content = message["edit"]["message"] if isinstance(change, Edit) else message
    parts = () if isinstance(change, Deletion) else read_parts(content)
    names_itself = not change and message["type"] != "reaction"
    return Message(
        account_key=item.account_key,
        event_key=message["id"],
        peer=peer,
        sender=sender,
        parts=((change,) if change else ()) + parts,
        occurred_at=_time(message),
        external_id=message["id"] if names_itself else None,
        surface="group" if group else "direct",
        container=group,
        thread=_thread(message),
        echo=echo,
    )


def _change(message: Json) -> Edit | Deletion | None:
    """Of an earlier message: https://…/webhooks/reference/messages/edit and …/revoke."""
    match message["type"]:
        case "edit":
            return Edit(target=message["edit"]["original_message_id"])
        case "revoke":
            return Deletion(target=message["revoke"]["original_message_id"])
    return None


def _thread(message: Json) -> Thread:
    """What is answered, and the headline of the ad that the person came by."""
    context, referral = message.get("context") or {}, message.get("referral") or {}
    return Thread(
        reply_to=context.get("id") if message["type"] != "reaction" else None,
        subject=referral.get("headline") or referral.get("body"),
    )


def _person(item: Item) -> Party:
    """Their phone number, or where it is withheld their id with this business; the other one is the alias."""
    message = item.content
    phone, user = _digits(message.get("from")), message.get("from_user_id")
    contact = _contact(item.value, phone, user)
    names = [phone, user, _digits(contact.get("wa_id")), contact.get("user_id")]
    return _party(names, phone=phone, profile=contact.get("profile") or {})


def _party(names: list[str | None], *, phone: str | None, profile: Json) -> Party:
    """The first of their names is the address; all are one person by WhatsApp's word."""
    address, *aliases = dict.fromkeys(filter(None, names))
    return Party(
        address=address,
        aliases=tuple(aliases),
        name=profile.get("name") or profile.get("username"),
        verified="signature",
        phone=f"+{phone}" if phone else None,
    )


def _contact(value: Json, phone: str | None, user: str | None) -> Json:
    """Who wrote, of the contacts beside the messages."""
    contacts: list[Json] = value.get("contacts") or []
    for contact in contacts:
        if (phone and _digits(contact.get("wa_id")) == phone) or (user and contact.get("user_id") == user):
            return contact
    return contacts[0] if len(contacts) == 1 and _may_be(contacts[0], user, value) else {}


def _may_be(contact: Json, user: str | None, value: Json) -> bool:
    """An only contact beside an only sender is them, though their number may be written otherwise; not with another id."""
    events = value.get("messages") or value.get("calls") or ()
    senders = {event.get("from") for event in events if isinstance(event, dict)}
    return len(senders) == 1 and not (user and contact.get("user_id"))


def _new_name(item: Item) -> Message:
    """The person has another number: https://…/webhooks/reference/messages/system. They are the same person as before."""
    message, system = item.content, item.content["system"]
    phone = _digits(system.get("wa_id") or system.get("new_wa_id"))
    before = [_digits(message.get("from")), message.get("from_user_id"), system.get("previous_user_id")]
    names = [phone, system.get("user_id"), *before]
    return _notice(item, names, phone=phone, event=message["id"], kind=system["type"], words=system.get("body"))


def _new_user_id(item: Item) -> Message:
    """The person has another id with this business: …/whatsapp/business-scoped-user-ids."""
    update, user = item.content, item.content["user_id"]
    phone = _digits(update.get("wa_id"))
    event = f"user_id_update/{user['previous']}/{user['current']}"
    names = [phone, user["current"], user["previous"]]
    return _notice(item, names, phone=phone, event=event, kind="user_id_update", words=update.get("detail"))


def _notice(
    item: Item, names: list[str | None], *, phone: str | None, event: str, kind: str, words: str | None
) -> Message:
    person = _party(names, phone=phone, profile={})
    return Message(
        account_key=item.account_key,
        event_key=event,
        peer=person.address,
        sender=person,
        parts=(Unsupported(type=kind, text=words),),
        occurred_at=_time(item.content),
        assessment=NOTICE,
    )


def _call(item: Item) -> Message | None:
    """A call of the person, when it is over: …/whatsapp/calling/user-initiated-calls."""
    call = item.content
    if call["event"] != "terminate" or call["direction"] != "USER_INITIATED":
        return None
    person, spoken = _person(item), call.get("duration")
    return Message(
        account_key=item.account_key,
        event_key=call["id"],
        peer=person.address,
        sender=person,
        parts=(Call(outcome="answered" if spoken else "missed", seconds=spoken),),
        occurred_at=_time(call),
    )


def _status(item: Item) -> Receipt | None:
    """Statuses come in any order, and one that says nothing to us (`deleted`, `warning`) is nothing."""
    status = item.content
    if status["status"] not in STATUSES:
        return None
    errors = status.get("errors") or ()
    return Receipt(
        account_key=item.account_key,
        peer=_digits(status.get("recipient_id")) or status["recipient_user_id"],
        status=STATUSES[status["status"]],
        occurred_at=_time(status),
        external_ids=(status["id"],),
        join_key=status.get("biz_opaque_callback_data"),
        failure=REFUSALS.failure(errors[0]) if errors else None,
    )


# What WhatsApp tells of a person is nothing that they said.
NOTICE: Final = Assessment(kind="automatic", may_auto_answer=False, reasons=("system",))
READERS: Final[Mapping[str, Callable[[Item], Incoming | None]]] = {
    "messages": _message,
    "message_echoes": _echo,
    "user_id_update": _new_user_id,
    "calls": _call,
    "statuses": _status,
}


def _time(content: Json) -> datetime:
    return seconds(content["timestamp"])


def _digits(number: str | None) -> str | None:
    """A number as WhatsApp mostly writes it, without the plus that it sometimes has."""
    return number.removeprefix("+") if number else None
