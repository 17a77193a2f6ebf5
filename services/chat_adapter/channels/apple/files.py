"""Attachments, which only who has their message can read — https://register.apple.com/resources/messages/msp-rest-api/type-text."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shared.contract.channel import AesCtr, Blob, Context, Download, Handle, Http, SendFailed, Steps
from shared.contract.envelope import Media

BYTES: Final = 100 * 1024 * 1024
KEY: Final = 32  # bytes
LIVES: Final = timedelta(hours=1)  # of an upload that is named again; Apple does not say how long it keeps one
SLOWEST: Final = timedelta(minutes=10)  # that an upload may take


def upload(url: str, signed: dict[str, str], media: Media, context: Context) -> Steps[Handle]:
    """A place is asked for, the encrypted bytes go there; the handle is all that a message says of them.

    AES-256 in counter mode from zero, by a key that is this upload's own. The size is that of the file: nothing is padded.
    """
    if media.blob is None or media.size is None:
        raise SendFailed("malformed", "the file is not stored; upload it first")
    key = hmac.digest(context.secret.get_secret_value().encode(), context.nonce.encode(), hashlib.sha256)
    size = str(media.size)
    place = (yield Http(method="GET", url=url, headers={**signed, "mmcs-size": size})).json()
    body = Blob(media.blob, through=AesCtr(key))
    stored = (yield Http(url=str(place["upload-url"]), body=body, timeout=SLOWEST)).json()
    attachment = {
        "url": place["mmcs-url"],
        "owner": place["mmcs-owner"],
        "signature-base64": stored["singleFile"]["fileChecksum"],
        "size": size,
        "key": f"00{key.hex()}",
    }
    return Handle(value=urlencode(attachment), expires_in=LIVES)


def fetch(api: str, signed: dict[str, str], media: Media) -> Steps[Download]:
    """The gateway says for a while from where the encrypted bytes come. Of a large reply it then makes JSON: …/type-interactive."""
    attachment = dict(parse_qsl(media.handle or ""))
    named = {f"mmcs-{name}": attachment[name] for name in ("url", "owner", "signature")}
    app = {"bid": attachment["bid"]} if "bid" in attachment else {}
    key = bytes.fromhex(attachment["key"].removeprefix("00"))
    if len(key) != KEY or not all(
        value.isascii() and value.isprintable() for value in (*named.values(), *app.values())
    ):
        raise SendFailed("malformed", "the attachment has no address, or no key")
    place = (yield Http(method="GET", url=f"{api}/preDownload", headers={**signed, **named})).json()
    request = Http(method="GET", url=str(place["download-url"]))
    if not app:
        return Download.of(media, request, decrypt=AesCtr(key))
    reply = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).decryptor().update((yield request).body)
    request = Http(url=f"{api}/decodePayload", headers={**signed, **app}, body=reply)
    return Download.of(media, request)
