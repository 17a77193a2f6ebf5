"""Changes of a page's feed as records — https://developers.facebook.com/docs/graph-api/webhooks/reference/page#feed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from services.social_adapter.channels.facebook.tables import POSTS, REACTIONS
from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import Deletion, Edit, Media, Part, Party, Reaction, Text, Thread, Unsupported, Visibility
from shared.contract.readable import otherwise
from shared.dialects import likeness
from shared.dialects.messenger.entry import Entry, moment

Json = dict[str, Any]


def read(value: Json, entry: Entry) -> Iterator[Message]:
    """A comment, what became of it, a reaction to it; a visitor's post likewise.

    Nothing where nobody has written to the page: its own posts, a reaction to a post, events, offers, and verbs that only
    Facebook uses (block, mute).
    """
    item = value["item"]
    if item == "comment":
        yield from _written(value, entry, name=value["comment_id"], thread=_thread(value, entry))
    elif item in {"reaction", "like"} and value.get("comment_id"):
        yield from _reaction(value, entry)
    elif item in POSTS and _author(value) not in {None, entry.account}:
        post = value["post_id"]
        yield from _written(value, entry, name=post, thread=Thread(thread_key=post))


def _written(value: Json, entry: Entry, *, name: str, thread: Thread) -> Iterator[Message]:
    """The same for whatever people write where all can read it."""
    match value["verb"]:
        case "add":
            found = _place(value, entry, key=name, parts=_parts(value), thread=thread)
            found = replace(found, external_id=name, occurred_at=moment(value.get("created_time"), entry.time))
            yield replace(found, join_key=_likeness(value)) if found.echo else found
        case "edit" | "edited":  # Facebook says both
            yield _change(value, entry, name=name, parts=(Edit(target=name), *_parts(value)), thread=thread)
        case "remove":
            yield _change(value, entry, name=name, parts=(Deletion(target=name),), thread=thread)
        case "hide" | "unhide" as verb:
            part = Visibility(target=name, hidden=verb == "hide")
            yield _change(value, entry, name=name, parts=(part,), thread=thread)


def _reaction(value: Json, entry: Entry) -> Iterator[Message]:
    name, kind = value["comment_id"], value.get("reaction_type", "like")
    removed = value["verb"] == "remove"
    part = Reaction(target=name, emoji=REACTIONS.get(kind, f":{kind}:"), removed=removed, replaces=not removed)
    yield _change(value, entry, name=name, parts=(part,), thread=_thread(value, entry))


def _change(value: Json, entry: Entry, *, name: str, parts: tuple[Part, ...], thread: Thread) -> Message:
    """Something about what was written earlier. Changes have no ids: when it was told, and its words, make one."""
    words = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()
    key = f"{name}/{value['verb']}/{entry.time}/{words[:16]}"
    return _place(value, entry, key=key, parts=parts, thread=thread)


def _place(value: Json, entry: Entry, *, key: str, parts: tuple[Part, ...], thread: Thread) -> Message:
    """The peer of a public conversation is the post."""
    post, author = value["post_id"], value.get("from") or {}
    return Message(
        account_key=entry.account,
        event_key=key,
        peer=post,
        sender=_sender(value, author, entry),
        parts=parts,
        occurred_at=moment(entry.time),
        surface="comment",
        container=post,
        thread=thread,
        echo=author.get("id") == entry.account,
    )


def _sender(value: Json, author: Json, entry: Entry) -> Party:
    """Without the permission to know who it was, every comment is by a stranger of its own."""
    if "id" not in author:
        return Party(address=f"unknown:{value.get('comment_id') or value['post_id']}")
    verified = None if author["id"] == entry.account else "provider"
    return hints.party(Party(address=author["id"], verified=verified), name=author.get("name"))


def _author(value: Json) -> str | None:
    author: str | None = (value.get("from") or {}).get("id")
    return author


def _likeness(value: Json) -> str:
    return likeness.key(value.get("parent_id") or value["post_id"], value.get("message") or "")


def _thread(value: Json, entry: Entry) -> Thread:
    """One conversation per comment on the post: an answer's parent is that comment, a first comment's is the post.

    What the page writes directly under a post answers the post, if that is a visitor's: it belongs to its conversation.
    """
    parent, post = value.get("parent_id") or value["post_id"], value["post_id"]
    if parent != post:
        return Thread(thread_key=parent, reply_to=parent)
    return Thread(thread_key=value["comment_id"], reply_to=post if _author(value) == entry.account else None)


def _parts(value: Json) -> tuple[Part, ...]:
    found = tuple(_found(value))
    return found or (Unsupported(type=value["item"]),)


def _found(value: Json) -> Iterator[Part]:
    """A comment names its file by kind, a post in `link`, several in `photos`."""
    if value.get("message"):
        yield otherwise(lambda: Text(text=value["message"]), Unsupported(type="message"))
    shared = value.get("link") if value["item"] in {"photo", "video"} else None
    photos = value.get("photos") or [value.get("photo") or (shared if value["item"] == "photo" else None)]
    for photo in photos if isinstance(photos, list) else [photos]:
        if photo:
            yield otherwise(partial(Media, media="image", handle=photo), Unsupported(type="photo"))
    if video := value.get("video") or (shared if value["item"] == "video" else None):
        yield otherwise(partial(Media, media="video", handle=video), Unsupported(type="video"))
