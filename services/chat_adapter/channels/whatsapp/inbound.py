"""WhatsApp webhooks as records — https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

from services.chat_adapter.channels.whatsapp.content import read_parts
from services.chat_adapter.channels.whatsapp.errors import REFUSALS
from services.chat_adapter.channels.whatsapp.tables import FIELDS, STATUSES
from shared.contract.channel import Incoming, Malformed, Message, Receipt
from shared.contract.codes import Failure
from shared.contract.deliveries import Cost
from shared.contract.envelope import (
    LATEST,
    SYSTEM,
    Assessment,
    Call,
    Deletion,
    Edit,
    MessageContext,
    Notice,
    Part,
    Party,
    Referral,
    Text,
    Thread,
    Unsupported,
)
from shared.contract.identities import proved
from shared.contract.readable import each, otherwise
from shared.dialects.meta import moment

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a body says, and what stands around it."""

    content: Json
    value: Json
    read: Callable[[Item], Incoming | None]
    standby: bool = False

    @property
    def account_key(self) -> str:
        number = self.value.get("metadata") or self.value["recipient"]  # of a handover
        name: str = number["phone_number_id"]
        return name


def read(body: Json) -> Iterator[Incoming | Malformed]:
    """The records of a body, which may hold entries of several business accounts, each with changes of several numbers.

    A field that holds no messages (account_update, message_template_status_update, history …) is nothing, and so are
    `errors` beside the messages: they are about the account, and name no message.
    """
    return each(lambda entry: each(_values, entry["changes"]), body["entry"])


def _values(change: Json) -> Iterator[Incoming | Malformed]:
    if change["field"] == "messaging_handovers":
        yield from each(_item, (Item(change["value"], change["value"], _handover),))
    elif change["field"] in FIELDS:
        value, standby = _whole(change["value"]), change["field"] == "standby"
        for name, reader in READERS.items():
            items = (Item(content, value, reader, standby) for content in value.get(name, ()))
            yield from each(_item, items)


def _whole(value: Json) -> Json:
    """On standby the lists stand in an object of their own: https://…/webhooks/reference/standby."""
    return {**value, **value.get("standby", {})}


def _item(item: Item) -> tuple[Incoming, ...]:
    record = item.read(item)
    return () if record is None else (record,)


def _message(item: Item) -> Message:
    message = item.content
    if message.get("type") == "system":
        return _new_name(item)
    person = _person(item)
    group = message.get("group_id")
    return _said(item, peer=group or person.address, sender=person, group=group)


def _echo(item: Item) -> Message:
    """What the business wrote on its own phone, or another responder for it, which comes as it was sent.

    https://…/webhooks/reference/smb_message_echoes, …/webhooks/reference/standby
    """
    message = {**item.content, **item.content.get("message", {})}
    number = _digits(message.get("to") or message.get("recipient"))
    peer = message.get("to_user_id") or number or message["to_user_id"]
    sender = otherwise(lambda: _own(message, item.value), Party(address=item.account_key, verified="signature"))
    return _said(replace(item, content=message), peer=peer, sender=sender, echo=True)


def _own(message: Json, value: Json) -> Party:
    number = message.get("from") or value["metadata"]["display_phone_number"]
    return Party(address=number.removeprefix("+"), verified="signature")


def _said(item: Item, *, peer: str, sender: Party, group: str | None = None, echo: bool = False) -> Message:
    message = item.content
    change = _change(message)
    content = otherwise(lambda: message["edit"]["message"], message) if isinstance(change, Edit) else message
    parts = () if isinstance(change, Deletion) else read_parts(content)
    names_itself = not change and message.get("type") != "reaction"
    return Message(
        account_key=item.account_key,
        event_key=message["id"],
        peer=peer,
        sender=sender,
        parts=((change,) if change else ()) + parts,
        occurred_at=_time(item),
        external_id=message["id"] if names_itself else None,
        surface="group" if group else "direct",
        container=group,
        thread=otherwise(lambda: _thread(message), Thread()),
        context=_refers_to(message),
        assessment=STANDBY if item.standby else Assessment(),
        responder=OTHER if item.standby else None,
        echo=echo,
    )


def _change(message: Json) -> Edit | Deletion | None:
    """Of an earlier message: https://…/webhooks/reference/messages/edit and …/revoke."""
    match message.get("type"):
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


