"""What a WhatsApp message holds — https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from services.chat_adapter.channels.whatsapp.tables import KINDS
from shared.contract.envelope import Choice, Contact, Location, Media, Part, Reaction, Template, Text, Unsupported
from shared.contract.readable import few, otherwise

Json = dict[str, Any]
Parts = tuple[Part, ...]


def read_parts(message: Json) -> Parts:
    """By its type; one that is not known, or has another shape than its type, passes as unsupported, with its words."""
    kind = otherwise(lambda: Unsupported(type=message["type"]).type, "unsupported")
    read = _media if kind in KINDS else CONTENT.get(kind, _other)
    kept = Unsupported(type=kind)
    parts = otherwise(lambda: read(message), otherwise(lambda: _other(message), (kept,)))
    return parts + otherwise(lambda: _product(message), ())


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
    cards = (otherwise(partial(_card, card), Unsupported(type="contacts")) for card in few(message["contacts"]))
    return tuple(cards) or _other(message)


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
    """Without an emoji it was taken back. Without the message that it is on it is nothing: an Unsupported would be a message."""
    reaction = message["reaction"]
    emoji = reaction.get("emoji") or None
    return (Reaction(target=reaction["message_id"], emoji=emoji, replaces=emoji is not None),)


def _interactive(message: Json) -> Parts:
    """A pressed button or row; an address in its words; a form that was filled in comes as its answers in JSON; of what
    another responder asks, its words.
    """
    interactive = message["interactive"]
    kind = interactive["type"]
    chosen = interactive.get(kind) or {}
    if kind in {"button_reply", "list_reply"}:
        return (Choice(id=chosen["id"], title=chosen.get("title"), target=_answered(message)),)
    if chosen.get("name") == "address_message" and chosen.get("body"):
        return (Text(text=chosen["body"]),)
    asked = otherwise(lambda: interactive["body"]["text"], None)
    words = chosen.get("response_json") or chosen.get("response") or asked
    return (Unsupported(type=f"interactive/{kind}", text=words),)


def _button(message: Json) -> Parts:
    """A quick reply of a template."""
    button = message["button"]
    return (Choice(id=button.get("payload") or button["text"], title=button.get("text"), target=_answered(message)),)


def _template(message: Json) -> Parts:
    """Only another responder sends one: …/webhooks/reference/standby."""
    sent = message["template"]
    body = [component for component in sent.get("components") or () if component["type"].lower() == "body"]
    words = tuple(value["text"] for component in body for value in component["parameters"] if "text" in value)
    return (Template(name=sent["name"], language=sent["language"]["code"], parameters=words),)


def _answered(message: Json) -> str | None:
    return (message.get("context") or {}).get("id")


def _order(message: Json) -> Parts:
    order = message["order"]
    lines = (otherwise(partial(_item, item), None) for item in otherwise(lambda: list(order["product_items"]), []))
    words = otherwise(lambda: Text(text=order["text"]).text, None)
    return (Unsupported(type="order", text="\n".join(filter(None, (words, *lines))) or None),)


def _item(item: Json) -> str:
    price = " ".join(str(item[name]) for name in ("item_price", "currency") if name in item)
    amount = f"{item['quantity']} × " if "quantity" in item else ""
    return f"{amount}{item['product_retailer_id']}{f' ({price})' if price else ''}"


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
    found = (inner.get(name) for name in ("body", "caption", "text"))
    words = next((one for one in found if isinstance(one, str) and one), None)
    return (Unsupported(type=kind, text=words),)


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
    "template": _template,
    "unsupported": _unsupported,
}
