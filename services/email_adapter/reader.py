"""Reads a mail within its limits; as a process (`python -m services.email_adapter.reader MEGABYTES`) by pipes."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, Final

from services.email_adapter.mail.limits import scan
from shared.contract.channel import Account, Context, Mail, MailRead
from shared.contract.errors import Malformed, ParleyError
from shared.inbound.translate import MailReader, read_mail

HEAD: Final = 8  # bytes of a length
READY: Final = b"\n"


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Say that all is loaded, then answer until whoever asks has gone. The bytes of a mail, and of its files, go beside what is
    said of them: they are large, and are not copied for the way.
    """
    answered.write(READY)
    answered.flush()
    while work := _heard(asked):
        for told in _answered(work, _heard(asked)):
            answered.write(len(told).to_bytes(HEAD))
            answered.write(told)
        answered.flush()
        del told


def _heard(asked: BinaryIO) -> bytes:
    return asked.read(int.from_bytes(asked.read(HEAD)))


def _answered(work: bytes, raw: bytes) -> Iterator[bytes]:
    mail, account, delivered, context = pickle.loads(work)  # noqa: S301 the adapter that started this process asks
    found = answer(mail, account, replace(delivered, raw=raw), context)
    if not isinstance(found, MailRead):
        yield pickle.dumps(found)
        return
    yield pickle.dumps(replace(found, files=dict.fromkeys(found.files, b"")))
    yield from found.files.values()


def answer(*work: Any) -> MailRead | tuple[type[ParleyError], str]:
    """What the mail says, or the error and its detail, which travel better than the error itself."""
    try:
        return read(*work)
    except ParleyError as error:
        return type(error), error.detail
    except MemoryError:
        return Malformed, "a mail needs more memory than one may have"


def read(mail: MailReader | None, account: Account, delivered: Mail, context: Context) -> MailRead:
    """The mail, if it is within the limits, read by its channel's `mail`. Raises Refused, Malformed."""
    if not delivered.unread:
        scan(delivered.raw)
    return read_mail(mail, account, delivered, context)


def main() -> None:
    import resource  # not on every system, and needed only in this process

    size = int(sys.argv[1]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    answered = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the answer
    serve(sys.stdin.buffer, answered)


if __name__ == "__main__":
    main()
