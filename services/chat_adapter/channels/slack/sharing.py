"""Files, out by an upload of their own and in from where they lie — https://docs.slack.dev/messaging/working-with-files."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.chat_adapter.channels.slack import places
from services.chat_adapter.channels.slack.calls import ask, call, path_of
from services.chat_adapter.channels.slack.outbound import comment
from services.chat_adapter.channels.slack.settings import Account
from shared.contract.channel import (
    Blob,
    Context,
    Download,
    Http,
    Piece,
    SendFailed,
    Sent,
    Steps,
    bearer,
    file_at,
)
from shared.contract.envelope import Media

LONG: Final = timedelta(minutes=2)
HOSTS: Final = ("slack.com", ".slack.com")


def share(account: Account, piece: Piece, where: str, thread: str | None) -> Steps[Sent]:
    """All files in one message, with the words above them: https://docs.slack.dev/messaging/working-with-files#upload.

    The answer does not name the message; its echo has the file. Where no answer came, the file tells whether it was shared.
    """
    uploaded: list[dict[str, str]] = []
    for file in piece.files:
        uploaded += [(yield from _upload(account, file))]
    place = {
        "channels" if places.is_person(where) else "channel_id": where,
        **({"thread_ts": thread} if thread else {}),
    }
    above = {"initial_comment": said} if (said := comment(piece)) else {}
    try:
        yield call(account, "files.completeUploadExternal", {"files": uploaded, **place, **above}, commits=True)
    except SendFailed as failed:
        if failed.reason != "unknown":
            raise
        found = yield from _shared_as(account, uploaded[0]["id"], failed)
        return Sent(external_ids=found)
    return Sent(join_key=uploaded[0]["id"])


def _upload(account: Account, file: Media) -> Steps[dict[str, str]]:
    """Not seen by anybody until it is shared."""
    blob = Blob.of(file)
    about = {"filename": blob.name, "length": str(blob.size)}
    told = (yield ask(account, "files.getUploadURLExternal", about)).json()
    yield Http(url=told["upload_url"], body=blob, secret=path_of(told["upload_url"]), timeout=LONG)
    return {"id": told["file_id"], "title": blob.name}


def _shared_as(account: Account, file: str, failed: SendFailed) -> Steps[tuple[str, ...]]:
    """What the message is called that has the file; `failed` where that cannot be learned, or is none yet."""
    try:
        told = (yield ask(account, "files.info", {"file": file})).json()
    except SendFailed:
        raise failed from None
    shares = [one for kind in told["file"].get("shares", {}).values() for one in kind.items()]
    if not shares:
        raise failed
    place, messages = shares[0]
    name, others = places.names(place, messages[0]["ts"], messages[0].get("thread_ts"))
    return (name, *others)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Where the file is now, and with the token only where that is Slack's own: https://docs.slack.dev/reference/methods/files.info."""
    told = (yield ask(account, "files.info", {"file": media.handle or ""})).json()["file"]
    address = told.get("url_private_download") or told["url_private"]
    file = file_at(address, account.api, HOSTS, headers=bearer(account.token))
    return Download(
        request=file, mime_type=media.mime_type or told.get("mimetype"), name=media.name or told.get("name")
    )
