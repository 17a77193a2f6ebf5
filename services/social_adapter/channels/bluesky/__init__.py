"""Bluesky: mentions, answers and quotes, and our answers to them — https://docs.bsky.app/docs/advanced-guides/posts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from pydantic import Field as Described, SecretStr

from services.social_adapter.channels.bluesky.errors import outcome
from services.social_adapter.channels.bluesky.posts import POST, compose, read
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Http,
    Piece,
    Polled,
    SendFailed,
    Sent,
    Steps,
    Token,
    bearer,
)

LIVES: Final = timedelta(hours=1)  # of a session's access token, which is good for about two
ASKED: Final = [("limit", "100"), ("reasons", "mention"), ("reasons", "reply"), ("reasons", "quote")]


class App(channel.App):
    """Nothing comes by webhook, so there is nothing to verify."""


class Account(channel.Account):
    """A Bluesky account, by an app password."""

    did: str = Described(
        pattern="^did:[a-z]+:.+$", description="the account's DID, which stays when its handle changes"
    )
    password: SecretStr = Described(min_length=1, description="an app password: Settings, Privacy and security")
    api: str = Described(default="https://bsky.social", description="where the account is kept: its PDS")
    per_second: float = Described(
        default=1.0, gt=0, description="calls a second that it takes; one of your own may take more"
    )

    @property
    def key(self) -> str:
        return self.did


def able(account: Account) -> Capabilities:
    return CAPABILITIES.model_copy(update={"per_second": account.per_second})


def poll(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    """Page after page back to what was told before: …/api/app-bsky-notification-list-notifications."""
    page = [("cursor", cursor["page"])] if cursor.get("page") else []
    answer = yield _ask(account, "app.bsky.notification.listNotifications", [*ASKED, *page], context)
    return read(account.did, answer.json(), answer.body, cursor, context.now)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """An answer names the post that it answers and the one that all began with, each with what it says at the moment."""
    uri = piece.reply_to or piece.to
    found = yield _ask(account, "app.bsky.feed.getPosts", [("uris", uri)], context)
    record = compose(piece.part, found.json(), context.now)
    content = {"repo": account.did, "collection": POST, "record": record}
    answer = yield _do(account, "com.atproto.repo.createRecord", content, context, commits=True)
    return Sent(external_ids=(answer.json()["uri"],))


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """What is gone already is a success: …/api/com-atproto-repo-delete-record."""
    if not isinstance(wanted, DeletePiece):
        raise SendFailed("unsupported", "Bluesky changes no post and tells nobody what was read")
    content = {"repo": account.did, "collection": POST, "rkey": wanted.external_id.rpartition("/")[2]}
    yield _do(account, "com.atproto.repo.deleteRecord", content, context)


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """A new session each hour, of 300 a day that an account may begin: https://docs.bsky.app/docs/advanced-guides/rate-limits."""
    asked = {"identifier": account.did, "password": account.password.get_secret_value()}
    answer = yield Http.post_json(f"{account.api}/xrpc/com.atproto.server.createSession", asked)
    return Token(value=SecretStr(answer.json()["accessJwt"]), expires_in=LIVES)


def _ask(account: Account, method: str, asked: list[tuple[str, str]], context: Context) -> Http:
    url = f"{account.api}/xrpc/{method}?{urlencode(asked)}"
    return Http(method="GET", url=url, headers=bearer(context.token))


def _do(account: Account, method: str, content: object, context: Context, *, commits: bool = False) -> Http:
    return Http.post_json(f"{account.api}/xrpc/{method}", content, token=context.token, commits=commits)


CAPABILITIES: Final = Capabilities(
    text=300, unit="graphemes", starts="nothing", reply_to=True, changes={"delete": None}, per_second=1
)
CHANNEL = Channel(
    name="bluesky",
    docs="https://docs.bsky.app",
    app=App,
    account=Account,
    capabilities=CAPABILITIES,
    able=able,
    poll=poll,
    outbound=outbound,
    amend=amend,
    outcome=outcome,
    refresh=refresh,
)
