"""A piece on its way: one mail to one address, by the account's server."""

from __future__ import annotations

from functools import partial

from services.email_adapter.mail.addresses import on_the_wire
from services.email_adapter.mail.compose import compose
from services.email_adapter.mail.ids import ours
from services.email_adapter.mail.names import Account
from services.email_adapter.mail.signing import Signing
from shared.contract.channel import Context, Piece, SendFailed, Sent, Smtp, Steps


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """One Smtp request. The Message-ID follows from the piece, so it is known before the mail has left."""
    if not account.host:
        raise SendFailed("refused", "this inbox has no server to send by; give its account a host")
    sender, to = _wire(account.address), _wire(piece.to)
    message_id = ours(piece.id, account, context.secret.get_secret_value().encode())
    yield Smtp(
        host=account.host,
        port=account.port,
        security=account.security,
        username=account.username,
        password=account.password,
        sender=sender,
        recipients=(to,),
        data=compose(account, piece, context, sender=sender, to=to, message_id=message_id),
        signs=partial(Signing, signers, context.now) if (signers := account.signers) else None,
    )
    return Sent(external_ids=(message_id,))


def _wire(address: str) -> str:
    """In ASCII: an address outside it would need SMTPUTF8 (RFC 6531) at every server on the way."""
    if found := on_the_wire(address):
        return found
    raise SendFailed("bad_address", "the address is none that every mail server takes (ASCII, or a domain in IDNA)")
