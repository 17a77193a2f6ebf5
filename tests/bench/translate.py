"""What translation costs, channel by channel, over its own samples: a process of its own that prints its figures as JSON.

In: the raw request or mail, verified, read, stamped, and encoded as records of Kafka. Out: the pieces of the samples, fitted and
composed into the requests that the provider would be sent. Nothing is sent, so it is CPU only; memory is what the process holds afterwards.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
from pydantic import SecretStr

from services.chat_adapter import registry as chat
from services.cli.wire import parse_http
from services.email_adapter import registry as email
from services.email_adapter.mail.newest import new_text
from services.social_adapter import registry as social
from shared.bus.cloudevents import Out, new_trace
from shared.bus.produce import Producer
from shared.contract.channel import Account, App, Channel, Context, Incoming, Mail, Piece, Request, Response
from shared.contract.codes import CHANNELS
from shared.contract.errors import AlreadySent, Malformed, SendFailed
from shared.contract.fit import fit
from shared.inbound import translate
from shared.inbound.accept import Intake, Raw
from shared.runtime.settings import Settings
from shared.storage.blobs import Blobs
from tests.services.email_adapter.new_texts import TEXTS

SAMPLES: Final = Path(__file__).parents[1] / "channels"
FOUND: Final[Mapping[str, Channel]] = {**chat.CHANNELS, **social.CHANNELS, **email.CHANNELS}
SECONDS: Final = 1.5  # of CPU, for each direction


@dataclass(frozen=True)
class Desk:
    """One channel with the settings of its samples."""

    channel: Channel
    app: App
    account: Account
    context: Context
    intake: Intake

    @property
    def folder(self) -> Path:
        return SAMPLES / self.channel.name

    def request_in(self, request: Request) -> list[Out]:
        translate.verify(self.channel, self.app, request, self.context)
        raw = Raw(request.body, request.headers.get("content-type", ""))
        found = translate.read_each(self.channel, self.app, request, self.context)
        return self.encoded([one for one in found if not isinstance(one, Malformed)], raw)

    def mail_in(self, mail: Mail) -> list[Out]:
        read = translate.read_mail(self.channel.mail, self.account, mail, self.context)
        return self.encoded(read.records, Raw(ref="blob", content_type="message/rfc822"))

    def encoded(self, found: Sequence[Incoming], raw: Raw) -> list[Out]:
        trace, now = new_trace(), self.context.now
        stamped = (translate.stamp(one, channel=self.channel, account=self.account, received_at=now) for one in found)
        return [self.intake.record(one, raw=raw, traceparent=trace) for one in stamped]

    def compose(self, piece: Piece, answers: list[Response]) -> None:
        """One piece as the requests that send it, the provider answering as the sample tells."""
        left = iter(answers)
        fit([piece.part], self.channel.capabilities.shown(piece.surface, piece.way))
        try:
            steps = self.channel.outbound(self.account, piece, self.context)  # type: ignore[misc]
            translate.answer(steps, given=lambda _: next(left), outcome=self.channel.outcome)
        except (AlreadySent, SendFailed):
            return


def desk(name: str, folder: Path) -> Desk:
    told = orjson.loads((SAMPLES / name / "settings.json").read_bytes())
    settings, channel = Settings(), FOUND[name]
    return Desk(
        channel,
        channel.app.model_validate({"name": "main", **told["app"]}),
        channel.account.model_validate({"name": "main", **told["account"]}),
        Context(
            now=datetime.fromisoformat(told["now"]), nonce="0123456789abcdef", secret=SecretStr(told.get("secret", ""))
        ),
        Intake(settings, CHANNELS[name], Producer(settings), Blobs.open(folder.as_uri())),
    )


def mails(on: Desk) -> Iterator[Mail]:
    for path in sorted(on.folder.glob("*.eml")):
        yield Mail(path.read_bytes(), "customer@example.org", (on.account.key,))


def pieces(on: Desk) -> Iterator[tuple[Piece, list[Response]]]:
    """What the samples send, without those that a look at the part alone refuses."""
    for path in sorted(on.folder.glob("*.out.json")):
        sample = orjson.loads(path.read_bytes())
        if "sent" in sample:
            answers = [answered(step["response"]) for step in sample["exchange"]]
            yield Piece.model_validate(sample["piece"]), answers


def answered(told: Mapping[str, Any]) -> Response:
    body = told.get("body", "")
    raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    return Response(status=told["status"], headers=told.get("headers", {}), body=raw)


def stripped(marked: str) -> int:
    """Bytes of a mail's text whose new text was found."""
    new_text(marked)
    return len(marked.encode())


def measure(once: Callable[[], int]) -> float:
    """How many a CPU-second, once being called again and again after a warm-up."""
    once()
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < SECONDS:
        count += once()
    return count / spent


def figures(on: Desk) -> dict[str, float]:
    found: dict[str, float] = {}
    requests = [parse_http(path.read_bytes()) for path in sorted(on.folder.glob("*.in.http"))]
    letters, outgoing = list(mails(on)), list(pieces(on))
    if requests:
        found["in_per_cpu_second"] = measure(lambda: sum(len(on.request_in(one)) for one in requests))
        found["in_bytes"] = sum(len(one.body) for one in requests) / len(requests)
    if letters:
        found["in_per_cpu_second"] = measure(lambda: sum(len(on.mail_in(one)) for one in letters))
        found["in_bytes"] = sum(len(one.raw) for one in letters) / len(letters)
        found["new_text_bytes_per_cpu_second"] = measure(lambda: sum(map(stripped, TEXTS.values())))
    if outgoing:
        found["out_per_cpu_second"] = measure(lambda: sum(on.compose(*one) is None for one in outgoing))
    found["samples"] = len(requests) + len(letters) + len(outgoing)
    found["megabytes"] = psutil.Process().memory_info().rss / 1e6
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.buffer.write(orjson.dumps(figures(desk(sys.argv[1], Path(folder)))))


if __name__ == "__main__":
    main()
