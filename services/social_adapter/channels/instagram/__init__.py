"""Instagram: direct messages, comments and mentions — https://developers.facebook.com/documentation/instagram-platform."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Final, Literal, Self

from pydantic import Field as Described, SecretStr, model_validator

from services.social_adapter.channels.instagram import inbound as webhooks, likeness, outbound as sends
from services.social_adapter.channels.instagram.errors import REFUSALS
from services.social_adapter.channels.instagram.places import kind_of
from services.social_adapter.channels.instagram.tables import (
    ALBUM,
    BODY_BYTES,
    COMMENT,
    LIVE,
    MEDIA_BYTES,
    PROBATION,
    SUBSCRIBED,
    TEXT,
)
from shared.contract import channel
from shared.contract.channel import (
    TRANSIENT,
    Amendment,
    Capabilities,
    Channel,
    Context,
    Http,
    Message,
    Piece,
    SendFailed,
    Sent,
    Steps,
    ThreadControl,
    Token,
    TypingMark,
    unless_gone,
)
from shared.contract.envelope import PUBLIC, Party, Window
from shared.dialects import meta, meta_profiles
from shared.dialects.messenger import acts, files
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

HOSTS: Final[Mapping[str, str]] = {
    "instagram": "https://graph.instagram.com",
    "facebook": "https://graph.facebook.com",
}


class App(channel.App):
    """A Meta app, whose webhook is entered at the product Instagram: all accounts of one login are received through it."""

    secret: SecretStr = Described(
        min_length=1,
        description="what Meta signs with: the Instagram app secret with Instagram Login, the app secret with Facebook Login",
    )
    verify_token: SecretStr = Described(min_length=1, description="a word of your own, with which Meta asks at first")
    app_id: str = Described(
        min_length=1, description="the app's number: what it is told of threads that other apps have is known by it"
    )


class Account(channel.Account):
    """An Instagram professional account, by one of Meta's two APIs."""

    called_by: ClassVar[str] = "instagram_id"
    instagram_id: str = Described(min_length=1, description="the number of the professional account (17841…)")
    login: Literal["instagram", "facebook"] = Described(
        default="instagram",
        description="by which API: of Instagram Login, or of Facebook Login by the page that the account is linked to",
    )
    page_id: str = Described(default="", description="the number of that page, with Facebook Login")
    token: SecretStr = Described(
        min_length=1,
        description="a long-lived Instagram user token, which is refreshed from then on; or the token of the page, which does not end",
    )
    api: str = Described(default="", description="where the Graph API is; default: where Meta has it for this login")
    version: str = Described(default=meta.VERSION, description="the version of the Graph API")
    human_agent: bool = Described(
        default=False, description="whether Meta has approved Human Agent for the app: people may answer for seven days"
    )

    @model_validator(mode="after")
    def _has_its_page(self) -> Self:
        if self.login == "facebook" and not self.page_id:
            raise ValueError("page_id: with login = 'facebook', name the page that the account is linked to")
        return self

    @property
    def node(self) -> str:
        """Whose messages they are, for the Graph."""
        return self.page_id if self.login == "facebook" else self.instagram_id


def has_token_that_ends(account: Account) -> bool:
    return account.login == "instagram"


def acting(account: Account, context: Context) -> Account:
    """The account as calls are made with it: at its host, with the token that is good now."""
    token = context.token if has_token_that_ends(account) else account.token
    return account.model_copy(update={"token": token, "api": account.api or HOSTS[account.login]})


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    path, content = sends.compose(account, piece, context.link)
    answer = yield meta.post(acting(account, context), path, content, commits=True)
    told = answer.json()
    return Sent(external_ids=(told["id"] if sends.is_public(piece) else told["message_id"],))


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    """A comment can only be taken back, and one that is gone has been: …/instagram-graph-api/reference/ig-comment."""
    actor = acting(account, context)
    if change.surface not in PUBLIC:
        yield acts.amend(actor, account.node, change)
        return
    if change.way == "private":
        raise SendFailed("unsupported", "a private answer stays")
    yield from unless_gone(meta.delete(actor, sends.quoted(change.external_id)))


def handover(account: Account, wanted: ThreadControl, context: Context) -> Steps[None]:
    """…/business-messaging/instagram-messaging/features/conversation-routing, which is a page's."""
    yield acts.control(acting(account, context), account.node, wanted)


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """Nobody sees who writes under a post."""
    if kind_of(mark.to) is None:
        yield acts.typing(acting(account, context), account.node, mark.to)


