"""YouTube: comments on a channel's videos — https://developers.google.com/youtube/v3/docs/comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field as Described, SecretStr

from services.social_adapter.channels.youtube import polling
from services.social_adapter.channels.youtube.errors import outcome
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    EditPiece,
    Http,
    Piece,
    Polled,
    Quota,
    Sent,
    Steps,
    Token,
    bearer,
    unless_gone,
)
from shared.dialects import likeness

WRITE = 50  # units: https://developers.google.com/youtube/v3/determine_quota_cost
TEXT = 10_000
PACIFIC = "America/Los_Angeles"  # where the day of a quota begins


class App(channel.App):
    """Nothing comes by webhook, so there is nothing to verify."""


class Account(channel.Account):
    """A YouTube channel, by the OAuth client of a project at Google."""

    called_by: ClassVar[str] = "channel_id"
    channel_id: str = Described(min_length=1, description="the YouTube channel's id: UC and 22 letters")
    client_id: str = Described(
        min_length=1, description="the OAuth client's id; its project's quota is shared by all of it"
    )
    client_secret: SecretStr = Described(min_length=1, description="the OAuth client's secret")
    refresh_token: SecretStr = Described(
        min_length=1, description="given once for the channel, with the scope youtube.force-ssl"
    )
    quota: int = Described(default=10_000, ge=100, description="units a day that the project has for these calls")
    reserve: int = Described(
        default=5_000,
        ge=0,
        description="units of it that are kept for sends, of which each costs 50; the rest is for looking",
    )
    api: str = Described(default="https://www.googleapis.com", description="where the YouTube Data API is")
    token_api: str = Described(default="https://oauth2.googleapis.com", description="where access tokens are given")


def poll(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    return polling.poll(_url(account), bearer(context.token), account.channel_id, cursor, context.now)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """An answer stands under the first comment, also one to an answer: https://developers.google.com/youtube/v3/docs/comments/insert."""
    content = {"snippet": {"parentId": piece.thread_key or piece.to, "textOriginal": piece.text}}
    url = f"{_url(account)}/comments?part=snippet"
    answer = yield Http.post_json(url, content, token=context.token, commits=True, cost=WRITE)
    return Sent(external_ids=(answer.json()["id"],))


def join_key(piece: Piece) -> str:
    return likeness.key(piece.thread_key or piece.to, likeness.words(piece))


def amend(account: Account, wanted: Amendment, context: Context) -> Steps[None]:
    """https://developers.google.com/youtube/v3/docs/comments/update, …/delete. What is gone already is deleted."""
    match wanted:
        case EditPiece():
            content = {"id": wanted.external_id, "snippet": {"textOriginal": wanted.text}}
            edit = Http.post_json(f"{_url(account)}/comments?part=snippet", content, token=context.token, cost=WRITE)
            yield replace(edit, method="PUT")
        case DeletePiece():
            url = f"{_url(account)}/comments?{urlencode({'id': wanted.external_id})}"
            yield from unless_gone(Http(method="DELETE", url=url, headers=bearer(context.token), cost=WRITE))


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """https://developers.google.com/identity/protocols/oauth2/web-server#offline."""
    form = {
        "client_id": account.client_id,
        "client_secret": account.client_secret.get_secret_value(),
        "refresh_token": (known or account.refresh_token).get_secret_value(),
        "grant_type": "refresh_token",
    }
    answer = yield Http(
        url=f"{account.token_api}/token",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
    )
    told = answer.json()
    rotated = told.get("refresh_token")
    return Token(
        value=SecretStr(told["access_token"]),
        expires_in=timedelta(seconds=told["expires_in"]),
        refresh=SecretStr(rotated) if rotated else None,
    )


def quota(account: Account) -> Quota:
    return Quota(name=account.client_id, units=account.quota, reserve=min(account.reserve, account.quota), zone=PACIFIC)


def _url(account: Account) -> str:
    return f"{account.api}/youtube/v3"


CHANNEL = Channel(
    name="youtube",
    docs="https://developers.google.com/youtube/v3/docs/comments",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        starts="nothing",
        changes={"edit": None, "delete": None},
        per_second=5,
        per_peer_second=0.2,
    ),
    poll=poll,
    outbound=outbound,
    join_key=join_key,
    amend=amend,
    outcome=outcome,
    quota=quota,
    refresh=refresh,
)
