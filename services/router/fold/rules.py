"""The fold: what a record means, given the facts. Pure: no I/O, no clock; it changes the facts and adds emissions to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.router.fold import alarms, changes, fallback, identity, outbound, participants, plans, silence
from services.router.fold.alarms import Fired
from services.router.fold.echoes import ENDS, echo, end_wait
from services.router.fold.erasure import is_of_erased, living
from services.router.fold.events import pass_by
from services.router.fold.facts import Facts, PeerKey
from services.router.fold.files import media
from services.router.fold.messages import receive
from services.router.fold.notices import notice
from services.router.fold.pending import amend
from services.router.fold.persons import take_proofs
from services.router.fold.receipts import delivery
from services.router.fold.routes import untold
from services.router.fold.threads import ref_key
from shared.bus.cloudevents import In
from shared.contract.codes import Failure
from shared.contract.deliveries import Amended, Delivery, MediaUpdate, ProfileUpdate, Typing
from shared.contract.envelope import AMENDS, Envelope, Notice
from shared.contract.records import EVENTS
from shared.runtime.observe import UNTOLD


def decide(facts: Facts, record: In) -> None:
    """Apply one record. What it says twice is applied once."""
    RULES.get(type(record.model), outbound.request)(facts, record)


def envelope(facts: Facts, record: In) -> None:
    """A message, an echo, something about an earlier message, or a notice; each id once, for ever."""
    found: Envelope = record.model
    if found.id not in facts.fresh:
        return
    record = untold(record, found)
    facts.fresh.discard(found.id)
    part = found.parts[0]
    if is_of_erased(facts, found):
        UNTOLD.labels("erased").inc()
        return
    take_proofs(facts, record, living(facts, identity.claims_of(found), found.received_at))
    if isinstance(part, AMENDS):
        amend(facts, record, found, facts.ref(ref_key(found, "message", part.target)))
    elif isinstance(part, Notice):
        notice(facts, record, found)
    elif found.direction == "outbound":
        echo(facts, record, found)
    else:
        receive(facts, record, found)


def typing(facts: Facts, record: In) -> None:
    """Whoever has the conversation before them may see it for a moment."""
    found: Typing = record.model
    for conversation in facts.with_peer(PeerKey(found.tenant, found.channel, found.account, found.peer)):
        if conversation.status == "open":
            value = {"customer": facts.person_of(conversation), "peer": found.peer}
            pass_by(facts, conversation, record, "conversation.typing", topic=EVENTS, value=value)


def fire(facts: Facts, record: In) -> None:
    """What was to be looked at later: whoever looks finds in the facts what is due."""
    found: Fired = record.model
    if alarms.take(facts, found):
        FIRES[found.kind](facts, record, found)


FIRES: Final[dict[str, Callable[[Facts, In, Fired], None]]] = {
    **silence.FIRES,
    ENDS: end_wait,
    plans.DUE: outbound.due,
    fallback.WAY: outbound.take_way,
}

RULES: Final[dict[type[object], Callable[[Facts, In], None]]] = {
    Envelope: envelope,
    Delivery: delivery,
    Amended: changes.amended,
    MediaUpdate: media,
    ProfileUpdate: participants.learn,
    Typing: typing,
    Fired: fire,
    Failure: outbound.unread,
}
