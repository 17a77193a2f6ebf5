"""What a batch will ask about, read off its records before anything is locked."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from services.router.fold import identity, reach
from services.router.fold.alarms import Fired
from services.router.fold.brake import brake_ref, mail_names
from services.router.fold.changes import told_of
from services.router.fold.echoes import refs_of_echo
from services.router.fold.facts import AlarmKey, IdentityKey, PeerKey, RefKey
from services.router.fold.files import has_files, media_ref
from services.router.fold.identity import Claim
from services.router.fold.mails import is_mail
from services.router.fold.moves import names_of
from services.router.fold.persons import address_of
from services.router.fold.plans import ahead_of
from services.router.fold.receipts import delivery_refs
from services.router.fold.stopwords import word_in
from services.router.fold.threads import mentioned, ref_key, thread_ref
from shared.bus.cloudevents import In
from shared.contract.codes import CHANNELS
from shared.contract.deliveries import Amend, Amended, Delivery, MediaUpdate, ProfileUpdate, Typing
from shared.contract.envelope import AMENDS, Envelope, Notice, derive, requested_id
from shared.contract.errors import Refusal
from shared.contract.requests import (
    Cancel,
    Erase,
    Grow,
    KeepApart,
    Link,
    Merge,
    OfMessage,
    Reachable,
    Reply,
    Request,
    Send,
    SendTyping,
    SetConsent,
    Split,
    Unlink,
)
from shared.contract.thread_tokens import read_thread_token


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a name belongs to, if nobody has it yet."""

    message_id: uuid.UUID | None = None
    piece: int = 0


MENTION = Owner()


