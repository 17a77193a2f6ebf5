"""What is to be told of a Google Chat app."""

from __future__ import annotations

from pydantic import Field as Described

from shared.contract import channel
from shared.dialects import google


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


class Account(google.Serviced):
    """One Chat app, as it sends."""

    api: str = Described(default="https://chat.googleapis.com", description="where Google's API is")
