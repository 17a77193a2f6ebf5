"""Whether the port on which mail is taken does what other mail servers expect of it."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiosmtplib import SMTP, SMTPException, SMTPRecipientRefused

from services.cli.channels import CHANNELS
from services.cli.dkim import Published, published
from services.cli.doctor.finding import PATIENCE, Finding, Level
from services.cli.running import System
from services.email_adapter.proof.keys import read_key
from services.email_adapter.proof.names import TROUBLE, Answer, Resolver
from services.email_adapter.proof.tags import Unusable
from shared.contract.errors import Misconfigured
from shared.runtime.accounts import load

SOON: Final = 14  # days
ASK: Final = "Renew the certificate in PARLEY_SMTP_CERTIFICATE; it is taken up without a restart."


async def smtp(system: System) -> AsyncIterator[Finding]:
    """It greets, is no open relay, and offers STARTTLS with a certificate that lasts. No mail is sent."""
    if not system.smtp:
        yield Finding("smtp", "ok", "no mail port is known here, so none was asked")
        return
    try:
        async with _connected(system.smtp) as line:
            yield Finding("smtp", "ok", f"{system.smtp} greets as {await _name(line)}")
            yield await _relay(line)
            offered = line.supports_extension("starttls")
        yield await _encryption(system.smtp) if offered else _plain(system)
    except (SMTPException, OSError) as error:
        said = f"{system.smtp} does not do as a mail server does: {error}"
        yield Finding("smtp", "fail", said, "See whether email_adapter is ready, and read its log.")


async def dkim(system: System) -> AsyncIterator[Finding]:
    """What DNS says of the keys that inboxes sign with is what others verify by. Nothing is said where no inbox signs."""
    try:
        signing = _signing(Path(system.settings.accounts))
    except Misconfigured as error:
        yield Finding("dkim", "fail", str(error), "Mend the accounts file; no adapter starts with it either.")
        return
    if signing is None:
        yield Finding("dkim", "ok", "no accounts file is here, so no inbox's keys were looked for")
        return
    resolver = Resolver(system.settings.dns, seconds=PATIENCE)
    for one in signing:
        answer = await resolver.look(one.name)
        if trouble := _unlike(answer, one.record):
            remedy = "Publish what `parley dkim` prints, and wait until the old answer has ended."
            level: Level = "warn" if answer.state == TROUBLE else "fail"
            yield Finding("dkim", level, f"{one.name} (inbox {one.inbox}): {trouble}", remedy)
        else:
            yield Finding("dkim", "ok", f"{one.name} has the key that inbox {one.inbox} signs with")


def _signing(accounts: Path) -> list[Published] | None:
    """The keys of all inboxes; None where the file is not here. Raises Misconfigured."""
    return list(published(load(accounts, CHANNELS))) if accounts.exists() else None


def _unlike(answer: Answer, record: str) -> str:
    """Why nobody could verify by it; empty where they can."""
    if answer.state == TROUBLE:
        return "the name servers do not tell"
    if not answer.values:
        return "nothing is published, so no signature can be verified"
    if len(answer.values) > 1:
        return "several records are published, so no signature can be verified"
    try:
        same = read_key(answer.values[0]).public == read_key(record).public
    except Unusable as error:
        return f"what is published cannot be used: {error}"
    return "" if same else "another key is published, so every signature fails"


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[SMTP]:
    host, _, port = address.rpartition(":")
    line = SMTP(hostname=host, port=int(port), start_tls=False, timeout=PATIENCE, local_hostname="doctor.invalid")
    await line.connect()
    try:
        yield line
        await line.quit()
    finally:
        line.close()


async def _name(line: SMTP) -> str:
    """What it calls itself (RFC 5321 §4.1.1.1)."""
    return (await line.ehlo()).message.split()[0]


async def _relay(line: SMTP) -> Finding:
    """A recipient that cannot be anybody's must be refused at once: what is taken would have to be delivered."""
    await line.mail("")
    try:
        code = (await line.rcpt(f"nobody-{uuid.uuid4().hex}@nowhere.invalid")).code
    except SMTPRecipientRefused as refused:
        code = refused.code
    if code == 550:
        return Finding("smtp", "ok", "an unknown recipient is refused (550)")
    what = "is taken: this is an open relay" if code < 300 else f"is answered {code}, not 550"
    remedy = "See what stands before email_adapter: only itself knows whose an address is."
    return Finding("smtp", "fail" if code < 300 else "warn", f"an unknown recipient {what}", remedy)


def _plain(system: System) -> Finding:
    """Nobody else reads the mails of a local stack on their way."""
    if system.services:
        return Finding("smtp", "ok", "STARTTLS is not offered, as a local stack does not")
    remedy = "Set PARLEY_SMTP_CERTIFICATE and PARLEY_SMTP_KEY."
    return Finding("smtp", "warn", "STARTTLS is not offered: mails come in readable by everyone on their way", remedy)


async def _encryption(address: str) -> Finding:
    """How long the certificate lasts; who signed it is not asked, since mail servers do not either (RFC 7435)."""
    der = await _certificate(address)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=der)
    try:
        async with _connected(address) as line:
            await line.starttls(tls_context=trusting)
            ends = _ends(line)
    except (SMTPException, ssl.SSLError) as error:
        return Finding("smtp", "fail", f"the certificate of STARTTLS is not valid now: {_root(error)}", ASK)
    days = (ends - datetime.now(UTC)).days
    said = f"STARTTLS with a certificate until {ends:%Y-%m-%d}, {days} days"
    return Finding("smtp", "ok" if days >= SOON else "warn", said, "" if days >= SOON else ASK)


async def _certificate(address: str) -> bytes:
    """The certificate (DER), whatever it is worth."""
    async with _connected(address) as line:
        await line.starttls(validate_certs=False)
        return _socket(line).getpeercert(binary_form=True) or b""


def _ends(line: SMTP) -> datetime:
    found = _socket(line).getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(found["notAfter"])), UTC)


def _socket(line: SMTP) -> ssl.SSLObject:
    assert line.transport is not None
    found: ssl.SSLObject = line.transport.get_extra_info("ssl_object")
    return found


def _root(error: BaseException) -> str:
    """The handshake's own words, where another error was made of it."""
    while not isinstance(error, ssl.SSLError) and error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "verify_message", "") or str(error)
