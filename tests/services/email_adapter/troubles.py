"""The mail channel's own reader, which has the trouble that a mail's Subject names with whatever is more than its head."""

from __future__ import annotations

import os
from email.parser import BytesHeaderParser
from pathlib import Path

from services.email_adapter.mail import inbound
from services.email_adapter.mail.names import Account
from shared.contract.channel import Context, Mail, MailRead


def read(account: Account, mail: Mail, context: Context) -> MailRead:
    """A function of a module, since it is named to the process that reads. X-Once: a file that tells that it was tried."""
    if not mail.unread:
        headers = BytesHeaderParser().parsebytes(mail.raw.partition(b"\r\n\r\n")[0])
        _meet(headers["Subject"], Path(headers.get("X-Once", "")))
    return inbound.read(account, mail, context)


def _meet(trouble: str, once: Path) -> None:
    if trouble == "error":
        raise ValueError("a parser's own error")
    if trouble == "memory":
        bytearray(8 * 1024**3)
    if trouble == "once" and not once.exists():
        once.touch()
        trouble = "crash"
    if trouble == "crash":
        os._exit(1)
    while trouble == "for ever":
        pass
