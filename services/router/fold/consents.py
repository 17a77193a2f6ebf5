"""What a person wants to be sent without having asked: by their own word, the provider's, or a request; the newest counts.

A word is kept with the customer whose it is, and holds for the whole person: after a split each has their own again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from services.router.fold import identity
from services.router.fold.events import tell_customer
from services.router.fold.facts import Consent, Facts, Wish
from services.router.fold.persons import known
from services.router.fold.stopwords import word_in
from shared.bus.cloudevents import In
from shared.contract.envelope import PURPOSES, Envelope, Notice, Purpose
from shared.contract.errors import Refusal
from shared.contract.requests import Send, SetConsent

EVERYWHERE: Final = ""  # of `channel`
EVIDENCE: Final = 1000  # characters of what a provider says


def check_consent(facts: Facts, person: uuid.UUID, asked: Send) -> None:
    """Raises Refusal where this person wants nothing for this purpose there."""
    said = standing(facts, person, asked.purpose, asked.channel)
    if said and not said.given:
        raise Refusal(
            "opted_out", f"{asked.purpose}: not wanted since {said.at.isoformat()} ({said.by}: {said.evidence})"
        )


def standing(facts: Facts, person: uuid.UUID, purpose: str, channel: str) -> Consent | None:
    """The newest word of any of this person's customers, of this channel or of all."""
    said = (
        consent
        for wish, consent in facts.consents.items()
        if wish.purpose == purpose
        and wish.channel in {EVERYWHERE, channel}
        and facts.persons.get(wish.customer) == person
    )
    return max(said, key=lambda consent: consent.age, default=None)


def hear(facts: Facts, record: In, found: Envelope) -> None:
    """A message that is nothing but a word for it. To start again says something only where they had stopped."""
    word, home = word_in(found), identity.home(facts, identity.of_envelope(found))
    if word is None or home is None:
        return
    text = " ".join(getattr(found.parts[0], "text", "").split())
    purposes = [one for one in PURPOSES if is_news(facts, home, one, found, given=word == "start")]
    said = Consent(word == "start", found.occurred_at, text, "person")
    note(facts, record, home, purposes, found.channel, said, {"message_id": found.id})


def note_notice(facts: Facts, record: In, found: Envelope, part: Notice) -> None:
    """What the provider lets people say there; of nobody known it is only told."""
    names = identity.names_of_person(found)
    if home := next((facts.homes[name] for name in names if name in facts.homes), None):
        note_wish(facts, record, found, part, home)


def note_wish(facts: Facts, record: In, found: Envelope, part: Notice, home: uuid.UUID) -> None:
    """What the notice says this customer wants."""
    if facts.persons.get(home) not in facts.atoms:
        return
    given = part.type == "opted_in"
    purposes = [one for one in part.purposes or PURPOSES if is_news(facts, home, one, found, given=given)]
    said = Consent(given, found.occurred_at, (part.text or part.type)[:EVIDENCE], "provider")
    note(facts, record, home, purposes, found.channel, said, {})


def is_news(facts: Facts, home: uuid.UUID, purpose: Purpose, found: Envelope, *, given: bool) -> bool:
    """Whether it changes what holds, and nothing that was said later says otherwise."""
    said = standing(facts, facts.persons[home], purpose, found.channel)
    if said is None:
        return not given
    return said.given != given and (found.occurred_at, not given) > said.age


def set_consent(facts: Facts, record: In, asked: SetConsent) -> None:
    """As somebody says who has it from the customer."""
    home = known(facts, asked.tenant, asked.customer)
    said = Consent(asked.given, record.at, asked.evidence, "request")
    purposes = dict.fromkeys(asked.purposes)
    note(facts, record, home, purposes, asked.channel or EVERYWHERE, said, {"request_id": record.id})


def note(
    facts: Facts,
    record: In,
    home: uuid.UUID,
    purposes: Iterable[Purpose],
    channel: str,
    said: Consent,
    about: dict[str, Any],
) -> None:
    """Kept and told; of nothing that is news nothing."""
    told = list(purposes)
    for purpose in told:
        wish = Wish(home, purpose, channel)
        facts.consents[wish] = max(facts.consents.get(wish, said), said, key=lambda one: one.age)
        facts.consented[wish, said.at] = said
    if told:
        data = {"purposes": told, "given": said.given, "by": said.by, "evidence": said.evidence, **about}
        data |= {"channel": channel} if channel else {}
        tell_customer(facts, record, facts.atoms[facts.persons[home]], "customer.consent", data)
