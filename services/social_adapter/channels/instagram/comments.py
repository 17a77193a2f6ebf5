"""Comments and mentions as records — https://developers.facebook.com/docs/graph-api/webhooks/reference/instagram.

An edit or a removal is not told. A mention names only where it is: its words are somebody else's to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from services.social_adapter.channels.instagram.places import Place, peer_of
from shared.contract.channel import Message
from shared.contract.envelope import MessageContext, Part, Party, Quote, Referral, Text, Thread, Unsupported
from shared.contract.hints import vouched
from shared.contract.readable import otherwise
from shared.dialects import likeness
from shared.dialects.messenger.entry import Entry, moment

Json = dict[str, Any]

FIELDS: Final[Mapping[str, Place]] = {"comments": "media", "live_comments": "live", "mentions": "mention"}


def read(field: str, value: Json, entry: Entry) -> Message:
    return _mention(value, entry) if field == "mentions" else _comment(FIELDS[field], value, entry)


def _comment(place: Place, value: Json, entry: Entry) -> Message:
    """One conversation per comment on the post: an answer's parent is that comment. A post that is gone is called by it."""
    name: str = value.get("id") or value["comment_id"]
    parent, author = value.get("parent_id"), value.get("from") or {}
    first, media = parent or name, value.get("media") or {}
    where = peer_of(place, media.get("original_media_id") or media.get("id") or first)
    ours = author.get("id") == entry.account or bool(author.get("self_ig_scoped_id"))
    words = value.get("text")
    return Message(
        account_key=entry.account,
        event_key=name,
        peer=where,
        sender=Party(address=entry.account) if ours else _sender(name, author),
        parts=(_words(words),),
        occurred_at=moment(entry.time),
        external_id=name,
        surface="comment",
        container=where,
        thread=Thread(thread_key=first, reply_to=parent),
        context=otherwise(lambda: _advertised(media), None),
        join_key=likeness.key(first, words if isinstance(words, str) else "") if ours else None,
        echo=ours,
    )


def _words(words: Any) -> Part:
    plain = Unsupported(type="comment")
    return otherwise(lambda: Text(text=words), plain) if words else plain


def _sender(name: str, author: Json) -> Party:
    """Without the permission to know who it was, every comment is by a stranger of its own."""
    if "id" not in author:
        return Party(address=f"unknown:{name}")
    called = author.get("username")
    return vouched(author["id"], name=called, username=called)


def _advertised(media: Json) -> MessageContext | None:
    if not media.get("ad_id"):
        return None
    return MessageContext(referral=Referral(source="ad", id=str(media["ad_id"]), title=media.get("ad_title")))


def _mention(value: Json, entry: Entry) -> Message:
    """In the words under somebody else's post, or in a comment there."""
    media = value["media_id"]
    name, where = value.get("comment_id") or media, peer_of("mention", media)
    return Message(
        account_key=entry.account,
        event_key=f"mention/{name}",
        peer=where,
        sender=Party(address=f"unknown:{name}"),
        parts=(Unsupported(type="mention"),),
        occurred_at=moment(entry.time),
        external_id=name,
        surface="mention",
        container=where,
        thread=Thread(thread_key=name),
        context=MessageContext(quoted=Quote(external_id=name, container=media)),
    )
