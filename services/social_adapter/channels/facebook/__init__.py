"""Facebook pages: Messenger and comments — https://developers.facebook.com/documentation/business-messaging/messenger-platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from pydantic import Field as Described, SecretStr

from services.social_adapter.channels.facebook import amending, comments, likeness, metadata, outbound as sends
from services.social_adapter.channels.facebook.errors import REFUSALS
from services.social_adapter.channels.facebook.tables import (
    ASSET_BYTES,
    ASSET_KEPT,
    BODY_BYTES,
    COMMENT,
    LOCALE,
    NAMES,
    PHOTO_BYTES,
    SUBSCRIBED,
    TEXT,
)
from shared.contract import channel
from shared.contract.channel import (
    Amendment,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Handle,
    Incoming,
    Malformed,
    Message,
    Piece,
    Request,
    Sent,
    Steps,
    ThreadControl,
    TypingMark,
    unless_gone,
)
from shared.contract.envelope import Media, Party, Window
from shared.contract.readable import each
from shared.dialects import meta, meta_profiles
from shared.dialects.messenger import acts, files
from shared.dialects.messenger.entry import Entry
from shared.dialects.messenger.tables import (
    BUTTON_TEXT,
    BUTTONS,
    HUMAN_AGENT_WINDOW,
    PAYLOAD,
    PRIVATE_REPLY_WINDOW,
    QUICK_REPLIES,
    STANDARD_WINDOW,
    TITLE,
)

Json = dict[str, Any]


class App(channel.App):
    """A Meta app: all pages that have installed it are received through it."""

    secret: SecretStr = Described(min_length=1, description="the app secret: Meta signs with it")
    verify_token: SecretStr = Described(min_length=1, description="a word of your own, with which Meta asks at first")
    app_id: str = Described(min_length=1, description="the app's number: its own echoes are known by it")


class Account(channel.Account):
    """A page."""

    called_by: ClassVar[str] = "page_id"
    page_id: str = Described(min_length=1, description="the page's number")
    token: SecretStr = Described(
        min_length=1, description="a page access token: pages_messaging, pages_manage_engagement"
    )
    api: str = Described(default="https://graph.facebook.com", description="where the Graph API is")
    version: str = Described(default=meta.VERSION, description="the version of the Graph API")
    human_agent: bool = Described(
        default=False, description="whether Meta has approved Human Agent for the app: people may answer for seven days"
    )
    user_locale: bool = Described(
        default=False,
        description="whether the token has pages_user_locale and pages_user_timezone: people's language and time zone are then asked for with their names",
    )


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    """Every event of every entry, of as many pages as there are; `standby` is what another app answers."""
    return each(partial(_entry, app), request.json()["entry"])


def _entry(app: App, one: Json) -> Iterator[Incoming | Malformed]:
    entry = Entry(account=one["id"], time=one.get("time"), app_id=app.app_id)
    aside = replace(entry, standby=True)
    yield from each(lambda event: metadata.read_event(event, entry), one.get("messaging") or ())
    yield from each(lambda event: metadata.read_event(event, aside), one.get("standby") or ())
    yield from each(lambda change: _change(change, entry), one.get("changes") or ())


def _change(change: Json, entry: Entry) -> Iterator[Incoming]:
    """The feed; and messages in the form in which the app dashboard sends its samples."""
    field, value = change["field"], change["value"]
    if field == "feed":
        yield from comments.read(value, entry)
    elif field in SUBSCRIBED:
        yield from metadata.read_event(value, entry)


def upload(account: Account, media: Media, context: Context) -> Steps[Handle]:
    answer = yield meta.post(account, f"{account.page_id}/message_attachments", sends.asset(media))
    return Handle(value=answer.json()["attachment_id"], expires_in=ASSET_KEPT)


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    if sends.is_public(piece):
        content = sends.comment(piece)
        answer = yield meta.post(account, f"{sends.answered(piece)}/comments", content, commits=True)
        return Sent(external_ids=(answer.json()["id"],))
    answer = yield meta.post(account, f"{account.page_id}/messages", sends.message(piece), commits=True)
    return Sent(external_ids=(answer.json()["message_id"],), join_key=piece.id)


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    """A comment that is gone has been taken back."""
    request = amending.compose(account, change)
    if isinstance(change, DeletePiece):
        yield from unless_gone(request)
    else:
        yield request


def handover(account: Account, wanted: ThreadControl, context: Context) -> Steps[None]:
    yield acts.control(account, account.page_id, wanted)


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """Nobody sees who writes under a post, whose number is {page}_{post}."""
    if "_" not in mark.to:
        yield acts.typing(account, account.page_id, mark.to)


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """Who this is; asking for more than the token may see is refused as a whole."""
    return meta_profiles.look_up(account, address, (*NAMES, *LOCALE) if account.user_locale else NAMES)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Tell Meta where the app is, then install the app on the page."""
    yield meta.subscribe_app(app, account, topic="page", address=context.hook, fields=SUBSCRIBED)
    yield meta.subscribe_account(app, account, account.page_id, subscribed_fields=",".join(SUBSCRIBED))


def window(account: Account, message: Message) -> Window:
    """A comment may be answered in public for ever and once in private; a message for a day, by people for a week, after
    that by templates.

    After an advertisement it is a day as well (shared.dialects.messenger.tables.STANDARD_WINDOW): a window that Meta has closed would promise too much.
    """
    at = message.occurred_at
    if message.surface == "comment":
        return Window(private_until=at + PRIVATE_REPLY_WINDOW)
    return Window(
        until=at + STANDARD_WINDOW,
        allows=("free_text", "template"),
        human_agent_until=at + HUMAN_AGENT_WINDOW if account.human_agent else None,
    )


CHANNEL = Channel(
    name="facebook",
    docs="https://developers.facebook.com/documentation/business-messaging/messenger-platform",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=TEXT,
        unit="utf16",  # "characters", they say: what fits so fits in any reading
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=ASSET_BYTES,
        choices="full",
        options=QUICK_REPLIES,
        option_title=TITLE,
        option_id=PAYLOAD,
        linked=BUTTONS,
        link_text=BUTTON_TEXT,
        template="full",
        reply_to=True,
        typing=True,
        changes={"react": None, "seen": None},
        handovers=("pass", "take", "release"),
        starts="nothing",  # a person has a number for the page only once they have written to it
        comment=Capabilities(
            text=COMMENT,
            unit="utf16",
            caption=COMMENT,
            media={"image": "full"},
            media_bytes=PHOTO_BYTES,
            reply_to=True,
            changes={"edit": None, "delete": None, "react": None},
            reactions=(amending.LIKE,),
        ),
        private_reply=True,
        per_second=100,
        per_peer_second=10,
    ),
    proof="x-hub-signature-256",
    body_limit=BODY_BYTES,
    handshake=meta.handshake,
    verify=meta.verify,
    inbound=inbound,
    upload=upload,
    outbound=outbound,
    join_key=likeness.join_key,
    amend=amend,
    handover=handover,
    typing=typing,
    outcome=REFUSALS.outcome,
    fetch=files.fetch,
    profile=profile,
    register=register,
    version=meta.version,
    window=window,
)