def _refers_to(message: Json) -> MessageContext | None:
    """Whether its words are somebody else's, and the advertisement or post that brought the person here.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/text
    """
    about, came_by = message.get("context"), message.get("referral")
    about = about if isinstance(about, dict) else {}
    found = MessageContext(
        forwarded=bool(about.get("forwarded") or about.get("frequently_forwarded")),
        referral=otherwise(lambda: _referral(came_by), Referral(source="unknown")) if came_by else None,
    )
    return None if found == MessageContext() else found


def _referral(came_by: Json) -> Referral:
    return Referral(
        source=came_by.get("source_type") or "ad",
        id=came_by.get("source_id"),
        url=came_by.get("source_url"),
        title=came_by.get("headline"),
        text=came_by.get("body"),
        click_id=came_by.get("ctwa_clid"),
    )


def _person(item: Item) -> Party:
    """Their id with this business, or where there is none their phone number, which may be somebody else's one day; the others are
    aliases.
    """
    message = item.content
    phone, user = _digits(message.get("from")), message.get("from_user_id")
    contact = otherwise(lambda: _contact(item.value, phone, user), {})
    names = [user, phone, _digits(contact.get("wa_id")), contact.get("user_id")]
    names += [message.get("from_parent_user_id"), contact.get("parent_user_id")]  # …/whatsapp/business-scoped-user-ids
    return _party(names, phone=phone, profile=contact.get("profile") or {})


def _party(names: list[str | None], *, phone: str | None, profile: Json) -> Party:
    """The first of their names is the address; all are one person by WhatsApp's word. One that is none takes none along."""
    address, *aliases = dict.fromkeys(name for name in names if isinstance(name, str) and 0 < len(name) <= NAMES)
    number = f"+{phone}" if phone else None
    proofs = proved("phone", number, by="signature") if address != phone else ()
    plain = Party(address=address, aliases=tuple(aliases[:ALIASES]), verified="signature", phone=number, proofs=proofs)
    told = {"name": lambda: profile.get("name") or profile.get("username"), "username": lambda: profile.get("username")}
    readable = {field: otherwise(partial(_checked, field, read), None) for field, read in told.items()}
    return plain.model_copy(update=readable)


def _checked(field: str, read: Callable[[], Any]) -> Any:
    return getattr(Party.model_validate({"address": "-", field: read()}), field)


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
    """The person has another number or id: https://…/webhooks/reference/messages/system. They are the same person as before."""
    message, system = item.content, item.content["system"]
    phone = _digits(system.get("wa_id") or system.get("new_wa_id"))
    now = [system.get("user_id"), phone]
    before = [message.get("from_user_id"), system.get("previous_user_id"), _digits(message.get("from"))]
    return _moved(item, now, before, phone=phone, event=message["id"], kind=system["type"], words=system.get("body"))


def _new_user_id(item: Item) -> Message:
    """The person has another id with this business: …/whatsapp/business-scoped-user-ids. They may get an earlier one back."""
    update, user = item.content, item.content["user_id"]
    phone = _digits(update.get("wa_id"))
    event = f"user_id_update/{user['previous']}/{user['current']}/{update.get('timestamp')}"
    now, before = [user["current"], phone], [user["previous"]]
    return _moved(item, now, before, phone=phone, event=event, kind="user_id_update", words=update.get("detail"))


def _preference(item: Item) -> Message:
    """The person wants no marketing from this business, or wants it again: https://…/webhooks/reference/user_preferences."""
    wish = item.content
    phone, user = _digits(wish.get("wa_id")), wish.get("user_id")
    contact = otherwise(lambda: _contact(item.value, phone, user), {})
    person = _party([user, phone, contact.get("user_id")], phone=phone, profile=contact.get("profile") or {})
    said = f"{wish['category']}: {wish['value']}"
    event = f"user_preferences/{person.address}/{said}/{wish.get('timestamp')}"
    return _notice(item, person.address, person, event=event, part=_wanted(wish, said))


def _wanted(wish: Json, said: str) -> Notice:
    """What of it Meta documents; of anything else that it was told."""
    kind = WISHES.get(wish["value"]) if wish["category"] == "marketing_messages" else None
    return Notice(type=kind, purposes=("marketing",), text=said) if kind else Notice(type="other", text=said)


