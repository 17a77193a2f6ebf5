"""What is to be told of a Google Chat app."""

from __future__ import annotations

import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field as Described, SecretStr, field_validator

from shared.contract import channel


class App(channel.App):
    """One Chat app: Google signs for its project."""

    project: str = Described(pattern=r"^\d{6,20}$", description="the number of the Google Cloud project")
    audience: str = Described(
        default="", description="the endpoint's URL as Google has it; default: our own webhook's address"
    )
    publishers: tuple[str, ...] = Described(
        default=(), description="service accounts as which Pub/Sub pushes, if it does"
    )
    bot: str = Described(
        default="", description="the app's own name in Chat, users/…, by which subscriptions tell what it sent itself"
    )
    certs: str = Described(default="https://www.googleapis.com", description="where Google tells its keys")


class Account(channel.Account):
    """One Chat app, as it sends."""

    credentials: SecretStr = Described(description="the service account's key: the JSON file that Google gives")
    api: str = Described(default="https://chat.googleapis.com", description="where Google's API is")
    login: str = Described(default="https://oauth2.googleapis.com", description="where access tokens are given")

    @field_validator("credentials")
    @classmethod
    def _whole(cls, credentials: SecretStr) -> SecretStr:
        try:
            key = orjson.loads(credentials.get_secret_value())
            load_pem_private_key(key["private_key"].encode(), None)
            assert isinstance(key["client_email"], str)
            assert isinstance(key["private_key_id"], str)
        except Exception:  # noqa: BLE001 whatever it is, its words may hold the key
            raise ValueError("no service account's key; give the JSON file that Google gave, unchanged") from None
        return credentials