def profile(account: Account, address: str, peer: str, context: Context) -> Steps[Party]:
    """…/messaging-api/user-profile: Meta tells of who has written in private, and of nobody else."""
    return meta_profiles.look_up(acting(account, context), address, ("name", "username"))


def refresh(account: Account, known: SecretStr | None, context: Context) -> Steps[Token]:
    """A token of sixty days for one that is at least a day old: …/instagram-platform/reference/refresh_access_token.

    One that a person has just made is too young for it: it is good as it is, and asked for again a day later.
    """
    given = known or account.token
    host = account.api.rstrip("/") or HOSTS["instagram"]
    word = sends.quoted(given.get_secret_value())
    url = f"{host}/refresh_access_token?grant_type=ig_refresh_token&access_token={word}"
    try:
        answer = yield Http(method="GET", url=url, secret=SecretStr(word))
    except SendFailed as failed:
        if known is not None or failed.reason in TRANSIENT:
            raise
        young = account.model_copy(update={"token": given, "api": host})
        yield meta.get(young, "me", fields="user_id")
        return Token(value=given, expires_in=PROBATION, refresh=given)
    told = answer.json()
    token = SecretStr(told["access_token"])
    return Token(value=token, expires_in=timedelta(seconds=told["expires_in"]), refresh=token)


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Have the app told of what happens at this account: …/instagram-platform/webhooks/setup. The webhook's address is entered
    by hand, Meta takes it nowhere else.

    A page is told of by any of its fields, and the Facebook channel may have it subscribed to more, which stays.
    """
    actor = acting(account, context)
    if account.login == "instagram":
        fields = ",".join(SUBSCRIBED)
        yield meta.post(actor, f"{account.instagram_id}/subscribed_apps", {"subscribed_fields": fields})
        return
    answer = yield meta.get(actor, f"{account.page_id}/subscribed_apps")
    if not any(one.get("id") == app.app_id and one.get("subscribed_fields") for one in answer.json()["data"]):
        yield meta.subscribe_account(app, actor, account.page_id, subscribed_fields="feed")


def able(account: Account) -> Capabilities:
    """Threads are handed over among the apps of a page."""
    return CAPABILITIES if account.login == "facebook" else CAPABILITIES.model_copy(update={"handovers": ()})


def window(account: Account, message: Message) -> Window:
    """A comment may be answered in public for ever and once in private, under a live video while it lasts; a message for a
    day, by people for a week.
    """
    at = message.occurred_at
    if message.surface in PUBLIC:
        private = {"media": PRIVATE_REPLY_WINDOW, "live": LIVE}.get(kind_of(message.peer) or "")
        return Window(private_until=private and at + private)
    return Window(
        until=at + STANDARD_WINDOW, human_agent_until=at + HUMAN_AGENT_WINDOW if account.human_agent else None
    )


CAPABILITIES: Final = Capabilities(
    text=TEXT,
    unit="bytes",
    media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
    media_bytes=MEDIA_BYTES,
    album=ALBUM,
    choices="full",
    options=QUICK_REPLIES,
    option_title=TITLE,
    option_title_unit="utf16",  # "characters", they say: what fits so fits in any reading
    option_id=PAYLOAD,
    linked=BUTTONS,
    link_text=BUTTON_TEXT,
    reply_to=True,
    typing=True,
    changes={"react": None, "seen": None},
    handovers=("pass", "take", "release"),
    starts="nothing",  # a person has a number for the account only once they have written to it
    comment=Capabilities(text=COMMENT, unit="utf16", reply_to=True, changes={"delete": None}),
    private_reply=True,
    per_second=100,
    per_peer_second=10,
)
CHANNEL = Channel(
    name="instagram",
    docs="https://developers.facebook.com/documentation/instagram-platform",
    app=App,
    account=Account,
    capabilities=CAPABILITIES,
    able=able,
    proof="x-hub-signature-256",
    body_limit=BODY_BYTES,
    handshake=meta.handshake,
    verify=meta.verify,
    inbound=webhooks.read,
    outbound=outbound,
    join_key=likeness.join_key,
    amend=amend,
    handover=handover,
    typing=typing,
    outcome=REFUSALS.outcome,
    fetch=files.fetch,
    profile=profile,
    refresh=refresh,
    refreshed=has_token_that_ends,
    register=register,
    version=meta.version,
    window=window,
)
