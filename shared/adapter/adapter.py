"""The parts that every adapter has, put together: the way in, the way out, what is asked afterwards, duties, account states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.adapter.duties import Duties
from shared.adapter.files import Files
from shared.adapter.refreshing import Refreshing
from shared.adapter.serving import Serving
from shared.adapter.states import States
from shared.bus.produce import Producer
from shared.bus.witness import Witness
from shared.contract.channel import Channel
from shared.contract.codes import CHANNELS, STATUSES, Family
from shared.contract.errors import Misconfigured
from shared.enrich.afterwards import Afterwards, Errand, Follower
from shared.enrich.media import MediaWorker
from shared.enrich.profiles import ProfileWorker
from shared.inbound.accept import Intake
from shared.inbound.ingress import OUTCOMES, Ingress
from shared.inbound.unsealing import Unsealer
from shared.outbound.deliver import Deliver, Forgetting, Own, OwnAmend, OwnShowing
from shared.provider.calls import Caller
from shared.provider.contexts import Contexts
from shared.provider.credentials import Credentials
from shared.provider.exchange import Driver
from shared.provider.keys import Keyring
from shared.provider.lookups import Lookups
from shared.provider.parts import Parts
from shared.provider.quotas import Quotas
from shared.provider.smtp import Mailer
from shared.runtime.accounts import AccountsFile
from shared.runtime.lifecycle import Life
from shared.runtime.observe import begin_at_zero
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from shared.storage.database import open_pool
from shared.storage.migrate import Migrated


@dataclass(frozen=True, kw_only=True)
class Adapter(Parts):
    """What an adapter of channels with transports of their own builds on."""

    life: Life
    intake: Intake


async def open_adapter(life: Life, family: Family, channels: Mapping[str, Channel]) -> Adapter:
    """Connections, accounts and stores. Only a configuration that cannot be used stops a start: Misconfigured."""
    settings = life.settings
    producer = Producer(settings)
    await producer.start()
    life.on_stop(producer.stop)
    life.health.ready["bus"] = lambda: producer.trouble
    witness = Witness(settings, f"{family}_adapter")
    pool = await life.resources.enter_async_context(open_pool(settings, f"{family}_adapter", witness.check))
    migrated = Migrated(pool, f"{family}_adapter", patient=True)
    life.health.startup["migrations"] = lambda: migrated.trouble
    life.health.warned["postgres"] = lambda: migrated.away
    life.spawn(migrated.run(), "migrations", ends=True)
    life.spawn(witness.run(pool, producer), "witness")
    life.spawn(producer.tend(), "producer")
    accounts = AccountsFile(Path(settings.accounts), channels)
    life.spawn(accounts.watch(), "accounts file")
    blobs, credentials = Blobs.open(settings.blobs), Credentials(settings, pool)
    caller = await life.resources.enter_async_context(
        Caller(blobs, mailer=Mailer(blobs, name=settings.smtp_name), quotas=Quotas(pool))
    )
    contexts = Contexts(settings, keyring=Keyring(caller), credentials=credentials)
    return Adapter(
        settings=settings,
        family=family,
        health=life.health,
        channels=channels,
        accounts=accounts,
        pool=pool,
        producer=producer,
        blobs=blobs,
        caller=caller,
        contexts=contexts,
        credentials=credentials,
        served=served(settings, channels),
        life=life,
        intake=Intake(settings, family, producer, blobs, Unsealer(Lookups(Driver(caller, contexts)))),
    )


def served(settings: Settings, channels: Mapping[str, Channel]) -> frozenset[str] | None:
    """Which of them this process serves, by PARLEY_CHANNELS; None: all. Raises Misconfigured."""
    named = frozenset(name for one in settings.channels.split(",") if (name := one.strip()))
    if unknown := sorted(named - CHANNELS.keys()):
        raise Misconfigured(f"PARLEY_CHANNELS: there is no channel {unknown[0]}; it is one of {', '.join(CHANNELS)}.")
    if named and named.isdisjoint(channels):
        raise Misconfigured(f"PARLEY_CHANNELS names no channel of this adapter; it has {', '.join(sorted(channels))}.")
    return named & channels.keys() if named else None


async def serve(
    adapter: Adapter,
    *,
    senders: Mapping[str, Own] = {},
    amenders: Mapping[str, OwnAmend] = {},
    showers: Mapping[str, OwnShowing] = {},
    followers: Sequence[Follower] = (),
    forgets: Sequence[Forgetting] = (),
) -> None:
    """Webhooks in, outbound records out, files and names fetched, accounts polled, registered and described."""
    life, intake = adapter.life, adapter.intake
    begin_at_zero(adapter.channels, sends=STATUSES, requests=OUTCOMES)
    states, ingress = States(adapter), Ingress(adapter, intake)
    deliver = Deliver(
        adapter, senders=senders, amenders=amenders, showers=showers, forgets=forgets, noticed=states.note
    )
    afterwards = Afterwards(adapter, errands(adapter), followers=followers)
    duties = Duties(adapter.accounts, [Refreshing(adapter, states).duties, Serving(adapter, intake, states).duties])
    life.health.ready["ingress"] = lambda: ingress.trouble
    life.routes(ingress.routes())
    life.routes(Files(adapter.settings, adapter.blobs).routes())
    life.on_stop(deliver.drain)
    life.on_stop(duties.stop)
    life.spawn(states.run(), "account states")
    life.spawn(duties.run(), "duties")
    life.spawn(deliver.run(), "deliver")
    life.spawn(afterwards.run(), "afterwards")


def errands(parts: Parts) -> list[Errand]:
    """What is asked of providers after a message."""
    media = MediaWorker(parts)
    return [media, ProfileWorker(parts)] if any(channel.profile for channel in parts.channels.values()) else [media]
