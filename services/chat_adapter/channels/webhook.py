"""The generic signed webhook, for whatever has no channel yet — https://www.standardwebhooks.com, docs/channels/webhook.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar, get_args

import orjson
from pydantic import Field as Described, SecretStr, field_validator

from shared.contract import hints
from shared.contract.channel import (
    Account as ChannelAccount,
    AlreadySent,
    Amendment,
    App as ChannelApp,
    Blob,
    Capabilities,
    Channel,
    Context,
    DeletePiece,
    Download,
    EditPiece,
    Field,
    Form,
    Http,
    Incoming,
    Malformed,
    MarkSeen,
    Message,
    Piece,
    React,
    Receipt,
    Request,
    Response,
    SendFailed,
    Sent,
    Steps,
    TypingMark,
    TypingSeen,
    Unverified,
)
from shared.contract.codes import Code, Failure, Status
from shared.contract.deliveries import Change
from shared.contract.envelope import (
    Choice,
    Contact,
    Deletion,
    Edit,
    ExternalId,
    Location,
    Media,
    MediaKind,
    MessageContext,
    Model,
    Notice,
    Part,
    Party,
    Reaction,
    Text,
    Thread,
    Unsupported,
    Window,
)
from shared.contract.readable import each, few, otherwise

M = TypeVar("M", bound=Model)

TOLERANCE: Final = timedelta(minutes=5)
PREFIX: Final = "whsec_"


def _readable_key(secret: SecretStr | None) -> SecretStr | None:
    """24 to 64 bytes, as the scheme asks; the message never holds the value."""
    if secret is None:
        return None
    try:
        size = len(_key(secret))
    except ValueError:
        size = 0
    if not 24 <= size <= 64:
        raise ValueError(
            "a secret is whsec_ and 24 to 64 random bytes in base64; make one with `openssl rand -base64 32`"
        )
    return secret


class App(ChannelApp):
    secret: SecretStr = Described(description="whsec_ and base64: what the other system signs with")
    former_secret: SecretStr | None = Described(default=None, description="also accepted, while a secret is replaced")

    _keys = field_validator("secret", "former_secret")(_readable_key)


class Account(ChannelAccount):
    url: str = Described(pattern="^https?://", description="where what we send is posted to")
    secret: SecretStr = Described(description="whsec_ and base64: what we sign with")
    window_hours: float | None = Described(
        default=None, gt=0, description="hours after a message in which it may be answered; default: always"
    )

    _keys = field_validator("secret")(_readable_key)


# signature


def _key(secret: SecretStr) -> bytes:
    return base64.b64decode(secret.get_secret_value().removeprefix(PREFIX), validate=True)


def _signature(secret: SecretStr, *, name: str, timestamp: str, body: bytes) -> str:
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def verify(app: App, request: Request, context: Context) -> None:
    name, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    given = request.headers["webhook-signature"].encode().split()
    if abs(context.now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise Unverified("the signed time is more than five minutes away; check both clocks")
    secrets = filter(None, (app.secret, app.former_secret))
    good = [_signature(secret, name=name, timestamp=timestamp, body=request.body).encode() for secret in secrets]
    fitting = [hmac.compare_digest(one, other) for one in good for other in given]
    if not any(fitting):
        raise Unverified("no signature fits")


# in


def inbound(app: App, request: Request, context: Context) -> Iterator[Incoming | Malformed]:
    body = request.json()
    return each(lambda event: (_read(app, event, context),), body.get("events", [body]))


def _read(app: App, event: Mapping[str, Any], context: Context) -> Incoming:
    return _READERS.get(event.get("type", "message"), _unknown)(app, event, context)


def _message(app: App, event: Mapping[str, Any], context: Context) -> Message:
    return _said(app, event, context, parts=_parts(event), name=_name(event))


def _edit(app: App, event: Mapping[str, Any], context: Context) -> Message:
    return _said(app, event, context, parts=(Edit(target=event["target"]), *_parts(event)))


def _deletion(app: App, event: Mapping[str, Any], context: Context) -> Message:
    return _said(app, event, context, parts=(Deletion(target=event["target"]),))


def _reaction(app: App, event: Mapping[str, Any], context: Context) -> Message:
    about = {name: event[name] for name in ("target", "emoji", "removed", "replaces") if name in event}
    return _said(app, event, context, parts=(Reaction.model_validate(about),))


def _notice(app: App, event: Mapping[str, Any], context: Context) -> Message:
    """What is told of a chat: nobody said it. One whose kind is not known is `other`, with its words or its name."""
    to, text = event.get("renamed_to") or event.get("moved_to") or event.get("responder"), event.get("text")
    told = partial(Notice, type=event["notice"], to=to, text=text)
    other = otherwise(lambda: Notice(type="other", text=text or event["notice"]), Notice(type="other"))
    return _said(app, event, context, parts=(otherwise(told, other),))


def _unknown(app: App, event: Mapping[str, Any], context: Context) -> Message:
    plain = Unsupported(type=event["type"])
    shown = otherwise(lambda: Unsupported(type=plain.type, text=event.get("text")), plain)
    return _said(app, event, context, parts=(shown,), name=_name(event))


def _name(event: Mapping[str, Any]) -> str:
    name: str = event.get("message", event["id"])
    return name


def _said(
    app: App, event: Mapping[str, Any], context: Context, *, parts: tuple[Part, ...], name: str | None = None
) -> Message:
    kind, sender, echo = event.get("type", "message"), _party(event["from"]), event.get("direction") == "outbound"
    return Message(
        account_key=_account(app, event),
        event_key=f"{kind}/{event['id']}",
        peer=event.get("peer") or event.get("container") or (event["to"] if echo else sender.address),
        sender=sender,
        parts=parts,
        occurred_at=otherwise(lambda: _time(event.get("occurred_at"), context), context.now),
        external_id=name,
        join_key=event.get("join_key") or None,
        surface="group" if event.get("container") else "direct",
        container=event.get("container") or None,
        thread=otherwise(lambda: _thread(event), Thread()),
        context=otherwise(lambda: _refers_to(event["context"]), None),
        responder=event.get("responder") or None if kind == "message" else None,
        echo=echo,
    )


def _thread(event: Mapping[str, Any]) -> Thread:
    return _as_told(
        Thread,
        {"reply_to": event.get("reply_to"), "thread_key": event.get("conversation"), "subject": event.get("subject")},
    )


def _refers_to(told: Mapping[str, Any]) -> MessageContext | None:
    found = _as_told(MessageContext, told)
    return None if found == MessageContext() else found


def _as_told(model: type[M], told: Mapping[str, Any]) -> M:
    """Each field as far as it can be read: one that cannot takes no other along."""
    fields = {name: value for name, value in told.items() if otherwise(partial(_fits, model, {name: value}), False)}
    return model.model_validate(fields)


def _fits(model: type[Model], told: Mapping[str, Any]) -> bool:
    return bool(model.model_validate(told))


def _receipt(app: App, event: Mapping[str, Any], context: Context) -> Receipt:
    failure = event.get("failure")
    return Receipt(
        account_key=_account(app, event),
        peer=event["peer"],
        status=_STATUSES[event["status"]],
        occurred_at=otherwise(lambda: _time(event.get("occurred_at"), context), context.now),
        external_ids=tuple(event.get("external_ids", ())),
        watermark=_time(event["watermark"], context) if "watermark" in event else None,
        failure=Failure(code=failure["code"], detail=failure.get("detail", "")) if failure else None,
    )


def _typing(app: App, event: Mapping[str, Any], context: Context) -> TypingSeen:
    return TypingSeen(
        account_key=_account(app, event),
        peer=event["peer"],
        occurred_at=otherwise(lambda: _time(event.get("occurred_at"), context), context.now),
    )


def _account(app: App, event: Mapping[str, Any]) -> str:
    """An app may carry several accounts; an event without a word of it is for the app's own."""
    name: str = event.get("account", app.account_key)
    return name


