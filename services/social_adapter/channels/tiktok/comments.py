"""Comments under the account's videos as records: as they are listed, and what becomes of them as it is told.

https://business-api.tiktok.com/portal/docs?id=1760232109619202, …/docs?id=1759978319341570 (comment.update)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from shared.contract import hints
from shared.contract.channel import Message
from shared.contract.envelope import Deletion, Media, Part, Party, Text, Thread, Unsupported, Visibility
from shared.contract.readable import otherwise
from shared.dialects import likeness

Json = dict[str, Any]

VIDEO: Final = "video:"
SEEN: Final[Mapping[str, bool]] = {"set_to_hidden": False, "set_to_friends_only": False, "set_to_public": True}


def peer_of(video: object) -> str:
    """A conversation's own name has no colon, so that nothing private can go where it is public."""
    return f"{VIDEO}{video}"


def video_of(peer: str) -> str | None:
    """None: a private conversation."""
    return peer.removeprefix(VIDEO) if peer.startswith(VIDEO) else None


def written(comment: Json, account: str) -> Iterator[Message]:
    """What somebody wrote, as it is listed; and that others do not see it, where they do not."""
    name, ours = str(comment["comment_id"]), comment.get("owner") is True
    parent = str(comment["parent_comment_id"]) if comment.get("parent_comment_id") else None
    words = otherwise(lambda: Text(text=comment["text"] or "").text, "")
    place = {**_place(account, comment["video_id"], parent or name), "occurred_at": published(comment)}
    sender = Party(address=account) if ours else _author(comment, name)
    yield Message(
        **place,
        event_key=name,
        sender=sender,
        parts=tuple(_parts(comment, words)),
        external_id=name,
        thread=Thread(thread_key=parent or name, reply_to=parent),
        join_key=likeness.key(parent or "", words) if ours else None,
        echo=ours,
    )
    if comment.get("status") == "HIDDEN":
        hidden = Visibility(target=name, hidden=True)
        yield Message(
            **place,
            event_key=f"{name}/hidden",
            sender=sender,
            parts=(hidden,),
            thread=Thread(thread_key=parent or name),
            echo=ours,
        )


def _parts(comment: Json, words: str) -> Iterator[Part]:
    if words:
        yield Text(text=words)
    if comment.get("image_url"):
        plain = Unsupported(type="image")
        yield otherwise(lambda: Media(media="image", handle=comment["image_url"]), plain)
    elif not words:
        yield Unsupported(type="comment")


def _author(comment: Json, name: str) -> Party:
    """By what is the same in messages; their handle may change."""
    known = comment.get("unique_identifier")
    plain = Party(address=str(known), verified="provider") if known else Party(address=f"unknown:{name}")
    return hints.party(plain, name=comment.get("display_name"), username=comment.get("username"))


def published(comment: Json) -> datetime:
    return datetime.fromtimestamp(int(comment["create_time"]), UTC)


def updated(told: Json, account: str) -> Iterator[Message]:
    """That one was written says neither who it was nor what, so it is asked for; the rest is only told here."""
    action, name = told["comment_action"], str(told["comment_id"])
    if action == "insert":
        return
    part: Part = Unsupported(type=f"comment.update {action}")
    if action == "delete":
        part = Deletion(target=name)
    elif action in SEEN:
        part = Visibility(target=name, hidden=not SEEN[action])
    first = str(told.get("parent_comment_id") or name)
    yield Message(
        **_place(account, told["video_id"], first),
        event_key=f"{name}/{action}/{told['timestamp']}",
        sender=Party(address=str(told.get("unique_identifier") or f"unknown:{name}")),
        parts=(part,),
        occurred_at=datetime.fromtimestamp(told["timestamp"] / 1000, UTC),
        thread=Thread(thread_key=first),
    )


def _place(account: str, video: object, first: str) -> Json:
    """One conversation per first comment, with all that stands beneath it."""
    where = peer_of(video)
    return {"account_key": account, "peer": where, "container": where, "surface": "comment"}
