"""What the router is compared with: consume → validate → produce → commit of the same record, and nothing else."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contract.envelope import Envelope
from shared.contract.records import inbound_topic
from shared.runtime.settings import Settings


async def main() -> None:
    settings = Settings()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, enable_idempotence=True, acks="all", linger_ms=5, max_batch_size=262144
    )
    consumer = AIOKafkaConsumer(
        settings.topic(inbound_topic("chat")),
        bootstrap_servers=settings.kafka,
        group_id=settings.topic("bare"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=1 << 20,
    )
    await producer.start()
    await consumer.start()
    print("ready", flush=True)
    while True:
        for records in (await consumer.getmany(timeout_ms=500, max_records=500)).values():
            sent = []
            for record in records:
                Envelope.model_validate_json(record.value)
                sent.append(
                    await producer.send(
                        settings.topic("bare.v1"), record.value, key=record.key, headers=list(record.headers)
                    )
                )
            await asyncio.gather(*sent)
            await consumer.commit()


asyncio.run(main())
