"""What a snapshot says: a conversation or a customer as they stand in their rows. Neither its words nor what only adapters may know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CONVERSATION: Final = """id, tenant, customer_id AS home, channel, account, peer, surface, container, status,
    last_sequence AS version, last_sequence, name, subject, "window", opened_at, last_at, last_inbound_at, blocked_at,
    responder, responder_at, (brake ->> 'until')::timestamptz AS braked_until, closed_at, assignee, tags, priority,
    waiting_since, unread_from"""

CUSTOMER: Final = """id, tenant, last_sequence AS version, merged_into, erased_at, ARRAY(
    SELECT jsonb_build_object('kind', i.kind, 'address', i.value) FROM identity i WHERE i.customer_id = customer.id
    ORDER BY i.kind, i.value) AS identities"""


def state(row: Mapping[str, Any]) -> dict[str, Any]:
    """The value of a snapshot, without what is absent. `row`: the columns of one kind, under the names of its model's fields."""
    return {name: value for name, value in row.items() if value is not None}
