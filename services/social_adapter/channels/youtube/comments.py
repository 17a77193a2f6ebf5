"""A comment as records — https://developers.google.com/youtube/v3/docs/comments#resource-representation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import Deletion, Edit, Part, Party, Text, Unsupported, Visibility
from shared.contract.readable import otherwise
from shared.dialects import likeness
from shared.dialects.comments import under
from shared.dialects.newest import LATE

Json = dict[str, Any]


def written(comment: Json, channel: str) -> Message:
    """What somebody wrote, as it reads now."""
    return _place(comment, channel, key=comment["id"], parts=(_words(comment),), at=published(comment))


def changed(comment: Json, channel: str) -> Message:
    at = updated(comment)
    parts = (Edit(target=comment["id"]), _words(comment))
    return _place(comment, channel, key=f"{comment['id']}/edit/{at.isoformat()}", parts=parts, at=at)


def shown(comment: Json, channel: str, *, hidden: bool, at: datetime) -> Message:
    """It waits for the channel's review, or was kept back by it; or it is there for all to read."""
    part = Visibility(target=comment["id"], hidden=hidden)
    key = f"{comment['id']}/{'held' if hidden else 'shown'}/{at.isoformat()}"
    return _place(comment, channel, key=key, parts=(part,), at=at)


def gone(name: str, channel: str, *, at: datetime) -> Message:
    """Nothing is told of a comment that was taken back; its author is as unknown as who took it away."""
    thread = thread_of(name)
    return Message(
        account_key=channel,
        event_key=f"{name}/gone",
        sender=Party(address=f"unknown:{name}"),
        parts=(Deletion(target=name),),
        occurred_at=at,
        **under(thread),
    )


def news(comment: Json, channel: str, at: datetime) -> Iterator[Message]:
    """What of it is later than `at`, up to when all was told. A change of what may have been told by then is told as one."""
    since = at - LATE
    if published(comment) > since:
        yield written(comment, channel)
    if published(comment) <= at and updated(comment) > max(since, published(comment)):
        yield changed(comment, channel)


def published(comment: Json) -> datetime:
    return _moment(comment["snippet"]["publishedAt"])


def updated(comment: Json) -> datetime:
    snippet = comment["snippet"]
    return _moment(snippet.get("updatedAt") or snippet["publishedAt"])


def thread_of(name: str) -> str:
    """An answer's id begins with its thread's and a dot."""
    return name.partition(".")[0]


def _moment(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _words(comment: Json) -> Part:
    """As its author wrote it, where we may see that; else as it is shown."""
    snippet = comment["snippet"]
    words = snippet.get("textOriginal") or snippet.get("textDisplay")
    return otherwise(lambda: Text(text=words), Unsupported(type="comment")) if words else Unsupported(type="comment")


def _place(comment: Json, channel: str, *, key: str, parts: tuple[Part, ...], at: datetime) -> Message:
    """One conversation for a comment and all that is under it, whoever writes there. The channel's own are echoes."""
    snippet = comment["snippet"]
    name, parent = comment["id"], snippet.get("parentId")
    thread = parent or thread_of(name)
    author = (snippet.get("authorChannelId") or {}).get("value")
    ours, text = author == channel, next((part.text for part in parts if isinstance(part, Text)), "")
    verified = None if ours or not author else "provider"
    who = Party(address=author or f"unknown:{name}", verified=verified)
    itself = isinstance(parts[0], Text | Unsupported)
    return Message(
        account_key=channel,
        event_key=key,
        sender=hints.party(who, name=snippet.get("authorDisplayName")),
        parts=parts,
        occurred_at=at,
        external_id=name if itself else None,
        join_key=likeness.key(thread, text) if ours and itself else None,
        echo=ours,
        **under(thread, parent),
    )