def _time(stamp: str | None, context: Context) -> datetime:
    """RFC 3339 with its offset; without one it could mean any hour."""
    if stamp is None:
        return context.now
    time = datetime.fromisoformat(stamp)
    if time.tzinfo is None:
        raise ValueError("a time needs its offset")
    return time


def _party(person: Mapping[str, Any]) -> Party:
    told = {hint: person.get(hint) for hint in ("name", "username", "phone", "email", "locale", "time_zone")}
    return hints.party(Party(address=person["address"], verified="signature"), **told)


def _parts(event: Mapping[str, Any]) -> tuple[Part, ...]:
    """Each as far as it can be read."""
    parts: list[Any] = otherwise(lambda: few(event["parts"]), [None])
    return tuple(otherwise(partial(_part, part), _unreadable(part)) for part in parts) or (Unsupported(type="message"),)


def _unreadable(part: Any) -> Unsupported:
    kind = otherwise(lambda: Unsupported(type=part["kind"]).type, "message")
    return otherwise(lambda: Unsupported(type=kind, text=part.get("text")), Unsupported(type=kind))


def _part(part: Mapping[str, Any]) -> Part:
    kind = part["kind"]
    if kind == "media":
        return _media(part)
    if kind in _PLAIN:
        return _PLAIN[kind].model_validate(part)
    return Unsupported(type=kind, text=part.get("text"))


