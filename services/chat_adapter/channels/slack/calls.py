"""A call of the Web API — https://docs.slack.dev/apis/web-api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from services.chat_adapter.channels.slack.settings import Account
from shared.contract.channel import Http, bearer


def call(account: Account, method: str, content: Mapping[str, Any], *, commits: bool = False) -> Http:
    """What is posted counts for its channel: "one message per second per channel", https://docs.slack.dev/apis/web-api/rate-limits."""
    return Http.post_json(
        f"{account.api}/{method}",
        content,
        token=account.token,
        commits=commits,
        throttles="peer" if commits else "account",
    )


def ask(account: Account, method: str, content: Mapping[str, str]) -> Http:
    """Methods that read take no JSON: https://docs.slack.dev/apis/web-api#methods_supporting_json."""
    form = {"content-type": "application/x-www-form-urlencoded", **bearer(account.token)}
    return Http(url=f"{account.api}/{method}", headers=form, body=urlencode(content).encode())


def path_of(address: str) -> SecretStr:
    """Whoever has it may write there."""
    return SecretStr(urlsplit(address).path)
