"""Telegram Bot API — https://core.telegram.org/bots/api."""

from __future__ import annotations

import hmac
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field as Described, SecretStr

from services.chat_adapter.channels.telegram import amending, inbound as updates
from services.chat_adapter.channels.telegram.outbound import compose
from services.chat_adapter.channels.telegram.places import chat_of, is_ephemeral, name_of
from services.chat_adapter.channels.telegram.tables import (
    ALLOWED_UPDATES,
    CALLBACK_BYTES,
    DELETED_FOR,
    DONE,
    DOWNLOAD_BYTES,
    EPHEMERAL_WINDOW,
    PHRASES,
    STATUSES,
    UPLOAD_BYTES,
)
from shared.contract import channel
from shared.contract.channel import (
    TRANSIENT,
    AlreadySent,
    Amendment,
    Capabilities,
    Channel,
    Context,
    Download,
    Form,
    Http,
    Incoming,
    Message,
    Polled,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
    TypingMark,
    Unverified,
)
from shared.contract.envelope import Media, Model, Text, Window
from shared.contract.errors import Scope
from shared.contract.readable import each

LONG_POLL = timedelta(seconds=25)


class App(channel.App):
    """One bot: Telegram sends to it with the secret that setWebhook was given."""

    secret: SecretStr = Described(
        min_length=1, max_length=256, description="setWebhook's secret_token: letters, digits, _ and -"
    )


class Account(channel.Account):
    token: SecretStr = Described(min_length=1, description="the bot's token from @BotFather")
    api: str = Described(default="https://api.telegram.org", description="where the Bot API is")
    receive: Literal["webhook", "poll"] = Described(
        default="webhook", description="webhook, or poll (getUpdates) where Telegram cannot reach us"
    )
    administrator: bool = Described(
        default=False,
        description="the bot is an administrator of its groups: what only one person sees there may be answered at any "
        "time, else for 15 seconds",
    )


def verify(app: App, request: Request, context: Context) -> None:
    given = request.headers.get("x-telegram-bot-api-secret-token", "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, app.secret.get_secret_value().encode()):
        raise Unverified


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming]:
    yield from updates.read(request.json(), app.account_key, context.now)


def accepted(app: App, request: Request, context: Context) -> Response:
    """A button that was pressed turns until that is answered, which the answer to the webhook may do:
    https://core.telegram.org/bots/api#making-requests-when-getting-updates.
    """
    query = updates.pressed(request.json()) if b'"callback_query"' in request.body else None
    return Response.of_json({"method": "answerCallbackQuery", "callback_query_id": query}) if query else Response()


def poll(account: Account, cursor: Mapping[str, Any], context: Context) -> Steps[Polled]:
    """Asking with the next offset is what confirms the updates before it: the cursor must be durable by then. So are the
    presses on buttons that it names, which are answered first.
    """
    yield from _answer(account, cursor.get("pressed", ()))
    offset = {"offset": cursor["offset"]} if "offset" in cursor else {}
    question = {**offset, "timeout": int(LONG_POLL.total_seconds()), "allowed_updates": ALLOWED_UPDATES}
    answer = yield _call(account, "getUpdates", question, timeout=LONG_POLL + timedelta(seconds=10))
    found = answer.json()["result"]
    return Polled(
        records=tuple(each(lambda update: updates.read(update, account.key, context.now), found)),
        page=answer.body,
        cursor=_behind(found) or offset,
    )


def _answer(account: Account, queries: Sequence[str]) -> Steps[None]:
    """Telegram refuses what is too old; by then the button has stopped by itself."""
    for query in queries:
        try:
            yield _call(account, "answerCallbackQuery", {"callback_query_id": query})
        except SendFailed as failed:
            if failed.reason in TRANSIENT:
                raise


def _behind(found: Sequence[Any]) -> dict[str, Any]:
    if not found:
        return {}
    queries = [query for update in found if (query := updates.pressed(update))]
    return {"offset": found[-1]["update_id"] + 1, **({"pressed": queries} if queries else {})}


def outbound(account: Account, piece: channel.Piece, context: Context) -> Steps[Sent]:
    method, content = compose(piece if account.administrator else _naming(piece))
    answer = yield _call(account, method, content, commits=True, throttles=_throttles(piece))
    message = answer.json()["result"]
    name = name_of(message)
    return Sent(external_ids=(name,) if name else (), join_key=None if name else piece.id)


def _naming(piece: channel.Piece) -> channel.Piece:
    """Where one person alone sees it, an answer must name what it answers, unless an administrator sends it:
    https://core.telegram.org/bots/api#ephemeral-messages-and-commands.
    """
    if not is_ephemeral(piece.to) or piece.reply_to or not piece.references:
        return piece
    return piece.model_copy(update={"reply_to": piece.references[-1]})


def _throttles(piece: channel.Piece) -> Scope:
    """A 429 does not say whether the chat must wait or the bot (https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this).

    In a group it is nearly always the group's 20 a minute, and others may still be written to; a person is never written
    to faster than the one a second that is allowed, so there it is the bot's.
    """
    return "peer" if piece.surface == "group" else "account"


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    method, content = amending.compose(change)
    yield _call(account, method, content)


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    """Only where a chat is meant as a whole: in the places of one person it would be seen by others, or is not taken."""
    if ":" not in mark.to:
        yield _call(account, "sendChatAction", {**chat_of(mark.to, mark.thread_key), "action": "typing"})