def _media(part: Mapping[str, Any]) -> Media:
    """The file stays where it is until the service fetches it; what only Parley may say of it (blob, state) is not read."""
    told = {name: part.get(name) for name in ("mime_type", "size", "sha256", "name", "caption")}
    return Media(media=part["media"] if part["media"] in get_args(MediaKind) else "file", handle=part["url"], **told)


_PLAIN: Final[Mapping[str, type[Text | Location | Contact | Choice]]] = {
    "text": Text,
    "location": Location,
    "contact": Contact,
    "choice": Choice,
}
_STATUSES: Final[Mapping[str, Status]] = {"sent": "sent", "delivered": "delivered", "read": "read", "failed": "failed"}
_READERS: Final[Mapping[str, Callable[[App, Mapping[str, Any], Context], Incoming]]] = {
    "message": _message,
    "edit": _edit,
    "deletion": _deletion,
    "reaction": _reaction,
    "notice": _notice,
    "receipt": _receipt,
    "typing": _typing,
}


# out


def outbound(account: Account, piece: Piece, context: Context) -> Steps[Sent]:
    message = {
        "type": "message",
        "id": piece.id,
        "account": account.key,
        "to": piece.to,
        "reply_to": piece.reply_to,
        "conversation": piece.thread_key,
        "subject": piece.subject,
        "part": _shown(piece.part),
    }
    present = {name: value for name, value in message.items() if value is not None}
    try:
        answer = yield _signed(account, piece.id, present, context, file=_file(piece.part), commits=True)
    except AlreadySent as known:
        raise AlreadySent(
            external_ids=known.external_ids or (() if known.join_key else (piece.id,)), join_key=known.join_key
        ) from None
    told = _Answer.of(answer)
    return Sent(external_ids=told.external_ids or (() if told.join_key else (piece.id,)), join_key=told.join_key)


def amend(account: Account, change: Amendment, context: Context) -> Steps[None]:
    """In the words of the events that come in. The other system keeps each change's id for a day as well."""
    about = {"id": change.id, "account": account.key, "to": change.to, "target": change.external_id}
    yield _signed(account, change.id or change.external_id, {**_changed(change), **about}, context)


def _changed(change: Amendment) -> dict[str, Any]:
    match change:
        case EditPiece(part=part):
            return {"type": "edit", "part": _shown(part)}
        case DeletePiece():
            return {"type": "deletion"}
        case React(emoji=emoji, removed=removed):
            shown = {"emoji": emoji, "removed": removed}
            return {"type": "reaction", **{name: value for name, value in shown.items() if value}}
        case MarkSeen():
            return {"type": "seen"}


