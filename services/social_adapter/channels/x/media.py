"""Files, in and out — https://docs.x.com/x-api/media/quickstart/media-upload-chunked."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import SecretStr

from services.social_adapter.channels.x import api
from services.social_adapter.channels.x.posts import address_of
from shared.contract.channel import Blob, Download, Field, Http, SendFailed, Steps, bearer
from shared.contract.envelope import Media

Json = dict[str, Any]
Place = Literal["tweet", "dm"]

CHUNK: Final = 4 * 1024 * 1024
LONG: Final = timedelta(minutes=2)  # for one of them
LOOKS: Final = 30  # at a film that X works on; then the message is tried again later
VIDEO_BYTES: Final = (
    512 * 1024 * 1024
)  # in a message; a picture may have 5 MB, which X says itself: …/media/quickstart/best-practices
# A file of a message in clear: https://docs.x.com/x-api/direct-messages/media/introduction.
KEPT: Final = re.compile(
    r"https://ton\.(?:twitter|x)\.com/1\.1/ton/data/dm/(\d{1,20})/(\d{1,20})/([\w-]{1,200}\.\w{1,8})"
)
KEY: Final = re.compile(r"\d{1,3}_\d{1,20}")


def upload(account: api.At, file: Media, token: SecretStr, *, place: Place) -> Steps[str]:
    """What X calls the file, when it is ready to be shown; a category is of one place only: …/media/quickstart/best-practices#media-categories."""
    kind, mime_type = _kind(file), file.mime_type or "application/octet-stream"
    if file.blob is None or file.size is None:
        raise SendFailed("malformed", "the file is not stored; upload it first")
    begun = {"media_type": mime_type, "total_bytes": file.size, "media_category": f"{place}_{kind}"}
    name = (yield api.post(account, "media/upload/initialize", begun, token)).json()["data"]["id"]
    for number, start in enumerate(range(0, file.size, CHUNK)):
        length = min(CHUNK, file.size - start)
        part = Blob(file.blob, mime_type, file.name or "file", file.size, start=start, length=length)
        form = (Field("segment_index", str(number)), Field("media", part))
        where = api.url(account, f"media/upload/{name}/append")
        yield Http(url=where, headers=bearer(token), body=form, timeout=LONG)
    state = (yield Http(url=api.url(account, f"media/upload/{name}/finalize"), headers=bearer(token))).json()["data"]
    for _ in range(LOOKS):
        work = state.get("processing_info") or {"state": "succeeded"}
        if work["state"] == "succeeded":
            return str(name)
        wait = timedelta(seconds=work.get("check_after_secs") or 1)
        state = (yield _status(account, name, token, wait)).json()["data"]
    raise SendFailed("unreachable", "X still works on the file", retry_after=timedelta(minutes=1))


def _status(account: api.At, name: str, token: SecretStr, wait: timedelta) -> Http:
    where = api.url(account, f"media/upload?command=STATUS&media_id={name}")
    return Http(method="GET", url=where, headers=bearer(token), after=wait)


def _kind(file: Media) -> str:
    if file.mime_type == "image/gif":
        return "gif"
    return file.media


def fetch(account: api.At, file: Media, token: SecretStr) -> Steps[Download]:
    """By X's own end point, where it is of a message; by its key, where the post did not tell its address; else as it is."""
    handle = file.handle or ""
    if kept := KEPT.fullmatch(handle):
        request = api.get(account, f"dm_conversations/media/{'/'.join(kept.groups())}", token)
    else:
        if KEY.fullmatch(handle):
            told = yield api.get(account, f"media/{handle}?media.fields=type,url,variants", token)
            handle = address_of(told.json()["data"]) or ""
        if not handle:
            raise SendFailed("bad_address", "X does not say where the file is")
        request = Http(method="GET", url=handle, stranger=not handle.startswith(f"{account.api.rstrip('/')}/"))
    return Download.of(file, request)
