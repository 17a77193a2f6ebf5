"""Posts, as records and as ours — https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.contract.channel import Message, Polled, SendFailed
from shared.contract.envelope import Assessment, MessageContext, Part, Party, Quote, Text, Thread, Unsupported
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

POST: Final = "app.bsky.feed.post"
QUOTED: Final = "app.bsky.embed.record"
FIRST: Final = timedelta(days=1)  # before the first look: what is older is not told
LATE: Final = timedelta(minutes=5)  # by which one may be listed after its time
AGAIN: Final = timedelta(seconds=20)
BYTES: Final = 3000  # beside 300 graphemes
LINK: Final = re.compile(rb"https?://[^\s<>\"]{1,2000}[^\s<>\".,;:!?)\]'}]")
BOT: Final = Assessment(kind="automatic", may_auto_answer=False, reasons=("its account says that it is a bot's",))


def read(did: str, page: Json, body: bytes, cursor: Mapping[str, Any], now: datetime) -> Polled:
    """A page tells from the newest on. `at`: up to when all was told before this round, `newest`: what this round began with,
    `told`: the posts of the last minutes with their times, which are looked at again and not told twice.
    """
    at = datetime.fromisoformat(cursor["at"]) if "at" in cursor else now - FIRST
    told, listed = dict(cursor.get("told", {})), page["notifications"]
    times = dict(pair for one in listed if (pair := otherwise(lambda one=one: (one["uri"].strip(), _time(one)), None)))  # type: ignore[misc]
    began = [datetime.fromisoformat(cursor["newest"])] if "newest" in cursor else []
    newest = min(max([at, *times.values(), *began]), now)

    def fresh(one: Json) -> Iterator[Message]:
        if one["uri"] not in told and _time(one) > at - LATE:
            yield _message(did, one)

    records = tuple(each(fresh, reversed(listed)))
    told |= {uri: time.isoformat() for uri, time in times.items()}
    if page.get("cursor") and times and min(times.values()) > at - LATE:
        more = {"at": at.isoformat(), "newest": newest.isoformat(), "page": page["cursor"], "told": told}
        return Polled(records=records, page=body, cursor=more)
    kept = {uri: time for uri, time in told.items() if time > (newest - LATE).isoformat()}
    return Polled(records=records, page=body, cursor={"at": newest.isoformat(), "told": kept}, again_in=AGAIN)


def _time(one: Json) -> datetime:
    return datetime.fromisoformat(one["indexedAt"]).astimezone(UTC)


def _message(did: str, one: Json) -> Message:
    """One conversation for a post and all that is under it, also where that post is gone."""
    record, author, uri = one["record"], one["author"], one["uri"]
    answered = otherwise(lambda: Thread(reply_to=record["reply"]["parent"]["uri"]).reply_to, None)
    root = otherwise(lambda: Thread(thread_key=record["reply"]["root"]["uri"]).thread_key, None) or uri
    plain = Party(address=author["did"], verified="provider")
    return Message(
        account_key=did,
        event_key=uri,
        peer=root,
        sender=otherwise(lambda: _called(plain, author), plain),
        parts=tuple(_parts(record)),
        occurred_at=_time(one),
        external_id=uri,
        surface="comment" if answered else "mention",
        container=root,
        thread=Thread(thread_key=root, reply_to=answered),
        context=otherwise(lambda: MessageContext(quoted=_quoted(record["embed"])), None),
        assessment=BOT
        if otherwise(lambda: "bot" in {label["val"] for label in author["labels"]}, False)
        else Assessment(),
    )


def _called(plain: Party, author: Json) -> Party:
    return Party(
        address=plain.address, verified="provider", name=author.get("displayName") or None, username=author["handle"]
    )


def _parts(record: Json) -> Iterator[Part]:
    """The words; of what is embedded (pictures, films, cards) its kind, but for what is only quoted."""
    if words := otherwise(lambda: _words(record), ""):
        yield Text(text=words)
    kind = otherwise(lambda: Unsupported(type=record["embed"]["$type"]).type, None if words else POST)
    if kind and (kind != QUOTED or not words):
        yield Unsupported(type=kind)


def _words(record: Json) -> str:
    return Text(text=record["text"]).text.strip()


def _quoted(embed: Json) -> Quote:
    return Quote(external_id=(embed["record"].get("record") or embed["record"])["uri"])


def compose(part: Part, found: Json, now: datetime) -> Json:
    """`found`: what getPosts says of the post that is answered. Raises SendFailed."""
    if not isinstance(part, Text):
        raise SendFailed("unsupported", "a post is text")
    if len(raw := part.text.encode()) > BYTES:
        raise SendFailed("too_long", f"a post has at most {BYTES} bytes, this one {len(raw)}")
    if not found["posts"]:
        raise SendFailed("bad_address", "the post that is answered is gone")
    post = found["posts"][0]
    parent = {"uri": post["uri"], "cid": post["cid"]}
    root = (post["record"].get("reply") or {}).get("root") or parent
    links = [_link(one.start(), one.end(), one[0].decode()) for one in LINK.finditer(raw)]
    words = {"$type": POST, "text": part.text, "createdAt": now.isoformat().replace("+00:00", "Z")}
    return {
        **words,
        "reply": {"root": {"uri": root["uri"], "cid": root["cid"]}, "parent": parent},
        **({"facets": links} if links else {}),
    }


def _link(start: int, end: int, uri: str) -> Json:
    """By bytes of UTF-8: https://docs.bsky.app/docs/advanced-guides/post-richtext."""
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": uri}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}
