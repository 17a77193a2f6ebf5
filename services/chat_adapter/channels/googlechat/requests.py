"""Requests of the Chat API — https://developers.google.com/workspace/chat/api/reference/rest."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson

from services.chat_adapter.channels.googlechat.settings import Account
from shared.contract.channel import Context, Http, bearer

Json = dict[str, Any]


def change(account: Account, name: str, message: Json, context: Context) -> Http:
    return tell(account, f"{quote(name)}?updateMask={','.join(message)}", message, context, method="PATCH")


def tell(
    account: Account, path: str, message: Json, context: Context, *, method: str = "POST", commits: bool = False
) -> Http:
    """What is written counts for its space above all: …/workspace/chat/limits."""
    headers = {"content-type": "application/json", **bearer(context.token)}
    url, body = f"{account.api}/v1/{path}", orjson.dumps(message)
    return Http(method=method, url=url, headers=headers, body=body, commits=commits, throttles="peer")


def ask(account: Account, path: str, context: Context) -> Http:
    return Http.get(f"{account.api}/v1/{path}", token=context.token)
