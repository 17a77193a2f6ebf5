"""RCS for Business, by Google's API — https://developers.google.com/business-communications/rcs-business-messaging."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import quote

from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.rcs import inbound as webhooks
from services.chat_adapter.channels.rcs.errors import cost_of, outcome
from services.chat_adapter.channels.rcs.outbound import FILE_BYTES, POSTBACK, SUGGESTIONS, TEXT, TITLE, compose
from services.chat_adapter.channels.rcs.proof import believed, check
from shared.contract import channel
from shared.contract.channel import (
    AlreadySent,
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    Http,
    Incoming,
    Malformed,
    MarkSeen,
    Piece,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
    Token,
    TypingMark,
    bearer,
    file_at,
)
from shared.contract.envelope import Media, derive
from shared.contract.readable import otherwise
from shared.dialects import google, sms

SCOPE: Final = "https://www.googleapis.com/auth/rcsbusinessmessaging"
DOMAIN: Final = "@rbm.goog"  # behind an agent's id where Google writes it out
Traffic = Literal["AUTHENTICATION", "TRANSACTION", "PROMOTION", "SERVICEREQUEST", "ACKNOWLEDGEMENT"]


class App(channel.App):
    """One webhook, of an agent or of a partner with all of theirs."""

    token: SecretStr = Described(min_length=1, description="the webhook's clientToken, with which Google signs")


class Account(google.Serviced, sms.Numbered):
    """One agent."""

    agent: str = Described(min_length=1, description="the agent's id, of its page in the developer console")
    traffic: Traffic | None = Described(default=None, description="what its messages are (messageTrafficType)")
    ttl: int | None = Described(
        default=None,
        ge=10,
        le=15 * 86_400,
        description="seconds after which what was not delivered is taken back; default: Google keeps it 30 days",
    )
    api: str = Described(
        default="https://rcsbusinessmessaging.googleapis.com",
        description="where the API is; with us-, europe- or asia- before the name, the agent's region",
    )

    @property
    def key(self) -> str:
        return self.agent.removesuffix(DOMAIN)


def handshake(app: App, request: Request, context: Context) -> Response | None:
    """…/guides/integrate/webhooks: the secret comes back as it is to whoever knows the token."""
    asked = request.json()
    if "clientToken" not in asked:
        return None
    check(asked["clientToken"].encode(), app.token.get_secret_value().encode())
    return Response(headers={"content-type": "text/plain"}, body=asked["secret"].encode())


def verify(app: App, request: Request, context: Context) -> None:
    believed(app.token, request)


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json(), DOMAIN)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    """By an id of ours, under which Google knows it again and tells of it: …/reference/rest/v1/phones.agentMessages/create."""
    name = join_key(piece)
    about = {
        **({"messageTrafficType": account.traffic} if account.traffic else {}),
        **({"ttl": f"{account.ttl}s"} if account.ttl else {}),
    }
    message = {"contentMessage": compose(piece.part, context.link), **about}
    url = _phone(account, piece.to, "agentMessages", f"messageId={name}")
    cost = None
    try:
        cost = cost_of((yield Http.post_json(url, message, token=context.token, commits=True)))
    except AlreadySent:
        pass
    except SendFailed as failed:
        if failed.reason != "malformed":
            raise
        yield from _explained(account, piece, failed, context)
    return Sent(external_ids=(name,), cost=cost)


def _explained(account: Account, piece: Piece, failed: SendFailed, context: Context) -> Steps[None]:
    """What their device can is asked for, since a message that it cannot show is refused like one that is wrong:
    …/guides/build/capabilities.
    """
    url = _phone(account, piece.to, "capabilities", f"requestId={derive('event', piece.id)}")
    try:
        answer = yield Http.get(url, token=context.token)
    except SendFailed:
        raise failed from None
    features = otherwise(lambda: ", ".join(answer.json()["features"]), "")[:500]
    raise SendFailed("malformed", f"{failed.detail} Their device can: {features or 'texts'}")


def join_key(piece: Piece) -> str:
    return str(derive("piece", piece.id))


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    """Taken back while it has not been delivered, which the answer does not tell (…/phones.agentMessages/delete); or read."""
    match change:
        case DeletePiece(external_id=name):
            url = _phone(account, change.to, f"agentMessages/{quote(name, safe='')}")
            yield Http(method="DELETE", url=url, headers=bearer(context.token))
        case MarkSeen(external_id=name):
            yield _event(account, change.to, str(derive("event", change.id)), context, messageId=name, eventType="READ")


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """…/guides/build/events/send-events."""
    name = str(derive("fleeting", mark.to, context.now.isoformat(), context.nonce))
    yield _event(account, mark.to, name, context, eventType="IS_TYPING")


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """Where it stands, for whoever has the address; the token goes to the API alone."""
    yield from ()
    return Download.of(media, file_at(media.handle or "", account.api))


def refresh(account: Account, token: SecretStr | None, context: Context) -> Steps[Token]:
    return google.access(account, SCOPE, context)


def _event(account: Account, to: str, name: str, context: Context, **event: str) -> Http:
    return Http.post_json(_phone(account, to, "agentEvents", f"eventId={name}"), event, token=context.token)


def _phone(account: Account, to: str, path: str, query: str = "") -> str:
    asked = "&".join(filter(None, (query, f"agentId={quote(account.agent, safe='')}")))
    return f"{account.api}/v1/phones/{quote(to, safe='+')}/{path}?{asked}"


CHANNEL = Channel(
    name="rcs",
    docs="https://developers.google.com/business-communications/rcs-business-messaging",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "degraded"},
        media_bytes=FILE_BYTES,
        choices="full",
        options=SUGGESTIONS,
        option_title=TITLE,
        option_id=POSTBACK,
        option_id_unit="utf16",
        location="full",
        typing=True,
        changes={"delete": timedelta(days=30), "seen": None},
        idempotent_for=timedelta(days=1),
    ),
    body_limit=256 * 1024,
    handshake=handshake,
    verify=verify,
    inbound=inbound,
    proves=sms.proves,
    outbound=outbound,
    join_key=join_key,
    amend=amend,
    typing=typing,
    outcome=outcome,
    fetch=fetch,
    refresh=refresh,
)
