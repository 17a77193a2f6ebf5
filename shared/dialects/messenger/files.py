"""A file that somebody has sent: its link, which needs no token."""

from __future__ import annotations

from shared.contract.channel import Context, Download, Http, SendFailed, Steps
from shared.contract.envelope import Media
from shared.dialects import meta


def fetch(account: meta.Account, media: Media, context: Context) -> Steps[Download]:
    """Only what lies beside the API is reached without looking whether its address is a public one."""
    if not media.handle:
        raise SendFailed("malformed", "no link to the file")
    beside = bool(account.api) and media.handle.startswith(account.api.rstrip("/") + "/")
    request = Http(method="GET", url=media.handle, stranger=not beside)
    yield from ()
    return Download.of(media, request)