def typing(account: Account, mark: TypingMark, context: Context) -> Steps[None]:
    event = {"type": "typing", "account": account.key, "to": mark.to}
    yield _signed(account, f"typing-{context.nonce}", event, context)


class _Answer(Model):
    """What the other system may answer; anything else in a 2xx is a yes without names."""

    external_ids: tuple[ExternalId, ...] = ()
    join_key: ExternalId | None = None

    @classmethod
    def of(cls, response: Response) -> _Answer:
        try:
            return cls.model_validate(response.json())
        except ValueError:
            return cls()


def _shown(part: Part) -> dict[str, Any]:
    """The part in the words of the envelope; of a file without bytes here, the address it has."""
    value = part.model_dump(mode="json", exclude_none=True, exclude={"state", "blob", "handle"})
    return value | {"url": part.handle} if isinstance(part, Media) and part.handle and not part.blob else value


def _file(part: Part) -> Blob | None:
    if not isinstance(part, Media) or part.blob is None:
        return None
    return replace(Blob.of(part), name=part.name or part.media)


def _signed(
    account: Account,
    name: str,
    value: Mapping[str, Any],
    context: Context,
    *,
    file: Blob | None = None,
    commits: bool = False,
) -> Http:
    """A request signed over its JSON: the body, or beside a file the form's field `message`, which names the file's sha256."""
    text = orjson.dumps(value)
    timestamp = str(int(context.now.timestamp()))
    headers = {
        "webhook-id": name,
        "webhook-timestamp": timestamp,
        "webhook-signature": _signature(account.secret, name=name, timestamp=timestamp, body=text),
    }
    if file:
        form: Form = (Field("message", text.decode()), Field("file", file))
        return Http(url=account.url, headers=headers, body=form, commits=commits, timeout=timedelta(minutes=2))
    return Http(url=account.url, headers={"content-type": "application/json", **headers}, body=text, commits=commits)


_CODES: Final[Mapping[int, Code]] = {
    401: "auth",
    403: "auth",
    404: "bad_address",
    408: "unreachable",
    410: "blocked",
    413: "too_long",
    415: "unsupported",
    429: "throttled",
}


def outcome(response: Response) -> None:
    """Every request carries its own id, which the other system keeps for a day, so what failed there may be repeated."""
    if response.ok:
        return
    if response.status == 409:
        told = _Answer.of(response)
        raise AlreadySent(external_ids=told.external_ids, join_key=told.join_key)
    code = "unreachable" if response.status >= 500 else _CODES.get(response.status, "refused")
    raise SendFailed(code, f"HTTP {response.status}", retry_after=response.retry_after)


def fetch(account: Account, media: Media, context: Context) -> Steps[Download]:
    request = Http(method="GET", url=media.handle or "", stranger=True)
    yield from ()  # nothing need be asked beforehand
    return Download.of(media, request)


def window(account: Account, message: Message) -> Window:
    if account.window_hours is None:
        return Window()
    return Window(until=message.occurred_at + timedelta(hours=account.window_hours))


CHANNEL = Channel(
    name="webhook",
    docs="https://www.standardwebhooks.com",
    app=App,
    account=Account,
    capabilities=Capabilities(
        text=10_000,
        caption=10_000,
        media={"image": "full", "audio": "full", "video": "full", "file": "full", "sticker": "full"},
        choices="full",
        options=50,
        option_title=250,
        location="full",
        contact="full",
        reply_to=True,
        typing=True,
        changes=dict.fromkeys(get_args(Change)),
        one_reaction=False,
        per_peer_second=10,
        idempotent_for=timedelta(hours=24),
    ),
    verify=verify,
    inbound=inbound,
    outbound=outbound,
    amend=amend,
    typing=typing,
    fetch=fetch,
    window=window,
    outcome=outcome,
    proof="webhook-signature",
)
