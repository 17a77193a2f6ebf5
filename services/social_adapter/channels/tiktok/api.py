"""Calls of TikTok's API for Business, by the account's own token — https://business-api.tiktok.com/portal/docs?id=1832184403754242."""

from __future__ import annotations

from typing import Any, Protocol

from pydantic import SecretStr

from shared.contract.channel import Field, Form, Http

Json = dict[str, Any]


class At(Protocol):
    @property
    def api(self) -> str: ...
    @property
    def business_id(self) -> str: ...


def get(account: At, path: str, token: SecretStr, **asked: object) -> Http:
    """Names may hold a plus, which is one only as %2B."""
    return Http.get(url(account, path), {"business_id": account.business_id, **asked}, headers=access(token))


def post(account: At, path: str, content: Json, token: SecretStr, *, commits: bool = False) -> Http:
    """TikTok's own limits are an app's; one person's are only told as a refusal."""
    body = {"business_id": account.business_id, **content}
    return Http.post_json(url(account, path), body, headers=access(token), commits=commits)


def form(account: At, path: str, fields: Form, token: SecretStr) -> Http:
    return Http(
        url=url(account, path), headers=access(token), body=(Field("business_id", account.business_id), *fields)
    )


def url(account: At, path: str) -> str:
    """Each ends with a slash, without which nothing is found."""
    return f"{account.api.rstrip('/')}/open_api/v1.3/{path}/"


def access(token: SecretStr) -> dict[str, str]:
    return {"access-token": token.get_secret_value()}
