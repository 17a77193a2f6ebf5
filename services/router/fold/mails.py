"""What is mail's own in the fold: whose a mail is that bears a name of ours, and to whom answers go."""

from __future__ import annotations

from dataclasses import replace

from shared.bus.cloudevents import In, encode
from shared.contract.envelope import Envelope


def is_mail(found: Envelope) -> bool:
    return found.surface == "email"


def is_forged(found: Envelope) -> bool:
    """Whether the domain that a mail says to be from disowns it (DMARC)."""
    return is_mail(found) and found.assessment.authentication == "fail"


def as_its_senders(record: In) -> In:
    """A mail under a name that we made and a send that we do not know: whoever has one mail of ours can write that name on
    another, so it is an ordinary mail of whoever it says sent it.
    """
    found = record.model.model_copy(update={"direction": "inbound"})
    return replace(record, model=found, value=encode(found))


def answered_at(found: Envelope) -> str:
    """Where the answers to a conversation go that this message opens: who asks for them, which the event says too.

    Only there. In a conversation that stands, a Reply-To moves nothing: no stranger has what we wrote before sent elsewhere.
    """
    return found.answer_to.address if is_mail(found) and found.answer_to else found.peer
