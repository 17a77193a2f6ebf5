"""What the ingress is compared with: aiohttp, an HMAC over the body, an idempotent produce, its acknowledgement."""

from __future__ import annotations

import hmac
import sys

from aiohttp import web
from aiokafka import AIOKafkaProducer

from shared.runtime.settings import Settings


async def serve() -> web.Application:
    settings = Settings()
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, enable_idempotence=True, acks="all", linger_ms=0)
    await producer.start()
    secret = sys.argv[1].encode()
    headers = [(f"h{n}", b"x" * 24) for n in range(10)]

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + body
        if not hmac.compare_digest(hmac.digest(secret, signed, "sha256").hex(), request.headers["x-bare"]):
            return web.Response(status=401)
        await producer.send_and_wait(
            settings.topic("bare.v1"), body, key=request.headers["webhook-id"].encode(), headers=headers
        )
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    return app


if __name__ == "__main__":
    web.run_app(
        serve(), host="127.0.0.1", port=int(sys.argv[2]), print=lambda *_: print("ready", flush=True), access_log=None
    )
