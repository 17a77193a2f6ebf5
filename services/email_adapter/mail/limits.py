"""What a mail may be before anything of it is read: the limits that its bytes alone can break."""

from __future__ import annotations

from typing import Final

from services.email_adapter.mail.refusals import Refused
from services.email_adapter.mail.sections import cut

__all__ = ["HOPS", "SIZE", "Refused", "scan"]

SIZE: Final = 35 * 1024 * 1024  # bytes on the wire
HOPS: Final = 50  # Received fields (RFC 5321 §6.3)

TOO_LARGE: Final = f"552 5.3.4 a mail of more than {SIZE} bytes"
LOOPS: Final = f"554 5.4.6 more than {HOPS} hops, a mail loop"
BARE_END: Final = "550 5.5.2 a bare CR or LF; lines end with both (RFC 5321 §2.3.8)"


def scan(raw: bytes, *, direct: bool = False) -> None:
    """Raise Refused for a mail that is not to be taken; its `reply` is the whole SMTP reply, its `status` the digits.

    `raw`: the mail as DATA brought it, dots unstuffed. `direct`: it came by SMTP, so that every line must end with CRLF;
    stored mail (IMAP, files) may end its lines as it likes. Linear in time, nothing is decoded.

    Replies: 552 5.3.4 larger than SIZE, headers above 100 KB, above 1,000 lines of headers; 554 5.4.6 above
    HOPS hops; 554 5.6.0 above 1,000 parts; 550 5.5.2 a bare CR or LF. What only one part breaks is no reason.
    """
    if len(raw) > SIZE:
        raise Refused(TOO_LARGE)
    if direct and not raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n"):
        raise Refused(BARE_END)
    top = cut(raw)
    if sum(1 for _ in top.headers.every("received")) > HOPS:
        raise Refused(LOOPS)
