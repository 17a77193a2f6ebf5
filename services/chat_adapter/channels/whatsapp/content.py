"""What a WhatsApp message holds — https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.tables import KINDS
from shared.envelope import Choice, Contact, Location, Media, Part, Reaction, Text, Unsupported

Json = dict[str, Any]
Parts = tuple[Part, ...]


def read_parts(message: Json) -> Parts:
    """By its type; one that is not known passes as unsupported, with its words."""
    kind = message["type"]
    parts = _media(message) if kind in KINDS else CONTENT.get(kind, _other)(message)
    return parts + _product(message)


def _text(message: Json) -> Parts:
    return (Text(text=message["text"]["body"]),)


def _media(message: Json) -> Parts:
    kind = message["type"]
    file = message[kind]
    media = Media(
        media=KINDS[kind],
        handle=file["id"],
        mime_type=file.get("mime_type"),
        name=file.get("filename"),
        caption=file.get("caption"),
    )
    return (media,)


def _location(message: Json) -> Parts:
    place = message["location"]
    found = Location(
        latitude=place["latitude"],
        longitude=place["longitude"],
        name=place.get("name"),
        address=place.get("address"),
    )
    return (found,)


def _contacts(message: Json) -> Parts:
    """A message may hold several cards."""
    return tuple(map(_card, message["contacts"])) or _other(message)


def _card(card: Json) -> Contact:
    name, phones, emails = card.get("name") or {}, card.get("phones") or (), card.get("emails") or ()
    given = " ".join(filter(None, (name.get("first_name"), name.get("last_name"))))
    return Contact(
        name=name.get("formatted_name") or given,
        phones=tuple(filter(None, map(_number, phones))),
        emails=tuple(filter(None, (email.get("email") for email in emails))),
    )


def _number(phone: Json) -> str | None:
    return phone.get("phone") or (f"+{phone['wa_id']}" if phone.get("wa_id") else None)


def _reaction(message: Json) -> Parts:
    """Without an emoji it was taken back."""
    reaction = message["reaction"]
    emoji = reaction.get("emoji") or None
    return (Reaction(target=reaction["message_id"], emoji=emoji, replaces=emoji is not None),)


def _interactive(message: Json) -> Parts:
    """A pressed button or row; a form that was filled in comes as its answers in JSON."""
    interactive = message["interactive"]
    kind = interactive["type"]
    chosen = interactive.get(kind) or {}
    if kind in {"button_reply", "list_reply"}:
        return (Choice(id=chosen["id"], title=chosen.get("title"), target=_answered(message)),)
    return (Unsupported(type=f"interactive/{kind}", text=chosen.get("response_json") or chosen.get("response")),)


def _button(message: Json) -> Parts:
    """A quick reply of a template."""
    button = message["button"]
    return (Choice(id=button.get("payload") or button["text"], title=button.get("text"), target=_answered(message)),)


def _answered(message: Json) -> str | None:
    return (message.get("context") or {}).get("id")


def _order(message: Json) -> Parts:
    order = message["order"]
    lines = [
        f"{item['quantity']} × {item['product_retailer_id']} ({item['item_price']} {item['currency']})"
        for item in order["product_items"]
    ]
    words = "\n".join(filter(None, (order.get("text"), *lines)))
    return (Unsupported(type="order", text=words),)


def _unsupported(message: Json) -> Parts:
    """What WhatsApp does not hand on; it says of what kind it was, and why."""
    what, errors = message.get("unsupported") or {}, message.get("errors") or ()
    why = errors[0] if errors else {}
    details = (why.get("error_data") or {}).get("details")
    return (Unsupported(type=what.get("type") or "unsupported", text=details or why.get("title")),)


def _other(message: Json) -> Parts:
    kind = message["type"]
    content = message.get(kind)
    inner = content if isinstance(content, dict) else {}
    return (Unsupported(type=kind, text=inner.get("body") or inner.get("caption") or inner.get("text")),)


def _product(message: Json) -> Parts:
    """The product that is asked about stands in the message's context."""
    product = (message.get("context") or {}).get("referred_product")
    if not product:
        return ()
    return (Unsupported(type="referred_product", text=product["product_retailer_id"]),)


CONTENT: Final[Mapping[str, Callable[[Json], Parts]]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "unsupported": _unsupported,
}
