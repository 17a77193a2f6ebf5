"""Posts, and what becomes of them, as records — https://docs.x.com/x-api/activity/event-payloads#post-events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from services.social_adapter.channels.x.events import Event, milliseconds, plain
from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import (
    LATEST,
    Assessment,
    Deletion,
    Edit,
    Media,
    MediaKind,
    MessageContext,
    Part,
    Party,
    Quote,
    Reaction,
    Text,
    Thread,
    Unsupported,
)
from shared.contract.readable import few, otherwise
from shared.dialects import likeness

Json = dict[str, Any]

LIKE: Final = "❤️"
# How a media key begins, and what X calls its kinds: https://docs.x.com/x-api/fundamentals/data-dictionary#media.
KINDS: Final[Mapping[str, MediaKind]] = {
    "3": "image", "7": "video", "13": "video", "16": "video",
    "photo": "image", "video": "video", "animated_gif": "video",
}  # fmt: skip


def written(event: Event) -> Iterator[Message]:
    """What is said to the account, or by it as an answer. What it says to nobody is nobody's conversation."""
    post = event.payload
    author, refers = post["author_id"], otherwise(lambda: _refers(post), {})
    answered = refers.get("replied_to") or post.get("in_reply_to_tweet_id")
    if "retweeted" in refers:
        yield event.notice(author)
    elif answered or author != event.account:
        yield _message(event, author, answered, refers.get("quoted"))


def _refers(post: Json) -> dict[str, str]:
    return {one["type"]: one["id"] for one in post.get("referenced_tweets") or ()}


def _message(event: Event, author: str, answered: str | None, quoted: str | None) -> Message:
    """An edit is a post of its own, whose history names the first: https://docs.x.com/x-api/fundamentals/edit-posts."""
    post, ours = event.payload, author == event.account
    name = post["id"]
    first = otherwise(lambda: post["edit_history_tweet_ids"][0], name) or name
    text = otherwise(lambda: _text(post, answered), "")
    parts = tuple(few(_parts(event, post, text)))
    return Message(
        **_place(event, post.get("conversation_id") or first, ours=ours),
        event_key=name,
        sender=event.party(author),
        parts=parts if first == name else (Edit(target=first), *parts),
        occurred_at=hints.moment(post.get("created_at")),
        external_id=name if first == name else None,
        join_key=likeness.key(answered or "", text) if ours and first == name else None,
        thread=Thread(thread_key=first, reply_to=_reply_to(post, answered, event.account)),
        context=otherwise(lambda: _quote(event, quoted), None) if quoted else None,
        assessment=Assessment() if ours else event.assessment(author),
    )


def _place(event: Event, root: str, *, ours: bool) -> Json:
    """The first post of the thread, in which everybody writes."""
    return {"account_key": event.account, "peer": root, "container": root, "surface": "comment", "echo": ours}


def _reply_to(post: Json, answered: str | None, account: str) -> str | None:
    """Each answer to a post of the account itself begins a conversation; what answers anything else belongs to that one's."""
    beneath_ours = answered == post.get("conversation_id") and post.get("in_reply_to_user_id") == account
    return None if beneath_ours else answered


def _quote(event: Event, name: str) -> MessageContext:
    about: Json = next((one for one in event.includes.get("tweets") or () if one.get("id") == name), {})
    words = plain(about["text"]) if about.get("text") else None
    return MessageContext(quoted=Quote(external_id=name, text=words, url=f"https://x.com/i/status/{name}"))


def _text(post: Json, answered: str | None) -> str:
    """As its author sees it: whole, with links as they were written, without what only X adds: the names that an answer begins
    with, and the links to what is shown beneath.
    """
    whole = post.get("note_tweet") or post
    start, end = post.get("display_text_range") or (0, len(whole["text"]))
    entities = whole.get("entities") or {}
    text, shown_to = plain(whole["text"]), end if whole is post else len(whole["text"])
    for one in entities.get("mentions") or () if answered else ():
        added = f"@{one['username']}"
        if one["end"] <= start and text.startswith(added):
            text = text.removeprefix(added).lstrip()
    for link in entities.get("urls") or ():
        hidden = link["start"] >= shown_to or "media_key" in link
        text = text.replace(link["url"], "" if hidden else link.get("expanded_url") or link["url"])
    return text.strip()


def _parts(event: Event, post: Json, text: str) -> Iterator[Part]:
    media = otherwise(lambda: {one["media_key"]: one for one in event.includes["media"]}, {})
    keys = otherwise(lambda: list(post["attachments"]["media_keys"]), [])
    if text:
        yield otherwise(lambda: Text(text=text), Unsupported(type="post"))
    for key in keys:
        yield otherwise(partial(_file, key, media.get(key) or {}), Unsupported(type="media"))
    if not text and not keys:
        yield Unsupported(type="post")


def _file(key: str, about: Json) -> Media:
    """By its address, or by its key where X did not tell that."""
    kind = KINDS.get(about.get("type") or "") or KINDS[key.partition("_")[0]]
    return Media(media=kind, handle=address_of(about) or key)


def address_of(about: Json) -> str | None:
    """A photo's, or of a film the best that is one file: https://docs.x.com/x-api/fundamentals/data-dictionary#media."""
    films: Iterable[Json] = about.get("variants") or (about.get("video_info") or {}).get("variants") or ()
    whole = [one for one in films if one.get("content_type") == "video/mp4"]
    best = max(whole, key=lambda one: one.get("bit_rate") or one.get("bitrate") or 0, default=None)
    return best["url"] if best else about.get("url")


def gone(event: Event) -> Iterator[Message]:
    """Only what the account itself wrote: X tells nobody of others' posts that are gone."""
    name, author = event.payload["id"], event.payload["author_id"]
    yield Message(
        **_place(event, name, ours=author == event.account),
        event_key=f"{name}/gone",
        sender=event.party(author),
        parts=(Deletion(target=name),),
        occurred_at=LATEST,
        thread=Thread(thread_key=name),
    )


def liked(event: Event) -> Iterator[Message]:
    """`created_at` is the post's. Who it was stands only among those who are described beside it."""
    like = event.payload
    name, author = like["liked_tweet_id"], like["liked_tweet_author_id"]
    others = [person for person in event.users if person not in {event.account, author}]
    ours = author != event.account
    who = event.account if ours else others[0] if len(others) == 1 else None
    root = otherwise(lambda: _root(event, name), name)
    yield Message(
        **_place(event, root, ours=ours),
        event_key=f"like/{like['id']}",
        sender=event.party(who) if who else Party(address=f"unknown:{like['id']}"),
        parts=(Reaction(target=name, emoji=LIKE),),
        occurred_at=otherwise(lambda: milliseconds(like["timestamp_ms"]), LATEST),
        thread=Thread(thread_key=name),
    )


def _root(event: Event, name: str) -> str:
    found: str = next((one["conversation_id"] for one in event.includes["tweets"] if one["id"] == name), name)
    return found
