"""The process that reads large mails: `python -m services.email_adapter.reader MEGABYTES`, pickles on stdin and stdout."""

from __future__ import annotations

import os
import pickle
import resource
import sys
from typing import Any, BinaryIO, Final

from shared.channel import MailRead
from shared.errors import Malformed, ParleyError
from shared.translate import read_mail

HEAD: Final = 8  # bytes of a length


def serve(asked: BinaryIO, answered: BinaryIO) -> None:
    """Until whoever asks has gone."""
    while len(head := asked.read(HEAD)) == HEAD:
        work = pickle.loads(asked.read(int.from_bytes(head)))  # noqa: S301 the adapter that started this process asks
        answer = pickle.dumps(read(*work))
        answered.write(len(answer).to_bytes(HEAD) + answer)
        answered.flush()


def read(*work: Any) -> MailRead | tuple[type[ParleyError], str]:
    """What the channel's `mail` reads, or its error and the detail, which travel better than the error itself."""
    try:
        return read_mail(*work)
    except ParleyError as error:
        return type(error), error.detail
    except MemoryError:
        return Malformed, "a large mail needs more memory than one may have"


def main() -> None:
    size = int(sys.argv[1]) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    answered = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not print into the answer
    serve(sys.stdin.buffer, answered)


if __name__ == "__main__":
    main()
