"""Calls of X's API, by the account's own token — https://docs.x.com/x-api/introduction."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from pydantic import SecretStr

from shared.contract.channel import Http, bearer


class At(Protocol):
    @property
    def api(self) -> str: ...


def get(account: At, path: str, token: SecretStr) -> Http:
    return Http.get(url(account, path), token=token)


def post(account: At, path: str, content: object, token: SecretStr) -> Http:
    return Http.post_json(url(account, path), content, token=token)


def send(account: At, path: str, content: object, token: SecretStr, *, counts: str) -> Http:
    """What a person sees. X counts each end point by itself, so only what goes there waits."""
    sends = Http.post_json(url(account, path), content, token=token, commits=True, throttles="peer")
    return replace(sends, counts=("end point", counts))


def delete(account: At, path: str, token: SecretStr) -> Http:
    return Http(method="DELETE", url=url(account, path), headers=bearer(token))


def url(account: At, path: str) -> str:
    return f"{account.api.rstrip('/')}/2/{path}"
