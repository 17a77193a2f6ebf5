"""Whatever a naive parser raises over a payload of another shape: one part is left out, or the event is Malformed."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import PurePath
from typing import Final, TypeVar

from pydantic import ValidationError

from shared.contract.errors import Malformed, ParleyError

E = TypeVar("E")
R = TypeVar("R")
D = TypeVar("D")

FEW: Final = 101
# OSError is datetime's for times beyond the platform's.
UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError, OSError)


class _Readable:
    """A class, since it is entered thrice for every message: a generator's would cost more than what it guards."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, UNREADABLE) and not isinstance(error, ParleyError):
            raise Malformed(where(error)) from None


_READABLE: Final = _Readable()


def readable() -> _Readable:
    """Raise Malformed in the place of a naive parser's error, its detail without a word of the payload."""
    return _READABLE


def each(read: Callable[[E], Iterable[R]], events: Iterable[E]) -> Iterator[R | Malformed]:
    """What the events of a batch say, one after the other; in the place of one that cannot be read its Malformed."""
    for event in events:
        try:
            with readable():
                found = tuple(read(event))
        except Malformed as error:
            yield error
        else:
            yield from found


def otherwise(read: Callable[[], R], instead: D) -> R | D:
    """What `read` says, or `instead` where that has another shape than is known.

    Whoever wrote is shown with what can be read: each part, and each thing that is said beside the parts, is read so. What
    an event cannot do without is read plainly: whose it is, and by what it is told apart.
    """
    try:
        with readable():
            return read()
    except Malformed:
        return instead


def few(parts: Iterable[E]) -> list[E]:
    """As many as an envelope holds, and one more, which says that there were more (see shared.inbound.translate.PARTS)."""
    return list(islice(parts, FEW))


def where(error: Exception) -> str:
    """The error's name and the line that raised it; for a model's field its path, never its value. Cheap: it may be told of
    each of a hundred thousand events.
    """
    kind = type(error).__name__
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        return f"{kind}: {error.title}.{'.'.join(map(str, first['loc']))}: {first['type']}"
    *_, (frame, line) = traceback.walk_tb(
        error.__traceback__
    )  # without the line's text, which is looked up in its file
    return f"{kind} at {PurePath(frame.f_code.co_filename).name}:{line} ({frame.f_code.co_name})"
