"""What a person can be known by across channels: kinds of addresses, how each is written, and what proves too little."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from shared.contract.envelope import Envelope, Evidence, Proof

EMAIL: Final = "email"
PHONE: Final = "phone"

# Whose ids mean one person at every account; with all others they are only known to be one account's (docs/architecture.md,
# Identity). Telegram, Discord and X number their users once, YouTube its channels; Bluesky's DID and a number are everybody's.
EVERYWHERE: Final = frozenset(
    {EMAIL, "telegram", "discord", "x", "bluesky", "youtube", "sms", "telnyx", "rcs", "voicemail"}
)

# With how many others one address may be proved before it is nobody's own: a switchboard's number, a list's address.
SHARED_BEYOND: Final[Mapping[str, int]] = MappingProxyType({EMAIL: 8, PHONE: 8})
SHARED_BEYOND_ELSE: Final = 16

# Mailboxes that stand for a task (RFC 2142), and those that firms give to several: no one person is behind them.
_ROLES: Final = """
abuse account accounting accounts admin administrator admissions all billing booking bookings business careers contact
contactus customercare customerservice desk enquiries enquiry everyone feedback finance frontdesk ftp hello help helpdesk
hostmaster hr info information inquiries inquiry invoice invoices it jobs legal list mail mailer-daemon marketing media
news newsletter no-reply noc noreply office orders partners postmaster press privacy reception recruiting reservations
root sales security service services shop staff store support sysadmin team tech usenet uucp webmaster welcome www
"""
ROLES: Final = frozenset(_ROLES.split())
ORDINARY: Final = re.compile(r"[a-z0-9][a-z0-9._+=-]{0,63}@(?!.*xn--)[a-z0-9][a-z0-9.-]{1,200}", re.ASCII)
NUMBER: Final = 64  # characters in which a phone number may be written


def identity_kind(channel: str, account: str) -> str:
    """Of whose people the channel's own user ids are: the channel's, or only this account's of it (`facebook:shop`)."""
    return channel if channel in EVERYWHERE else f"{channel}:{account}"


def number_of(kind: str, value: str) -> str | None:
    """The phone number (E.164) that an address of this kind is, if it is one."""
    match kind.partition(":")[0]:
        case "phone" | "sms" | "telnyx" | "rcs" | "voicemail":
            return value
        case "whatsapp" if value.isascii() and value.isdecimal():
            return f"+{value}"
        case _:
            return None


def shared_beyond(kind: str) -> int:
    """With how many others an address of this kind may be proved; beyond, it is shared, and proves nothing any more."""
    return SHARED_BEYOND.get(kind, SHARED_BEYOND_ELSE)


def normalised(kind: str, value: str, *, region: str | None = None) -> str:
    """The one way in which an address of this kind is written: of mail as `mail_address`, of a phone E.164, others as they are.

    `region`: of which country (ISO 3166, `KH`) a number is that does not say its own. Raises ValueError for what is none.
    """
    match kind:
        case "email":
            return _checked_mail(value)
        case "phone":
            return _e164(value, region)
        case _:
            return value


def as_known(kind: str, value: str, *, region: str | None = None) -> str:
    """Normalised; as it is where it is none."""
    return _otherwise_none(kind, value, region) or value


def proved(kind: str, value: str | None, *, by: Evidence, region: str | None = None) -> tuple[Proof, ...]:
    """What this proves of a sender: one address, or none where it cannot be one."""
    written = _otherwise_none(kind, value, region)
    return (Proof(kind=kind, value=written, by=by),) if written else ()


def hints_of(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    """Kind and address, normalised, of whatever the sender is said to be reached at, unproved: at the most a suggestion."""
    sender = envelope.sender
    told = ((EMAIL, sender.email), (PHONE, sender.phone)) if envelope.direction == "inbound" else ()
    hints = [(kind, written) for kind, value in told if (written := _otherwise_none(kind, value, None))]
    proofs = {(proof.kind, proof.value) for proof in sender.proofs}
    return tuple(hint for hint in hints if hint not in proofs)


def _otherwise_none(kind: str, value: str | None, region: str | None) -> str | None:
    try:
        return normalised(kind, value or "", region=region)
    except ValueError:
        return None


def is_role_mailbox(value: str) -> bool:
    """Whether several people read this mail address by what it is called: `team@`, `info+web@`."""
    return value.partition("@")[0].partition("+")[0].casefold() in ROLES


@lru_cache(maxsize=512)  # a mail's are asked for twice, and one may take half a millisecond
def mail_address(address: str) -> str:
    """The one way in which a mail address is written: lower case, NFC, its domain in Unicode (RFC 5891). What is none stays."""
    if ORDINARY.fullmatch(address := address.lower()):
        return address
    try:
        return _valid(address).normalized.lower()
    except EmailNotValidError:
        return address


def _valid(address: str) -> ValidatedEmail:
    return validate_email(
        address,
        check_deliverability=False,
        allow_quoted_local=True,
        allow_domain_literal=True,
        globally_deliverable=False,
    )


@lru_cache(maxsize=512)
def _checked_mail(address: str) -> str:
    """Raises ValueError, as EmailNotValidError is."""
    written = mail_address(address.strip())
    _valid(written)
    return written


@lru_cache(maxsize=1024)
def _e164(number: str, region: str | None) -> str:
    if len(number) > NUMBER:
        raise ValueError("a phone number is shorter")
    try:
        read = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as failed:
        raise ValueError(f"{failed}: write it as +85512345678") from failed
    says_country = number.lstrip().startswith("+")  # then it may be newer than the library; else it may be misread
    if not (phonenumbers.is_possible_number(read) if says_country else phonenumbers.is_valid_number(read)):
        raise ValueError("no country has such a phone number: write it as +85512345678")
    return phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)
