"""Direct messages as records — https://business-api.tiktok.com/portal/docs?id=1832190670631937."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from shared.contract.channel import Malformed, Message, Receipt
from shared.contract.envelope import (
    LATEST,
    Assessment,
    Choice,
    Choices,
    Media,
    MessageContext,
    Notice,
    Option,
    Part,
    Party,
    Reaction,
    Referral,
    Text,
    Thread,
    Unsupported,
    automatic,
)
from shared.contract.readable import each, otherwise
from shared.dialects import likeness

Json = dict[str, Any]

ELSEWHERE: Final = "eu:"
UNTOLD: Final = "Somebody in the EEA, Switzerland or the United Kingdom wrote. TikTok tells apps neither who nor what: read it in the TikTok app."
NOTICE: Final = automatic("a notice of TikTok")
AUTOMATIC: Final = automatic("an automatic message of TikTok's")


def said(told: Json, account: str, *, ours: bool) -> Iterator[Message | Malformed]:
    if told["type"] == "reaction":
        yield from each(partial(_reacted, told, account), told["reaction"])
        return
    name, place = told["message_id"], told["conversation_id"]
    part = otherwise(lambda: _part(told), Unsupported(type=_word(told["type"])))
    words = part.text if isinstance(part, Text | Choices) else ""
    yield Message(
        account_key=account,
        event_key=name,
        peer=place,
        sender=Party(address=account) if ours else person(told, told.get("from")),
        recipients=(person(told, told.get("to")),) if ours else (),
        parts=(part,),
        occurred_at=otherwise(lambda: moment(told["timestamp"]), LATEST),
        external_id=name,
        thread=otherwise(lambda: Thread(reply_to=told["referenced_message_info"]["referenced_message_id"]), Thread()),
        assessment=AUTOMATIC if told.get("auto_message_type") else Assessment(),
        join_key=likeness.key(place, words) if ours else None,
        echo=ours,
    )


def person(told: Json, handle: Any) -> Party:
    """By what is the same in comments; the conversation is another name of theirs at this account."""
    address, place = str(told.get("unique_identifier") or told["from_user"]["id"]), told["conversation_id"]
    plain = Party(address=address, aliases=(place,), verified="provider")
    return otherwise(
        lambda: plain if not handle else Party(**plain.model_dump(exclude={"username"}), username=handle), plain
    )


def _word(kind: Any) -> str:
    return kind if isinstance(kind, str) and kind else "message"


def _part(told: Json) -> Part:
    match told["type"]:
        case "text":
            return _words(told)
        case "image" | "video" as kind:
            names = (told["conversation_id"], told["message_id"], told[kind]["media_id"])
            return Media(media=kind, handle=" ".join(names))
        case "sticker" | "emoji" as kind:
            return Media(media="sticker", handle=told[kind]["url"])
        case "share_post":
            return Unsupported(type="share_post", text=told["share_post"]["embed_url"])
        case "template":
            (card,) = told["template"]["elements"]
            options = tuple(Option(id=one["id"], title=one["text"]) for one in card["buttons"])
            return Choices(text=card["title"], options=options)
    return Unsupported(type=told["type"])


def _words(told: Json) -> Part:
    """What was pressed comes as the words on it; a press that cannot be read is still words."""
    words = Text(text=told["text"]["body"])
    return otherwise(lambda: _pressed(told, words.text), words) if told.get("reply_source_payload") else words


def _pressed(told: Json, title: str) -> Choice:
    pressed = told["reply_source_payload"]
    offered = pressed.get("reply_source_msg_id")
    target = offered if offered and offered != told["message_id"] else None
    return Choice(id=pressed["reply_source_unique_id"], title=title, target=target)


def _reacted(told: Json, account: str, one: Json) -> Iterator[Message]:
    """Whoever it was; an emoji that TikTok makes of a face is a picture."""
    who, target, at, place = one["unique_identifier"], one["original_msg_id"], one["timestamp"], told["conversation_id"]
    removed, ours = one["operation"] == "REMOVE", who == account
    part: Part = Unsupported(type="ai_emoji")
    if one["type"] == "EMOJI":
        part = Reaction(target=target, emoji=one["emoji"], removed=removed)
    else:
        part = otherwise(lambda: Unsupported(type="ai_emoji", text=one["ai_emoji_url"]), part)
    yield Message(
        account_key=account,
        event_key=f"{target}/{who}/{one['operation']}/{one.get('emoji') or one['type']}/{at}",
        peer=place,
        sender=Party(address=who) if ours else person({**told, "unique_identifier": who}, None),
        parts=(part,),
        occurred_at=moment(at),
        thread=Thread(reply_to=None if isinstance(part, Reaction) else target),
        echo=ours,
    )


def read(told: Json, account: str) -> Iterator[Receipt]:
    """All up to the last that was seen."""
    yield Receipt(
        account_key=account,
        peer=told["conversation_id"],
        status="read",
        occurred_at=moment(told["timestamp"]),
        watermark=moment(told["read"]["last_read_timestamp"]),
    )


def referred(told: Json, account: str) -> Iterator[Message]:
    """By which advertisement or link they came, before they write."""
    came = otherwise(lambda: _referral(told["referral"]), None)
    yield Message(
        account_key=account,
        event_key=f"referral/{told['conversation_id']}/{told['timestamp']}",
        peer=told["conversation_id"],
        sender=person(told, told.get("from")),
        parts=(Notice(type="other", text="im_referral_msg"),),
        occurred_at=moment(told["timestamp"]),
        assessment=NOTICE,
        context=MessageContext(referral=came) if came else None,
    )


def _referral(told: Json) -> Referral:
    if told["source"] == "ad":
        ad = told["ad"]
        return Referral(source="ad", id=str(ad["ad_id"]), title=ad.get("ad_name"), url=ad.get("embed_url"))
    link = told.get("short_link") or {}
    return Referral(source=told["source"], ref=link.get("ref"), text=link.get("prefilled_message"))


def untold(told: Json, account: str) -> Iterator[Message]:
    """Each by itself, since nobody knows whose it is; it cannot be answered from here."""
    name = str(told["timestamp"])
    yield Message(
        account_key=account,
        event_key=f"eu/{name}",
        peer=f"{ELSEWHERE}{name}",
        sender=Party(address=f"unknown:{name}"),
        parts=(Unsupported(type="im_receive_msg_eu", text=UNTOLD),),
        occurred_at=moment(told["timestamp"]),
    )


def moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
