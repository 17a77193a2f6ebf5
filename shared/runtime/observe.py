"""What people see from outside: logs without secrets, and the metrics, all named here."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from pydantic import SecretStr

from shared.runtime.settings import Settings

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

INGRESS = Counter("parley_ingress_requests_total", "Requests from providers by outcome.", ["channel", "outcome"])
ACKNOWLEDGED = Histogram(
    "parley_ingress_acknowledged_seconds",
    "From a webhook's first byte to its answer, Kafka's acknowledgement included.",
    ["channel"],
    buckets=_SECONDS,
)
IN_FLIGHT = Gauge("parley_ingress_in_flight", "Requests from providers that are not answered yet.")
SMTP_SESSIONS = Gauge("parley_smtp_sessions", "Connections on which mail may come in.")
SMTP_REFUSED = Counter(
    "parley_smtp_refused_total",
    "What was refused to those who bring mail, by the reply's code and why.",
    ["code", "reason"],
)
MAIL_CHECKS = Counter(
    "parley_mail_checks_total",
    "Mails whose sender was checked, by DMARC's result and who found out (dns: we; relay: a server whose word is taken).",
    ["dmarc", "by"],
)
RECORDS_IN = Counter("parley_records_in_total", "Records read and durable, by topic.", ["topic"])
RECORDS_OUT = Counter("parley_records_out_total", "Records acknowledged by Kafka, by topic.", ["topic"])
REFUSED = Counter("parley_requests_refused_total", "Requests refused early, by code.", ["code"])
DEAD_LETTERED = Counter(
    "parley_dead_lettered_total", "Records kept aside, by the topic they came from.", ["topic", "code"]
)
UNTOLD = Counter(
    "parley_router_untold_total",
    "What the router took in and told nobody, by why: it waits for its message (receipt_waits), says what is known or was"
    " overtaken (known_notice, older_edit, older_notice, older_receipt), or is about what is nobody's message here"
    " (receipt_of_nothing_sent, file_of_our_own), or came before its person was erased (erased); full: told already, and too much waits for that message.",
    ["reason"],
)
EVENT_LATENCY = Histogram(
    "parley_event_latency_seconds",
    "From the time of a batch's oldest record to the acknowledgement of all its events.",
    buckets=_SECONDS,
)
BATCH_SIZE = Histogram(
    "parley_batch_records", "Records of one router transaction.", buckets=(1, 2, 5, 10, 50, 100, 250, 500)
)
OUTBOX_ROWS = Gauge("parley_outbox_rows", "Events committed but not yet acknowledged by Kafka.")
OUTBOX_AGE = Gauge("parley_outbox_age_seconds", "Age of the oldest event that Kafka has not acknowledged.")
ERASURES = Gauge("parley_erasures_pending", "Customers who are erased, and of whom something is left to be removed.")
SNAPSHOT_AGE = Gauge("parley_snapshot_age_seconds", "How long the oldest change has waited to be told by a snapshot.")
WAITING = Gauge(
    "parley_conversations_waiting",
    "Conversations in which somebody waits for our answer, by how long (`under_5m`, `under_1h`, `under_1d`, `over_1d`).",
    ["channel", "account", "age"],
)
LAG = Gauge("parley_consumer_lag_records", "Records not read yet.", ["topic", "partition", "group"])
LOOP_LAG = Gauge("parley_event_loop_lag_seconds", "How late the event loop runs what is due.")
SENDS = Counter("parley_sends_total", "Pieces given to a provider, by outcome.", ["channel", "outcome"])
CHANGES = Counter(
    "parley_changes_total",
    "Changes asked of a provider (edit, delete, react, seen, handover), by outcome.",
    ["channel", "change", "outcome"],
)
SEND_SECONDS = Histogram("parley_send_seconds", "Duration of calls to providers.", ["channel"], buckets=_SECONDS)
THROTTLED = Counter(
    "parley_sends_throttled_total",
    "Sends that a provider told to wait, by who must: this one's person (peer), or the account.",
    ["channel", "scope"],
)
PENDING_SENDS = Gauge("parley_sends_pending", "Messages that wait in this adapter's lanes.")
OLDEST_SEND = Gauge("parley_sends_oldest_seconds", "How long the oldest message has waited in this adapter's lanes.")
MEDIA = Counter("parley_media_total", "Media fetched, by outcome.", ["channel", "outcome"])
FILES = Counter(
    "parley_files_total", "Files that were asked for by an address that we gave a provider, by status.", ["status"]
)
PROFILES = Counter(
    "parley_profiles_total", "People a provider was asked about, by outcome: told, or why not.", ["channel", "outcome"]
)
HEALTHY = Gauge("parley_account_healthy", "1 while the account can be used.", ["channel", "account"])
QUOTA_LEFT = Gauge(
    "parley_quota_left_units",
    "Units of a provider's daily quota that were left after an account's newest call.",
    ["channel", "account"],
)
TOKENS = Counter(
    "parley_token_refreshes_total",
    "Refreshes of access tokens by outcome: refreshed, or why not.",
    ["channel", "outcome"],
)
TOKEN_END = Gauge(
    "parley_token_end_seconds",
    "When an account's access token ends, in seconds since 1970; it is refreshed before.",
    ["channel", "account"],
)
API_END = Gauge(
    "parley_api_end_seconds",
    "When the provider takes away the version of its API that an account uses, in seconds since 1970.",
    ["channel", "account"],
)
SOCKETS = Gauge("parley_sockets_open", "Connections to providers on which messages come in.", ["channel"])
SOCKET_ENDS = Counter(
    "parley_socket_ends_total",
    "Ends of such connections, by who ended it: the provider (theirs), we (ours), nobody (broken); or it could not be used (refused).",
    ["channel", "by"],
)
RELOADS = Counter("parley_accounts_reloads_total", "Readings of a changed accounts file, by outcome.", ["outcome"])
ACCOUNTS_FILE = Gauge(
    "parley_accounts_file_usable",
    "1 while the accounts file can be used as it stands; 0: the accounts read before stay.",
)
CERTIFICATE_END = Gauge(
    "parley_smtp_certificate_end_seconds",
    "When the mail port's certificate ends, in seconds since 1970; 0 without one.",
)
CERTIFICATE_RELOADS = Counter(
    "parley_smtp_certificate_reloads_total", "Readings of the mail port's changed certificate, by outcome.", ["outcome"]
)
LOST_LINES = Counter("parley_log_lines_lost_total", "Lines of the log that could not be written.")
RESTORED = Gauge(
    "parley_database_restored", "1 while PostgreSQL is an older copy than what was done with it.", ["schema"]
)
REMOVED = Counter(
    "parley_retention_removed_total",
    "What was removed since it is no longer kept (message, event, conversation, reference, file, transcript), by tenant as"
    " PARLEY_RETENTION names it.",
    ["kind", "tenant"],
)
WALK_ENDED = Gauge(
    "parley_walk_ended_seconds",
    "When retention last had looked at all of these, in seconds since 1970; before the first time: when it began.",
    ["walk"],
)
WALK_FAILURES = Counter(
    "parley_walk_failures_total",
    "Steps of retention, of erasures and of the search's index that failed, and are tried again.",
    ["walk"],
)
ALARMS_FIRED = Counter("parley_alarms_fired_total", "What was due and is done, by kind.", ["kind"])
ALARMS_FAILED = Counter(
    "parley_alarms_failed_total",
    "What was due and could not be done, by kind; it is tried again after ten minutes.",
    ["kind"],
)
ALARMS_LATE = Gauge("parley_alarms_late_seconds", "How long ago the oldest thing was due that is not done.")
ALARMS_HELD = Gauge(
    "parley_alarms_held_seconds",
    "For how long what is due has waited for this partition to be read as far as it went when it was due.",
    ["topic", "partition"],
)
CLOCKS_APART = Gauge("parley_clocks_apart_seconds", "By how much PostgreSQL's clock and this process's differ.")
READY = Gauge("parley_ready", "1 while this process may be given work.")
STOPPED = Gauge(
    "parley_partitions_stopped",
    "Partitions that are not read until a person has looked: records are gone (gap), the topic is another log (log), one "
    "record after the other fails (poison).",
    ["topic", "group", "reason"],
)


def begin_at_zero(channels: Iterable[str], *, sends: Iterable[str], requests: Iterable[str]) -> None:
    """Every outcome of these channels is there before the first of it: a counter that begins at one has not increased."""
    for channel in channels:
        for outcome in sends:
            SENDS.labels(channel, outcome)
        for outcome in requests:
            INGRESS.labels(channel, outcome)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whatever is a secret, or is named like one, never reaches the log."""
    for name, value in event.items():
        if isinstance(value, SecretStr) or name in {"token", "secret", "password", "authorization"}:
            event[name] = "***"
    return event


def _unbreakable(logger: Any) -> Any:
    """That kind of logger, but a line that cannot be made or written (a full disk, a closed pipe) is counted and breaks nothing."""

    class Unbreakable(logger):  # type: ignore[misc]
        def _proxy_to_logger(self, *given: Any, **more: Any) -> Any:
            try:
                return super()._proxy_to_logger(*given, **more)
            except Exception:  # noqa: BLE001 there is nobody to tell it but the metric
                LOST_LINES.inc()

    return Unbreakable


def configure_logging(settings: Settings, service: str) -> None:
    """Structured lines on stderr; libraries that log by themselves go the same way, warnings and above."""
    level = getattr(logging, settings.log_level.upper())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    common: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[*common, structlog.processors.format_exc_info, renderer],
        wrapper_class=_unbreakable(structlog.make_filtering_bound_logger(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=common))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


async def watch_loop(period: float = 0.5) -> None:
    """Measure how late the event loop is: what is due waits that long, Kafka's heartbeats included."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + period
        await asyncio.sleep(period)
        LOOP_LAG.set(max(0.0, loop.time() - due))
