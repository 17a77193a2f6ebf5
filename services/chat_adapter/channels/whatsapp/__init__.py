"""WhatsApp Business Platform, Cloud API — https://developers.facebook.com/documentation/business-messaging/whatsapp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar
from urllib.parse import quote, urlsplit

from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.whatsapp import amending, inbound as webhooks
from services.chat_adapter.channels.whatsapp.errors import REFUSALS
from services.chat_adapter.channels.whatsapp.outbound import bare_type, compose
from services.chat_adapter.channels.whatsapp.tables import (
    BUTTON_BODY,
    BUTTON_TITLE,
    MEDIA_BYTES,
    MEDIA_LIVES,
    ROW_ID,
    ROWS,
    SUBSCRIBED,
)
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Blob,
    Capabilities,
    Channel,
    Context,
    Download,
    Field,
    Form,
    Handle,
    Http,
    Incoming,
    Malformed,
    Message,
    Piece,
    Request,
    SendFailed,
    Sent,
    Steps,
    ThreadControl,
    TypingMark,
)
from shared.contract.envelope import AMENDS, Media, Window
from shared.dialects import meta

SERVICE_WINDOW = timedelta(hours=24)


class App(channel.App):
    """One app at Meta: its webhooks carry the messages of every number that is subscribed to it."""

    secret: SecretStr = Described(min_length=1, description="the app secret: Meta signs with it")
    verify_token: SecretStr = Described(
        min_length=1, description="any secret of yours, which Meta says when it first calls the webhook"
    )
    app_id: str = Described(pattern=r"^\d{1,32}$", description="the app's id")


class Account(channel.Account):
    """One phone number."""

    called_by: ClassVar[str] = "phone_number_id"
    phone_number_id: str = Described(pattern=r"^\d{1,32}$", description="the id of the phone number, not the number")
    waba_id: str = Described(pattern=r"^\d{1,32}$", description="the id of the WhatsApp Business account it belongs to")
    token: SecretStr = Described(min_length=1, description="a system user's token with whatsapp_business_messaging")
    api: str = Described(default="https://graph.facebook.com", description="where the Graph API is")
    version: str = Described(default=meta.VERSION, pattern=r"^v\d+\.\d+$", description="the Graph API's version")


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    yield from webhooks.read(request.json())


def upload(account: Account, media: Media, context: Context) -> Steps[Handle]:
    """https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media#upload-media."""
    kind = bare_type(media)
    form: Form = (
        Field("messaging_product", "whatsapp"),
        Field("type", kind),
        Field("file", replace(Blob.of(media), mime_type=kind)),
    )
    answer = yield meta.post(account, f"{account.phone_number_id}/media", form)
    return Handle(value=answer.json()["id"], expires_in=MEDIA_LIVES)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    answer = yield meta.post(account, f"{account.phone_number_id}/messages", compose(piece), commits=True)
    return Sent(external_ids=tuple(message["id"] for message in answer.json()["messages"]), join_key=piece.id)


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    yield meta.post(account, f"{account.phone_number_id}/messages", amending.compose(change))


def handover(account: Account, wanted: ThreadControl, context: Context) -> Steps[None]:
    yield meta.post(account, f"{account.phone_number_id}/thread_control", amending.control(wanted))


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """For 25 seconds or until the answer; it marks the message answered as read: …/whatsapp/typing-indicators."""
    if mark.reply_to:
        seen = {"messaging_product": "whatsapp", "status": "read", "message_id": mark.reply_to}
        yield meta.post(account, f"{account.phone_number_id}/messages", {**seen, "typing_indicator": {"type": "text"}})


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    """A link that is good for five minutes, and wants the token too.

    Meta says where the file is, not the customer; still the token leaves only by TLS, or to the host that it is for.
    """
    answer = yield meta.get(account, quote(media.handle or "", safe=""), phone_number_id=account.phone_number_id)
    found = answer.json()
    link, home = urlsplit(found["url"]), urlsplit(account.api)
    if link.scheme != "https" and (link.scheme, link.netloc) != (home.scheme, home.netloc):
        raise SendFailed("refused", "the link to the file is not a safe one")
    request = Http.get(found["url"], token=account.token)
    return Download(request=request, mime_type=found.get("mime_type") or media.mime_type, name=media.name)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Where Meta sends, for which business account, and whether the token reaches the number."""
    yield meta.subscribe_app(app, account, topic="whatsapp_business_account", address=context.hook, fields=SUBSCRIBED)
    yield meta.subscribe_account(app, account, account.waba_id)
    yield meta.get(account, account.phone_number_id, fields="display_phone_number,verified_name")


def window(account: Account, message: Message) -> Window | None:
    """A day from the customer's last message or call; then only templates. What they change of an earlier message, an emoji
    on it, and what WhatsApp itself tells of them is neither: …/whatsapp/messages/send-messages#customer-service-windows.

    The 72 hours after an ad that leads to WhatsApp are about what messages cost, not about what may be sent:
    https://developers.facebook.com/documentation/business-messaging/whatsapp/pricing#free-entry-point-conversations.
    """
    if isinstance(message.parts[0], AMENDS) or message.assessment.kind == "automatic":
        return None
    return Window(until=message.occurred_at + SERVICE_WINDOW, allows=("free_text", "template"))


CHANNEL = Channel(
    name="whatsapp",
    docs="https://developers.facebook.com/documentation/business-messaging/whatsapp",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=4096,
        unit="utf16",
        caption=1024,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=MEDIA_BYTES,
        choices="full",
        options=ROWS,
        option_title=BUTTON_TITLE,
        option_id=ROW_ID,
        linked=1,
        link_text=BUTTON_BODY,
        location="full",
        contact="full",
        template="full",
        reply_to=True,
        typing=True,
        changes={"react": amending.TAKEN_FOR, "seen": amending.TAKEN_FOR},
        handovers=("pass", "take", "release"),
        starts="template",
        per_second=80,
        per_peer_second=1,
    ),
    proof="x-hub-signature-256",
    body_limit=3 * 1024 * 1024,
    handshake=meta.handshake,
    verify=meta.verify,
    inbound=inbound,
    upload=upload,
    outbound=outbound,
    amend=amend,
    handover=handover,
    typing=typing,
    outcome=REFUSALS.outcome,
    fetch=fetch,
    register=register,
    version=meta.version,
    window=window,
)
