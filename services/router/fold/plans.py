"""A request that waits: a message until it is due, a cancel until all is read that came before it."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from services.router.fold.alarms import Fired, arm, because
from services.router.fold.events import emit, tell_apart
from services.router.fold.facts import Conversation, Facts, Plan
from shared.bus.cloudevents import In
from shared.contract.envelope import derive
from shared.contract.records import RECORDS
from shared.contract.requests import Request

DUE: Final = "request"  # the kind of its alarm


def ahead_of(tenant: str, message: uuid.UUID) -> uuid.UUID:
    """Where a cancel waits that came before its message: a place of its tenant's, whoever else names that message."""
    return derive("plan", tenant, message)


def keep(
    facts: Facts,
    record: In,
    *,
    id_: uuid.UUID,
    message: uuid.UUID,
    due: datetime,
    conversation: Conversation | None = None,
) -> Plan:
    """Let it wait until then. `conversation`: where that was told, and where its end is told, unless it is sent in another."""
    asked = record.model
    plan = Plan(
        id=id_,
        tenant=asked.tenant,
        conversation_id=conversation.id if conversation else None,
        message_id=message,
        request_id=record.id,
        type=record.name,
        request=record.value,
        traceparent=record.traceparent,
        requested_at=record.at,
        due=due,
    )
    facts.plans[id_] = plan
    facts.planned.append(plan)
    arm(facts, id_, DUE, due)
    return plan


def end(facts: Facts, plan: Plan) -> None:
    """It waits no more; what became of it, events tell."""
    del facts.plans[plan.id]
    facts.unplanned.add(plan.id)


def asked_then(plan: Plan, fired: In) -> In:
    """The request as it was asked, for the fold: its time has come, whatever a clock that was set says."""
    model: Any = RECORDS[plan.type].model.model_validate_json(plan.request).model_copy(update={"not_before": None})
    asked = because(fired, plan.tenant)
    asked.id, asked.name, asked.traceparent = plan.request_id, plan.type, plan.traceparent
    asked.model, asked.value, asked.at = model, plan.request, plan.requested_at
    return asked


def standing(facts: Facts, fired: Fired) -> Plan | None:
    """The plan that is due, if it still waits."""
    plan = facts.plans.get(fired.entity)
    if plan is None:
        return None
    if plan.due > fired.upto:
        arm(facts, plan.id, DUE, plan.due)
        return None
    return plan


def tell_cancelled(
    facts: Facts, record: In, *, message: uuid.UUID, request_id: str, conversation: Conversation | None
) -> None:
    """The end of a message that was never given to an adapter."""
    data = {"message_id": str(message), "status": "cancelled", "request_id": request_id}
    if conversation is not None:
        emit(facts, conversation, record, "message.status", data, message_id=message)
    else:
        tell_apart(facts, record, "message.status", data)


def conversation_of(facts: Facts, asked: Request) -> Conversation | None:
    """The one that a request names, where it is its tenant's."""
    found = facts.conversations.get(getattr(asked, "conversation", None) or uuid.UUID(int=0))
    return found if found is not None and found.tenant == asked.tenant else None
