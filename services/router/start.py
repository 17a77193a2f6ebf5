"""The router's parts, put together."""

from __future__ import annotations

from services.router.api import Deps, mount
from services.router.api.tokens import Tokens
from services.router.batch.publish import Outbox, Sweeper
from services.router.batch.rounds import Rounds
from services.router.batch.service import Router
from services.router.batch.snapshots import Snapshots
from services.router.directory import Directory
from services.router.erasing import Erasures
from services.router.retention import Retention
from services.router.search.index import Index
from services.router.waiting import Waiting
from shared.bus.consume import Reader
from shared.bus.produce import Producer, Publisher
from shared.bus.witness import Witness
from shared.contract.records import REQUESTS, ROUTER_GROUP, ROUTER_INPUTS
from shared.runtime import hosts
from shared.runtime.lifecycle import Life
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.migrate import Migrated

SCHEMA = "router"


async def start(life: Life) -> None:
    settings = life.settings
    witness = Witness(settings, SCHEMA)
    pool = await life.resources.enter_async_context(open_pool(settings, SCHEMA, witness.check))
    migrated = Migrated(pool, SCHEMA, patient=False)
    producer = Producer(settings)
    publisher = Publisher(producer)
    directory = Directory(settings, life.health)
    outbox = Outbox(settings, publisher)
    sweeper = Sweeper(pool, outbox, life.health)
    telling = Publisher(producer)
    snapshots = Snapshots(settings, pool, telling, outbox.name)
    router = Router(
        settings=settings, pool=pool, producer=producer, outbox=outbox, sweeper=sweeper, directory=directory
    )
    reader = Reader(
        settings=settings,
        topics=ROUTER_INPUTS,
        group=ROUTER_GROUP,
        owner=router,
        producer=producer,
        health=life.health,
        batch=settings.batch,
    )
    life.health.startup["migrations"] = lambda: migrated.trouble
    life.health.ready["bus"] = lambda: producer.trouble
    life.health.ready["consumer"] = lambda: reader.trouble
    life.health.ready["partitions"] = lambda: reader.waiting
    life.app.middlewares.append(hosts.only(settings))
    blobs = Blobs.open(settings.blobs)
    tokens = Tokens(settings)
    mount(
        life.app,
        Deps(settings=settings, pool=pool, producer=producer, blobs=blobs, directory=directory, tokens=tokens),
    )
    life.on_stop(producer.stop)
    life.on_stop(publisher.stop)
    life.on_stop(telling.stop)
    life.on_stop(router.flush)
    life.on_stop(reader.stop)
    await producer.start()
    life.spawn(migrated.run(), "migrations", ends=True)
    life.spawn(witness.run(pool, producer), "witness")
    life.spawn(producer.tend(), "producer")
    life.spawn(directory.run(), "directory")
    if settings.tokens:
        life.spawn(tokens.watch(), "tokens")
    life.spawn(sweeper.run(), "sweeper")
    life.spawn(snapshots.tend(), "publishers")
    life.spawn(snapshots.run(), "snapshots")
    life.spawn(router.flush_when_idle(), "flush")
    rounds = Rounds(
        settings=settings, pool=pool, router=router, mine=lambda: reader.seated(REQUESTS), health=life.health
    )
    life.spawn(rounds.run(), "rounds")
    life.spawn(Waiting(pool, directory).run(), "waiting")
    index, retention = Index(settings, pool), Retention(settings, pool, blobs)
    life.spawn(index.run(), "search")
    life.spawn(retention.run(), "retention")
    life.spawn(Erasures(pool, index, retention).run(), "erasures")
    reader.begin(life.spawn(_read(reader, witness, directory), "reader"))


async def _read(reader: Reader, witness: Witness, directory: Directory) -> None:
    """Take partitions from others only when they can be worked on."""
    await witness.asked.wait()
    await directory.complete.wait()
    await reader.run()
