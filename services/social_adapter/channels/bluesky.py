"""Bluesky: mentions, answers and quotes, and our answers to them — https://docs.bsky.app/docs/advanced-guides/posts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final

from pydantic import Field as Described, SecretStr

from shared.contract import channel
from shared.contract.channel import Context, Http, Message, Piece, Polled, SendFailed, Sent, Steps, Token
from shared.contract.envelope import Assessment, MessageContext, Part, Quote, Text, Thread, Unsupported, automatic
from shared.contract.hints import vouched
from shared.contract.readable import otherwise
from shared.contract.saying_no import SaysNo
from shared.dialects.comments import under
from shared.dialects.newest import Turn

Json = dict[str, Any]

POST: Final = "app.bsky.feed.post"
BYTES: Final = 3000  # beside 300 graphemes
LINK: Final = re.compile(rb"https?://[^\s<>\"]{1,2000}[^\s<>\".,;:!?)\]'}]")
# https://atproto.com/specs/xrpc#error-responses
ENDED: Final = ("AccountDeactivated", "AccountTakedown", "AuthFactorTokenRequired", "ExpiredToken", "InvalidToken")


class Account(channel.Account):
    """A Bluesky account, by an app password."""

    called_by: ClassVar[str] = "did"
    did: str = Described(pattern="^did:[a-z]+:.+$", description="its DID, which stays when its handle changes")
    password: SecretStr = Described(min_length=1, description="an app password: Settings, Privacy and security")
    api: str = Described(default="https://bsky.social", description="where the account is kept: its PDS")


def poll(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    """Page after page back to what was told before: …/api/app-bsky-notification-list-notifications."""
    asked = {"limit": 100, "reasons": ["mention", "reply", "quote"], "cursor": cursor.get("page")}
    answer = yield _ask(account, "app.bsky.notification.listNotifications", context, **asked)
    page = answer.json()
    turn = Turn(cursor, context.now, page=answer.body, following=page.get("cursor"))
    return turn.tells(page["notifications"], dated=_dated, read=partial(_message, account.did))


def _dated(one: Json) -> tuple[str, datetime]:
    return one["uri"].strip(), datetime.fromisoformat(one["indexedAt"]).astimezone(UTC)


def _message(did: str, one: Json) -> Message:
    """One conversation for a post and all that is under it, also where that post is gone."""
    record, author, uri = one["record"], one["author"], one["uri"]
    answered = otherwise(lambda: Thread(reply_to=record["reply"]["parent"]["uri"]).reply_to, None)
    root = otherwise(lambda: Thread(thread_key=record["reply"]["root"]["uri"]).thread_key, None) or uri
    bot = otherwise(lambda: "bot" in {label["val"] for label in author["labels"]}, False)
    return Message(
        account_key=did,
        event_key=uri,
        sender=vouched(author["did"], name=author.get("displayName"), username=author.get("handle")),
        parts=tuple(_parts(record)),
        occurred_at=_dated(one)[1],
        external_id=uri,
        context=otherwise(lambda: MessageContext(quoted=_quoted(record["embed"])), None),
        assessment=automatic("its account says that it is a bot's") if bot else Assessment(),
        **under(root, answered, surface="comment" if answered else "mention"),
    )


def _parts(record: Json) -> Iterator[Part]:
    """The words; of what is embedded (pictures, films, cards) its kind, but for what is only quoted."""
    if words := otherwise(lambda: Text(text=record["text"].strip()).text, ""):
        yield Text(text=words)
    kind = otherwise(lambda: Unsupported(type=record["embed"]["$type"]).type, None if words else POST)
    if kind and (kind != "app.bsky.embed.record" or not words):
        yield Unsupported(type=kind)


def _quoted(embed: Json) -> Quote:
    return Quote(external_id=(embed["record"].get("record") or embed["record"])["uri"])


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """An answer names the post that it answers and the one that all began with, each with what it says at the moment."""
    found = yield _ask(account, "app.bsky.feed.getPosts", context, uris=piece.reply_to or piece.to)
    record = _answer(piece.text, found.json()["posts"], context.now)
    answer = yield _repo(account, "createRecord", context, record=record, commits=True)
    return Sent(external_ids=(answer.json()["uri"],))


def _answer(text: str, posts: list[Json], now: datetime) -> Json:
    """`posts`: what getPosts says of the one that is answered."""
    if len(raw := text.encode()) > BYTES:
        raise SendFailed("too_long", f"a post has at most {BYTES} bytes, this one {len(raw)}")
    if not posts:
        raise SendFailed("bad_address", "the post that is answered is gone")
    first = (posts[0]["record"].get("reply") or {}).get("root") or posts[0]
    root, parent = ({"uri": post["uri"], "cid": post["cid"]} for post in (first, posts[0]))
    words = {"$type": POST, "text": text, "createdAt": now.isoformat().replace("+00:00", "Z")}
    links = [_link(one) for one in LINK.finditer(raw)]
    return {**words, "reply": {"root": root, "parent": parent}, **({"facets": links} if links else {})}


def _link(found: re.Match[bytes]) -> Json:
    """By bytes of UTF-8: https://docs.bsky.app/docs/advanced-guides/post-richtext."""
    feature = {"$type": "app.bsky.richtext.facet#link", "uri": found[0].decode()}
    return {"index": {"byteStart": found.start(), "byteEnd": found.end()}, "features": [feature]}


def amend(account: Account, wanted: channel.Amendment, context: Context) -> Steps[None]:
    """What is gone already is a success: …/api/com-atproto-repo-delete-record."""
    yield _repo(account, "deleteRecord", context, rkey=wanted.external_id.rpartition("/")[2])


def _repo(account: Account, act: str, context: Context, *, commits: bool = False, **what: object) -> Http:
    content = {"repo": account.did, "collection": POST, **what}
    return Http.post_json(f"{account.api}/xrpc/com.atproto.repo.{act}", content, token=context.token, commits=commits)


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """A new session each hour, of 300 a day that an account may begin (…/advanced-guides/rate-limits); its token is good for two."""
    asked = {"identifier": account.did, "password": account.password.get_secret_value()}
    answer = yield Http.post_json(f"{account.api}/xrpc/com.atproto.server.createSession", asked)
    return Token(value=SecretStr(answer.json()["accessJwt"]), expires_in=timedelta(hours=1))


def _ask(account: Account, method: str, context: Context, **asked: Any) -> Http:
    return Http.get(f"{account.api}/xrpc/{method}", asked, token=context.token)


CHANNEL = channel.Channel(
    name="bluesky",
    docs="https://docs.bsky.app",
    account=Account,
    capabilities=channel.Capabilities(
        text=300, unit="graphemes", starts="nothing", reply_to=True, changes={"delete": None}, per_second=1
    ),
    poll=poll,
    outbound=outbound,
    amend=amend,
    outcome=SaysNo("Bluesky", lambda said: (said.get("error"), said.get("message")), dict.fromkeys(ENDED, "auth")),
    refresh=refresh,
)
