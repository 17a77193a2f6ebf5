"""Topics and tables of a local stack, made before its services start: `python -m deploy.local.setup`."""

from __future__ import annotations

import asyncio
import sys

from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from shared.bus import topics
from shared.contract.errors import ParleyError
from shared.runtime.settings import Settings
from shared.storage import migrate


async def set_up(settings: Settings) -> None:
    """Bring both to this code's version; quick when they are. Raises what Kafka and PostgreSQL raise."""
    async with asyncio.TaskGroup() as group:
        group.create_task(topics.apply(settings))
        group.create_task(asyncio.to_thread(upgrade, settings))


def upgrade(settings: Settings) -> None:
    for schema in migrate.SCHEMAS:
        migrate.upgrade(settings, schema)


def main() -> None:
    """Exit code 1 with one sentence where it cannot be done."""
    try:
        asyncio.run(set_up(Settings()))
    except* (ParleyError, KafkaError, SQLAlchemyError, OSError) as errors:
        sys.exit("; ".join(f"{type(error).__name__}: {str(error).splitlines()[0]}" for error in errors.exceptions))


if __name__ == "__main__":
    main()
