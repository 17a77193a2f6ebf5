"""What is said on a socket that an account keeps open, and what is heard there."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.contract.errors import Malformed
from shared.contract.incoming import Incoming


@dataclass(frozen=True, slots=True)
class Send:
    """A frame to send, as text (RFC 6455 §5.6). What cannot be sent shows as `closed` in the next frame."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class Receive:
    """Wait for a frame until this moment. A deadline that has passed is told before any frame that waits: with plain
    timeouts steady traffic would starve the heartbeat.
    """

    until: datetime


@dataclass(frozen=True, slots=True)
class Publish:
    """Does not block the socket: when the records are durable, in the order of publishing, `then` is sent and the cursor moves
    there; None: it stays.

    The records keep the frame that came last as their raw payload. The first of a connection says that the account works.
    """

    records: tuple[Incoming | Malformed, ...] = ()
    cursor: Mapping[str, Any] | None = None
    then: Send | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What became of a step. Of a Receive: `data`, a frame's bytes; or `closed`, the other side's code, 1006 where the connection
    broke and 1009 where a frame was too large (RFC 6455 §7.4); or `stop`: this process gives the connection up; else the deadline passed.
    """

    now: datetime
    data: bytes | None = None
    closed: int | None = None
    stop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """How a socket ends: the code that is sent where it is still open, and how long to wait at least before it is opened again."""

    code: int = 1000
    again_in: timedelta = timedelta(0)


Socket = Generator[Send | Receive | Publish, Frame, Close]
