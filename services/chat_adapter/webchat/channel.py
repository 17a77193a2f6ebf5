"""Web live chat: docs/channels/webchat.md. Parley is its own provider here, so nothing is fetched and no webhook comes."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator

from shared.contract import channel
from shared.contract.channel import Capabilities, Channel, Response, SendFailed

TEXT_LIMIT: Final = 4000  # code points of one message, either way
OPTION_ID: Final = 200  # code points of an option's id, on its way out and back

DEFAULT_TYPES: Final = (
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "audio/mpeg",
    "audio/ogg",
    "audio/webm",
    "audio/mp4",
    "video/mp4",
    "video/webm",
    "application/pdf",
    "text/plain",
    "text/csv",
    "application/zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
)

Secret = Annotated[SecretStr, Field(min_length=16)]


class App(channel.App):
    """One web site's widget, at /webchat/{app}/. Limits are per process; each is a burst that refills over its time."""

    secret: Secret = Field(description="signs session tokens and addresses of files; changing it ends every session")
    identity_secret: Secret | None = Field(
        None,
        description="with it the site signs the ids and names of people it knows: hex HMAC-SHA256(identity_secret, id + line feed + name), or a JSON Web Token",
    )
    origins: tuple[str, ...] = Field(
        (), description="the origins whose pages may use the widget, as https://shop.example"
    )
    allow_no_origin: bool = Field(False, description="let in programs that send no Origin, such as native apps")
    demo: bool = Field(False, description="serve a demonstration shop with the widget at /webchat/{app}/demo")
    demo_frames: tuple[str, ...] = Field(
        (), description="origins that may show the demonstration in a frame, besides loopback ones"
    )
    title: str = Field(
        "", max_length=80, description="what the head of the widget says; default: in the visitor's language"
    )
    proxies: int = Field(
        0, ge=0, le=10, description="trusted reverse proxies in front, each appending to X-Forwarded-For; 0: none"
    )
    attachment_bytes: int = Field(10 * 1024 * 1024, ge=0, description="bytes of one file of a visitor at the most")
    attachment_types: tuple[str, ...] = Field(DEFAULT_TYPES, description="media types that a visitor may send")
    messages_per_minute: int = Field(30, ge=1, description="messages of one visitor")
    messages_per_minute_and_address: int = Field(300, ge=1, description="messages from one IP address (IPv6: /64)")
    sessions_per_minute: int = Field(120, ge=1, description="new or renewed sessions from one IP address")
    requests_per_minute: int = Field(3000, ge=1, description="requests of any kind from one IP address")
    upload_bytes_per_hour: int = Field(100 * 1024 * 1024, ge=1, description="bytes of files of one visitor")
    upload_bytes_per_hour_and_address: int = Field(
        1024 * 1024 * 1024, ge=1, description="bytes of files from one IP address"
    )
    sockets: int = Field(6, ge=1, description="open WebSockets of one visitor; tabs beyond them poll")
    sockets_per_address: int = Field(
        200, ge=1, description="open WebSockets from one IP address that have not proved their visitor"
    )

    @field_validator("origins", "demo_frames")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if scheme not in {"http", "https"} or not host or set(host) & set("/?#@*;, '\""):
                raise ValueError(f"{origin} is not an origin such as https://shop.example (no path, no wildcard)")
        return origins


class Account(channel.Account):
    """Whose web chat it is. It needs no token: what is sent is written to the visitor's transcript."""


def outcome(response: Response) -> None:
    """No provider answers here."""
    raise SendFailed("unknown", "web chat makes no requests")


CHANNEL = Channel(
    name="webchat",
    docs="docs/channels/webchat.md",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT_LIMIT,
        caption=1000,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=25 * 1024 * 1024,
        choices="full",
        options=20,
        option_title=80,
        option_id=OPTION_ID,
        typing=True,
        grows=timedelta(seconds=0.5),
        changes={"edit": None, "delete": None, "seen": None},
        per_second=500.0,
        per_peer_second=50.0,
        idempotent_for=timedelta(days=3650),  # the transcript remembers a piece's id as long as it stands
    ),
    outcome=outcome,
)