@dataclass(slots=True)
class Needs:
    ids: set[uuid.UUID] = field(default_factory=set)
    refs: dict[RefKey, Owner] = field(default_factory=dict)
    identities: dict[IdentityKey, str | None] = field(default_factory=dict)
    met: dict[IdentityKey, list[tuple[datetime, uuid.UUID | None]]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    named: set[uuid.UUID] = field(default_factory=set)
    linked: list[tuple[IdentityKey, uuid.UUID, datetime, uuid.UUID]] = field(default_factory=list)
    erased: set[uuid.UUID] = field(default_factory=set)
    people: set[IdentityKey] = field(default_factory=set)
    profiles: set[IdentityKey] = field(default_factory=set)
    messages: set[uuid.UUID] = field(default_factory=set)
    reported: set[uuid.UUID] = field(default_factory=set)
    conversations: set[uuid.UUID] = field(default_factory=set)
    answered: set[uuid.UUID] = field(default_factory=set)
    peers: set[PeerKey] = field(default_factory=set)
    places: set[PeerKey] = field(default_factory=set)
    sought: set[IdentityKey] = field(default_factory=set)
    moves: list[Envelope] = field(default_factory=list)
    files: dict[uuid.UUID, RefKey] = field(default_factory=dict)
    private: list[Reply] = field(default_factory=list)
    complaints: set[RefKey] = field(default_factory=set)
    alarms: set[AlarmKey] = field(default_factory=set)
    plans: set[uuid.UUID] = field(default_factory=set)
    falls: bool = False
    owners: set[uuid.UUID] = field(default_factory=set)
    cancelled: set[uuid.UUID] = field(default_factory=set)
    followed: list[Reply | Send] = field(default_factory=list)
    reached: dict[uuid.UUID, str | None] = field(default_factory=dict)
    echoes: bool = False
    blocks: bool = False
    addresses: bool = False
    consents: bool = False
    proactive: set[tuple[str, str, str]] = field(default_factory=set)

    def meet(self, address: IdentityKey, name: str | None, at: datetime, cause: uuid.UUID | None) -> None:
        """Someone who is known by this address from now on, since they wrote or were written to. `cause`: by what, which must not
        have been taken in before; None: that is certain.
        """
        self.identities.setdefault(address, name)
        self.met.setdefault(address, []).append((at, cause))

    def born(self, address: IdentityKey, fresh: set[uuid.UUID], erased_at: datetime | None) -> datetime | None:
        """Since when somebody is known by it; None: by nothing that is new, or that came after they were erased."""
        news = (at for at, cause in self.met[address] if cause is None or cause in fresh)
        return min((at for at in news if erased_at is None or at > erased_at), default=None)

    def mention(self, keys: Iterable[RefKey]) -> None:
        for key in keys:
            self.refs.setdefault(key, MENTION)


def of(records: Sequence[In], secret: bytes) -> Needs:
    """The needs of a whole batch."""
    needs = Needs()
    for record in records:
        match record.model:
            case Envelope() as envelope:
                _envelope(needs, envelope, secret)
            case Delivery() as delivery:
                _delivery(needs, delivery)
            case Amended() as amended:
                needs.ids.add(told_of(amended))
                if isinstance(amended.order, Amend):
                    needs.messages.add(amended.order.message)
                needs.conversations.add(amended.order.conversation)
            case MediaUpdate() as media:
                needs.ids.add(derive("media", media.message_id, media.part, media.state))
                needs.messages.add(media.message_id)
                needs.files[media.message_id] = media_ref(media.tenant, media.channel, media.account, media.message_id)
            case ProfileUpdate() as profile:
                _profile(needs, profile)
            case Typing() as typing:
                needs.peers.add(PeerKey(typing.tenant, typing.channel, typing.account, typing.peer))
            case Fired() as fired:
                needs.alarms.add(fired.key)
                needs.conversations.add(fired.entity)
                needs.plans.add(fired.entity)
            case SendTyping() as asked:
                needs.conversations.add(asked.conversation)
            case Grow() as asked:
                _answer(needs, asked)
            case Request() as asked:
                of_request(needs, record, asked)
    return needs


def _envelope(needs: Needs, envelope: Envelope, secret: bytes) -> None:
    needs.ids.add(envelope.id)
    part = envelope.parts[0]
    if isinstance(part, Notice):
        _notice(needs, envelope, part)
        return
    if owner := identity.of_envelope(envelope):
        party = envelope.sender if envelope.direction == "inbound" else None
        needs.meet(owner, party.name if party else None, envelope.received_at, envelope.id)
        if not (party and party.name):
            needs.people.add(owner)
        _claims(needs, envelope)
        needs.consents = needs.consents or word_in(envelope) is not None
    own = [ref_key(envelope, "message", name) for name in envelope.all_external_ids]
    if isinstance(part, AMENDS):
        needs.mention([ref_key(envelope, "message", part.target)])
        if has_files(envelope):
            needs.mention([media_ref(envelope.tenant, envelope.channel, envelope.account, envelope.id)])
    elif envelope.direction == "outbound":
        needs.echoes = True
        needs.mention(refs_of_echo(envelope))
    else:
        for key in own:
            if needs.refs.get(key, MENTION).message_id is None:
                needs.refs[key] = Owner(envelope.id)
    needs.mention(mentioned(envelope))
    if is_mail(envelope):
        needs.mention(mail_names(envelope))
    if thread := thread_ref(envelope):
        needs.mention([thread])
    if envelope.thread.token and (named := read_thread_token(envelope.thread.token, secret)):
        needs.conversations.add(named)


def _claims(needs: Needs, envelope: Envelope) -> None:
    """Whoever is proved to be the same is known by that address too; whom somebody only names is looked for."""
    for claim in identity.claims_of(envelope):
        needs.claims.append(claim)
        if claim.by:
            needs.meet(claim.other, None, envelope.received_at, envelope.id)
        else:
            needs.sought.add(claim.other)


def _notice(needs: Needs, envelope: Envelope, part: Notice) -> None:
    """Nobody wrote, so nobody becomes known by it; but a person's other name is theirs, whichever of the two is known."""
    needs.sought.update(identity.names_of_person(envelope))
    needs.blocks = needs.blocks or part.type in {"blocked", "unblocked"}
    if part.type in {"opted_out", "opted_in"}:
        needs.consents = True
        if is_mail(envelope):
            needs.complaints.update(mentioned(envelope))
    if thread := thread_ref(envelope):
        needs.mention([thread])
    needs.mention(mentioned(envelope))
    if part.type != "moved" or not part.to:
        return
    if envelope.container is None:
        needs.meet(identity.here(envelope, envelope.peer), None, envelope.received_at, envelope.id)
        _claims(needs, envelope)
    else:
        needs.moves.append(envelope)
        needs.mention(names_of(envelope, part))
        names = (envelope.peer, part.to)
        needs.peers.update(PeerKey(envelope.tenant, envelope.channel, envelope.account, name) for name in names)


def _profile(needs: Needs, profile: ProfileUpdate) -> None:
    owner = identity.at(profile.tenant, profile.channel, profile.account, profile.party.address)
    needs.sought.add(owner)
    needs.people.add(owner)
    needs.profiles.add(owner)
    for claim in identity.claims_of_profile(profile):
        needs.claims.append(claim)
        needs.sought.add(claim.other)


def _delivery(needs: Needs, delivery: Delivery) -> None:
    needs.addresses = needs.addresses or delivery.failure is not None
    if delivery.message_id:
        needs.messages.add(delivery.message_id)
        needs.reported.add(delivery.message_id)
    for key in delivery_refs(delivery):
        if delivery.message_id:
            needs.refs[key] = Owner(delivery.message_id, delivery.piece)
        else:
            needs.mention([key])
    if delivery.watermark:
        needs.peers.add(PeerKey(delivery.tenant, delivery.channel, delivery.account, delivery.peer))
        needs.mention([reach.told_of(delivery)])


def _address(needs: Needs, record: In, asked: Link | Unlink) -> None:
    """Of a link it is known from now on, if the customer is; what is no address of its kind is refused later."""
    with suppress(Refusal):
        address = address_of(asked)
        needs.sought.add(address)
        if isinstance(asked, Link):
            needs.linked.append((address, asked.customer, record.at, requested_id(record.tenant, record.id)))


def _answer(needs: Needs, asked: Reply | Grow) -> None:
    needs.addresses = True
    needs.conversations.add(asked.conversation)
    needs.answered.add(asked.conversation)
    if asked.in_reply_to:
        needs.messages.add(asked.in_reply_to)


def _ways(needs: Needs, asked: Reply | Send) -> None:
    """Whoever is at the addresses that are said, if they are known; where none is said, the person's are looked at."""
    needs.followed.append(asked)
    for hop in asked.fallback:
        if hop.address is not None and hop.account is not None:
            needs.sought.add(identity.at(asked.tenant, hop.channel, hop.account, hop.address))


def of_request(needs: Needs, record: In, asked: Request) -> None:
    needs.ids.add(once := requested_id(record.tenant, record.id))
    if isinstance(asked, Reply | Send):
        needs.plans.add(ahead_of(asked.tenant, once))
        if asked.fallback:
            _ways(needs, asked)
    match asked:
        case Reply():
            _answer(needs, asked)
            if asked.private:
                needs.private.append(asked)
        case OfMessage():
            needs.messages.add(asked.message)
        case Cancel():
            needs.messages.add(asked.message)
            needs.plans.update({asked.message, ahead_of(asked.tenant, asked.message)})
            needs.cancelled.add(asked.message)
        case Send():
            owner = identity.at(asked.tenant, asked.channel, asked.account, asked.address)
            needs.meet(owner, None, record.at, once if record.topic else None)
            needs.people.add(owner)
            needs.places.add(PeerKey(asked.tenant, asked.channel, asked.account, asked.address))
            if CHANNELS.get(asked.channel) == "email":
                needs.mention([brake_ref(asked.tenant, asked.channel, asked.account, asked.address)])
            needs.blocks = needs.consents = needs.addresses = True
            needs.proactive.add((asked.tenant, asked.channel, asked.account))
        case Reachable():
            needs.addresses = True
            needs.conversations.add(asked.conversation)
        case SetConsent():
            needs.consents = True
            needs.named.add(asked.customer)
        case Merge() | KeepApart():
            needs.named.update(asked.customers)
        case Split():
            needs.named.add(asked.customer)
        case Erase():
            needs.named.add(asked.customer)
            needs.erased.add(asked.customer)
            needs.consents = True
        case Link() | Unlink():
            needs.named.add(asked.customer)
            _address(needs, record, asked)
        case _ if conversation := getattr(asked, "conversation", None):
            needs.conversations.add(conversation)
