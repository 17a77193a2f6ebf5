"""What each class of PostgreSQL's errors says of a batch: PostgreSQL, Appendix A (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeVar

import asyncpg

T = TypeVar("T")


class Meaning(Enum):
    """What is done about it. Only a RECORD's error sets that record aside; everything else is waited for, and told."""

    AWAY = "the server cannot work at the moment: wait, the same again"
    RECONNECT = "this session no longer fits its server, or its server the work: the same again, by new connections"
    AGAIN = "two transactions met: the same again, with facts read anew"
    CLOSED = "we may not, or what we need is not there: a person mends it, until then wait"
    RECORD = "what was to be written cannot be: no other record is concerned"


# The longest beginning of a code decides. A class that is not named is taken for AWAY, since nothing is lost by waiting.
MEANINGS: Final[Mapping[str, Meaning]] = {
    "03": Meaning.CLOSED,  # statement not yet complete: ours is wrong
    "08": Meaning.AWAY,  # connection exception
    "09": Meaning.RECORD,  # triggered action exception
    "0A": Meaning.CLOSED,  # feature not supported: an older server, or one that only speaks the same language
    "0B": Meaning.RECONNECT,  # invalid transaction initiation
    "0F": Meaning.RECONNECT,  # locator exception
    "0L": Meaning.CLOSED,  # invalid grantor
    "0P": Meaning.CLOSED,  # invalid role
    "0Z": Meaning.RECORD,  # diagnostics exception
    "10": Meaning.RECORD,  # XQuery error
    "20": Meaning.RECORD,  # case not found
    "21": Meaning.RECORD,  # cardinality violation
    "22": Meaning.RECORD,  # data exception
    "23": Meaning.RECORD,  # integrity constraint violation
    "23505": Meaning.AGAIN,  # unique violation: somebody else wrote it first
    "24": Meaning.RECONNECT,  # invalid cursor state
    "25": Meaning.RECONNECT,  # invalid transaction state: read-only (25006), idle too long (25P03, 25P04)
    "26": Meaning.RECONNECT,  # invalid statement name: a pooler gave us a session without what we had prepared
    "27": Meaning.RECORD,  # triggered data change violation
    "28": Meaning.CLOSED,  # invalid authorization: a password that is being changed, too
    "2B": Meaning.CLOSED,  # dependent privileges still exist
    "2D": Meaning.RECONNECT,  # invalid transaction termination
    "2F": Meaning.RECORD,  # SQL routine exception
    "34": Meaning.RECONNECT,  # invalid cursor name
    "38": Meaning.RECORD,  # external routine exception
    "39": Meaning.RECORD,  # external routine invocation exception
    "3B": Meaning.RECONNECT,  # savepoint exception
    "3D": Meaning.CLOSED,  # no such database
    "3F": Meaning.CLOSED,  # no such schema
    "40": Meaning.AGAIN,  # transaction rollback: serialisation, deadlock
    "42": Meaning.CLOSED,  # syntax error or access rule violation: privileges (42501), no such table (42P01)
    "42P05": Meaning.RECONNECT,  # a pooler gave us a session in which somebody else prepared by our name
    "44": Meaning.RECORD,  # WITH CHECK OPTION violation
    "53": Meaning.AWAY,  # insufficient resources: disk full, out of memory, too many connections
    "54": Meaning.RECORD,  # program limit exceeded: larger than an index or a row can be
    "55": Meaning.AWAY,  # object not in prerequisite state
    "55006": Meaning.AGAIN,  # object in use
    "55P03": Meaning.AGAIN,  # lock not available: a migration waits for its turn
    "57": Meaning.AWAY,  # operator intervention: shut down, starting up, cancelled
    "58": Meaning.AWAY,  # system error: its files
    "72": Meaning.AGAIN,  # snapshot too old
    "F0": Meaning.AWAY,  # configuration file error
    "HV": Meaning.AWAY,  # a foreign data wrapper's
    "P0": Meaning.RECORD,  # raised by a function of this database's owner
    "XX": Meaning.AWAY,  # internal error, corrupted data or index: says nothing of the record
}

REMEDIES: Final[Mapping[str, str]] = {
    "25006": "it only reads: see whether its disk is full, whether it is a standby, and default_transaction_read_only",
    "26": "a pooler is in between that forgets prepared statements: let it pool by session, or keep them",
    "42P05": "a pooler is in between that forgets prepared statements: let it pool by session, or keep them",
    "28": "see the user and the password in PARLEY_DATABASE",
    "3D": "see the database's name in PARLEY_DATABASE",
    "3F": "run `parley migrate`",
    "42501": "grant the user of PARLEY_DATABASE what it lacks",
    "42703": "run `parley migrate`",
    "42P01": "run `parley migrate`",
    "42883": "run `parley migrate`",
    "53100": "its disk is full",
    "53300": "raise its max_connections, or lower PARLEY_CONNECTIONS",
    "XX001": "its data are damaged: restore a backup",
    "XX002": "an index is damaged: REINDEX it",
}


def meaning(error: BaseException) -> Meaning | None:
    """What an error raised around a statement means; None: it is not the database's."""
    match error:
        case asyncpg.InvalidCachedStatementError() | asyncpg.OutdatedSchemaCacheError():
            return Meaning.RECONNECT  # the tables have changed under a plan
        case asyncpg.PostgresError():
            return _longest(MEANINGS, error.sqlstate or "") or Meaning.AWAY
        case OSError() | TimeoutError() | asyncpg.InternalClientError():
            return Meaning.AWAY  # a certificate's refusal is a ValueError besides
        case asyncpg.InterfaceError():  # asyncpg's word, as a ValueError, for an argument that PostgreSQL cannot take
            return Meaning.RECORD if isinstance(error, ValueError) else Meaning.AWAY
        case _:
            return None


def is_waited_for(error: BaseException) -> bool:
    """Whether it is the database's, and none of the record's that was to be written."""
    return meaning(error) not in {None, Meaning.RECORD}


def remedy(sqlstate: str | None) -> str | None:
    """What to do about an error with this code, where that is known."""
    return _longest(REMEDIES, sqlstate or "")


def _longest(table: Mapping[str, T], sqlstate: str) -> T | None:
    return next((table[sqlstate[:length]] for length in (5, 2) if sqlstate[:length] in table), None)
