"""The record that everything here is measured with: an ordinary message of about a kilobyte."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime

import orjson

from shared.bus.cloudevents import Out, headers, new_trace
from shared.contract.envelope import key
from shared.contract.records import inbound_topic
from shared.runtime.settings import Settings

TEXT = (
    "Hello, my order 48213 came yesterday but the left speaker is damaged. Could you send a replacement? I already "
    "tried the reset from page 14 of the manual. សូម\u200bជួយ\u200bពិនិត្យ\u200bការ\u200bបញ្ជា\u200bទិញ\u200bរបស់\u200bខ្ញុំ\u200bផង។ Thank you, Sok Dara"
)
CUSTOMERS = 20_000


def envelope(customer: int, number: int) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    return {
        "id": str(uuid.uuid4()),
        "tenant": "default",
        "channel": "webhook",
        "account": "demo",
        "direction": "inbound",
        "peer": f"customer-{customer}",
        "external_id": f"order-{customer}-{number}-{uuid.uuid4().hex[:8]}",
        "sender": {"address": f"customer-{customer}", "name": "Sok Dara", "verified": "signature", "locale": "km"},
        "recipients": [{"address": "support", "name": "Support"}],
        "surface": "direct",
        "thread": {},
        "parts": [{"kind": "text", "text": TEXT}],
        "occurred_at": now,
        "received_at": now,
        "assessment": {"authentication": "signature", "kind": "human", "language": "km"},
    }


def inbound(settings: Settings, number: int, customers: int = CUSTOMERS) -> Out:
    """One inbound record of a random customer."""
    return inbound_of(settings, envelope(random.randrange(customers), number))


def inbound_of(settings: Settings, found: dict[str, object]) -> Out:
    return Out(
        settings.topic(inbound_topic("chat")),
        key("default", "webhook", "demo", str(found["peer"])).encode(),
        orjson.dumps(found),
        headers(
            "inbound",
            source="/adapter/chat",
            id=str(found["id"]),
            time=datetime.now(UTC),
            tenant="default",
            subject="webhook/demo",
            traceparent=new_trace(),
        ),
    )
