"""Whether record after record fails for a reason of ours: a bad deploy must not empty a topic into its dead letters."""

from __future__ import annotations

from typing import Any, Final

from shared.contract.errors import Malformed, Poison

KEYS: Final = 5  # so many different senders at least, so that no record of one stops a partition


class Failures:
    """What could not be handled of one partition since it last handled a record. `limit`: how many in a row; 0 never ends."""

    def __init__(self, limit: int) -> None:
        self._limit, self._run, self._accepted = limit, 0, 0
        self._keys: set[bytes | None] = set()

    def note(self, record: Any, error: Exception, *, is_ours: bool) -> None:
        """One more, about to be dead-lettered. Raises Poison instead where there were too many in a row.

        What cannot be read tells nothing about us unless `is_ours`: unless nobody but our services writes to its topic.
        """
        if isinstance(error, Malformed) and not is_ours:
            return
        is_run = self._limit and self._run >= self._limit and len(self._keys) >= KEYS
        if is_run and record.offset >= self._accepted:
            raise Poison(
                f"{record.topic}/{record.partition}: {self._run} records in a row failed, next is {record.offset}: {type(error).__name__}"
            ) from error
        self._run += 1
        if len(self._keys) < KEYS:
            self._keys.add(record.key)

    def accept(self, upto: int) -> bool:
        """A person has looked: what fails before that offset is set aside. Whether that is news."""
        is_news = upto > self._accepted
        self._accepted = upto
        return is_news

    def end(self) -> None:
        """A record was handled."""
        self._run = 0
        self._keys.clear()