def _moved(
    item: Item,
    now: list[str | None],
    before: list[str | None],
    *,
    phone: str | None,
    event: str,
    kind: str,
    words: str | None,
) -> Message:
    """Whoever was called one of `before` is called the first of `now`; nobody's message."""
    person = _party([*now, *before], phone=phone, profile={})
    old = next((name for name in before if name and name not in now), None)
    text = words if isinstance(words, str) else kind
    moved = Notice(type="moved", to=person.address, text=text) if old else Notice(type="other", text=text)
    return _notice(item, old or person.address, person, event=event, part=moved)


def _notice(item: Item, peer: str, person: Party, *, event: str, part: Notice) -> Message:
    return Message(
        account_key=item.account_key,
        event_key=event,
        peer=peer,
        sender=person,
        parts=(part,),
        occurred_at=_time(item),
        assessment=SYSTEM,
    )


def _handover(item: Item) -> Message:
    """Who has the thread now: https://…/webhooks/reference/messaging-handovers. Whoever got it is told that it was passed,
    whoever lost it that it was taken; of the fields in that object Meta promises none.
    """
    value = item.content
    sender, kind = value.get("sender") or {}, value["type"]
    phone = _digits(sender.get("phone_number") or sender.get("wa_id"))
    person = _party([sender.get("user_id"), phone], phone=phone, profile={})
    event = f"handover/{kind}/{person.address}/{value.get('timestamp')}"
    told = value.get(kind) or {}
    return _notice(item, person.address, person, event=event, part=_responder(kind, told))


def _responder(kind: str, told: Json) -> Notice:
    words = otherwise(lambda: Text(text=told.get("metadata") or _summary(told)).text, None)
    match kind:
        case "control_passed":
            return Notice(type="responder", text=words)
        case "control_taken":
            return Notice(type="responder", to=otherwise(lambda: _new_owner(told), OTHER), text=words)
    return Notice(type="other", text=words or kind)


def _summary(told: Json) -> str:
    """What was said before, in the words of whoever passes the thread on: …/conversation-routing/conversation-context."""
    words: str = told["conversation_context"]["summary"]["text"]
    return words


def _new_owner(told: Json) -> str:
    """By their role, as far as WhatsApp says it."""
    role = told.get("new_owner_role") or told["new_owner_app_id"]
    return str(role)


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
        parts=(otherwise(lambda: _outcome(spoken), Unsupported(type="call")),),
        occurred_at=_time(item),
    )


def _outcome(spoken: int | None) -> Part:
    return Call(outcome="answered" if spoken else "missed", seconds=spoken)


def _status(item: Item) -> Receipt | None:
    """Statuses come in any order, and one that says nothing to us (`deleted`, `warning`) is nothing."""
    status = item.content
    if status["status"] not in STATUSES:
        return None
    errors = status.get("errors") or ()
    return Receipt(
        account_key=item.account_key,
        peer=status.get("recipient_user_id") or _digits(status["recipient_id"]) or status["recipient_user_id"],
        status=STATUSES[status["status"]],
        occurred_at=_time(item),
        external_ids=(status["id"],),
        join_key=status.get("biz_opaque_callback_data") or None,
        failure=otherwise(lambda: REFUSALS.failure(errors[0]), Failure(code="refused")) if errors else None,
        cost=otherwise(lambda: _cost(status["pricing"]), None),
    )


def _cost(pricing: Json) -> Cost:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status."""
    return Cost(billable=pricing.get("billable"), category=pricing.get("category"), model=pricing.get("pricing_model"))


# What WhatsApp tells of a person is nothing that they said.
ALIASES: Final = 5
NAMES: Final = 998  # characters of an address
OTHER: Final = "another responder"  # of a thread on standby: WhatsApp does not say which (…/webhooks/reference/standby)
STANDBY: Final = Assessment(may_auto_answer=False, reasons=("standby: another responder has the thread",))
WISHES: Final[Mapping[str, Literal["opted_out", "opted_in"]]] = {"stop": "opted_out", "resume": "opted_in"}
READERS: Final[Mapping[str, Callable[[Item], Incoming | None]]] = {
    "messages": _message,
    "message_echoes": _echo,
    "user_id_update": _new_user_id,
    "user_preferences": _preference,
    "calls": _call,
    "statuses": _status,
}


def _time(item: Item) -> datetime:
    """Without a time that can be read it is told as of now (shared.inbound.translate.stamp)."""
    return otherwise(lambda: moment(item.content["timestamp"]), LATEST)


def _digits(number: Any) -> str | None:
    """A number as WhatsApp mostly writes it, without the plus that it sometimes has; None for what is none."""
    return number.removeprefix("+") or None if isinstance(number, str) else None