def grow(account: Account, piece: channel.Piece, context: Context) -> Steps[str]:
    """A draft, which is all of the answer so far and passes within half a minute; in a person's own chat only:
    https://core.telegram.org/bots/api#sendmessagedraft.
    """
    if piece.surface == "direct" and piece.to.isdecimal() and isinstance(piece.part, Text):
        draft = {**chat_of(piece.to, piece.thread_key), "draft_id": draft_of(piece.id), "text": piece.part.text}
        yield _call(account, "sendMessageDraft", draft)
    else:
        yield from typing(account, TypingMark(to=piece.to, thread_key=piece.thread_key), context)
    return ""


def draft_of(piece: str) -> int:
    """Telegram's name of a draft is a number other than 0."""
    return 1 + zlib.crc32(piece.encode()) % (2**31 - 1)


class Parameters(Model):
    """https://core.telegram.org/bots/api#responseparameters; `retry_after` in seconds."""

    retry_after: Annotated[int, Described(ge=0, le=24 * 3600)] | None = None
    migrate_to_chat_id: int | None = None


class Refused(Model):
    """Telegram's body for every no: https://core.telegram.org/bots/api#making-requests."""

    description: str
    parameters: Parameters = Parameters()


def outcome(response: Response) -> None:
    """Telegram says no in a sentence. What failed inside it says nothing: a send that ends so becomes unknown."""
    if response.ok:
        return
    if response.status >= 500:
        raise SendFailed("unreachable", f"Telegram answered {response.status}")
    refused = _refused(response)
    said = refused.description.lower()
    if any(phrase in said for phrase in DONE):
        raise AlreadySent(refused.description[:500])
    code = next((code for phrase, code in PHRASES.items() if phrase in said), None)
    wait, moved = refused.parameters.retry_after, refused.parameters.migrate_to_chat_id
    raise SendFailed(
        code or STATUSES.get(response.status, "refused"),
        refused.description[:500] + (f"; it is {moved} now" if moved else ""),
        retry_after=None if wait is None else timedelta(seconds=wait),
    )


def _refused(response: Response) -> Refused:
    try:
        return Refused.model_validate(response.json())
    except ValueError:  # something between us and Telegram answered
        return Refused(description=f"HTTP {response.status}")


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    if (media.size or 0) > DOWNLOAD_BYTES:
        raise SendFailed("too_long", "Telegram gives bots no file above 20 MB")
    answer = yield _call(account, "getFile", {"file_id": media.handle})
    path = answer.json()["result"]["file_path"]
    file = Http(method="GET", url=f"{account.api}/file/bot{_secret(account)}/{path}", secret=account.token)
    return Download(request=file, mime_type=media.mime_type, name=media.name or path.rpartition("/")[2])


def register(app: App, account: Account, context: Context) -> Steps[None]:
    """Tell Telegram where to send, or, where we ask, to send nowhere: it allows only one of the two."""
    if account.receive == "poll":
        yield _call(account, "deleteWebhook", {"drop_pending_updates": False})
        return
    hook = {
        "url": context.hook,
        "secret_token": app.secret.get_secret_value(),
        "allowed_updates": ALLOWED_UPDATES,
        "drop_pending_updates": False,
    }
    yield _call(account, "setWebhook", hook)


def _call(
    account: Account,
    method: str,
    content: dict[str, Any] | Form,
    *,
    commits: bool = False,
    throttles: Scope = "account",
    timeout: timedelta = timedelta(seconds=20),
) -> Http:
    url, token = f"{account.api}/bot{_secret(account)}/{method}", account.token
    if isinstance(content, tuple):
        long = timedelta(minutes=2)
        return Http(url=url, body=content, commits=commits, secret=token, throttles=throttles, timeout=long)
    return Http.post_json(url, content, commits=commits, secret=token, throttles=throttles, timeout=timeout)


def _secret(account: Account) -> str:
    return account.token.get_secret_value()


def window(account: Account, message: Message) -> Window:
    """For ever, but where one person of a group alone sees the answer."""
    if account.administrator or not is_ephemeral(message.peer):
        return Window()
    return Window(until=message.occurred_at + EPHEMERAL_WINDOW)


CHANNEL = Channel(
    name="telegram",
    docs="https://core.telegram.org/bots/api",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=4096,
        unit="utf16",
        caption=1024,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        media_bytes=UPLOAD_BYTES,
        choices="full",
        options=100,
        option_title=64,
        option_id=CALLBACK_BYTES,
        option_id_unit="bytes",
        location="full",
        contact="full",
        reply_to=True,
        typing=True,
        grows=timedelta(seconds=1),
        changes={"edit": None, "delete": DELETED_FOR, "react": None},
        reactions=amending.REACTIONS,
        per_second=30,
        per_peer_second=1,
    ),
    signed=False,
    proof="x-telegram-bot-api-secret-token",
    verify=verify,
    inbound=inbound,
    accepted=accepted,
    poll=poll,
    polled=lambda account: account.receive == "poll",
    outbound=outbound,
    amend=amend,
    typing=typing,
    grow=grow,
    outcome=outcome,
    fetch=fetch,
    register=register,
    window=window,
)
