"""Pictures up, pictures and films down — https://business-api.tiktok.com/portal/docs?id=1832184403754242 (media/upload, media/download)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import SecretStr

from services.social_adapter.channels.tiktok import api
from shared.contract.channel import Blob, Download, Field, Handle, Http, SendFailed, Steps, is_trusted
from shared.contract.envelope import Media

MEDIA_BYTES: Final = 3 * 1024 * 1024
KEPT: Final = timedelta(days=29)  # of 30
HOSTS: Final = (".tiktok.com", ".tiktokcdn.com", ".tiktokv.com", ".tiktokcdn-us.com")


def upload(account: api.At, file: Media, token: SecretStr) -> Steps[Handle]:
    fields = (Field("media_type", "IMAGE"), Field("file", Blob.of(file)))
    answer = yield api.form(account, "business/message/media/upload", fields, token)
    return Handle(value=str(answer.json()["data"]["media_id"]), expires_in=KEPT)


def fetch(account: api.At, file: Media, token: SecretStr) -> Steps[Download]:
    """Of a message by three names, for which TikTok tells an address that wants the token in a header of its own; a sticker
    or a comment's picture by its address.
    """
    handle = file.handle or ""
    if not handle:
        raise SendFailed("bad_address", "TikTok does not say where the file is")
    if " " not in handle:
        return Download.of(file, Http(method="GET", url=handle, stranger=True))
    conversation, message, name = handle.split(" ", 2)
    wanted = {
        "conversation_id": conversation,
        "message_id": message,
        "media_id": name,
        "media_type": file.media.upper(),
    }
    answer = yield api.post(account, "business/message/media/download", wanted, token)
    where = str(answer.json()["data"]["download_url"])
    ours = is_trusted(where, account.api, HOSTS)
    headers = {"x-user": token.get_secret_value()} if ours else {}
    request = Http(
        method="GET", url=where, headers=headers, stranger=not where.startswith(f"{account.api.rstrip('/')}/")
    )
    return Download.of(file, request)
