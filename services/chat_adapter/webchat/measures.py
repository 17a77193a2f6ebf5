"""Web chat's own metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SOCKETS = Gauge("parley_webchat_sockets", "Open WebSockets of visitors.")
VISITORS = Gauge("parley_webchat_visitors", "Visitors with at least one open WebSocket.")
REQUESTS = Counter(
    "parley_webchat_requests_total", "Requests of widgets, by what they ask and the status.", ["route", "status"]
)
MESSAGES = Counter("parley_webchat_messages_total", "Messages of visitors that Kafka acknowledged.")
UPLOADED = Counter("parley_webchat_uploaded_bytes_total", "Bytes of visitors' files that were stored.")
PROJECTED = Counter("parley_webchat_transcript_rows_total", "Messages written to transcripts.", ["direction"])
HINTS_LOST = Counter(
    "parley_webchat_listen_failures_total", "Times the notification connection broke; polling goes on."
)
