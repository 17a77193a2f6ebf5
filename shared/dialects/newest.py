"""What is new of what a provider lists newest first, some of it late: each is told once, and nothing is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

from shared.contract.channel import Message, Polled
from shared.contract.readable import each, otherwise

Json = dict[str, Any]

FIRST: Final = timedelta(days=1)  # before the first look: what is older is not told
LATE: Final = timedelta(minutes=5)  # by which one may be listed after its time
TOLD: Final = 5000
AGAIN: Final = timedelta(seconds=20)  # between two rounds


@dataclass
class Told:
    """`at`: up to when all was told. `names`: what was told of the last minutes, which are looked at again, with its time."""

    at: datetime
    names: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Mapping[str, Any], now: datetime) -> Self:
        at = datetime.fromisoformat(cursor["at"]) if "at" in cursor else now - FIRST
        return cls(at, dict(cursor.get("told", {})))

    def is_recent(self, times: Iterable[datetime]) -> bool:
        """Whether behind the oldest of a page there may be more that is not told."""
        return min(times, default=self.at - LATE) > self.at - LATE

    def note(self, name: str, at: datetime) -> bool:
        """Whether it was not told yet."""
        new = name not in self.names
        self.names.setdefault(name, at.astimezone(UTC).isoformat())
        return new

    def so_far(self) -> Json:
        """The cursor of a round that is under way, with the newest that were told: what is told twice is one by its id."""
        return {"at": self.at.isoformat(), "told": dict([*self.names.items()][-TOLD:])}

    def until(self, at: datetime) -> Json:
        """The cursor of what was all told up to then."""
        late = (at - LATE).isoformat()
        return {"at": at.isoformat(), "told": {name: told for name, told in self.names.items() if told > late}}


@dataclass(frozen=True)
class Turn:
    """One page of a round from the newest back to what was told. `following`: what the next is asked by: the cursor's `page` then.

    The cursor's `newest` is what the round began with.
    """

    cursor: Mapping[str, Any]
    now: datetime
    page: bytes
    following: str | None
    again_in: timedelta = AGAIN

    def tells(
        self,
        listed: Sequence[Json],
        *,
        dated: Callable[[Json], tuple[str, datetime]],
        read: Callable[[Json], Message],
    ) -> Polled:
        """`dated`: what one is called, and its time in UTC."""
        told = Told.of(self.cursor, self.now)
        times = dict(pair for one in listed if (pair := otherwise(lambda one=one: dated(one), None)))  # type: ignore[misc]
        began = [datetime.fromisoformat(self.cursor["newest"])] if "newest" in self.cursor else []
        newest = min(max([told.at, *times.values(), *began]), self.now)

        def fresh(one: Json) -> Iterable[Message]:
            name, at = dated(one)
            return [read(one)] if name not in told.names and told.is_recent([at]) else ()

        records = tuple(each(fresh, reversed(listed)))
        for name, at in times.items():
            told.note(name, at)
        if self.following and told.is_recent(times.values()):
            cursor = {**told.so_far(), "newest": newest.isoformat(), "page": self.following}
            return Polled(records=records, page=self.page, cursor=cursor)
        return Polled(records=records, page=self.page, cursor=told.until(newest), again_in=self.again_in)
